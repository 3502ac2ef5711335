/**
 * Data on the move, as one document: by the history, who is to copy what from whom; by the nodes' own words, how far they are.
 * `cluster transfers` shows it, and `cluster commit --wait` follows it to its end.
 *
 * All is *settled* when no copy is to be made, nobody is leaving, nobody holds what is not his, and those who answer know the
 * same history. A member that does not answer is in the way only if something is expected of it.
 */
import type { MemberStatus } from '@armature/client';
import type { View } from '@armature/membership';
import { NO_TRANSFERS, type ActiveTransfer, type NodeStatus } from '@armature/protocol';

export interface NodeTransfers {
  readonly node: string;
  readonly answers: boolean;
  readonly isLeaving: boolean;
  /** Partitions that it has yet to copy, by the history. */
  readonly pending: number;
  /** Present owners of those, who are copied from. */
  readonly from: readonly string[];
  /** Of the fill under way, or of the last: partitions done, records and bytes received. */
  readonly filled: number;
  readonly records: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  readonly active: readonly ActiveTransfer[];
  /** Partitions that it holds data of and is no owner of any more. */
  readonly stray: number;
  /** False: it has not looked yet, since the last change, for what is stray. */
  readonly clear: boolean;
  readonly relinquishedRecords: number;
  /** Kept for owners that could not be reached; they do not keep it from being settled, for an owner may be away for long. */
  readonly hintBytes: number;
  /** Why it does not get on, if it said so, or why it did not answer. */
  readonly problem: string | undefined;
}

export interface TransferReport {
  readonly cluster: string;
  readonly ringVersion: string;
  readonly settled: boolean;
  /** Copies of partitions to be made, by all nodes together. */
  readonly pending: number;
  readonly nodes: readonly NodeTransfers[];
}

export function transferReport(view: View, statuses: readonly MemberStatus[]): TransferReport {
  const nodes = statuses.map(({ node, status, problem }): NodeTransfers => {
    const copies = view.pendingFor(node);
    const { filledPartitions, strayPartitions, lastProblem, ...said } = status?.transfers ?? NO_TRANSFERS;
    return {
      node,
      answers: status !== undefined,
      isLeaving: view.members.get(node)?.state === 'leaving',
      pending: copies.length,
      from: [...new Set(copies.flatMap(({ sources }) => sources))].sort(),
      filled: filledPartitions,
      records: said.records,
      bytes: said.bytes,
      bytesPerSecond: said.bytesPerSecond,
      active: said.active,
      stray: strayPartitions,
      clear: said.clear,
      relinquishedRecords: said.relinquishedRecords,
      hintBytes: status?.hintBytes ?? 0,
      problem: problem === undefined ? lastProblem || stuckReason(status) : `does not answer: ${problem.message}`,
    };
  });
  const histories = new Set(statuses.flatMap(({ status }) => (status === undefined ? [] : [status.historyFingerprint])));
  return {
    cluster: view.cluster?.name ?? '',
    ringVersion: view.ringVersion.toString(16),
    settled: histories.size === 1 && histories.has(view.fingerprint) && nodes.every(isAtRest),
    pending: nodes.reduce((sum, { pending }) => sum + pending, 0),
    nodes,
  };
}

/** A node that leaves is not done before its hints are in other hands. */
function stuckReason(status: NodeStatus | undefined): string | undefined {
  const [stuck] = status?.stuckHints ?? [];
  return stuck === undefined ? undefined : `${stuck.count} hint(s) for ${stuck.owner} stay here: ${stuck.reason}`;
}

function isAtRest({ pending, isLeaving, stray, clear }: NodeTransfers): boolean {
  return pending === 0 && !isLeaving && stray === 0 && clear;
}

/**
 * What has been received since a first report. A node counts anew in each of its fills, and shows the figures of the last one
 * until the next begins: so figures count when they are others than at first, and are kept when they fall.
 */
export class ReceivedSince {
  readonly #first: ReadonlyMap<string, NodeTransfers>;
  readonly #last = new Map<string, NodeTransfers>();
  #records = 0;
  #bytes = 0;

  constructor(first: TransferReport) {
    this.#first = new Map(first.nodes.map((one) => [one.node, one]));
  }

  take({ nodes }: TransferReport): void {
    for (const now of nodes) {
      if (!now.answers) continue;
      const last = this.#last.get(now.node);
      const first = this.#first.get(now.node);
      if (last === undefined && first?.records === now.records && first.bytes === now.bytes) continue;
      if (last !== undefined && now.bytes < last.bytes) {
        this.#records += last.records;
        this.#bytes += last.bytes;
      }
      this.#last.set(now.node, now);
    }
  }

  get records(): number {
    return [...this.#last.values()].reduce((sum, { records }) => sum + records, this.#records);
  }

  get bytes(): number {
    return [...this.#last.values()].reduce((sum, { bytes }) => sum + bytes, this.#bytes);
  }
}
