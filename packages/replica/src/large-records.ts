/**
 * Which large records were stored by which commit, so that a repetition of what is held already waits for that commit instead of
 * storing it again.
 *
 * A small set that is merged twice is stored twice: the sender is promised a durability, and of a record that is found in the
 * store nobody knows whether it is on stable storage yet. To store some MiB again, however, takes long enough for the sender to
 * lose patience and repeat itself once more.
 *
 * A commit is found by the memory that its record lies in, which no other record shares (`sealRecord`). While the store still has
 * those very bytes, in its overlay or its cache, they are the latest state of their key. A state that was undone, or read from
 * the disk, lies elsewhere and is not found; it is stored again.
 */
import type { Durability } from '@armature/protocol';

/** Records from this size on are remembered, in bytes: to store a smaller one again costs little more than to acknowledge it. */
export const LARGE_RECORD_BYTES = 16 * 1024;

interface Commit {
  readonly durability: Durability;
  readonly committed: Promise<void>;
}

export class LargeRecords {
  readonly #commits = new WeakMap<ArrayBufferLike, Commit>();

  /**
   * A record has been handed to the store. `committed`: when it is as durable as asked. Of one that the store has not taken in
   * nothing will be found.
   */
  note({ length, buffer }: Uint8Array, durability: Durability, committed: Promise<void>): void {
    if (length < LARGE_RECORD_BYTES) return;
    const commit = { durability, committed };
    this.#commits.set(buffer, commit);
    // A commit that failed may have stored the record all the same. Whoever repeats it then must not be told of the failure again
    // and again.
    committed.catch(() => {
      if (this.#commits.get(buffer) === commit) this.#commits.delete(buffer);
    });
  }

  /**
   * The commit that makes what is held at least as durable as asked; undefined where none is known. `set` is a view into the
   * record that the store has.
   */
  commitOf(set: Uint8Array | undefined, durability: Durability): Promise<void> | undefined {
    if (set === undefined || set.length < LARGE_RECORD_BYTES) return undefined;
    const commit = this.#commits.get(set.buffer);
    return commit?.durability === durability || commit?.durability === 'fsync' ? commit.committed : undefined;
  }
}
