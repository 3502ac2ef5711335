/**
 * What becomes of concurrent versions (2.3, 4.4, 6): who decides, and when.
 *
 * - `siblings`: the store keeps them all, and the application merges on read (`client` runs the merge function and puts the result with
 *   the context of the read). Nothing is ever lost; the default.
 * - `last-write-wins`: the store keeps the sibling with the greatest (at, dot), for data such as sessions. Applied by every replica after every
 *   mint and every join.
 *
 * Pruning after a join looks as if it could break convergence: the pruned set keeps its clock, and so claims that the loser was
 * superseded, which no event says. It is sound on one condition: **a version's `at` is greater than the `at` of everything it
 * supersedes**. Then, of all events that a clock covers, the one with the greatest (at, dot) is superseded by none of them, hence
 * is a sibling as long as it is not pruned, and is never the one that is pruned. So the set at a replica is always { the maximum
 * over all events of its clock }, a function of the clock; and when two such sets are joined, the greater maximum survives: were it
 * absent on the other side though covered by that clock, that side's maximum would be greater still. The union of clocks with
 * the maximum over them is commutative, associative and idempotent. Without the condition it is not, and a test shows that.
 *
 * `nextTimestamp` guarantees the condition, by putting each version's timestamp behind that of the context it supersedes, which is
 * a hybrid logical timestamp and so needs no synchronised clocks. It also goes behind everything stored locally, so that
 * "last" means what a user thinks when two blind writes reach the same replica one after the other.
 */
import { DEFAULT_MAX_DRIFT_MS, hlcReceive, hlcTick, ok, type ArmatureError, type Hlc, type Result } from '@armature/kernel';
import { latestTimestamp, type CausalContext, type Sibling, type VersionSet } from './version-set.js';

/** What the store does about concurrent versions. Application merges happen at the client, over `siblings`. */
export type Resolver = 'siblings' | 'last-write-wins';

export const RESOLVERS: readonly Resolver[] = ['siblings', 'last-write-wins'];

/** The set as a bucket with this resolver stores it. To be applied after each mint and join. */
export function resolve(resolver: Resolver, set: VersionSet): VersionSet {
  return resolver === 'last-write-wins' ? resolveLastWriteWins(set) : set;
}

/** Keeps the sibling with the greatest (at, dot), tombstone or not, and the whole clock. Returns `set` itself where one or none is held. */
export function resolveLastWriteWins(set: VersionSet): VersionSet {
  if (set.siblings.length < 2) return set;
  let last = set.siblings[0] as Sibling;
  // Siblings are sorted by dot, so of equal timestamps the later in the list has the greater dot.
  for (const sibling of set.siblings) if (sibling.version.at >= last.version.at) last = sibling;
  return { clock: set.clock, siblings: [last] };
}

/**
 * The timestamp for a new version: greater than `last` (the node's clock, which becomes the result), than all that `local` holds, and
 * than all that the context's holder has seen. Every put takes its `at` from here, under either resolver, so that a bucket may
 * change its resolver.
 *
 * Error `invalid-argument` when the context comes from more than `maxDriftMs` ahead of `nowMs`: to go behind it would spread a broken
 * clock. What is stored already is past refusing, since then the key could not be written until our clock caught up.
 */
export function nextTimestamp(
  last: Hlc,
  local: VersionSet,
  context: Pick<CausalContext, 'at'>,
  nowMs: number,
  maxDriftMs: number = DEFAULT_MAX_DRIFT_MS,
): Result<Hlc, ArmatureError> {
  const stored = latestTimestamp(local);
  const known = stored > last ? stored : last;
  if (context.at <= known) return ok(hlcTick(known, nowMs));
  const received = hlcReceive(known, context.at, nowMs, maxDriftMs);
  return received.ok ? ok(hlcTick(received.value, nowMs)) : received;
}

/**
 * The node's clock after a version set from elsewhere: not behind any of its timestamps. Error `invalid-argument` when one is more
 * than `maxDriftMs` ahead of `nowMs`: under last-write-wins it would win against everybody until then, so the set must not be stored.
 */
export function receiveTimestamps(
  last: Hlc,
  incoming: VersionSet,
  nowMs: number,
  maxDriftMs: number = DEFAULT_MAX_DRIFT_MS,
): Result<Hlc, ArmatureError> {
  return hlcReceive(last, latestTimestamp(incoming), nowMs, maxDriftMs);
}
