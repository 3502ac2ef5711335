/**
 * What the copies of a plan amount to, as far as the nodes that hold the data have told.
 *
 * The receiver is sent each key once, whoever of the owners has it: what it lacks after the first owner, the next sends. Owners
 * hold the same unless something is amiss, so a copy is as large as the largest of its owners' shares. An owner that told what it
 * holds and does not name a share holds nothing of it; of copies none of whose owners answered nothing is known, and they are not
 * called empty.
 */
import type { NodeId } from '@armature/kernel';
import type { Holdings, RingVersion, ShareHolding } from '@armature/protocol';
import type { PlannedTransfer } from './plan.js';

export interface Amount {
  readonly records: number;
  /** Of addresses and version sets, as they travel. */
  readonly bytes: number;
  /** False: estimated, or counted by only some of the owners, or at another ring version. */
  readonly exact: boolean;
}

export interface CostedTransfer extends PlannedTransfer {
  /** Undefined: no owner told. */
  readonly amount: Amount | undefined;
}

export interface TotalAmount extends Amount {
  readonly transfers: number;
  /** Copies of which nothing is known; the sums are without them. */
  readonly unknown: number;
}

/** The transfers of a plan made at `ring`, with what they amount to. */
export function costTransfers(
  transfers: readonly PlannedTransfer[],
  ring: RingVersion,
  holdings: readonly Holdings[],
): CostedTransfer[] {
  const told = new Map<NodeId, { isCurrent: boolean; shares: Map<string, ShareHolding> }>();
  for (const { node, ring: at, shares } of holdings)
    told.set(node, {
      isCurrent: at === ring,
      shares: new Map(shares.map((share) => [`${share.partition} ${share.n}`, share])),
    });
  return transfers.map((transfer) => {
    const owners = transfer.from.map((node) => told.get(node));
    const answers = owners.filter((owner) => owner !== undefined);
    if (answers.length === 0) return { ...transfer, amount: undefined };
    const shares = answers.map((owner) => owner.shares.get(`${transfer.partition} ${transfer.n}`));
    const amount = {
      records: Math.max(...shares.map((share) => share?.records ?? 0)),
      bytes: Math.max(...shares.map((share) => share?.bytes ?? 0)),
      exact: owners.every((owner) => owner?.isCurrent) && shares.every((share) => share?.exact ?? true),
    };
    return { ...transfer, amount };
  });
}

export function totalAmount(transfers: readonly CostedTransfer[]): TotalAmount {
  const known = transfers.map(({ amount }) => amount).filter((amount) => amount !== undefined);
  return {
    transfers: transfers.length,
    records: known.reduce((sum, { records }) => sum + records, 0),
    bytes: known.reduce((sum, { bytes }) => sum + bytes, 0),
    exact: known.length === transfers.length && known.every(({ exact }) => exact),
    unknown: transfers.length - known.length,
  };
}
