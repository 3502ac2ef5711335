/**
 * Reads of what all replicas hold alike cause no writes: no read repair, no hint, nowhere. What nodes write for themselves
 * (membership, actors) is no matter of reads. Not claimed where a disk has a damaged record: a node that verifies its disk writes
 * what it still has in memory anew. To be asked while nothing is reaped: a tombstone that one owner has dropped already and
 * another not yet is repaired by a read.
 */
import type { World } from '../world/world.js';
import type { DiskWitness } from './disk-witness.js';

const ROUNDS = 3;
/** For what reads leave behind them: repairs, and their flush from memory. */
const AFTERMATH_MS = 3_000;

export async function checkQuietReads(
  world: World,
  readAll: () => Promise<void>,
  witness: Pick<DiskWitness, 'puts'>,
  isDamaged = false,
): Promise<string[]> {
  const before = witness.puts;
  try {
    for (let round = 0; round < ROUNDS; round++) await world.until(readAll());
  } catch (thrown) {
    return [`unavailable: a read after convergence failed: ${String(thrown)}`];
  }
  await world.run(world.nowMs + AFTERMATH_MS);
  const written = witness.puts - before;
  return written === 0 || isDamaged
    ? []
    : [`loud: reads of what all replicas hold alike made them write ${written} records or hints`];
}
