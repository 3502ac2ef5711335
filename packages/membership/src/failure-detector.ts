/**
 * Failure detection, local as in the paper (section 4.8.3): A takes B for failed when B does not answer A, whatever others
 * think, and keeps trying until B answers again. No opinion is spread, so no wrong one is either.
 *
 * What one peer's health is and what an outcome makes of it is a pure fold; `FailureMonitor` feeds it. The rules:
 *
 * - *unreachable* (nobody listens at the peer's subject) is certain knowledge: suspect at once. So is *protocol-mismatch*: a
 *   release listens there that reads nothing of ours;
 * - a *timeout* is not: `timeoutsToSuspect` of them in a row, within `windowMs`, make a suspect;
 * - any answer, even an error, shows that the peer lives: healthy at once, however late it comes;
 * - trouble of our own (bus lost, closed) says nothing about the peer;
 * - a *pause* of our own process explains the timeouts that fall into it: they are forgiven, and a suspicion that arose
 *   from them is withdrawn. Otherwise each long garbage collection here would look like everybody's failure there.
 */
import type { ErrorCode } from '@armature/kernel';

export interface DetectorSettings {
  /** Consecutive timeouts that make a suspect. Two can be one lost frame and its retry; three are a pattern. */
  readonly timeoutsToSuspect: number;
  /** The row of timeouts starts afresh when its first is older than this. */
  readonly windowMs: number;
  /** First wait before a suspect is probed; doubled after each vain probe. */
  readonly firstProbeMs: number;
  /** The wait never exceeds this: how late, at most, a recovery is noticed. */
  readonly maxProbeMs: number;
}

export const DEFAULT_DETECTOR_SETTINGS: DetectorSettings = {
  timeoutsToSuspect: 3,
  windowMs: 10_000,
  firstProbeMs: 200,
  maxProbeMs: 5_000,
};

export type Health = Healthy | Suspect;

export interface Healthy {
  readonly state: 'healthy';
  /** Timeouts in a row. */
  readonly timeouts: number;
  /** When the first of them happened, monotonic ms. */
  readonly sinceMs: number;
}

export type SuspicionReason = 'unreachable' | 'protocol-mismatch' | 'timeout';

export interface Suspect {
  readonly state: 'suspect';
  readonly reason: SuspicionReason;
  /** When it became one, monotonic ms. */
  readonly sinceMs: number;
  /** Vain probes so far. */
  readonly probes: number;
}

export type Outcome = { readonly kind: 'answered' } | { readonly kind: 'failed'; readonly code: ErrorCode };

export const HEALTHY: Healthy = { state: 'healthy', timeouts: 0, sinceMs: 0 };
export const ANSWERED: Outcome = { kind: 'answered' };

/** Codes that may describe our own end of the line, and so say nothing about the other. */
const OUR_OWN_TROUBLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['bus-unavailable', 'closed', 'overloaded', 'internal']);

/** The peer's health after the outcome of a request to it. The same object when nothing has changed. */
export function observe(health: Health, outcome: Outcome, nowMs: number, settings: DetectorSettings): Health {
  if (outcome.kind === 'answered')
    return health === HEALTHY || (health.state === 'healthy' && health.timeouts === 0) ? health : HEALTHY;
  const { code } = outcome;
  if (code === 'unreachable' || code === 'protocol-mismatch')
    return health.state === 'suspect' ? health : { state: 'suspect', reason: code, sinceMs: nowMs, probes: 0 };
  if (code !== 'timeout') return OUR_OWN_TROUBLE.has(code) ? health : observe(health, ANSWERED, nowMs, settings);
  if (health.state === 'suspect') return health;
  const inRow = health.timeouts > 0 && nowMs - health.sinceMs <= settings.windowMs;
  const timeouts = inRow ? health.timeouts + 1 : 1;
  if (timeouts >= settings.timeoutsToSuspect) return { state: 'suspect', reason: 'timeout', sinceMs: nowMs, probes: 0 };
  return { state: 'healthy', timeouts, sinceMs: inRow ? health.sinceMs : nowMs };
}

/** The peer's health once we know that we ourselves were paused from `fromMs` until now. */
export function forgive(health: Health, fromMs: number): Health {
  if (health.state === 'suspect') return health.reason === 'timeout' && health.sinceMs >= fromMs ? HEALTHY : health;
  return health.timeouts > 0 && health.sinceMs >= fromMs ? HEALTHY : health;
}

/** The suspect after one more vain probe. */
export function probedInVain(health: Suspect): Suspect {
  return { ...health, probes: health.probes + 1 };
}

/** How long to wait before the next probe: exponential backoff, spread by `jitter` in [0, 1) over 50 to 100 % of it. */
export function probeDelayMs(health: Suspect, jitter: number, settings: DetectorSettings): number {
  // The exponent is bounded so that years of probing do not overflow it.
  const fullMs = Math.min(settings.maxProbeMs, settings.firstProbeMs * 2 ** Math.min(health.probes, 30));
  return fullMs * (0.5 + jitter / 2);
}
