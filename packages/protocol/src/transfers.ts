/**
 * What a node says about data on the move: partitions that it copies because it is to own them, and data that it holds without
 * owning it any more (paper, section 4.9).
 */
import type { NodeId, PartitionId } from '@armature/kernel';
import { boolean, integer, list, node, object, text, type Json } from './json-shape.js';
import { MAX_PARTITIONS } from './limits.js';

/** A copy under way, from one owner. */
export interface ActiveTransfer {
  readonly partition: PartitionId;
  readonly from: NodeId;
  /** Sent by that owner so far, for it was lacking here. */
  readonly records: number;
  /** Of those version sets and their addresses. */
  readonly bytes: number;
  /** Records that the owner has been found to hold so far, sent or here already. */
  readonly comparedRecords: number;
}

export interface TransferStatus {
  /** Partitions that this node is to own and does not hold yet. */
  readonly pendingPartitions: number;
  /** Partitions copied, confirmed and declared since the present fill began; of the last one when there is none. */
  readonly filledPartitions: number;
  /** Received by that fill. */
  readonly records: number;
  readonly bytes: number;
  /** Received lately, over some ten seconds. */
  readonly bytesPerSecond: number;
  /** At most `MAX_ACTIVE_TRANSFERS`, in the order they began. */
  readonly active: readonly ActiveTransfer[];
  /** Partitions of which this node holds data that it does not own any more. */
  readonly strayPartitions: number;
  /**
   * Whether this node has looked, under its present view, and found nothing stray: right after a change `strayPartitions` is
   * still of the view before.
   */
  readonly clear: boolean;
  /** Records handed over to their owners, or found there, and dropped here; since the start. */
  readonly relinquishedRecords: number;
  /** Why a transfer was last interrupted or put off, or empty once all went well. */
  readonly lastProblem: string;
}

export const MAX_ACTIVE_TRANSFERS = 64;

export const NO_TRANSFERS: TransferStatus = {
  pendingPartitions: 0,
  filledPartitions: 0,
  records: 0,
  bytes: 0,
  bytesPerSecond: 0,
  active: [],
  strayPartitions: 0,
  clear: true,
  relinquishedRecords: 0,
  lastProblem: '',
};

/** Throws `Refused` (see `json-shape.ts`). */
export function readTransferStatus(input: Json): TransferStatus {
  const count = (field: keyof TransferStatus): number => integer(input[field], `transfers.${field}`, 0, Number.MAX_SAFE_INTEGER);
  return {
    pendingPartitions: count('pendingPartitions'),
    filledPartitions: count('filledPartitions'),
    records: count('records'),
    bytes: count('bytes'),
    bytesPerSecond: count('bytesPerSecond'),
    active: list(input['active'], 'transfers.active', MAX_ACTIVE_TRANSFERS).map((one, i) =>
      readActive(object(one, `transfers.active[${i}]`), `transfers.active[${i}]`),
    ),
    strayPartitions: count('strayPartitions'),
    clear: boolean(input['clear'], 'transfers.clear'),
    relinquishedRecords: count('relinquishedRecords'),
    lastProblem: text(input['lastProblem'], 'transfers.lastProblem'),
  };
}

function readActive(input: Json, path: string): ActiveTransfer {
  const count = (field: 'records' | 'bytes' | 'comparedRecords'): number =>
    integer(input[field], `${path}.${field}`, 0, Number.MAX_SAFE_INTEGER);
  return {
    partition: integer(input['partition'], `${path}.partition`, 0, MAX_PARTITIONS - 1) as PartitionId,
    from: node(input['from'], `${path}.from`),
    records: count('records'),
    bytes: count('bytes'),
    comparedRecords: count('comparedRecords'),
  };
}
