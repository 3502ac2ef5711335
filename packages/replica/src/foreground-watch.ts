/**
 * What the admission controller sees of the foreground: how long requests and storage reads take, what fails, what hangs.
 *
 * Looking must cost next to nothing on a path of a few microseconds. So of many requests one in eight is observed; of few, all,
 * for a percentile wants samples. An observed request costs two clock readings and, where its answer is a promise, one reaction
 * to it.
 *
 * A request that hangs is seen before it ends: observed requests in hand are kept in a fixed number of slots.
 */
import { toArmatureError, type ErrorCode } from '@armature/kernel';
import type { Clock, Telemetry } from '@armature/runtime';
import type { ForegroundSigns, LatencySign } from './admission-controller.js';
import { LatencyWindow } from './latency-window.js';

/** Of each tick's first so many requests all are observed, then one in `SAMPLE_EVERY`. */
const ALL_OF_FIRST = 32;
/** A power of two. */
const SAMPLE_EVERY = 8;
/** Observed requests in hand; while all slots are taken others are not observed, and the oldest says enough. */
const SLOTS = 64;
/** Fewer samples than this are an anecdote. */
const MIN_SAMPLES = 8;

/** Failures that tell of this node's own state. */
const OUR_TROUBLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['overloaded', 'storage-failed', 'storage-full']);

/** The signs that others measure. */
export type GivenSigns = Pick<ForegroundSigns, 'storeQueueShare' | 'eventLoopDelayMs'>;

export class ForegroundWatch {
  readonly #clock: Clock;
  readonly #requests: Latencies;
  readonly #reads: Latencies;
  /** When the request in each slot began, monotonic ms; NaN in a free one. */
  readonly #startedMs = new Float64Array(SLOTS).fill(NaN);
  readonly #freeSlots: number[] = Array.from({ length: SLOTS }, (_, slot) => slot);
  #requestsSeen = 0;
  #readsSeen = 0;
  #observed = 0;
  #failed = 0;

  constructor(clock: Clock, telemetry: Telemetry) {
    this.#clock = clock;
    this.#requests = new Latencies(clock, telemetry, 'request');
    this.#reads = new Latencies(clock, telemetry, 'storage-read');
  }

  /** Whether the request that begins now is one to observe. */
  isRequestDue(): boolean {
    const seen = this.#requestsSeen++;
    return seen < ALL_OF_FIRST || seen % SAMPLE_EVERY === 0;
  }

  /** Runs the service of a request and observes it; what it gives or throws is passed on. */
  request<T>(serve: () => T | Promise<T>): T | Promise<T> {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) return serve();
    this.#startedMs[slot] = this.#clock.monotonicMs();
    this.#observed++;
    let served: T | Promise<T>;
    try {
      served = serve();
    } catch (thrown) {
      this.#requestFailed(slot, thrown);
      throw thrown;
    }
    if (served instanceof Promise)
      served.then(
        () => this.#requestEnded(slot),
        (thrown: unknown) => this.#requestFailed(slot, thrown),
      );
    else this.#requestEnded(slot);
    return served;
  }

  /** Of reads of the storage engine; see `ReadWatch`. */
  isReadDue(): boolean {
    const seen = this.#readsSeen++;
    return seen < ALL_OF_FIRST || seen % SAMPLE_EVERY === 0;
  }

  readEnded(startedMs: number): void {
    this.#reads.record(startedMs);
  }

  /** Ends a tick: how the foreground was since the last one. */
  look(nowMs: number, given: GivenSigns): ForegroundSigns {
    const failureShare = this.#observed === 0 ? 0 : this.#failed / this.#observed;
    this.#requestsSeen = this.#readsSeen = this.#observed = this.#failed = 0;
    return {
      ...given,
      requests: this.#requests.sign(nowMs),
      storageReads: this.#reads.sign(nowMs),
      oldestMs: this.#oldestMs(nowMs),
      failureShare,
    };
  }

  #requestFailed(slot: number, thrown: unknown): void {
    if (OUR_TROUBLE.has(toArmatureError(thrown).code)) this.#failed++;
    this.#requestEnded(slot);
  }

  #requestEnded(slot: number): void {
    this.#requests.record(this.#startedMs[slot] as number);
    this.#startedMs[slot] = NaN;
    this.#freeSlots.push(slot);
  }

  #oldestMs(nowMs: number): number {
    let oldest = nowMs;
    for (const startedMs of this.#startedMs) if (startedMs < oldest) oldest = startedMs;
    return nowMs - oldest;
  }
}

/** One latency over the last second and the last minute. */
class Latencies {
  readonly #clock: Clock;
  readonly #second = new LatencyWindow(4, 250);
  readonly #minute = new LatencyWindow(12, 5_000);

  constructor(clock: Clock, telemetry: Telemetry, of: string) {
    this.#clock = clock;
    const name = 'armature_foreground_p99_seconds';
    const help = '99th percentile of foreground latency, as the admission controller sees it; 0 while there are too few samples.';
    const read = (window: LatencyWindow) => () => (p99(window, clock.monotonicMs()) ?? 0) / 1000;
    telemetry.observedGauge(name, help, read(this.#second), { of, window: '1s' });
    telemetry.observedGauge(name, help, read(this.#minute), { of, window: '60s' });
  }

  /** What began at `startedMs` ends now. */
  record(startedMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#second.record(nowMs - startedMs, nowMs);
    this.#minute.record(nowMs - startedMs, nowMs);
  }

  sign(nowMs: number): LatencySign {
    return { secondMs: p99(this.#second, nowMs), minuteMs: p99(this.#minute, nowMs) };
  }
}

function p99(window: LatencyWindow, nowMs: number): number | undefined {
  return window.count(nowMs) < MIN_SAMPLES ? undefined : window.quantile(0.99, nowMs);
}
