/** Whether a repeated write has been carried out before: its owners are asked before it is minted again (docs/decisions/0008-superseded-operations.md). */
import { toArmatureError } from '@armature/kernel';
import { transferTimeMs } from '@armature/protocol';
import type { MintRequest } from '@armature/replica';
import { encodeVersionSet, knowsOperation } from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';
import { get } from './get.js';
import { LARGE_WRITE_BYTES } from './joined-writes.js';

/** Share of the time left that is spent on looking for an earlier attempt, each time. */
const LOOK_SHARE = 0.25;

/** Of that, at most so much beside what the value's bytes take: owners that are well answer within it, and one that is silent must not hold up the write. */
const LOOK_MS = 120;

/**
 * What the owners hold of the key, where an earlier attempt at this write is part of it. A repetition that reaches another node than the first attempt would
 * be minted a second time there, under a second dot; once the first is overwritten, the second may come back as a sibling (decision 0008).
 * Undefined where nobody who answers in time knows of an attempt.
 */
export async function earlierAttempt(
  env: CoordinationEnv,
  request: MintRequest,
  deadlineMs: number,
): Promise<Uint8Array | undefined> {
  const { address, bucket, operation, value } = request;
  // Of a large value no more copies are asked for than a read needs: each crosses the network.
  const quorums = value.length < LARGE_WRITE_BYTES ? (['all', 'default'] as const) : (['default'] as const);
  for (const r of quorums) {
    const timeoutMs = (deadlineMs - env.clock.monotonicMs()) * LOOK_SHARE;
    const reading = get(env, { address, bucket, options: { r, pr: 'default' }, timeoutMs });
    const found = await awaitAtMost(env, Math.min(timeoutMs, LOOK_MS + transferTimeMs(value.length)), reading);
    if (found !== undefined) return knowsOperation(found.set, operation) ? encodeVersionSet(found.set) : undefined;
  }
  return undefined;
}

/** Undefined where it fails, or takes longer. It goes on all the same: an owner that answers later has not failed. */
function awaitAtMost<T>(env: CoordinationEnv, limitMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const alarm = env.alarms.set(limitMs, () => resolve(undefined));
    work
      .then(resolve, (thrown: unknown) => {
        env.log.debug({ err: toArmatureError(thrown) }, 'not enough owners say whether the write has been carried out before');
        resolve(undefined);
      })
      .finally(() => alarm.cancel());
  });
}
