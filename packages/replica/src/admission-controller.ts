/**
 * Admission control of background work (paper, section 6.5), without the waiting: what the foreground looks like goes in, the
 * rate at which background tasks may take slices comes out.
 *
 * The paper's controller watches foreground operations (whether the 99th percentile of storage reads over the last 60 s stays
 * below 50 ms, failures, queueing) and gives background tasks more or fewer time slices accordingly. Here a slice is one bounded
 * piece of work, and the rate moves as TCP's window does: while the foreground is well and somebody wants more, it grows by a
 * constant; when the foreground suffers, it is halved. Additive increase finds what the machine has to spare, multiplicative
 * decrease gives way within a second or two.
 *
 *   growing   all signs are well below their limits, and slices were wanted: rate + INCREASE
 *   steady    some sign is near its limit, or the minute is still bad although the last second is not, or nobody asked: the rate
 *             stays
 *   yielding  some sign is above its limit: rate / 2, at most once per COOLDOWN, since the signs look back over a second
 *
 * The last second decides about yielding, so that it is soon; the last minute keeps the rate from growing, so that work that
 * hurts only now and then is not taken up again at once. The rate never falls below a trickle: repair that starves for ever loses
 * data as surely as a disk that burns.
 */

/** What background work there is. */
export const SLICE_KINDS = ['fill', 'tree', 'repair', 'hints', 'flush', 'reap'] as const;
export type SliceKind = (typeof SLICE_KINDS)[number];

/** Resolves when the caller may do one bounded piece of work of that kind (a page of about a megabyte, some milliseconds). */
export type TakeSlice = (kind: SliceKind) => Promise<void>;

/**
 * A latency over the last second and over the last minute: 99th percentiles in ms, undefined where there were too few samples to
 * tell.
 */
export interface LatencySign {
  readonly secondMs: number | undefined;
  readonly minuteMs: number | undefined;
}

/** The state of the foreground at one tick. */
export interface ForegroundSigns {
  /** Service times of replica requests. */
  readonly requests: LatencySign;
  /** Reads of the storage engine. */
  readonly storageReads: LatencySign;
  /** How long the oldest request in hand has been there, ms: a stall shows here before anything ends. */
  readonly oldestMs: number;
  /** Bytes that wait to be stored, as a share of what may wait: 0 to 1. */
  readonly storeQueueShare: number;
  readonly eventLoopDelayMs: number;
  /** Share of requests since the last tick that failed for want of something here (room, storage). */
  readonly failureShare: number;
}

export type ThrottleReason = 'request-latency' | 'storage-latency' | 'store-queue' | 'event-loop' | 'failures';
export const THROTTLE_REASONS: readonly ThrottleReason[] = [
  'request-latency',
  'storage-latency',
  'store-queue',
  'event-loop',
  'failures',
];

export interface AdmissionSettings {
  /** The 99th percentile of the foreground must stay below this; the paper's 50 ms by default. */
  readonly thresholdMs: number;
}

const DEFAULT_ADMISSION_SETTINGS: AdmissionSettings = { thresholdMs: 50 };

export interface AdmissionState {
  /** Slices per second, of all kinds together. */
  readonly rate: number;
  readonly mood: 'growing' | 'steady' | 'yielding';
  /** What is above its limit now. */
  readonly reasons: readonly ThrottleReason[];
  /** When the rate was last cut, monotonic ms. */
  readonly cutAtMs: number;
  /** When slices were last taken or wanted, monotonic ms. */
  readonly usedAtMs: number;
}

/** What became of slices since the last tick: nobody wanted one; all who did got one at once; some had to wait. */
export type SliceDemand = 'none' | 'met' | 'unmet';

/** Ms between two ticks. Additive increase is per tick, so a tick is part of the algorithm. */
export const TICK_MS = 250;
/** The trickle. With pages of 500 records, 2,000 records a second get through the worst of times. */
export const MIN_RATE = 4;
/** More would be no throttle: about what one event loop can do when it does nothing else. */
export const MAX_RATE = 2_000;
/** Where nothing is known: a tenth of a core at some 2 ms a slice. */
export const INITIAL_RATE = 50;
/** Slices per second more, per tick: from the trickle to 400 per second in five seconds. */
export const INCREASE = 20;
const DECREASE_FACTOR = 0.5;
/**
 * The last second stays bad for up to a second after the cause is gone; cutting at every tick meanwhile would cut five times too
 * often.
 */
export const COOLDOWN_MS = 500;
/** What was learnt about a load is worth nothing this long after. */
const STALE_MS = 10_000;
/** Growth ends at this share of a limit, so that the rate does not swing across it. */
const MARGIN = 0.8;
/** Beyond half of its bound the store is not keeping up; from there to refusing writes it is seconds. */
const MAX_STORE_QUEUE_SHARE = 0.5;
/** One in a hundred, as with latencies. */
const MAX_FAILURE_SHARE = 0.01;
/** One request may wait for something of its own; at this many times the threshold it is a stall. */
const STALL_FACTOR = 4;
/**
 * An event loop that is this share of the threshold late on average is a queue in itself: every request passes it several times.
 */
const EVENT_LOOP_SHARE = 0.5;

export function startAdmission(nowMs: number): AdmissionState {
  return { rate: INITIAL_RATE, mood: 'steady', reasons: [], cutAtMs: nowMs - COOLDOWN_MS, usedAtMs: nowMs };
}

/** One tick. */
export function admit(
  state: AdmissionState,
  signs: ForegroundSigns,
  demand: SliceDemand,
  nowMs: number,
  { thresholdMs }: AdmissionSettings = DEFAULT_ADMISSION_SETTINGS,
): AdmissionState {
  const loads = loadsOf(signs, thresholdMs);
  const reasons = THROTTLE_REASONS.filter((reason) => loads[reason] > 1);
  const usedAtMs = demand === 'none' ? state.usedAtMs : nowMs;
  if (reasons.length > 0) {
    if (nowMs - state.cutAtMs < COOLDOWN_MS) return { ...state, mood: 'yielding', reasons, usedAtMs };
    return { rate: Math.max(MIN_RATE, state.rate * DECREASE_FACTOR), mood: 'yielding', reasons, cutAtMs: nowMs, usedAtMs };
  }
  const isWell = THROTTLE_REASONS.every((reason) => loads[reason] <= MARGIN) && !isMinuteBad(signs, thresholdMs);
  if (isWell && demand === 'unmet') {
    return { ...state, rate: Math.min(MAX_RATE, state.rate + INCREASE), mood: 'growing', reasons, usedAtMs };
  }
  const isStale = nowMs - usedAtMs >= STALE_MS;
  return { ...state, rate: isStale ? Math.min(state.rate, INITIAL_RATE) : state.rate, mood: 'steady', reasons, usedAtMs };
}

/** Each sign as a share of its limit: above 1 the foreground suffers. */
function loadsOf(signs: ForegroundSigns, thresholdMs: number): Record<ThrottleReason, number> {
  return {
    'request-latency': Math.max(signs.requests.secondMs ?? 0, signs.oldestMs / STALL_FACTOR) / thresholdMs,
    'storage-latency': (signs.storageReads.secondMs ?? 0) / thresholdMs,
    'store-queue': signs.storeQueueShare / MAX_STORE_QUEUE_SHARE,
    'event-loop': signs.eventLoopDelayMs / (thresholdMs * EVENT_LOOP_SHARE),
    failures: signs.failureShare / MAX_FAILURE_SHARE,
  };
}

function isMinuteBad({ requests, storageReads }: ForegroundSigns, thresholdMs: number): boolean {
  return (requests.minuteMs ?? 0) > thresholdMs || (storageReads.minuteMs ?? 0) > thresholdMs;
}
