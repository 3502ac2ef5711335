/**
 * Group commit. An fsync costs the same for one write as for a hundred, so one commit is in flight at a time and
 * everything that gathers meanwhile is the next: an idle queue adds no delay (a commit starts at the end of the turn in
 * which the first write arrived), a busy one shares every fixed cost.
 *
 * There are two lanes. Writes that somebody waits for are committed as soon as the engine is free. Those that were acknowledged
 * from memory lie in the buffer, and are flushed in small batches of their own. Where both lanes have something they take turns,
 * so a write that is waited for waits for one small batch of the buffer at most, however much is in it, and the buffer gets on
 * under any load. A flush is never synced, and a synced commit never carries buffered writes: its fsync would have to wait for
 * them all.
 *
 * So writes of different keys are not stored in the order in which they were made; writes of one key are, as far as anybody can
 * tell: a buffered write waits for older ones of its key that somebody waits for, and one that is overtaken by a later write of
 * its key is dropped when that is stored.
 *
 * When a commit fails, those who wait for it are told, and their writes are undone. A write that was acknowledged from
 * memory cannot be taken back: it stays in the buffer and is tried again.
 */
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import type { Clock } from '@armature/runtime';
import { CommitBatch } from './commit-batch.js';
import type { Engine, StorageOperation } from './engine.js';
import { Flusher, type TakeFlushSlice } from './flusher.js';
import type { Overlay } from './overlay.js';
import { WriteBuffer } from './write-buffer.js';

/**
 * When a write's promise resolves. `fsync`: it survives a power cut. `os`: the engine has it, so it survives the end of
 * this process. `memory` and `buffered`: at once, and it is lost if the process ends before it is flushed, a moment later
 * or with everything that gathers over a longer time.
 */
export type Durability = 'fsync' | 'os' | 'memory' | 'buffered';

const LAST_RETRY_AFTER_MS = 5_000;

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
  /** The buffer was flushed, which took so long from when it was due. */
  flushed(durationMs: number): void;
}

export interface CommitQueueOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly overlay: Overlay;
  readonly listener: CommitListener;
  /** Longest rest of a write in the buffer before its flush begins, by what it asked for. */
  readonly restMs: { readonly memory: number; readonly buffered: number };
  /** What is buffered, as a share of what may be. */
  readonly share: (buffer: WriteBuffer) => number;
}

export class CommitQueue {
  readonly buffer: WriteBuffer;
  readonly #options: CommitQueueOptions;
  readonly #flusher: Flusher;
  /** Of writes that are waited for. */
  readonly #queue: CommitBatch[] = [];
  #running: CommitBatch | undefined;
  /** Set while the start of a commit is scheduled for the end of this turn. */
  #isScheduled = false;
  /** The lane that was not served last. */
  #turn: 'waited-for' | 'flush' = 'waited-for';
  #lastCommitMs = 1;
  /** Once the engine is closed under the queue nothing can be retried. */
  #dead: ArmatureError | undefined;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.buffer = new WriteBuffer(options.overlay);
    this.#flusher = new Flusher({
      clock: options.clock,
      buffer: this.buffer,
      share: () => options.share(this.buffer),
      wake: () => this.#schedule(),
      flushed: (durationMs) => options.listener.flushed(durationMs),
    });
  }

  /** From now on flushes ask before each batch. */
  askBeforeFlush(take: TakeFlushSlice): void {
    this.#flusher.askFirst(take);
  }

  /** Accepts one write, whose operations are committed together. They are in the overlay when this returns. */
  write(operations: readonly StorageOperation[], sizeBytes: number, durability: Durability): Promise<void> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (durability === 'memory' || durability === 'buffered') {
      this.buffer.add(operations);
      this.#flusher.accepted(this.#options.restMs[durability]);
      return DONE;
    }
    let batch = this.#queue.at(-1);
    if (!batch?.fits(operations.length, sizeBytes)) {
      batch = new CommitBatch();
      this.#queue.push(batch);
    }
    for (const operation of operations) batch.add(this.#options.overlay.add(operation, false));
    if (durability === 'fsync') batch.sync = true;
    const settled = batch.settled();
    this.#schedule();
    return settled;
  }

  /** Resolves when everything accepted so far is stored; rejects if a commit on the way fails. */
  async drain(): Promise<void> {
    if (this.#dead !== undefined) throw this.#dead;
    const waitedFor = (this.#queue.at(-1) ?? this.#running)?.settled();
    const outcomes = await Promise.allSettled([waitedFor, this.#flusher.drain()]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** A fair time to wait before offering more, ms: about what it takes to commit what is queued. */
  get retryAfterMs(): number {
    const drainMs = this.#flusher.retryMs ?? this.#lastCommitMs * (this.#queue.length + this.buffer.batches + 1);
    return Math.ceil(Math.min(Math.max(drainMs, 5), LAST_RETRY_AFTER_MS));
  }

  /** Nothing is tried from here on. */
  stop(error: ArmatureError): void {
    this.#dead = error;
    this.#flusher.stop(error);
    for (const batch of this.#queue.splice(0)) batch.reject(error);
  }

  #schedule(): void {
    if (this.#running !== undefined || this.#isScheduled || this.#dead !== undefined) return;
    if (this.#queue.length === 0 && !this.#flusher.isReady) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => this.#start());
  }

  #start(): void {
    this.#isScheduled = false;
    if (this.#dead !== undefined) return;
    const flush = this.#turn === 'flush' || this.#queue.length === 0 ? this.#flusher.next() : undefined;
    this.#turn = flush === undefined ? 'flush' : 'waited-for';
    const batch = flush ?? this.#queue.shift();
    if (batch !== undefined) void this.#commit(batch, flush !== undefined);
  }

  async #commit(batch: CommitBatch, isFlush: boolean): Promise<void> {
    const { engine, clock, overlay, listener } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#running = batch;
    try {
      await engine.write(batch.operations, { sync: batch.sync });
    } catch (thrown) {
      this.#fail(batch, isFlush, toArmatureError(thrown));
      return;
    }
    this.#running = undefined;
    this.#lastCommitMs = clock.monotonicMs() - startedMs;
    for (const pending of batch.pending) {
      for (const covered of overlay.stored(pending)) this.buffer.forget(covered);
      if (isFlush) this.buffer.forget(pending);
      listener.stored(pending.operation);
    }
    listener.committed({ operations: batch.operations.length, durationMs: this.#lastCommitMs });
    batch.resolve();
    this.#flusher.recovered();
    this.#flusher.stored();
    this.#schedule();
  }

  #fail(batch: CommitBatch, isFlush: boolean, error: ArmatureError): void {
    const { overlay, listener } = this.#options;
    this.#running = undefined;
    for (const pending of batch.pending) {
      listener.uncertain(pending.operation);
      if (!isFlush) overlay.undo(pending);
    }
    const operations = batch.pending.length;
    listener.failed({ error, failed: isFlush ? 0 : operations, retained: isFlush ? operations : 0 });
    batch.reject(error);
    if (error.code === 'closed') this.stop(error);
    else if (isFlush) this.#flusher.failed(error);
    this.#schedule();
  }
}
