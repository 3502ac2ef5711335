/**
 * LevelDB's errors in the port's terms. classic-level tells apart only a held lock, a corruption and an I/O error; what
 * kind of I/O error is in the text, which LevelDB takes from strerror.
 */
import { dirname } from 'node:path';
import { ArmatureError } from '@armature/kernel';
import { closedError } from '@armature/storage';

const START_EMPTY =
  'Move the data directory aside and start the node with an empty one: it notices that its store is lost, and is filled again from the other replicas. ' +
  'Keep what was moved for buckets of one replica: nobody else has their data.';

export function corruptError(message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown): ArmatureError {
  return new ArmatureError('storage-corrupt', message, { remedy: START_EMPTY, details, cause });
}

export function fullError(directory: string, cause?: unknown): ArmatureError {
  return new ArmatureError('storage-full', `no space left for ${directory}`, {
    remedy: 'Free space on its file system, or move the directory to a larger one. Reads go on; writes resume by themselves.',
    cause,
  });
}

/** A file of the database that this process cannot open or read. Nothing has been changed: the database was not opened. */
export function unusableFileError(path: string, thrown: unknown): ArmatureError {
  if (thrown instanceof ArmatureError) return thrown;
  const cause = innermost(thrown);
  return new ArmatureError('storage-failed', `${path} cannot be used by ${user()}: ${cause.message}`, {
    remedy:
      `${remedyFor(codeOf(cause), path)} Nothing in the database has been changed. ` +
      'A node that runs opens it again by itself; one that could not start is to be started again.',
    details: { file: path },
    cause,
  });
}

function remedyFor(code: string, path: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `Give it to the user that the node runs as (chown -R, chmod u+rwX on ${dirname(path)}), or run the node as its owner.`;
    case 'EROFS':
      return 'Mount the file system for writing, or choose another directory.';
    case 'EMFILE':
    case 'ENFILE':
      return 'Raise the limit of open files (ulimit -n, LimitNOFILE of systemd).';
    case 'ENOENT':
    case 'ELOOP':
    case 'EISDIR':
      return 'Put the file back: a directory, or a link that leads nowhere, is in its place.';
    default:
      return "Look at the device and the system's log.";
  }
}

function user(): string {
  const uid = process.getuid?.();
  return uid === undefined ? 'the user of this process' : `user ${uid}`;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

export function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && codeOf(thrown) === 'ENOENT';
}

/** For `catch`: a file that is not there is undefined. */
export function ignoreMissing(thrown: unknown): undefined {
  if (!isMissing(thrown)) throw thrown;
}

/** Any error of level, of Node's file system, or of ours, as one of ours. */
export function levelError(thrown: unknown, directory: string): ArmatureError {
  if (thrown instanceof ArmatureError) return thrown;
  const cause = innermost(thrown);
  const code = codeOf(cause);
  const message = cause.message;
  if (code === 'LEVEL_LOCKED') {
    return new ArmatureError('storage-locked', `the data directory ${directory} is in use by another process`, {
      remedy: 'Stop the other process, or give this node a directory of its own.',
      cause,
    });
  }
  if (isDamage(cause)) {
    return corruptError(`the database in ${directory} is corrupt: ${message}`, {}, cause);
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') return closedError('level engine');
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left|[Qq]uota exceeded/.test(message))
    return fullError(directory, cause);
  if (['EACCES', 'EPERM', 'EROFS'].includes(code) || /Permission denied|Read-only file system/.test(message)) {
    return new ArmatureError('storage-failed', `the data directory ${directory} cannot be used by ${user()}: ${message}`, {
      remedy: 'Give the user this process runs as the right to write there, or choose another directory.',
      cause,
    });
  }
  if (['ENOTDIR', 'EEXIST', 'ENAMETOOLONG'].includes(code)) {
    return new ArmatureError('storage-failed', `${directory} cannot be a data directory: ${message}`, {
      remedy: 'Choose a directory; a file is in the way.',
      cause,
    });
  }
  return new ArmatureError('storage-failed', `the storage in ${directory} failed: ${message}`, {
    remedy:
      "Look at the device and the system's log. A node that runs opens the database again by itself before its next write; " +
      'one that could not start is to be started again when the device works.',
    cause,
  });
}

/** Bytes that are not what LevelDB wrote, or a file of its own that is gone. */
export function isDamage(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown instanceof ArmatureError) return false;
  return codeOf(thrown) === 'LEVEL_CORRUPTION' || /^Corruption|^IO error: .*No such file/.test(thrown.message);
}

/** classic-level wraps what matters: "Database failed to open" with the reason as its cause. */
function innermost(thrown: unknown): Error {
  let error = thrown instanceof Error ? thrown : new Error(String(thrown));
  while (error.cause instanceof Error) error = error.cause;
  return error;
}
