/**
 * The state machine of one put at the node that mints it (paper, sections 4.5 and 5), without the waiting: an event goes in, the
 * next state and what is to be done come out.
 *
 * The version exists, and goes to all replicas of the plan at once. Whether enough of them have it, or never will, is judged in
 * `put-quorum.ts`. Here it is decided who is sent the version, and when the put ends:
 *
 *   an acknowledgement   calls nobody in: it can only bring the put nearer to its end
 *   anything else        the version goes to everybody of the plan who has not got it and is not being asked, among them
 *                        fallbacks that have just been called in. Nobody is asked twice at a time, so nobody's answer is
 *                        another's. For owners that nobody stands in for, this node keeps the hint itself: it counts for nothing,
 *                        and saves a repair
 *   another ring         is caught up with once for all who name it; then the put goes on under the ring that all have
 *   a quorum that is     ends the put, after a moment of grace in which those who have not answered may do so, so that the error
 *   out of reach         can say who has the version
 *
 * The effects of a step are done in their order: first what is sent, then hints, then the decision. After the decision a put goes
 * on until all have answered.
 */
import type { ErrorCode, NodeId } from '@armature/kernel';
import type { RingVersion } from '@armature/protocol';
import {
  allAnswered,
  hasAnswered,
  putAbandoned,
  putAcknowledged,
  putFailed,
  putGivenUp,
  putReplanned,
  putTargets,
  standsInFor,
  startTally,
  type PutPlan,
  type PutTally,
  type StandIn,
} from './put-quorum.js';

export type PutEffect =
  /** Give the node the version: as its own, or as a hint for an owner. */
  | { readonly kind: 'send'; readonly node: NodeId; readonly hintFor: NodeId | undefined }
  /** Keep a hint for this owner here, uncounted. */
  | { readonly kind: 'keep-hint'; readonly owner: NodeId }
  /** Catch up with membership, then `putRefreshed`. */
  | { readonly kind: 'refresh' }
  /** The quorum is out of reach: `putEnded` in a moment, unless all have answered by then. */
  | { readonly kind: 'grace' }
  /** The put is over for its caller. */
  | { readonly kind: 'decide' };

/** A request that was sent, as its answer refers to it. */
export interface Sent {
  readonly node: NodeId;
  readonly hintFor: NodeId | undefined;
  /** Of the request. */
  readonly ring: RingVersion;
}

export interface PutState {
  readonly self: NodeId;
  /** Whether what this node minted is a hint, and no copy of its own. */
  readonly mintsAsFallback: boolean;
  readonly tally: PutTally;
  /** Under which the plan was made. */
  readonly ring: RingVersion;
  /** Who is being asked. */
  readonly inFlight: readonly NodeId[];
  /** Owners for whom this node has kept a hint. */
  readonly hinted: readonly NodeId[];
  readonly refreshes: number;
  readonly isRefreshing: boolean;
  readonly hasGrace: boolean;
  readonly isDecided: boolean;
}

export interface PutStep {
  readonly state: PutState;
  readonly effects: readonly PutEffect[];
}

export interface PutBeginning {
  readonly self: NodeId;
  readonly plan: PutPlan;
  readonly ring: RingVersion;
  /** Owners that seem to be down. */
  readonly down: readonly NodeId[];
  /** Set when this node mints as a fallback. */
  readonly standIn: StandIn | undefined;
  readonly maxRefreshes: number;
}

const NOBODY: readonly NodeId[] = [];
const NOTHING: readonly PutEffect[] = [];
const DECIDE: readonly PutEffect[] = [{ kind: 'decide' }];
const REFRESH: readonly PutEffect[] = [{ kind: 'refresh' }];

export function putBegun({ self, plan, ring, down, standIn, maxRefreshes }: PutBeginning): PutStep {
  const state: PutState = {
    ...{
      self,
      ring,
      mintsAsFallback: standIn !== undefined,
      tally: startTally(plan, down, standIn),
      inFlight: NOBODY,
      hinted: NOBODY,
    },
    ...{ refreshes: maxRefreshes, isRefreshing: false, hasGrace: false, isDecided: false },
  };
  return calledIn(state, state.tally);
}

/** The minting node's own copy is committed. */
export function putCommitted(state: PutState, isDurable: boolean): PutStep {
  const { self, tally, mintsAsFallback } = state;
  // Under a ring that gives the node another part the hint that it minted is no copy of its own.
  const isOnlyHint = mintsAsFallback && standsInFor(tally, self) === undefined;
  return isOnlyHint
    ? calledIn(state, putFailed(tally, self, 'stale-ring'))
    : settled(state, putAcknowledged(tally, self, isDurable));
}

export function putCommitFailed(state: PutState, code: ErrorCode): PutStep {
  return calledIn(state, putFailed(state.tally, state.self, code));
}

/** A replica has the version. */
export function putAnswered(state: PutState, sent: Sent, isDurable: boolean): PutStep {
  const { tally } = state;
  const left = returned(state, sent.node);
  // A node that a new ring has given another part is asked again in that: a hint is no copy of its own, nor the reverse.
  if (standsInFor(tally, sent.node) !== sent.hintFor) return calledIn(left, tally);
  return settled(left, putAcknowledged(tally, sent.node, isDurable));
}

/** A replica has refused, or let its time pass. `isLate`: so has the put. */
export function putRefused(state: PutState, { node, hintFor, ring }: Sent, code: ErrorCode, isLate: boolean): PutStep {
  const left = returned(state, node);
  const { tally } = state;
  if (standsInFor(tally, node) !== hintFor) return calledIn(left, tally);
  if (code !== 'stale-ring' || isLate) return calledIn(left, putFailed(tally, node, code));
  if (ring !== state.ring) return calledIn(left, tally); // it was asked under a ring that we have left since
  if (state.isRefreshing) return { state: left, effects: NOTHING };
  if (state.refreshes === 0) return calledIn(left, putFailed(tally, node, 'stale-ring'));
  return { state: { ...left, refreshes: state.refreshes - 1, isRefreshing: true }, effects: REFRESH };
}

/**
 * We have caught up, or could not: what cannot be caught up with now may have reached us otherwise; if not, the replica says so
 * again.
 */
export function putRefreshed(state: PutState, plan: PutPlan, ring: RingVersion): PutStep {
  return calledIn({ ...state, ring, isRefreshing: false }, putReplanned(state.tally, plan));
}

/**
 * Those who do not answer, and no ping either, are as good as those that refuse. `fallbacks`: who is up now. `isHalfOver`: those
 * that PW needs get half of the put's time, so that there is some left to tell the caller who has the version.
 */
export function putSilent(
  state: PutState,
  isSuspect: (node: NodeId) => boolean,
  fallbacks: () => readonly NodeId[],
  isHalfOver: boolean,
): PutStep {
  const silent = state.inFlight.filter((node) => !hasAnswered(state.tally, node) && isSuspect(node));
  if (silent.length === 0) return { state, effects: NOTHING };
  const planned = { ...state.tally, plan: { ...state.tally.plan, fallbacks: fallbacks() } };
  const giveUp = isHalfOver ? putFailed : putGivenUp;
  return calledIn(
    state,
    silent.reduce<PutTally>((tally, node) => giveUp(tally, node, 'timeout'), planned),
  );
}

/** A copy that was in memory only is on stable storage. */
export function putMadeDurable(state: PutState, node: NodeId): PutStep {
  // Under a new ring it may be a fallback now, whose own copy is not the hint that would count.
  if (node !== state.self && standsInFor(state.tally, node) !== undefined) return { state, effects: NOTHING };
  return settled(state, putAcknowledged(state.tally, node, true));
}

/** The time of the put is over, or the moment of grace is. */
export function putEnded(state: PutState): PutStep {
  return state.isDecided ? { state, effects: NOTHING } : { state: { ...state, isDecided: true }, effects: DECIDE };
}

function returned(state: PutState, node: NodeId): PutState {
  return { ...state, inFlight: state.inFlight.filter((one) => one !== node) };
}

/** After an acknowledgement. */
function settled(state: PutState, tally: PutTally): PutStep {
  return judged(state, tally, NOTHING);
}

/** After anything else. */
function calledIn(state: PutState, tally: PutTally): PutStep {
  const effects: PutEffect[] = [];
  let { inFlight, hinted } = state;
  for (const { node, hintFor } of putTargets(tally)) {
    if (node === state.self || inFlight.includes(node) || hasAnswered(tally, node)) continue;
    inFlight = [...inFlight, node];
    effects.push({ kind: 'send', node, hintFor });
  }
  for (const owner of putAbandoned(tally)) {
    if (owner === state.self || hinted.includes(owner)) continue;
    hinted = [...hinted, owner];
    effects.push({ kind: 'keep-hint', owner });
  }
  return judged({ ...state, inFlight, hinted }, tally, effects);
}

function judged(state: PutState, tally: PutTally, effects: readonly PutEffect[]): PutStep {
  const { verdict } = tally;
  if (state.isDecided || verdict === 'replicating') return { state: { ...state, tally }, effects };
  if (verdict === 'written' || allAnswered(tally))
    return { state: { ...state, tally, isDecided: true }, effects: effects.length === 0 ? DECIDE : [...effects, ...DECIDE] };
  return state.hasGrace
    ? { state: { ...state, tally }, effects }
    : { state: { ...state, tally, hasGrace: true }, effects: [...effects, { kind: 'grace' }] };
}
