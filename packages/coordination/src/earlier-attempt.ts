/**
 * Whether a repeated write has been carried out before: its owners are asked before it is minted again
 * (docs/decisions/0008-superseded-operations.md).
 */
import { toArmatureError } from '@armature/kernel';
import { transferTimeMs } from '@armature/protocol';
import type { MintRequest } from '@armature/replica';
import { waitAtMost } from '@armature/runtime';
import { encodeVersionSet, knowsOperation, type VersionSet } from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';
import { get } from './get.js';
import { LARGE_WRITE_BYTES } from './joined-writes.js';

/** Share of the time left that is spent on looking for an earlier attempt, each time. */
const LOOK_SHARE = 0.25;

/**
 * The write waits no longer than this, and what the value's bytes take. Owners that are well answer by then; a silent one must
 * not hold it up.
 */
const LOOK_MS = 120;

/**
 * What the owners hold of the key, where an earlier attempt at this write is part of it. A repetition that reaches another node
 * than the first attempt would be minted a second time there, under a second dot; once the first is overwritten, the second may
 * come back as a sibling (decision 0008). Undefined where nobody who answers in time knows of an attempt.
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
    const limitMs = Math.min(timeoutMs, LOOK_MS + transferTimeMs(value.length));
    let found: VersionSet | undefined;
    const reading = get(env, { address, bucket, options: { r, pr: 'default' }, timeoutMs }).then(
      ({ set }) => void (found = set),
      (thrown: unknown) =>
        env.log.debug({ err: toArmatureError(thrown) }, 'too few owners say whether the write was carried out before'),
    );
    // The reading keeps its full time: an owner that answers later than we wait has not failed.
    await waitAtMost(env.clock, limitMs, reading);
    if (found !== undefined) return knowsOperation(found, operation) ? encodeVersionSet(found) : undefined;
  }
  return undefined;
}
