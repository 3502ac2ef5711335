/**
 * Forwarding a write to a replica that can mint it (paper, section 4.5): from a router, a direct client, or a node outside the
 * first N.
 *
 * Any owner may mint. The one that answered the preceding read fastest goes first: it has the state that the context speaks of,
 * and being fast it keeps the 99.9th percentile down (paper, section 5). When it cannot be reached the next owner is tried, with
 * the same operation id, so that a write that did happen after all is recognised as the same one.
 */
import { ArmatureError, toArmatureError, type ErrorCode, type NodeId } from '@armature/kernel';
import type { Placement } from '@armature/membership';
import { transferTimeMs, type WriteReply, type WriteRequest } from '@armature/protocol';
import { MAX_RING_RETRIES, refreshWithin, type CoordinationEnv } from './environment.js';
import { askWhileUp } from './patience.js';

/** Failures of one node that another node may not share. */
const TRY_ANOTHER = new Set<ErrorCode>([
  'unreachable',
  'timeout',
  'overloaded',
  'unavailable',
  'closed',
  'no-cluster',
  'stale-ring',
  'protocol-mismatch',
  'wrong-cluster',
  'storage-full',
  'storage-failed',
  'storage-corrupt',
]);

/**
 * Share of the time left that one node may take, so that there is time for another; of a large write at least what its bytes may
 * take.
 */
const ATTEMPT_SHARE = 0.4;

/** Nodes tried for one write: more than N never have it, and a request must end. */
const MAX_ATTEMPTS = 4;

/**
 * Has one of the key's owners mint and replicate. `n` is the bucket's; `failed` have been tried already, and minted nothing.
 * Errors: the owner's own (`partial-write`, `invalid-context`, ...); `unknown-outcome` when some node may have taken the write
 * and nobody confirmed it; `unavailable` when none did.
 */
export async function forwardWrite(
  env: CoordinationEnv,
  write: WriteRequest,
  n: number,
  fastest: NodeId | undefined,
  timeoutMs: number,
  failed: ReadonlyMap<NodeId, ErrorCode> = new Map(),
): Promise<WriteReply> {
  const deadlineMs = env.clock.monotonicMs() + timeoutMs;
  const tried = new Map(failed);
  let ringRetries = 0;
  let maybeWritten = false;
  let tooFew: ArmatureError | undefined;
  while (tried.size < MAX_ATTEMPTS) {
    const leftMs = deadlineMs - env.clock.monotonicMs();
    const view = env.view();
    const placement = view.placement(write.address, n);
    const [node, ...others] = leftMs <= 0 ? [] : untried(env, placement, fastest, tried);
    if (node === undefined) break;
    const isLast = others.length === 0 || tried.size === MAX_ATTEMPTS - 1;
    try {
      const standIn = placement.owners.includes(node) ? {} : { standIn: true };
      return await askWhileUp(
        env,
        node,
        { ...write, ...standIn, ...(maybeWritten ? { repeated: true } : {}), ring: view.ringVersion },
        isLast ? leftMs : Math.max(1, leftMs * ATTEMPT_SHARE, Math.min(leftMs, transferTimeMs(write.value.length))),
        others.slice(0, n),
      );
    } catch (thrown) {
      const error = toArmatureError(thrown);
      maybeWritten ||= mayHaveRun(error);
      if (!TRY_ANOTHER.has(error.code)) throw maybeWritten ? lessSure(error) : error;
      if (error.code === 'stale-ring' && ringRetries < MAX_RING_RETRIES) {
        // It says nothing against the node, which may be the only owner: with the same ring it takes the write.
        ringRetries++;
        await refreshWithin(env, deadlineMs - env.clock.monotonicMs()).catch(() => undefined); // what could not be caught up with, the next node tells again
      } else {
        tried.set(node, error.code);
        if (error.code === 'unavailable' && 'needed' in error.details) tooFew = error;
      }
    }
  }
  throw exhausted(tried, maybeWritten, tooFew);
}

/**
 * Whom to try, in order: the context's replica if it is an owner, the other owners that are up, fastest first, then fallbacks,
 * which mint in the absence of all owners, and at last the owners that seem down. Whoever failed is not asked twice.
 */
function untried(
  env: CoordinationEnv,
  { owners, fallbacks }: Placement,
  fastest: NodeId | undefined,
  tried: ReadonlyMap<NodeId, ErrorCode>,
): NodeId[] {
  const isUp = (node: NodeId): boolean => !env.monitor.isSuspect(node);
  const ordered = env.monitor.order(owners);
  const left = [...ordered.filter(isUp), ...fallbacks.filter(isUp), ...ordered.filter((node) => !isUp(node))].filter(
    (node) => !tried.has(node),
  );
  // A fallback may have been the fastest to answer a read; it mints only where no owner can.
  if (fastest === undefined || !owners.includes(fastest) || tried.has(fastest) || !isUp(fastest)) return left;
  return [fastest, ...left.filter((node) => node !== fastest)];
}

/** Whether a write that one node could not begin, for reasons of its own, is worth bringing to another. */
export function mayBeTakenElsewhere(error: ArmatureError): boolean {
  return TRY_ANOTHER.has(error.code) && !mayHaveRun(error);
}

/** A node's definite answer, after another may have taken the write: it speaks for itself only. */
function lessSure(error: ArmatureError): ArmatureError {
  if (error.code === 'partial-write' || error.code === 'unknown-outcome') return error;
  return unknownOutcome(`one owner of the key may have taken the write, another refused it: ${error.message}`, error);
}

/** `tooFew`: what a node said that found the key to have fewer replicas than the write needs. */
function exhausted(
  tried: ReadonlyMap<NodeId, ErrorCode>,
  maybeWritten: boolean,
  tooFew: ArmatureError | undefined,
): ArmatureError {
  const names = [...tried].map(([node, code]) => `${node}: ${code}`).join(', ');
  const details = { tried: Object.fromEntries(tried) };
  if (maybeWritten) return unknownOutcome(`no owner of the key confirmed the write (${names})`, undefined, details);
  if (tooFew !== undefined) return tooFew;
  return new ArmatureError(
    'unavailable',
    names === '' ? 'the key has no owner' : `no owner of the key could take the write (${names})`,
    {
      remedy: 'Repeat later. "armature cluster status" shows which nodes are down.',
      details,
    },
  );
}

/** Whether a request that failed like this may nevertheless have been carried out. */
export function mayHaveRun(error: ArmatureError): boolean {
  return error.code === 'timeout' || error.details['executed'] === 'unknown';
}

/** A write that nobody confirmed, and that may surface: the third outcome beside written and partial. */
export function unknownOutcome(what: string, cause?: ArmatureError, details: ArmatureError['details'] = {}): ArmatureError {
  return new ArmatureError('unknown-outcome', what, {
    remedy: 'It may or may not have happened. Repeat it with the same operation id, or read the key to see what stands.',
    cause,
    details,
  });
}
