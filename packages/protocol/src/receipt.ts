/**
 * Receipts: what an answer says about itself. Which replicas took part, in which role, and what became of each: the
 * difference between "written" and "written, and two of three primaries have it on disk".
 */
import type { ErrorCode, NodeId } from '@armature/kernel';

/** `primary`: among the first N. `pending`: will be, once its transfer is done. `fallback`: stands in for a primary. */
export type ReplicaRole = 'primary' | 'pending' | 'fallback';

/** `ok`: took part; `durable`: and has it on stable storage; otherwise why not. `waiting`: had not answered yet. */
export type ReplicaOutcome = 'ok' | 'durable' | 'waiting' | ErrorCode;

export interface ReplicaReceipt {
  readonly node: NodeId;
  readonly role: ReplicaRole;
  readonly outcome: ReplicaOutcome;
}

/** Of a read or a write that met its quorum. `replicas` in the order in which they answered, the silent ones last. */
export interface Receipt {
  /** The node that minted the version (writes), or the one that answered first (reads). */
  readonly coordinator: NodeId;
  readonly replicas: readonly ReplicaReceipt[];
}

export function tookPart(replica: ReplicaReceipt): boolean {
  return replica.outcome === 'ok' || replica.outcome === 'durable';
}

/** How many replicas of a role took part. */
export function countRole(receipt: Receipt, role: ReplicaRole): number {
  return receipt.replicas.filter((replica) => replica.role === role && tookPart(replica)).length;
}
