/** Redis's and ioredis's errors in the port's terms. The first word of an error reply is its code. */
import { ArmatureError } from '@armature/kernel';
import { BEHIND, FENCED, VANISHED } from './scripts.js';

/** Any error of ioredis, or of ours, as one of ours. `where`: the server and prefix, without credentials. */
export function redisError(thrown: unknown, where: string): ArmatureError {
  if (thrown instanceof ArmatureError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // Not the error itself: ioredis attaches the command with its arguments to it, users' values and passwords among them.
  const cause = new Error(message);
  const make = (
    code: 'storage-full' | 'storage-failed' | 'storage-locked' | 'storage-corrupt' | 'storage-foreign',
    what: string,
    remedy: string,
  ) => new ArmatureError(code, `${where}: ${what}`, { remedy, cause });
  switch (message.split(' ', 1)[0]) {
    case 'OOM':
      return make(
        'storage-full',
        'Redis is out of memory',
        'Raise maxmemory or delete data; reads go on, writes resume by themselves.',
      );
    case 'MISCONF':
      return message.includes('No space left')
        ? make('storage-full', 'the disk of the Redis server is full', 'Free space on it; writes resume by themselves.')
        : make('storage-failed', `Redis cannot persist: ${message}`, "Look at the Redis server's log.");
    case FENCED:
      return make(
        'storage-locked',
        'another process opened this prefix since',
        'Run one node per prefix; restart this one if it is the right one.',
      );
    case VANISHED:
      return make(
        'storage-corrupt',
        'the data is gone: Redis was flushed, or restarted without persistence',
        'Restart the node as a replacement of itself, to be repaired by the other replicas; enable appendonly in Redis.',
      );
    case BEHIND:
      return make(
        'storage-corrupt',
        'Redis lacks writes that it has acknowledged: a replica that lagged took over, a backup was restored, or its log lost its end',
        'Restart the node: it opens what is there, and is filled by the other replicas before it answers again.',
      );
    case 'WRONGTYPE':
      return make('storage-foreign', 'keys of this prefix belong to something else', 'Choose a prefix that nothing else uses.');
    case 'NOAUTH':
    case 'WRONGPASS':
    case 'NOPERM':
      return make(
        'storage-failed',
        `Redis refuses access: ${message}`,
        "Correct the user and password in the URL, or the user's rights.",
      );
    case 'READONLY':
      return make('storage-failed', 'this Redis is a read-only replica', 'Point the node at the primary.');
    default:
      return make('storage-failed', message, 'See that Redis runs and can be reached; the connection is restored by itself.');
  }
}
