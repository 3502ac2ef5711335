/**
 * Pruning: dropping entries of actors that have no version left from the clock of a set.
 *
 * Each unclean stop of a store, and each failed commit, gives its node a fresh actor, which adds an entry to the clock of every
 * key that is written under it. The entry says that the actor's events up to that count have been seen. It is needed for as long
 * as anybody may bring one of these events as a version: the entry then tells that it was superseded. The paper truncates clocks
 * by age (4.4), and others do so by size. Both bring superseded versions back, or make versions concurrent that are not, when a
 * replica with an old state turns up.
 *
 * When nobody can bring such a version any more, the entry says nothing that matters. That is the very condition under which a
 * tombstone is reaped: every member of the cluster has been found, twice, to hold nothing of the key but exactly this set
 * (docs/decisions/0012-pruning.md). This file says what is dropped then, and which sets it is worth asking for.
 *
 * An owner that was not told of the pruning still holds the whole set. The join of both is the whole set again, which is
 * harmless.
 */
import type { ActorId } from './actor.js';
import { isDeleted, type VersionSet } from './version-set.js';
import type { VersionVector } from './version-vector.js';

/**
 * A clock with more entries than this is pruned. A key has one for each of its owners, and one more for each unclean stop of
 * these. A larger number leaves more keys alone, at 9 bytes an entry in each of their records.
 */
export const DEFAULT_PRUNE_ABOVE = 16;

/**
 * The set, and the entries that its clock has lost. Both are the arguments themselves where there is nothing to drop: `set` is
 * `before`.
 */
export interface Pruned {
  readonly set: VersionSet;
  readonly dropped: VersionVector;
}

/** The set with a clock that names only the actors of its siblings. */
export function pruneClock(before: VersionSet): Pruned {
  const alive = new Set<ActorId>(before.siblings.map(({ dot }) => dot.actor));
  const dropped = before.clock.filter(({ actor }) => !alive.has(actor)) as readonly object[] as VersionVector;
  if (dropped.length === 0) return { set: before, dropped };
  const clock = before.clock.filter(({ actor }) => alive.has(actor)) as readonly object[] as VersionVector;
  return { set: { ...before, clock }, dropped };
}

/**
 * Whether a set takes room that it need not take once every member agrees: it is a tombstone and nothing else, or its clock has
 * more than `pruneAbove` entries, one of them without a version. Asked with every write, so the common case, a value with a short
 * clock, costs a comparison or two.
 */
export function isReapable(set: VersionSet, pruneAbove: number = DEFAULT_PRUNE_ABOVE): boolean {
  // Each sibling has an entry at most, so a clock that is longer than the list of siblings has one without.
  if (set.clock.length > pruneAbove && set.clock.length > set.siblings.length) return true;
  for (const { version } of set.siblings) if (version.tombstone) return isDeleted(set);
  return false;
}
