/**
 * Retries: bounded in number and by the caller's deadline, backing off with full jitter, heeding the server's hint. A write keeps its
 * operation id, so a repetition of one that did happen is recognised as the same.
 */
import { type ArmatureError, toArmatureError, type ErrorCode, type Random } from '@armature/kernel';
import { sleep, type Clock } from '@armature/runtime';

/** Worth repeating at once or a little later. Not `timeout`: the time is used up. Not `partial-write`: the caller must know. */
const RETRIED = new Set<ErrorCode>([
  'overloaded',
  'unavailable',
  'unreachable',
  'unknown-outcome',
  'bus-unavailable',
  'no-cluster',
]);
const MAX_ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 20;

/** Runs `attempt(leftMs)` until it succeeds, fails for good, or the time is up; rejects with the last error. */
export async function retrying<T>(
  env: { readonly clock: Clock; readonly random: Random },
  timeoutMs: number,
  attempt: (leftMs: number) => Promise<T>,
): Promise<T> {
  const deadlineMs = env.clock.monotonicMs() + timeoutMs;
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt(Math.max(1, deadlineMs - env.clock.monotonicMs()));
    } catch (thrown) {
      const error = toArmatureError(thrown);
      const pauseMs = backoffMs(env.random, attempts, error);
      const tooLate = env.clock.monotonicMs() + pauseMs >= deadlineMs;
      if (!RETRIED.has(error.code) || attempts === MAX_ATTEMPTS || tooLate) throw error;
      await sleep(env.clock, pauseMs);
    }
  }
}

function backoffMs(random: Random, attempts: number, error: ArmatureError): number {
  const hint = error.details['retryAfterMs'];
  const base = FIRST_BACKOFF_MS * 2 ** (attempts - 1);
  return (typeof hint === 'number' ? hint : 0) + random.float() * base;
}
