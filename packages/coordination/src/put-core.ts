/**
 * The state machine of one put at the node that minted it (paper, section 5), without the waiting. The version exists and is on its way to
 * all N replicas at once; what is left to decide is when enough of them have it, and when they never will.
 *
 *   replicating --ack--> replicating | written     W acknowledged, PW of them primaries, DW of them on stable storage
 *   replicating --failure--> replicating | short   the quorum cannot be met any more
 *
 * Pending owners (nodes that will own the partition once they hold it) get every write, and count for nothing yet.
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

export interface PutState {
  readonly plan: PutPlan;
  /** In the order in which they answered. */
  readonly heard: readonly ReplicaReceipt[];
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

/** The ring changed underneath: the acknowledgements of nodes that are still concerned stay, everybody else is to be asked (again). */
export function putReplanned(state: PutState, plan: PutPlan): PutState {
  const kept = state.heard
    .filter(
      ({ node, outcome }) =>
        (outcome === 'ok' || outcome === 'durable') && (plan.owners.includes(node) || plan.pending.includes(node)),
    )
    .map((replica) => ({ ...replica, role: roleOf(plan, replica.node) }));
  return judged({ plan, heard: kept, verdict: state.verdict });
}

/** What became of each replica so far; those not heard of are `waiting`. */
export function putReplicas(state: PutState): readonly ReplicaReceipt[] {
  const { owners, pending } = state.plan;
  if (state.heard.length === owners.length + pending.length) return state.heard;
  const silent = [...owners, ...pending].filter((node) => !state.heard.some((replica) => replica.node === node));
  return [...state.heard, ...silent.map((node) => ({ node, role: roleOf(state.plan, node), outcome: 'waiting' as const }))];
}

function heard(state: PutState, node: NodeId, outcome: ReplicaOutcome): PutState {
  return judged({ ...state, heard: [...state.heard, { node, role: roleOf(state.plan, node), outcome }] });
}

function judged(state: PutState): PutState {
  if (state.verdict !== 'replicating') return state;
  const { owners, quorum } = state.plan;
  let acknowledged = 0;
  let durable = 0;
  let lost = 0;
  for (const replica of state.heard) {
    if (replica.role === 'pending') continue;
    if (replica.outcome === 'ok' || replica.outcome === 'durable') acknowledged++;
    else lost++;
    if (replica.outcome === 'durable') durable++;
  }
  const wanted = Math.max(quorum.w, quorum.pw);
  if (acknowledged >= wanted && durable >= quorum.dw) return { ...state, verdict: 'written' };
  const silent = owners.length - acknowledged - lost;
  const reachable = acknowledged + silent >= wanted && durable + silent >= quorum.dw;
  return reachable ? state : { ...state, verdict: 'short' };
}

function roleOf(plan: PutPlan, node: NodeId): ReplicaRole {
  return plan.owners.includes(node) ? 'primary' : 'pending';
}
