/**
 * A limit of bytes per second, as a value (a token bucket that may go into debt), and the pace that keeps transfers within it.
 *
 * How large an answer is, is known when it is there. So whoever wants to ask for more waits until the bucket holds something, and
 * pays afterwards for what came, with tokens the bucket may not have yet; the next one waits until they are earned. Over any
 * time, what came is at most what was earned, a burst, and one answer for each of those who were let in together.
 */
import { sleep, type Clock } from '@armature/runtime';

export interface RateLimit {
  readonly bytesPerSecond: number;
  /** Most that is saved up while nothing is moved. */
  readonly burstBytes: number;
}

export interface TokenBucket {
  /** Negative: in debt. */
  readonly tokens: number;
  /** When that was so, monotonic ms. */
  readonly atMs: number;
}

/** A quarter of a second's worth. */
export function rateLimit(bytesPerSecond: number): RateLimit {
  return { bytesPerSecond, burstBytes: bytesPerSecond / 4 };
}

export function fullBucket({ burstBytes }: RateLimit, nowMs: number): TokenBucket {
  return { tokens: burstBytes, atMs: nowMs };
}

/** How long until more may be moved; 0: now. */
export function waitMs(bucket: TokenBucket, limit: RateLimit, nowMs: number): number {
  const { tokens } = refilled(bucket, limit, nowMs);
  return tokens > 0 ? 0 : Math.ceil((-tokens * 1_000) / limit.bytesPerSecond) + 1;
}

/** So many bytes were moved. */
export function spent(bucket: TokenBucket, limit: RateLimit, bytes: number, nowMs: number): TokenBucket {
  const { tokens, atMs } = refilled(bucket, limit, nowMs);
  return { tokens: tokens - bytes, atMs };
}

function refilled({ tokens, atMs }: TokenBucket, limit: RateLimit, nowMs: number): TokenBucket {
  const earned = (Math.max(0, nowMs - atMs) * limit.bytesPerSecond) / 1_000;
  return { tokens: Math.min(limit.burstBytes, tokens + earned), atMs: Math.max(atMs, nowMs) };
}

/** A long wait is taken in steps, so that whoever has been stopped meanwhile does not wait it out. */
const STEP_MS = 1_000;
/** Records asked for at once where nothing limits them. */
const MOST_RECORDS = 128;

/** What all transfers of a node share. */
export class TransferPace {
  readonly #clock: Clock;
  readonly #limit: RateLimit | undefined;
  #bucket: TokenBucket;
  #stopped = false;

  /** `bytesPerSecond` undefined: no limit. */
  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.#clock = clock;
    this.#limit = bytesPerSecond === undefined ? undefined : rateLimit(bytesPerSecond);
    this.#bucket = fullBucket(this.#limit ?? rateLimit(0), clock.monotonicMs());
  }

  /** Resolves when more may be moved, or when stopped. */
  async ready(): Promise<void> {
    while (this.#limit !== undefined && !this.#stopped) {
      const forMs = waitMs(this.#bucket, this.#limit, this.#clock.monotonicMs());
      if (forMs === 0) return;
      await sleep(this.#clock, Math.min(forMs, STEP_MS));
    }
  }

  spend(bytes: number): void {
    if (this.#limit !== undefined) this.#bucket = spent(this.#bucket, this.#limit, bytes, this.#clock.monotonicMs());
  }

  /** How many records of this size to move at once, so that a small limit is kept second by second and not only on average. */
  recordsAtOnce(meanBytes: number): number {
    if (this.#limit === undefined) return MOST_RECORDS;
    return Math.min(MOST_RECORDS, Math.max(1, Math.floor(this.#limit.burstBytes / Math.max(1, meanBytes))));
  }

  stop(): void {
    this.#stopped = true;
  }
}
