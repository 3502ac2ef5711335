/**
 * The state machine of one put at the node that minted it (paper, section 5), without the waiting. The version exists and is on its way to
 * all N replicas at once; what is left to decide is when enough of them have it, and when they never will.
 *
 *   replicating --ack--> replicating | written     W acknowledged, PW of them primaries, DW of them on stable storage
 *   replicating --failure--> replicating | short   the quorum cannot be met any more
 *
 * Pending owners (nodes that will own the partition once they hold it) get every write, and count for nothing yet. What a node said is kept by
 * node and judged under whatever plan stands: a ring change in the middle moves nodes in and out of the count, and none counts twice.
 */
import type { ErrorCode, NodeId } from '@armature/kernel';
import type { ReplicaOutcome, ReplicaReceipt, ReplicaRole } from '@armature/protocol';
import type { WriteQuorum } from './quorum.js';

export interface PutPlan {
  /** Current owners, all primaries: up to N. */
  readonly owners: readonly NodeId[];
  /** Future owners. */
  readonly pending: readonly NodeId[];
  readonly quorum: WriteQuorum;
}

export interface PutOutcome {
  readonly node: NodeId;
  readonly outcome: ReplicaOutcome;
}

export interface PutState {
  readonly plan: PutPlan;
  /** One outcome per node, in the order in which they first answered; nodes that the plan no longer names among them. */
  readonly heard: readonly PutOutcome[];
  readonly verdict: 'replicating' | 'written' | 'short';
}

export function startPut(plan: PutPlan): PutState {
  return judged({ plan, heard: [], verdict: 'replicating' });
}

export function putAcknowledged(state: PutState, node: NodeId, durable: boolean): PutState {
  return heard(state, node, durable ? 'durable' : 'ok');
}

export function putFailed(state: PutState, node: NodeId, code: ErrorCode): PutState {
  return heard(state, node, code);
}

/** The ring changed underneath. A verdict that was reached stands: it was right under the ring of its time. */
export function putReplanned(state: PutState, plan: PutPlan): PutState {
  return judged({ ...state, plan });
}

/** What became of each replica of the plan so far; those not heard of are `waiting`. */
export function putReplicas(state: PutState): readonly ReplicaReceipt[] {
  const { owners, pending } = state.plan;
  const answered = state.heard.flatMap(({ node, outcome }) => {
    const role = roleOf(state.plan, node);
    return role === undefined ? [] : [{ node, role, outcome }];
  });
  if (answered.length === owners.length + pending.length) return answered;
  const receipt = (role: ReplicaRole) => (node: NodeId) => ({ node, role, outcome: 'waiting' as const });
  const isSilent = (node: NodeId): boolean => !hasAnswered(state, node);
  return [...answered, ...owners.filter(isSilent).map(receipt('primary')), ...pending.filter(isSilent).map(receipt('pending'))];
}

/** Whether the node has said anything, for or against. */
export function hasAnswered(state: PutState, node: NodeId): boolean {
  return state.heard.some((one) => one.node === node);
}

/** Whether there is nothing to wait for any more. */
export function allAnswered(state: PutState): boolean {
  const { owners, pending } = state.plan;
  return owners.every((node) => hasAnswered(state, node)) && pending.every((node) => hasAnswered(state, node));
}

/** Of two words of one node the stronger stays: it has the version, whatever became of another attempt to give it to it. */
function heard(state: PutState, node: NodeId, outcome: ReplicaOutcome): PutState {
  const known = state.heard.find((one) => one.node === node);
  if (known === undefined) return judged({ ...state, heard: [...state.heard, { node, outcome }] });
  if (strength(known.outcome) >= strength(outcome)) return state;
  return judged({ ...state, heard: state.heard.map((one) => (one === known ? { node, outcome } : one)) });
}

function strength(outcome: ReplicaOutcome): number {
  return outcome === 'durable' ? 2 : outcome === 'ok' ? 1 : 0;
}

function judged(state: PutState): PutState {
  if (state.verdict !== 'replicating') return state;
  const { owners, quorum } = state.plan;
  let acknowledged = 0;
  let durable = 0;
  let lost = 0;
  for (const { node, outcome } of state.heard) {
    if (!owners.includes(node)) continue;
    if (strength(outcome) > 0) acknowledged++;
    else lost++;
    if (outcome === 'durable') durable++;
  }
  const wanted = Math.max(quorum.w, quorum.pw);
  if (acknowledged >= wanted && durable >= quorum.dw) return { ...state, verdict: 'written' };
  const silent = owners.length - acknowledged - lost;
  const isReachable = acknowledged + silent >= wanted && durable + silent >= quorum.dw;
  return isReachable ? state : { ...state, verdict: 'short' };
}

function roleOf(plan: PutPlan, node: NodeId): ReplicaRole | undefined {
  if (plan.owners.includes(node)) return 'primary';
  return plan.pending.includes(node) ? 'pending' : undefined;
}
