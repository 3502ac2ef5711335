/**
 * Taking possession of a prefix: check whose it is, take the lease, move the fence on. One script does it, so two processes
 * that start at the same moment cannot both succeed.
 */
import { ArmatureError } from '@armature/kernel';
import { stampText, verifyStamp, type StorageIdentity } from '@armature/storage';
import type { RedisConnection } from './redis-connection.js';
import { ACQUIRE } from './scripts.js';

export interface KeyNames {
  readonly stamp: string;
  readonly lease: string;
  readonly fence: string;
  readonly count: string;
  readonly behind: string;
  readonly values: string;
  readonly keys: string;
}

/** One hash tag, so that the keys of a prefix are in one slot wherever slots exist. */
export function keyNames(prefix: string): KeyNames {
  const name = (part: string): string => `{${prefix}}:${part}`;
  return {
    stamp: name('stamp'),
    lease: name('lease'),
    fence: name('fence'),
    count: name('count'),
    behind: name('behind'),
    values: name('values'),
    keys: name('keys'),
  };
}

/** What the server says of a prefix when it is opened. */
export interface Acquired {
  /** Greater than that of every opening before. */
  readonly fence: number;
  /** How many batches were written so far. */
  readonly batches: number;
  /** Why writes that were acknowledged are missing; undefined when none are known to be. */
  readonly behind: string | undefined;
}

/** Takes the lease, and begins a new opening. Fails with `storage-locked` or `storage-foreign`. */
export async function acquire(
  connection: RedisConnection,
  names: KeyNames,
  token: string,
  leaseMs: number,
  identity: StorageIdentity,
): Promise<Acquired> {
  const stamp = stampText(identity, Date.now());
  const keys = [names.stamp, names.lease, names.fence, names.values, names.count, names.behind];
  const [outcome, ...rest] = (await connection.run(ACQUIRE, keys, [token, leaseMs, stamp], true)) as [number, ...unknown[]];
  if (outcome === 0) {
    throw new ArmatureError(
      'storage-locked',
      `${connection.where} is in use by ${String(rest[0]).split(':', 2).join(' process ')}`,
      {
        remedy: `Stop that node, or use another prefix. If it died, its lease ends in ${Math.ceil(Number(rest[1]) / 1000)} s.`,
        details: { retryAfterMs: Number(rest[1]) },
      },
    );
  }
  if (outcome === 2) {
    throw new ArmatureError('storage-foreign', `${connection.where} holds data without a stamp`, {
      remedy: 'Choose a prefix that nothing else uses.',
    });
  }
  verifyStamp(String(rest[1]), identity, connection.where);
  const behind = String(rest[3]);
  return { fence: Number(rest[0]), batches: Number(rest[2]), behind: behind === '' ? undefined : behind };
}
