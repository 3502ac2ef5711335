/**
 * Retries: bounded in number and by the caller's deadline, backing off with full jitter, heeding the server's hint. A write keeps
 * its operation id, so a repetition of one that did happen is recognised as the same.
 */
import { unknownOutcome } from '@armature/coordination';
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

/**
 * Runs `attempt(leftMs, isUnsure)` until it succeeds, fails for good, or the time is up; rejects with the last error. Of a write,
 * one attempt that may have happened makes the whole unknown, whatever the later ones were answered: a refusal speaks for its own
 * attempt only. `isUnsure`: there was one.
 */
export async function retrying<T>(
  env: { readonly clock: Clock; readonly random: Random },
  timeoutMs: number,
  attempt: (leftMs: number, isUnsure: boolean) => Promise<T>,
): Promise<T> {
  const deadlineMs = env.clock.monotonicMs() + timeoutMs;
  let isUnsure = false;
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt(Math.max(1, deadlineMs - env.clock.monotonicMs()), isUnsure);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      const pauseMs = backoffMs(env.random, attempts, error);
      const tooLate = env.clock.monotonicMs() + pauseMs >= deadlineMs;
      isUnsure ||= error.code === 'unknown-outcome';
      if (!RETRIED.has(error.code) || attempts === MAX_ATTEMPTS || tooLate) throw isUnsure ? unsure(error) : error;
      await sleep(env.clock, pauseMs);
    }
  }
}

function unsure(error: ArmatureError): ArmatureError {
  if (error.code === 'unknown-outcome' || error.code === 'partial-write') return error;
  return unknownOutcome(`an earlier attempt may have happened, the last one failed: ${error.message}`, error);
}

function backoffMs(random: Random, attempts: number, error: ArmatureError): number {
  const hint = error.details['retryAfterMs'];
  const base = FIRST_BACKOFF_MS * 2 ** (attempts - 1);
  return (typeof hint === 'number' ? hint : 0) + random.float() * base;
}
