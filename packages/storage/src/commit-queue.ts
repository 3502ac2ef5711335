/**
 * Group commit. An fsync costs the same for one write as for a hundred, so one commit is in flight at a time and
 * everything that gathers meanwhile is the next: an idle queue adds no delay (a commit starts at the end of the turn in
 * which the first write arrived), a busy one shares every fixed cost.
 *
 * When a commit fails, those who wait for it are told, and their writes are undone. A write that was acknowledged from
 * memory cannot be taken back: it goes to the front of the queue and is tried again, with a growing pause for as long as
 * nobody waits, and at once when somebody does.
 */
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import type { Clock, Timer } from '@armature/runtime';
import { CommitBatch } from './commit-batch.js';
import type { Engine, StorageOperation } from './engine.js';
import type { Overlay } from './overlay.js';

/**
 * When a write's promise resolves. `fsync`: it survives a power cut. `os`: the engine has it, so it survives the end of
 * this process. `memory`: at once; it is stored a moment later, and lost if the process ends before that.
 */
export type Durability = 'fsync' | 'os' | 'memory';

/** Writes that nobody waits for are committed early once this much of them, or a full batch, has gathered. */
const WRITE_BEHIND_BYTES = 1024 * 1024;

/** Pauses between retries when nobody waits: doubling, so that a full disk costs a few attempts per minute. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

const DONE = Promise.resolve();

export interface CommitReport {
  readonly operations: number;
  readonly durationMs: number;
}

export interface CommitFailure {
  readonly error: ArmatureError;
  /** Operations undone; their callers were told. */
  readonly failed: number;
  /** Operations already acknowledged: they stay readable and are tried again. */
  readonly retained: number;
}

/** What the queue needs of its store: a word about each outcome. */
export interface CommitListener {
  /** The engine has it. */
  stored(operation: StorageOperation): void;
  /** The commit that held it failed; the engine may or may not have it. */
  uncertain(operation: StorageOperation): void;
  committed(report: CommitReport): void;
  failed(failure: CommitFailure): void;
}

export interface CommitQueueOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly overlay: Overlay;
  readonly listener: CommitListener;
  /** Longest wait of a `memory` write for company. */
  readonly writeBehindMs: number;
}

export class CommitQueue {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #overlay: Overlay;
  readonly #listener: CommitListener;
  readonly #writeBehindMs: number;
  #queue: CommitBatch[] = [];
  #running: CommitBatch | undefined;
  /** Set while the start of a commit is scheduled: for the end of this turn, or by a timer. */
  #scheduled: 'turn' | Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  #failing = false;
  #lastCommitMs = 1;
  /** Once the engine is closed under the queue nothing can be retried. */
  #dead: ArmatureError | undefined;

  constructor(options: CommitQueueOptions) {
    this.#engine = options.engine;
    this.#clock = options.clock;
    this.#overlay = options.overlay;
    this.#listener = options.listener;
    this.#writeBehindMs = options.writeBehindMs;
  }

  /** Accepts one write, whose operations are committed together. They are in the overlay when this returns. */
  write(operations: readonly StorageOperation[], sizeBytes: number, durability: Durability): Promise<void> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    let batch = this.#queue.at(-1);
    if (!batch?.fits(operations.length, sizeBytes)) {
      batch = new CommitBatch();
      this.#queue.push(batch);
    }
    const acknowledged = durability === 'memory';
    for (const operation of operations) batch.add(this.#overlay.add(operation, acknowledged));
    if (acknowledged) {
      this.#schedule();
      return DONE;
    }
    if (durability === 'fsync') batch.sync = true;
    const settled = batch.settled();
    this.#schedule();
    return settled;
  }

  /** Resolves when everything accepted so far is stored; rejects if a commit on the way fails. */
  drain(): Promise<void> {
    const last = this.#queue.at(-1) ?? this.#running;
    if (last === undefined) return DONE;
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const settled = last.settled();
    this.#schedule();
    return settled;
  }

  /** A fair time to wait before offering more, ms: about what it takes to commit what is queued. */
  get retryAfterMs(): number {
    const drainMs = this.#failing ? this.#retryMs : this.#lastCommitMs * (this.#queue.length + 1);
    return Math.ceil(Math.min(Math.max(drainMs, 5), LAST_RETRY_MS));
  }

  /** Nothing is tried from here on. */
  stop(error: ArmatureError): void {
    this.#dead = error;
    this.#cancelSchedule();
  }

  /** Sees to it that a commit starts as soon as it should, given who waits. */
  #schedule(): void {
    if (this.#running !== undefined || this.#scheduled === 'turn' || this.#dead !== undefined) return;
    const first = this.#queue[0];
    if (first === undefined) return;
    const isUrgent = this.#queue.some((batch) => batch.hasWaiters);
    const isMuch = first.sizeBytes >= WRITE_BEHIND_BYTES || this.#queue.length > 1;
    if (isUrgent || (isMuch && !this.#failing)) {
      this.#cancelSchedule();
      this.#scheduled = 'turn';
      this.#clock.defer(() => this.#start());
    } else {
      this.#scheduled ??= this.#clock.after(this.#failing ? this.#retryMs : this.#writeBehindMs, () => this.#start());
    }
  }

  #cancelSchedule(): void {
    if (this.#scheduled !== 'turn') this.#scheduled?.cancel();
    this.#scheduled = undefined;
  }

  #start(): void {
    this.#scheduled = undefined;
    const batch = this.#dead === undefined ? this.#queue.shift() : undefined;
    if (batch !== undefined) void this.#commit(batch);
  }

  async #commit(batch: CommitBatch): Promise<void> {
    // Only when more than one full batch is backed up. They share this batch's fate if it fails, see #fail.
    const behind = this.#queue.slice();
    const startedMs = this.#clock.monotonicMs();
    this.#running = batch;
    try {
      await this.#engine.write(batch.operations, { sync: batch.sync });
    } catch (thrown) {
      this.#fail(batch, behind, toArmatureError(thrown));
      return;
    }
    this.#running = undefined;
    this.#failing = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.#lastCommitMs = this.#clock.monotonicMs() - startedMs;
    for (const pending of batch.pending) {
      this.#overlay.stored(pending);
      this.#listener.stored(pending.operation);
    }
    this.#listener.committed({ operations: batch.operations.length, durationMs: this.#lastCommitMs });
    batch.resolve();
    this.#schedule();
  }

  /**
   * Writes that had been queued behind a failed commit and found no room in it fail with it: retained writes go first,
   * and with a backlog of more than a batch of those, nobody behind them would otherwise ever be told.
   */
  #fail(batch: CommitBatch, behind: readonly CommitBatch[], error: ArmatureError): void {
    this.#running = undefined;
    this.#retryMs = this.#failing ? Math.min(this.#retryMs * 2, LAST_RETRY_MS) : FIRST_RETRY_MS;
    this.#failing = true;
    if (error.code === 'closed') this.stop(error);
    const fallen = [batch, ...behind.filter((other) => other.hasWaiters)];
    this.#queue = this.#queue.filter((other) => !fallen.includes(other));
    let failed = 0;
    let retained = 0;
    const rest: CommitBatch[] = [];
    for (const one of fallen) {
      const kept = new CommitBatch();
      for (const pending of one.pending) {
        this.#listener.uncertain(pending.operation);
        if (pending.acknowledged) {
          kept.add(pending);
        } else {
          this.#overlay.undo(pending);
          failed++;
        }
      }
      retained += kept.pending.length;
      if (kept.pending.length > 0) rest.push(kept);
    }
    this.#requeue(rest);
    this.#listener.failed({ error, failed, retained });
    for (const one of fallen) one.reject(error);
    if (error.code === 'closed') for (const other of this.#queue) other.reject(error);
    this.#schedule();
  }

  /** To the front, oldest first, no write ever split; what gathered meanwhile joins them if it fits. */
  #requeue(rest: readonly CommitBatch[]): void {
    const last = rest.at(-1);
    const next = this.#queue[0];
    if (last !== undefined && next?.fits(last.operations.length, last.sizeBytes) === true) {
      next.prepend(last.pending);
      this.#queue.unshift(...rest.slice(0, -1));
    } else {
      this.#queue.unshift(...rest);
    }
  }
}
