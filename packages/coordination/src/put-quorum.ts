/**
 * What the replicas of one put have said, and what it amounts to (paper, section 5): when enough of them have the version, and
 * when they never will. Who is asked, and when, is decided in `put-core.ts`.
 *
 *   replicating --ack--> replicating | written     W acknowledged, PW of them primaries, DW of them on stable storage
 *   replicating --failure--> replicating | short   the quorum cannot be met any more
 *
 * An owner that fails is stood in for by the next fallback, which keeps the version as a hint for it (the sloppy quorum, paper,
 * section 4.6): it counts for W and DW, not for PW. Owners that are known to be down are stood in for at once. An owner that has
 * answered after all, and those who stood in for it, count as one: what they keep for it is given to it and deleted, and then
 * there is one copy.
 *
 * While a partition moves, a put is judged twice: under the owners of now, and under the *next* owners, those that the partition
 * will have when all pending ones are ready. It needs its quorum in both. Otherwise a put acknowledged by owners that are about
 * to go would be missed by a read of those who come, although R + W > N: a pending owner may have copied the partition before the
 * put, and may not have got the put. Three rules keep the store writable meanwhile:
 *
 *   - A pending owner that fails is stood in for by the owner whose place it takes, if that one has the version: a former owner
 *     drops nothing before all owners have it. No message is needed for that. So a pending owner that is down keeps no put from
 *     its W and DW. It does from a PW that cannot be met without it.
 *   - Where owners are missing (after a removal) W may be greater than their number. Then all of them must acknowledge, and the
 *     rest of W is met by the pending owners that are to fill the vacancies, or by fallbacks that keep hints for them.
 *   - Where the next owners are fewer than the present ones, fewer of them are needed, by as many.
 *
 * What a node said is kept by node and judged under whatever plan stands: a ring change in the middle moves nodes in and out of
 * the count, and none counts twice.
 */
import { isHolder } from '@armature/membership';
import type { ErrorCode, NodeId } from '@armature/kernel';
import type { ReplicaOutcome, ReplicaReceipt, ReplicaRole } from '@armature/protocol';
import type { WriteQuorum } from './quorum.js';

export interface PutPlan {
  /** Current owners, all primaries: up to N. */
  readonly owners: readonly NodeId[];
  /** Those of the next owners that are no owners yet. They are given every write. */
  readonly pending: readonly NodeId[];
  /** The owners when all pending ones are ready; the same array as `owners` while the partition does not move. */
  readonly next: readonly NodeId[];
  /** Who may stand in for an owner, in order; nobody by default. */
  readonly fallbacks?: readonly NodeId[];
  readonly quorum: WriteQuorum;
}

export interface PutOutcome {
  readonly node: NodeId;
  readonly outcome: ReplicaOutcome;
}

/** A fallback, and the owner whose copy it keeps. */
export interface StandIn {
  readonly node: NodeId;
  readonly owner: NodeId;
}

export interface PutTally {
  readonly plan: PutPlan;
  /** In the order in which they were called in. */
  readonly standIns: readonly StandIn[];
  /** One outcome per node, in the order in which they first answered; nodes that the plan no longer names among them. */
  readonly heard: readonly PutOutcome[];
  readonly verdict: 'replicating' | 'written' | 'short';
}

/**
 * `down`: owners that are not worth asking while somebody can stand in for them, unless PW needs them. `self`: what the minting
 * node keeps, when it is itself a fallback; under a ring that came after the mint that may be no part in the plan any more, and
 * counts for nothing then.
 */
export function startTally(plan: PutPlan, down: readonly NodeId[] = [], self?: StandIn): PutTally {
  const standIns = self === undefined || !isPartOf(plan, self) ? [] : [self];
  const state = judged({ plan, standIns, heard: [], verdict: 'replicating' });
  return down.reduce((next, owner) => (owner === self?.owner ? next : putGivenUp(next, owner, 'unreachable')), state);
}

/**
 * A node seems to be down, and has not said anything: it is waited for no longer while somebody can stand in for it, unless PW
 * needs it.
 */
export function putGivenUp(state: PutTally, node: NodeId, code: ErrorCode): PutTally {
  const { plan } = state;
  if (hasAnswered(state, node) || isNeededForPw(state, node)) return state;
  const canBeStoodInFor = predecessorOf(plan, node) !== undefined || nextFallback(state) !== undefined;
  return canBeStoodInFor ? putFailed(state, node, code) : state;
}

/** Whether PW, now or for the next owners, cannot be met without a word of this node. */
function isNeededForPw(state: PutTally, node: NodeId): boolean {
  const { owners, next, quorum } = state.plan;
  const isAlive = (owner: NodeId): boolean => strength(outcomeOf(state, owner) ?? 'ok') > 0;
  const needs = (nodes: readonly NodeId[], pw: number): boolean => nodes.includes(node) && nodes.filter(isAlive).length <= pw;
  return needs(owners, quorum.pw) || needs(next, quorumOfNext(state.plan).pw);
}

export function putAcknowledged(state: PutTally, node: NodeId, durable: boolean): PutTally {
  return judged(noted(state, node, durable ? 'durable' : 'ok'));
}

export function putFailed(state: PutTally, node: NodeId, code: ErrorCode): PutTally {
  return judged(replaced(noted(state, node, code), node));
}

/**
 * The ring changed underneath. A verdict that was reached stands: it was right under the ring of its time. A stand-in that has
 * itself become an owner keeps a hint, and is to be given the version as its own.
 */
export function putReplanned(state: PutTally, plan: PutPlan): PutTally {
  const risen = state.standIns.filter(({ node }) => isHolder(plan, node)).map(({ node }) => node);
  const standIns = state.standIns.filter((standIn) => isPartOf(plan, standIn));
  return judged({ ...state, plan, standIns, heard: state.heard.filter(({ node }) => !risen.includes(node)) });
}

function isPartOf(plan: PutPlan, { node, owner }: StandIn): boolean {
  return isHolder(plan, owner) && !isHolder(plan, node);
}

/** The owner whose hint the node is to keep; undefined for one that is given the version as its own. */
export function standsInFor(state: PutTally, node: NodeId): NodeId | undefined {
  return state.standIns.find((one) => one.node === node)?.owner;
}

/** Everybody who is to get the version, and for whom a fallback keeps it. */
export function putTargets({
  plan,
  standIns,
}: PutTally): readonly { readonly node: NodeId; readonly hintFor: NodeId | undefined }[] {
  return [
    ...[...plan.owners, ...plan.pending].map((node) => ({ node, hintFor: undefined })),
    ...standIns.map(({ node, owner }) => ({ node, hintFor: owner })),
  ];
}

/** Owners that have failed and that nobody stands in for: the minting node keeps a hint itself, which counts for nothing. */
export function putAbandoned(state: PutTally): readonly NodeId[] {
  const has = (node: NodeId): boolean => strength(outcomeOf(state, node) ?? 'waiting') > 0;
  const isLost = (node: NodeId): boolean => hasAnswered(state, node) && !has(node);
  return [...state.plan.owners, ...state.plan.pending].filter(
    (owner) => isLost(owner) && !state.standIns.some((one) => one.owner === owner && !isLost(one.node)),
  );
}

/** What became of each replica of the plan so far; those not heard of are `waiting`. */
export function putReplicas(state: PutTally): readonly ReplicaReceipt[] {
  const { owners, pending } = state.plan;
  const fallbacks = state.standIns.map(({ node }) => node);
  const answered = state.heard.flatMap(({ node, outcome }) => {
    const role = roleOf(state, node);
    return role === undefined ? [] : [{ node, role, outcome }];
  });
  if (answered.length === owners.length + pending.length + fallbacks.length) return answered;
  const receipt = (role: ReplicaRole) => (node: NodeId) => ({ node, role, outcome: 'waiting' as const });
  const isSilent = (node: NodeId): boolean => !hasAnswered(state, node);
  return [
    ...answered,
    ...owners.filter(isSilent).map(receipt('primary')),
    ...pending.filter(isSilent).map(receipt('pending')),
    ...fallbacks.filter(isSilent).map(receipt('fallback')),
  ];
}

/** Whether the node has said anything, for or against. */
export function hasAnswered(state: PutTally, node: NodeId): boolean {
  return outcomeOf(state, node) !== undefined;
}

function outcomeOf(state: PutTally, node: NodeId): ReplicaOutcome | undefined {
  return state.heard.find((one) => one.node === node)?.outcome;
}

/** Whether there is nothing to wait for any more. */
export function allAnswered(state: PutTally): boolean {
  return putTargets(state).every(({ node }) => hasAnswered(state, node));
}

/** Of two words of one node the stronger stays: it has the version, whatever became of another attempt to give it to it. */
function noted(state: PutTally, node: NodeId, outcome: ReplicaOutcome): PutTally {
  const known = state.heard.find((one) => one.node === node);
  if (known === undefined) return { ...state, heard: [...state.heard, { node, outcome }] };
  if (strength(known.outcome) >= strength(outcome)) return state;
  return { ...state, heard: state.heard.map((one) => (one === known ? { node, outcome } : one)) };
}

/** Calls in the next fallback for a node that has failed: one whose copy is needed, or one that stood in for such a node. */
function replaced(state: PutTally, failed: NodeId): PutTally {
  const owner = isToBeReplaced(state.plan, failed) ? failed : state.standIns.find(({ node }) => node === failed)?.owner;
  const node = nextFallback(state);
  if (owner === undefined || node === undefined || strength(outcomeOf(state, owner) ?? 'waiting') > 0) return state;
  const isStoodInFor = state.standIns.some(
    (one) =>
      one.owner === owner && (outcomeOf(state, one.node) === undefined || strength(outcomeOf(state, one.node) ?? 'waiting') > 0),
  );
  return isStoodInFor ? state : { ...state, standIns: [...state.standIns, { node, owner }] };
}

/** An owner; or a pending one that fills a vacancy, where the present owners are fewer than the copies asked for. */
function isToBeReplaced(plan: PutPlan, node: NodeId): boolean {
  const { owners, pending, quorum } = plan;
  if (owners.includes(node)) return true;
  return pending.includes(node) && Math.max(quorum.w, quorum.dw) > owners.length && predecessorOf(plan, node) === undefined;
}

/** The owner whose place a pending one takes; undefined for one that fills a vacancy, and for whoever is not pending. */
function predecessorOf({ owners, pending, next }: PutPlan, node: NodeId): NodeId | undefined {
  const place = pending.indexOf(node);
  return place < 0 ? undefined : owners.filter((owner) => !next.includes(owner))[place];
}

/** Whoever has spoken already did so in another role, under another ring. */
function nextFallback(state: PutTally): NodeId | undefined {
  return state.plan.fallbacks?.find((node) => standsInFor(state, node) === undefined && !hasAnswered(state, node));
}

function strength(outcome: ReplicaOutcome): number {
  return outcome === 'durable' ? 2 : outcome === 'ok' ? 1 : 0;
}

function judged(state: PutTally): PutTally {
  if (state.verdict !== 'replicating') return state;
  const { plan } = state;
  const { owners, next } = plan;
  const present = standing(state, owners, quorumOfPresent(plan));
  const future = next === owners ? present : standing(state, next, quorumOfNext(plan));
  if (present === 'impossible' || future === 'impossible') return { ...state, verdict: 'short' };
  return present === 'met' && future === 'met' ? { ...state, verdict: 'written' } : state;
}

/** Where there are vacancies, all owners there are: the rest of the quorum is asked of the next owners. */
function quorumOfPresent({ owners, next, quorum }: PutPlan): WriteQuorum {
  if (next.length <= owners.length) return quorum;
  return { ...quorum, w: Math.min(quorum.w, owners.length), dw: Math.min(quorum.dw, owners.length) };
}

/**
 * Of next owners that are fewer by k than the present ones k less are needed for a read to meet the write: it asks no more of
 * them than before.
 */
function quorumOfNext({ owners, next, quorum }: PutPlan): WriteQuorum {
  const fewer = owners.length - next.length;
  if (fewer <= 0) return quorum;
  const { n, w, pw, dw } = quorum;
  return { n, w: Math.max(0, w - fewer), pw: Math.max(0, pw - fewer), dw: Math.max(0, dw - fewer) };
}

type Standing = 'met' | 'open' | 'impossible';

/** How it stands with the quorum among these owners. */
function standing(state: PutTally, owners: readonly NodeId[], { w, pw, dw }: WriteQuorum): Standing {
  const { plan, standIns } = state;
  const primaries = tally(state, owners, NOBODY, false);
  const isPlain = standIns.length === 0 && plan.pending.length === 0;
  const copies = isPlain ? primaries : tally(state, owners, standIns, true);
  const { acknowledged, durable } = copies;
  if (acknowledged >= w && primaries.acknowledged >= pw && durable >= dw) return 'met';
  const isReachable =
    acknowledged + copies.silent >= w &&
    primaries.acknowledged + primaries.silent >= pw &&
    durable + copies.mayBecomeDurable >= dw;
  return isReachable ? 'open' : 'impossible';
}

interface Count {
  acknowledged: number;
  durable: number;
  /** Nobody of the group has it, and somebody is yet to answer. */
  silent: number;
  /** Nobody of the group has it on stable storage, and somebody is yet to answer. */
  mayBecomeDurable: number;
}

const NOBODY: readonly StandIn[] = [];

/**
 * What these owners have said, each together with those who stand in for it: it counts once, by the best word of them.
 * `relieved`: a pending one that has failed is stood in for by its predecessor. On the path of every acknowledgement.
 */
function tally(state: PutTally, owners: readonly NodeId[], standIns: readonly StandIn[], relieved: boolean): Count {
  const count = { acknowledged: 0, durable: 0, silent: 0, mayBecomeDurable: 0 };
  for (const owner of owners) {
    let isSilent = isAnySilent(state, owner, standIns);
    let best = bestWord(state, owner, standIns);
    const predecessor = relieved && best === 0 && hasAnswered(state, owner) ? predecessorOf(state.plan, owner) : undefined;
    if (predecessor !== undefined) {
      isSilent ||= isAnySilent(state, predecessor, standIns);
      best = bestWord(state, predecessor, standIns);
    }
    if (best > 0) count.acknowledged++;
    else if (isSilent) count.silent++;
    if (best > 1) count.durable++;
    else if (isSilent) count.mayBecomeDurable++;
  }
  return count;
}

/** The strongest word of an owner and those who stand in for it. */
function bestWord(state: PutTally, owner: NodeId, standIns: readonly StandIn[]): number {
  let best = strength(outcomeOf(state, owner) ?? 'waiting');
  for (const { node, owner: absent } of standIns) {
    if (absent === owner) best = Math.max(best, strength(outcomeOf(state, node) ?? 'waiting'));
  }
  return best;
}

/** Whether the owner, or one who stands in for it, is yet to answer. */
function isAnySilent(state: PutTally, owner: NodeId, standIns: readonly StandIn[]): boolean {
  if (!hasAnswered(state, owner)) return true;
  for (const { node, owner: absent } of standIns) if (absent === owner && !hasAnswered(state, node)) return true;
  return false;
}

function roleOf({ plan, standIns }: PutTally, node: NodeId): ReplicaRole | undefined {
  if (plan.owners.includes(node)) return 'primary';
  if (plan.pending.includes(node)) return 'pending';
  return standIns.some((one) => one.node === node) ? 'fallback' : undefined;
}
