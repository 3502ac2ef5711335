/**
 * The mark by which a damaged log tells what a crash may have left from what a disk has lost.
 *
 * A process that is killed, or a power cut, may leave the end of a log torn: batches that were not yet on stable storage, and
 * were not acknowledged as such. The same bytes in the middle of the log are a loss, and LevelDB passes over both without a word.
 * So a batch that is written when all earlier ones are on stable storage says so: it begins with the deletion of the empty key,
 * which nobody stores anything under. In the log that is two bytes; in a table it ends with the first compaction. Damage in front
 * of a batch with the mark is damage to what was on stable storage. (After Alagappan et al., "Protocol-Aware Recovery for
 * Consensus-Based Storage", FAST 2018, section 3.3: a later entry proves that an earlier one was persisted.)
 *
 * The proof holds within one log: a synced write of LevelDB syncs the newest log only.
 */

/** Its deletion is the mark. */
export const MARK_KEY = Buffer.alloc(0);

/**
 * A batch in the log: sequence number (8 bytes), count of operations (4), operations: kind (1; 0 deletes), length of the key,
 * key.
 */
const MARK_OFFSET = 12;
const MARK_BYTES = 2;

/** Whether the batch, in the fragments that the log holds it in, begins with the mark. */
export function isMarked(fragments: readonly Uint8Array[]): boolean {
  let skip = MARK_OFFSET;
  let seen = 0;
  for (const fragment of fragments) {
    for (const byte of fragment.subarray(skip, skip + MARK_BYTES - seen)) {
      if (byte !== 0) return false;
      seen++;
    }
    if (seen === MARK_BYTES) return true;
    skip = Math.max(0, skip - fragment.length);
  }
  return false;
}
