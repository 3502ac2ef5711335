/**
 * What a replica reads and writes: an engine with group commit, an overlay of what is on its way, and a cache of records.
 *
 * The paper's object buffer (section 6.1) trades durability for latency by answering from memory and flushing now and then. Here
 * that is a durability among others, chosen per write. Whatever the durability, a write is visible to every read from the moment
 * `write` returns, before its promise settles; if its commit fails it disappears again, unless it was acknowledged from memory.
 *
 * A read looks into the overlay, then the cache, then the engine, and waits only if the engine has to.
 */
import { ArmatureError, toArmatureError, type BinaryString } from '@armature/kernel';
import { noTelemetry, silentLog, type Clock, type Logger, type Telemetry } from '@armature/runtime';
import { CommitQueue, type CommitFailure, type CommitReport, type Durability } from './commit-queue.js';
import type { TakeFlushSlice } from './flusher.js';
import type { Engine, RangePage, RangeQuery, StorageOperation } from './engine.js';
import { mergePage } from './merge-page.js';
import { Overlay, pendingBytes } from './overlay.js';
import { RecordCache } from './record-cache.js';
import { closedError, overloadedError } from './storage-error.js';
import { storeMetrics, type StoreMetrics } from './store-metrics.js';

/** Who wants to know how long the engine takes for what requests wait for. */
export interface ReadWatch {
  /** Whether the read that begins now is one to time. */
  isReadDue(): boolean;
  /** One of those, which began at `startedMs` (monotonic), has ended. */
  readEnded(startedMs: number): void;
}

export interface StoreOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly telemetry?: Telemetry;
  /** Bound of the record cache, 64 MiB by default; 0 caches nothing. */
  readonly cacheBytes?: number;
  /** Bound of what is accepted and not yet stored, 64 MiB by default; beyond it writes fail with `overloaded`. */
  readonly overlayLimitBytes?: number;
  /**
   * Bound of the operations that are acknowledged from memory and not yet stored, 65,536 by default; beyond it such writes fail
   * with `overloaded`.
   */
  readonly bufferLimit?: number;
  /** Longest rest of a `memory` write before its flush begins, ms; 20 by default: little is lost at a crash. */
  readonly writeBehindMs?: number;
  /** Longest rest of a `buffered` write before its flush begins, ms; `DEFAULT_BUFFER_FLUSH_MS` by default. */
  readonly bufferFlushMs?: number;
  readonly readWatch?: ReadWatch;
}

/**
 * A second. What is overwritten within it is stored once. Longer rests save little more: of many keys each is written once in a
 * minute, too; and what is in memory only, on all replicas but one, would be more.
 */
const DEFAULT_BUFFER_FLUSH_MS = 1_000;

export type StoreHealth = { readonly status: 'ok' } | FailingStore;

interface FailingStore {
  readonly status: 'failing';
  /** The latest. */
  readonly error: ArmatureError;
  /** Since when commits fail, or the storage is gone: wall clock, ms since the Unix epoch. */
  readonly sinceMs: number;
}

const MIB = 1024 * 1024;

export class Store {
  readonly #engine: Engine;
  readonly #readWatch: ReadWatch | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #overlay = new Overlay();
  readonly #cache: RecordCache;
  readonly #queue: CommitQueue;
  readonly #metrics: StoreMetrics;
  readonly #overlayLimitBytes: number;
  readonly #bufferLimit: number;
  readonly #listeners = new Set<(failure: CommitFailure) => void>();
  /** Engine reads under way; one that a commit overtakes is taken out, so that its answer is neither shared nor cached. */
  readonly #loading = new Map<BinaryString, Promise<Uint8Array | undefined>>();
  /** Of commits. */
  #health: StoreHealth = { status: 'ok' };
  /** Set while the engine does not find what it opened. */
  #displaced: FailingStore | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StoreOptions) {
    this.#engine = options.engine;
    this.#readWatch = options.readWatch;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    this.#cache = new RecordCache(options.cacheBytes ?? 64 * MIB);
    this.#overlayLimitBytes = options.overlayLimitBytes ?? 64 * MIB;
    this.#bufferLimit = options.bufferLimit ?? 65_536;
    this.#queue = new CommitQueue({
      engine: options.engine,
      clock: options.clock,
      overlay: this.#overlay,
      restMs: { memory: options.writeBehindMs ?? 20, buffered: options.bufferFlushMs ?? DEFAULT_BUFFER_FLUSH_MS },
      share: ({ size, sizeBytes }) => Math.max(size / this.#bufferLimit, sizeBytes / this.#overlayLimitBytes),
      listener: {
        stored: (operation) => this.#stored(operation),
        uncertain: (operation) => this.#forget(operation.key),
        committed: (report) => this.#committed(report),
        failed: (failure) => this.#failed(failure),
        flushed: (durationMs) => this.#flushed(durationMs),
      },
    });
    this.#metrics = storeMetrics(options.telemetry ?? noTelemetry, options.engine.name, {
      overlayBytes: () => this.#overlay.sizeBytes,
      bufferBytes: () => this.#queue.buffer.sizeBytes,
      bufferObjects: () => this.#queue.buffer.size,
      cacheBytes: () => this.#cache.sizeBytes,
      failing: () => (this.health().status === 'failing' ? 1 : 0),
    });
  }

  /**
   * Accepts `operations` as one atomic write; they are visible to reads at once. The promise settles as `durability` says: on
   * stable storage (`fsync`), in the engine (`os`), or already (`memory`, `buffered`). Of two operations on one key the later
   * wins.
   *
   * Rejects with the engine's error when the commit fails (the write is no longer visible then, but may have been stored,
   * whole), with `overloaded` (and `details.retryAfterMs`) when too much waits, with `closed` after `close`. The operations
   * and their values must not be changed afterwards.
   */
  write(operations: readonly StorageOperation[], durability: Durability): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError('store'));
    if (operations.length === 0) return Promise.resolve();
    let sizeBytes = 0;
    for (const operation of operations) sizeBytes += pendingBytes(operation);
    const waitingBytes = this.#overlay.sizeBytes;
    // An empty overlay takes a write of any size, or one larger than the bound could never be made.
    if (waitingBytes > 0 && waitingBytes + sizeBytes > this.#overlayLimitBytes) {
      return Promise.reject(overloadedError(waitingBytes, this.#overlayLimitBytes, 'bytes', this.#queue.retryAfterMs));
    }
    const waiting = this.#queue.buffer.size;
    const isBuffered = durability === 'memory' || durability === 'buffered';
    if (isBuffered && waiting > 0 && waiting + operations.length > this.#bufferLimit) {
      return Promise.reject(overloadedError(waiting, this.#bufferLimit, 'objects', this.#queue.retryAfterMs));
    }
    return this.#queue.write(operations, sizeBytes, durability);
  }

  /**
   * The latest accepted value of a key, undefined if it has none: as a plain value whenever nothing has to be waited for.
   * Fails with the engine's error or `closed`; thrown or rejected, depending on whether there was a wait.
   */
  read(key: BinaryString): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#closing !== undefined) throw closedError('store');
    const pending = this.#overlay.get(key);
    if (pending !== undefined) {
      this.#metrics.cacheHits.add();
      return pending.operation.kind === 'put' ? pending.operation.value : undefined;
    }
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      this.#metrics.cacheHits.add();
      return cached;
    }
    this.#metrics.cacheMisses.add();
    const loading = this.#loading.get(key);
    if (loading !== undefined) return loading;
    const value = this.#askEngine(key);
    if (value instanceof Promise) return this.#load(key, value);
    if (value !== undefined) this.#cache.set(key, value);
    return value;
  }

  /** `read` for many keys, values in their order, with one question to the engine for those not in memory. */
  async readMany(keys: readonly BinaryString[]): Promise<(Uint8Array | undefined)[]> {
    if (this.#closing !== undefined) throw closedError('store');
    const values: (Uint8Array | undefined)[] = [];
    const missing: BinaryString[] = [];
    const places: number[] = [];
    for (const [place, key] of keys.entries()) {
      const operation = this.#overlay.get(key)?.operation;
      const value = operation === undefined ? this.#cache.get(key) : operation.kind === 'put' ? operation.value : undefined;
      values.push(value);
      if (operation !== undefined || value !== undefined) continue;
      missing.push(key);
      places.push(place);
    }
    this.#metrics.cacheHits.add(keys.length - missing.length);
    this.#metrics.cacheMisses.add(missing.length);
    if (missing.length === 0) return values;
    const loaded = await this.#engine.getMany(missing);
    for (const [index, place] of places.entries()) values[place] = loaded[index];
    return values;
  }

  /** One ordered page; see `RangeQuery`. Sees every write accepted before the call, stored or not. */
  async range(query: RangeQuery): Promise<RangePage> {
    if (this.#closing !== undefined) throw closedError('store');
    const pending = this.#overlay.between(query.start, query.end);
    const page = await this.#engine.range(query);
    return mergePage(query, page, pending, (key) => this.#overlay.get(key));
  }

  /** Resolves when everything accepted before the call, whatever its durability, is on stable storage. */
  async sync(): Promise<void> {
    if (this.#closing !== undefined) throw closedError('store');
    await this.#queue.drain();
    await this.#engine.sync();
  }

  /**
   * Stores what is still waiting and closes the engine. Idempotent. Rejects, after closing all the same, if writes that had
   * been acknowledged from memory could not be stored; `details.lost` counts their keys.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drainAndClose();
    return this.#closing;
  }

  health(): StoreHealth {
    return this.#displaced ?? this.#health;
  }

  /** Whether anything has to be probed. */
  get isProbed(): boolean {
    return this.#engine.probe !== undefined;
  }

  /** Asks the engine whether what it opened is still there; the answer is in `health`. Never rejects. */
  async probe(): Promise<void> {
    if (this.#closing !== undefined) return;
    const error = await this.#engine.probe?.().then(() => undefined, toArmatureError);
    if (error === undefined) {
      if (this.#displaced !== undefined) this.#log.info({ engine: this.#engine.name }, 'the storage is there again');
      this.#displaced = undefined;
      return;
    }
    if (this.#displaced === undefined) this.#log.error({ err: error, engine: this.#engine.name }, 'the storage is gone');
    this.#displaced = { status: 'failing', error, sinceMs: this.#displaced?.sinceMs ?? this.#clock.nowMs() };
  }

  /** What is accepted and not yet stored, as a share of what may be: at 1, writes are refused as `overloaded`. */
  get queueShare(): number {
    return Math.min(1, Math.max(this.#overlay.sizeBytes / this.#overlayLimitBytes, this.#queue.buffer.size / this.#bufferLimit));
  }

  /** From now on flushes of the buffer are background work: each batch asks, while the buffer is below half of its bound. */
  askBeforeFlush(take: TakeFlushSlice): void {
    this.#queue.askBeforeFlush(take);
  }

  /** Approximate bytes occupied in the engine. */
  sizeBytes(): Promise<number> {
    return this.#engine.sizeBytes();
  }

  /** Tells `listener` of each failed commit, before the waiting writes reject. The result unsubscribes. */
  onCommitFailure(listener: (failure: CommitFailure) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #drainAndClose(): Promise<void> {
    let failure: ArmatureError | undefined;
    // Twice: the first may learn of a commit that failed before it was asked for, whose writes are queued anew.
    for (let attempt = 0; attempt < 2 && (attempt === 0 || this.#overlay.size > 0); attempt++) {
      failure = await this.#queue.drain().then(() => undefined, toArmatureError);
    }
    this.#queue.stop(closedError('store'));
    await this.#engine.close();
    const lost = this.#overlay.size;
    if (failure === undefined || lost === 0) return;
    throw new ArmatureError(
      failure.code,
      `closed with ${lost} keys acknowledged from memory and not stored: ${failure.message}`,
      {
        remedy: failure.remedy,
        cause: failure,
        details: { lost },
      },
    );
  }

  #askEngine(key: BinaryString): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const watch = this.#readWatch;
    if (watch?.isReadDue() !== true) return this.#engine.get(key);
    const startedMs = this.#clock.monotonicMs();
    const value = this.#engine.get(key);
    const ended = (): void => watch.readEnded(startedMs);
    if (value instanceof Promise) value.then(ended, ended);
    else ended();
    return value;
  }

  async #load(key: BinaryString, value: Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    this.#loading.set(key, value);
    try {
      const loaded = await value;
      if (loaded !== undefined && this.#loading.get(key) === value && this.#overlay.get(key) === undefined)
        this.#cache.set(key, loaded);
      return loaded;
    } finally {
      if (this.#loading.get(key) === value) this.#loading.delete(key);
    }
  }

  #stored(operation: StorageOperation): void {
    if (operation.kind === 'delete') {
      this.#forget(operation.key);
    } else {
      this.#loading.delete(operation.key);
      this.#cache.set(operation.key, operation.value);
    }
  }

  /** What the engine holds for the key is to be asked anew. */
  #forget(key: BinaryString): void {
    this.#loading.delete(key);
    this.#cache.delete(key);
  }

  #committed(report: CommitReport): void {
    this.#metrics.commits.add();
    this.#metrics.operations.add(report.operations);
    this.#metrics.commitOperations.observe(report.operations);
    this.#metrics.commitSeconds.observe(report.durationMs / 1000);
    if (this.#health.status === 'ok') return;
    this.#log.info({ engine: this.#engine.name, failingSinceMs: this.#health.sinceMs }, 'storage commits succeed again');
    this.#health = { status: 'ok' };
  }

  #flushed(durationMs: number): void {
    this.#metrics.flushes.add();
    this.#metrics.flushSeconds.observe(durationMs / 1000);
  }

  #failed(failure: CommitFailure): void {
    this.#metrics.commitFailures.add();
    const { error, failed, retained } = failure;
    if (this.#health.status === 'ok') {
      const facts = { engine: this.#engine.name, code: error.code, error: error.message, remedy: error.remedy, failed, retained };
      this.#log.error(facts, 'a storage commit failed');
      this.#health = { status: 'failing', error, sinceMs: this.#clock.nowMs() };
    } else {
      this.#health = { status: 'failing', error, sinceMs: this.#health.sinceMs };
    }
    for (const listener of this.#listeners) listener(failure);
  }
}
