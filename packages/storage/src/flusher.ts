/**
 * The writer of the object buffer (paper, section 6.1: "writes are periodically flushed"): when the buffer is flushed, and at
 * what pace.
 *
 *   resting --the oldest write is due, or much has gathered--> flushing --everything that was there then is stored--> resting
 *
 * A flush is background work, and goes out batch by batch, each with a slice of time from the node's admission controller
 * (section 6.5). It asks only while the buffer is below half of its bound: beyond, a flush that waits for the foreground to be
 * well ends in refused writes, which hurts the foreground more. Nor does it ask when somebody waits for the buffer to be empty.
 *
 * After a failure it pauses, longer each time, until a commit of somebody else's shows that the engine works again.
 */
import type { ArmatureError } from '@armature/kernel';
import type { Clock, Timer } from '@armature/runtime';
import type { CommitBatch } from './commit-batch.js';
import type { WriteBuffer } from './write-buffer.js';

/** Resolves when one batch may be flushed. A rejection means that nobody is there to ask. */
export type TakeFlushSlice = () => Promise<void>;

/** From this share of its bound on the buffer is flushed before its time. A quarter leaves another until flushes stop asking. */
const EARLY_SHARE = 0.25;
/** From this share on no flush asks first. */
const UNASKED_SHARE = 0.5;

/** Pauses between retries: doubling, so that a full disk costs a few attempts per minute. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

export interface FlusherOptions {
  readonly clock: Clock;
  readonly buffer: WriteBuffer;
  /** What is buffered, as a share of what may be. */
  readonly share: () => number;
  /** A batch can be taken now. */
  readonly wake: () => void;
  readonly flushed: (durationMs: number) => void;
}

interface Flush {
  /** The newest group that belongs to it. */
  upTo: number;
  readonly startedMs: number;
}

interface Drain {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: ArmatureError) => void;
}

export class Flusher {
  readonly #options: FlusherOptions;
  #take: TakeFlushSlice | undefined;
  #slice: 'none' | 'asked' | 'granted' = 'none';
  #flush: Flush | undefined;
  /** When the oldest write that belongs to no flush yet is due, monotonic ms. */
  #dueMs = Infinity;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  /** Set while a failed flush waits for its next attempt. */
  #pause: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  #drains: Drain[] = [];
  #stopped = false;

  constructor(options: FlusherOptions) {
    this.#options = options;
  }

  /** From now on flushes ask. */
  askFirst(take: TakeFlushSlice): void {
    this.#take = take;
  }

  /** A write was added to the buffer, and is to be flushed at the latest after so long. */
  accepted(delayMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock.monotonicMs() + delayMs);
    this.#advance();
  }

  /** Whether `next` may have something. */
  get isReady(): boolean {
    if (this.#flush === undefined || this.#pause !== undefined || this.#stopped) return false;
    return this.#take === undefined || this.#slice === 'granted' || this.#isPressed;
  }

  /** The next batch to store; undefined when there is none, or none may go now. `stored` or `failed` is its end. */
  next(): CommitBatch | undefined {
    if (this.#flush === undefined || !this.isReady) return undefined;
    const batch = this.#options.buffer.batch(this.#flush.upTo);
    if (batch !== undefined && this.#slice === 'granted') this.#slice = 'none';
    return batch;
  }

  /**
   * A batch, or all that was left of the flush, is stored. Also to be called when a write that was waited for has covered
   * buffered ones.
   */
  stored(): void {
    const { buffer, clock, flushed } = this.#options;
    const oldest = buffer.oldest ?? Infinity;
    if (this.#flush !== undefined && oldest > this.#flush.upTo) {
      flushed(clock.monotonicMs() - this.#flush.startedMs);
      this.#flush = undefined;
    }
    const done = this.#drains.filter(({ upTo }) => oldest > upTo);
    if (done.length > 0) this.#drains = this.#drains.filter(({ upTo }) => oldest <= upTo);
    for (const { resolve } of done) resolve();
    this.#advance();
  }

  /** The engine has taken something: there is no reason to wait any more. */
  recovered(): void {
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#pause === undefined) return;
    this.#resume();
    this.#advance();
  }

  /** The batch was not stored, and is back in the buffer. */
  failed(error: ArmatureError): void {
    const drains = this.#drains.splice(0);
    if (!this.#stopped) {
      this.#pause = this.#options.clock.after(this.#retryMs, () => {
        this.#resume();
        this.#advance();
      });
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    }
    for (const { reject } of drains) reject(error);
  }

  /** How long until the next attempt after a failure, ms; undefined while nothing has failed. */
  get retryMs(): number | undefined {
    return this.#pause === undefined ? undefined : this.#retryMs;
  }

  /** Flushes what is there, at once; resolves when it is stored, rejects when a batch fails on the way. */
  drain(): Promise<void> {
    const { buffer } = this.#options;
    if (buffer.oldest === undefined) return Promise.resolve();
    this.#resume();
    const upTo = this.#begin();
    return new Promise((resolve, reject) => {
      this.#drains.push({ upTo, resolve, reject });
      this.#advance();
    });
  }

  stop(error: ArmatureError): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#resume();
    for (const { reject } of this.#drains.splice(0)) reject(error);
  }

  get #isPressed(): boolean {
    return this.#drains.length > 0 || this.#options.share() >= UNASKED_SHARE;
  }

  #resume(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  /** What is in the buffer now belongs to the flush. Its newest group. */
  #begin(): number {
    const { buffer, clock } = this.#options;
    const upTo = buffer.hold();
    if (this.#flush === undefined) this.#flush = { upTo, startedMs: clock.monotonicMs() };
    else this.#flush.upTo = upTo;
    this.#dueMs = Infinity;
    return upTo;
  }

  /** Does what is to be done next, if anything. */
  #advance(): void {
    if (this.#stopped || this.#pause !== undefined) return;
    if (this.#flush === undefined && this.#isDue()) this.#begin();
    if (this.#flush === undefined) this.#awaitDue();
    else if (this.isReady) this.#options.wake();
    else if (this.#slice === 'none') this.#ask();
  }

  #isDue(): boolean {
    const { buffer, clock, share } = this.#options;
    if (buffer.oldest === undefined) this.#dueMs = Infinity; // all of it has been covered
    return clock.monotonicMs() >= this.#dueMs || (buffer.oldest !== undefined && share() >= EARLY_SHARE);
  }

  #awaitDue(): void {
    if (this.#timer !== undefined && this.#timer.atMs <= this.#dueMs && this.#dueMs !== Infinity) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (this.#dueMs === Infinity) return;
    const { clock } = this.#options;
    const atMs = this.#dueMs;
    const timer = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      this.#advance();
    });
    this.#timer = { atMs, timer };
  }

  #ask(): void {
    if (this.#take === undefined) return;
    this.#slice = 'asked';
    const granted = (): void => {
      this.#slice = 'granted';
      this.#advance();
    };
    this.#take().then(granted, granted);
  }
}
