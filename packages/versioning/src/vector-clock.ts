/**
 * The vector clock as the paper describes it (4.4): one per *version*, a list of (node, counter, time of last update), with
 * truncation: past a threshold of ten pairs the pair that was updated longest ago goes.
 *
 * Stored state does not use it; `version-set.ts` does better in the three places where this one goes wrong:
 * - one entry per server cannot tell apart two clients that write through one server, so of two concurrent writes one seems
 *   to descend from the other and is lost, or, under one merged clock per key, superseded siblings stay and pile up;
 * - one entry per client cures that, and lets the clock grow with the number of clients, so that it has to be truncated;
 * - a truncated clock no longer descends from its ancestors: they come back as siblings (*false concurrency*). The paper says
 *   that this has not been a problem in production; others have met it. Truncation is therefore off unless asked for.
 *
 * It is here for comparison and for applications that carry their own clocks inside values.
 */
import { assert } from '@armature/kernel';
import type { CausalOrder } from './version-vector.js';

/** What one node (or client) contributed. */
export interface VectorClockEntry {
  readonly node: string;
  readonly counter: number;
  /** When the node last updated its counter, in milliseconds since the Unix epoch. Not compared, only used to truncate. */
  readonly updatedAtMs: number;
}

/** Sorted by node, each node once. */
export type VectorClock = readonly VectorClockEntry[];

export const EMPTY_VECTOR_CLOCK: VectorClock = Object.freeze([]);

/** The paper's threshold, in pairs. */
export const PAPER_TRUNCATION_THRESHOLD = 10;
const NO_TRUNCATION = Number.POSITIVE_INFINITY;

/** A version and its own clock. */
export interface ClockedVersion<T> {
  readonly clock: VectorClock;
  readonly value: T;
}

/** The clock of a new version that `node` derives from a version with clock `clock`. Keeps at most `maxPairs` pairs. */
export function incrementVectorClock(
  clock: VectorClock,
  node: string,
  nowMs: number,
  maxPairs: number = NO_TRUNCATION,
): VectorClock {
  const before = clock.find((entry) => entry.node === node);
  const next: VectorClockEntry = { node, counter: (before?.counter ?? 0) + 1, updatedAtMs: nowMs };
  assert(maxPairs >= 1, 'a clock keeps at least the pair that was just updated');
  // The others make room: the new pair stays even where the machine's clock ran backwards, or the new version would not be new.
  const others = clock.filter((entry) => entry !== before);
  return byNode([...truncateVectorClock(others, maxPairs - 1), next]);
}

/** Drops the pairs that were updated longest ago (of equal times, the first by node) until at most `maxPairs` >= 0 are left. */
export function truncateVectorClock(clock: VectorClock, maxPairs: number = PAPER_TRUNCATION_THRESHOLD): VectorClock {
  if (clock.length <= maxPairs) return clock;
  const oldestFirst = clock.toSorted((a, b) => a.updatedAtMs - b.updatedAtMs || (a.node < b.node ? -1 : 1));
  return byNode(oldestFirst.slice(clock.length - maxPairs));
}

export function compareVectorClocks(a: VectorClock, b: VectorClock): CausalOrder {
  const after = clockDescends(a, b);
  const before = clockDescends(b, a);
  return after ? (before ? 'equal' : 'after') : before ? 'before' : 'concurrent';
}

/** The least clock that descends both; of equal counters the later time stays. */
export function mergeVectorClocks(a: VectorClock, b: VectorClock): VectorClock {
  const merged = new Map(a.map((entry) => [entry.node, entry]));
  for (const entry of b) {
    const other = merged.get(entry.node);
    const later =
      other === undefined ||
      entry.counter > other.counter ||
      (entry.counter === other.counter && entry.updatedAtMs > other.updatedAtMs);
    if (later) merged.set(entry.node, entry);
  }
  return byNode([...merged.values()]);
}

/** Syntactic reconciliation: without versions that another descends from; of equal clocks the first stays. */
export function reconcileVectorClocks<T>(versions: readonly ClockedVersion<T>[]): readonly ClockedVersion<T>[] {
  return versions.filter((version, i) =>
    versions.every((other, j) => {
      const order = compareVectorClocks(version.clock, other.clock);
      return order !== 'before' && !(order === 'equal' && j < i);
    }),
  );
}

function clockDescends(a: VectorClock, b: VectorClock): boolean {
  return b.every((seen) => a.some((entry) => entry.node === seen.node && entry.counter >= seen.counter));
}

function byNode(entries: readonly VectorClockEntry[]): VectorClock {
  return entries.toSorted((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0));
}
