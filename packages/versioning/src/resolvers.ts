/**
 * What becomes of concurrent versions (2.3, 4.4, 6): who decides, and when.
 *
 * - `siblings`, the default: the store keeps them all, and the application merges on read (the client package runs its
 *   merge function and puts the result with the context of the read). Nothing is ever lost.
 * - `last-write-wins`: the store keeps the sibling with the greatest (at, dot), for data such as sessions. Every replica
 *   applies it after every mint and every join.
 *
 * Pruning after a join looks as if it could break convergence: the pruned set keeps its clock, and so claims that the loser
 * was superseded, which no event says. It is sound on one condition: **a version's `at` is greater than the `at` of
 * everything it supersedes**. Then, of all events that a clock covers, the one with the greatest (at, dot) is superseded by
 * none of them, so it is a sibling, and pruning never picks it. The set at a replica is thus always { the maximum over all
 * events of its clock }. When two such sets are joined the greater maximum survives: were it covered by the other clock and
 * yet absent there, the other maximum would be greater still. So merging is union of the events with the maximum over them,
 * which is commutative, associative and idempotent. Without the condition it is not, and a test shows that.
 *
 * The operations that a set remembers as superseded (superseded.ts) go the same way: what loses by its timestamp has ended like
 * what was overwritten, and is remembered; the operation that wins has not ended, whatever became of another attempt at it. So
 * they are always { operations of all versions known } less that of the maximum, trimmed. Which version wins is decided without
 * looking at them: they are bounded, so replicas may differ in them for a while, and a winner chosen by them at one replica and
 * not at the other would leave neither. (A join trims before it is known who wins: where an attempt of the winner was among those
 * kept, one entry fewer than might be is left, and another exchange may bring it. Once all know the winner, its operation is in
 * no list, and joining them is a plain join.)
 *
 * The second list, of superseded repetitions, is kept by sets of siblings only. Whether one attempt of an operation has ended
 * while another wins depends on which of them was known first, so the list would not be a join here; and which version wins does
 * not depend on it.
 *
 * `nextTimestamp` guarantees the condition: it puts a version behind everything that its context has seen, in hybrid logical
 * time, so no clocks need agree. It also puts it behind everything stored locally, so that "last" means what a user
 * expects when two blind writes reach one replica one after the other.
 *
 * A version that a wrong clock stamped far in the future is stored and merged like any other: whether to keep it must not depend
 * on anybody's clock, or replicas would differ. It is the last write until somebody writes over it, at a replica that holds it or
 * with a context that covers it. A blind put at a replica that has not got it yet loses to it, as it would to any concurrent
 * version with a later stamp.
 */
import { DEFAULT_MAX_DRIFT_MS, HLC_ZERO, hlcAfter, hlcReceive, hlcTick, isFarAhead, type Hlc } from '@armature/kernel';
import { hasRepetitions, isSuperseded, withoutOperation, withoutRepetitions } from './superseded.js';
import { latestTimestamp, withEnded, type CausalContext, type VersionSet } from './version-set.js';

/** What the store does about concurrent versions. Application merges happen at the client, over `siblings`. */
export type Resolver = 'siblings' | 'last-write-wins';

export const RESOLVERS: readonly Resolver[] = ['siblings', 'last-write-wins'];

/** The set as a bucket with this resolver stores it. To be applied after each mint and join. */
export function resolve(resolver: Resolver, set: VersionSet): VersionSet {
  return resolver === 'last-write-wins' ? resolveLastWriteWins(set) : set;
}

/** The sibling with the greatest (at, dot), tombstone or not, and the whole clock. `set` itself where that is what it holds. */
export function resolveLastWriteWins(set: VersionSet): VersionSet {
  const { clock, siblings } = set;
  let [last] = siblings;
  if (last === undefined) return set;
  // Siblings are sorted by dot, so of equal timestamps the later in the list has the greater dot.
  for (const sibling of siblings) if (sibling.version.at >= last.version.at) last = sibling;
  const { operation } = last.version;
  if (siblings.length === 1 && !hasRepetitions(set.superseded) && !isSuperseded(set.superseded, operation)) return set;
  const lost = siblings.filter((sibling) => sibling !== last);
  const superseded = withoutOperation(withoutRepetitions(withEnded(set.superseded, lost)), operation);
  return { clock, siblings: [last], superseded };
}

/** A timestamp for a new version, and what the node's clock becomes by it. */
export interface NextTimestamp {
  readonly at: Hlc;
  readonly last: Hlc;
}

/**
 * The timestamp for a new version: greater than `last` (the node's clock), than all that `local` holds, and than all that the
 * holder of the context has seen. Every put takes its `at` from here under either resolver, so that a bucket may change its
 * resolver.
 *
 * What a wrong clock has written is stamped far ahead of `nowMs`. A put over it must be stamped later still, or it would lose to
 * what it overwrites. But that stamp is for this key only: it does not become the node's clock, so no other key is stamped ahead.
 * Likewise a `last` that is far ahead, since our own wall clock has been set back, is given up: what was stamped with it is
 * stored, and every key is stamped behind what it holds.
 */
export function nextTimestamp(
  last: Hlc,
  local: VersionSet,
  context: Pick<CausalContext, 'at'>,
  nowMs: number,
  maxDriftMs: number = DEFAULT_MAX_DRIFT_MS,
): NextTimestamp {
  const next = hlcTick(isFarAhead(last, nowMs, maxDriftMs) ? HLC_ZERO : last, nowMs);
  const stored = latestTimestamp(local);
  const known = stored > context.at ? stored : context.at;
  if (known < next) return { at: next, last: next };
  const at = hlcAfter(known);
  return { at, last: isFarAhead(known, nowMs, maxDriftMs) ? next : at };
}

/**
 * The node's clock after a version set from elsewhere: not behind any of its timestamps, but for those that are far ahead, which
 * are of a wrong clock.
 */
export function receiveTimestamps(
  last: Hlc,
  incoming: VersionSet,
  nowMs: number,
  maxDriftMs: number = DEFAULT_MAX_DRIFT_MS,
): Hlc {
  let clock = last;
  for (const { version } of incoming.siblings) clock = hlcReceive(clock, version.at, nowMs, maxDriftMs);
  return clock;
}
