/** What is moving: for the status of a node, for metrics, and so for whoever waits for a change of membership to be through. */
import type { NodeId, PartitionId } from '@armature/kernel';
import { MAX_ACTIVE_TRANSFERS, type ActiveTransfer, type TransferStatus } from '@armature/protocol';
import type { Clock, Counter, Telemetry } from '@armature/runtime';

/** "Lately", for the rate. */
const RECENT_S = 10;

/** Told of one copy as it goes on. */
export interface CopyNotes {
  /** So many records of the source were compared with what is held here. */
  compared(records: number): void;
  /** So many came, for they were lacking here. */
  received(records: number, bytes: number): void;
  ended(): void;
}

export class TransferLedger {
  readonly #clock: Clock;
  readonly #active = new Set<{ -readonly [F in keyof ActiveTransfer]: ActiveTransfer[F] }>();
  /** Bytes received by second, the last few. */
  readonly #recent = new Map<number, number>();
  readonly #received: { readonly records: Counter; readonly bytes: Counter };
  readonly #handed: { readonly records: Counter; readonly bytes: Counter };
  readonly #compared: Counter;
  readonly #partitions: Counter;
  readonly #dropped: Counter;
  #filled = 0;
  #records = 0;
  #bytes = 0;
  #strays = 0;
  #relinquished = 0;
  #problems = { filling: '', relinquishing: '' };
  #beganAtS: number;

  constructor(clock: Clock, telemetry: Telemetry, pendingPartitions: () => number) {
    this.#clock = clock;
    this.#beganAtS = this.#nowS;
    const counters = (direction: string): { records: Counter; bytes: Counter } => ({
      records: telemetry.counter('armature_transfer_records_total', 'Records moved by transfers.', { direction }),
      bytes: telemetry.counter('armature_transfer_bytes_total', 'Bytes of records moved by transfers.', { direction }),
    });
    this.#received = counters('received');
    this.#handed = counters('handed-over');
    this.#compared = telemetry.counter(
      'armature_transfer_compared_records_total',
      'Records of owners whose digests were compared with what is held here, to copy what is lacking only.',
    );
    this.#partitions = telemetry.counter('armature_transfer_partitions_total', 'Partitions copied and declared ready.');
    this.#dropped = telemetry.counter(
      'armature_transfer_relinquished_records_total',
      'Records of others dropped after all of their owners were found to hold them.',
    );
    telemetry.observedGauge('armature_transfer_pending_partitions', 'Partitions still to be copied.', pendingPartitions);
    telemetry.observedGauge('armature_transfer_active', 'Copies under way.', () => this.#active.size);
    telemetry.observedGauge(
      'armature_transfer_stray_partitions',
      'Partitions of others of which data is held.',
      () => this.#strays,
    );
  }

  /** There is something to copy where there was nothing. */
  fillBegan(): void {
    this.#filled = 0;
    this.#records = 0;
    this.#bytes = 0;
    this.#beganAtS = this.#nowS;
  }

  copyBegan(partition: PartitionId, from: NodeId): CopyNotes {
    const active = { partition, from, records: 0, bytes: 0, comparedRecords: 0 };
    this.#active.add(active);
    return {
      compared: (records) => {
        active.comparedRecords += records;
        this.#compared.add(records);
      },
      received: (records, bytes) => {
        active.records += records;
        active.bytes += bytes;
        this.#records += records;
        this.#bytes += bytes;
        this.#received.records.add(records);
        this.#received.bytes.add(bytes);
        this.#note(bytes);
      },
      ended: () => void this.#active.delete(active),
    };
  }

  filled(partitions: number): void {
    this.#filled += partitions;
    this.#partitions.add(partitions);
  }

  handedOver(records: number, bytes: number): void {
    this.#handed.records.add(records);
    this.#handed.bytes.add(bytes);
  }

  relinquished(records: number): void {
    this.#relinquished += records;
    this.#dropped.add(records);
  }

  strays(partitions: number): void {
    this.#strays = partitions;
  }

  get strayPartitions(): number {
    return this.#strays;
  }

  /** Why filling or relinquishing could not go on; empty: it could. */
  problem(of: 'filling' | 'relinquishing', reason: string): void {
    this.#problems[of] = reason;
  }

  status(pendingPartitions: number, clear = false): TransferStatus {
    return {
      pendingPartitions,
      filledPartitions: this.#filled,
      records: this.#records,
      bytes: this.#bytes,
      bytesPerSecond: this.#recently(),
      active: [...this.#active].slice(0, MAX_ACTIVE_TRANSFERS).map((one) => ({ ...one })),
      strayPartitions: this.#strays,
      clear,
      relinquishedRecords: this.#relinquished,
      lastProblem: this.#problems.filling === '' ? this.#problems.relinquishing : this.#problems.filling,
    };
  }

  get #nowS(): number {
    return Math.floor(this.#clock.monotonicMs() / 1_000);
  }

  #note(bytes: number): void {
    const second = this.#nowS;
    this.#recent.set(second, (this.#recent.get(second) ?? 0) + bytes);
    for (const past of this.#recent.keys()) if (past <= second - RECENT_S) this.#recent.delete(past);
  }

  #recently(): number {
    const now = this.#nowS;
    let bytes = 0;
    for (const [second, count] of this.#recent) if (second > now - RECENT_S) bytes += count;
    return Math.round(bytes / Math.min(RECENT_S, Math.max(1, now - this.#beganAtS + 1)));
  }
}
