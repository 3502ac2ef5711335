/**
 * A put at the node that mints it: mint, replicate, wait for the quorum, answer (paper, sections 4.5 and 5).
 *
 * The version goes to the other replicas while it is being committed here, so a put takes one commit and one round trip, not two
 * of each. The answer has three outcomes: written; partial (some replicas have it, and it may surface later); and the caller's
 * own timeout, which says nothing. A partial put is not undone: it cannot be, replicas that have it may already have shown it to
 * a reader.
 *
 * In a buffered bucket all copies are made in memory, but for one: see `durable-copy.ts` (paper, section 6.1). Nobody waits for
 * that one.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { Placement } from '@armature/membership';
import type { BucketProperties, Receipt, ReplicaReceipt, WriteOptions } from '@armature/protocol';
import type { HintStore, MintRequest, MintResult, Replica } from '@armature/replica';
import type { Dot, VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, type CoordinationEnv } from './environment.js';
import { earlierAttempt } from './earlier-attempt.js';
import { unknownOutcome } from './forward.js';
import { putReplicas, type StandIn } from './put-quorum.js';
import { bucketForSoFew, writeQuorum, type WriteQuorum } from './quorum.js';
import { replicate } from './replication.js';

/** A coordinator that lives in a node, beside the replica that mints. */
export interface MintingEnv extends CoordinationEnv {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'mint' | 'merge'>;
  /** What this node keeps for owners that cannot be reached. */
  readonly hints: Pick<HintStore, 'mint' | 'merge'>;
}

export interface PutRequest extends MintRequest {
  readonly options: WriteOptions;
  /** From now. */
  readonly timeoutMs: number;
}

export interface PutResult {
  /** The key's state after the put, as the minting replica sees it. */
  readonly set: VersionSet;
  /** The event of this put; undefined where it repeats one that has been superseded, and that nothing was done for. */
  readonly dot: Dot | undefined;
  readonly receipt: Receipt;
}

/**
 * Errors: `invalid-argument` (a quorum beyond N), `unavailable` (the cluster has fewer replicas than that; nothing is written),
 * those of `Replica.mint`, `partial-write`, `unknown-outcome` when no replica has confirmed what was minted. Where `env.self` is
 * no owner of the key, it mints as a fallback.
 */
export async function put(env: MintingEnv, request: PutRequest): Promise<PutResult> {
  const quorum = writeQuorum(request.bucket, request.options);
  if (!quorum.ok) throw quorum.error;
  const deadlineMs = env.clock.monotonicMs() + request.timeoutMs;
  const bucket = durableEnough(request.bucket, quorum.value);
  const letGo = env.inHand.hold(request.address);
  try {
    const earlier = request.repeated === true ? await earlierAttempt(env, request, deadlineMs) : undefined;
    const { minted, standIn } = await mintUnderOneRing(env, { ...request, bucket, deadlineMs }, quorum.value, earlier);
    const tally = await replicate(env, { address: request.address, bucket, minted, standIn, quorum: quorum.value, deadlineMs });
    const replicas = putReplicas(tally);
    if (tally.verdict === 'written') return { set: minted.set, dot: minted.dot, receipt: { coordinator: env.self, replicas } };
    throw short(replicas, quorum.value);
  } finally {
    letGo();
  }
}

/**
 * Mints as an owner, or as a fallback, of the ring under which the store takes it: had the ring changed on the way, new owners
 * might have been told already what is here, without it.
 */
async function mintUnderOneRing(
  env: MintingEnv,
  request: MintRequest,
  quorum: WriteQuorum,
  earlier: Uint8Array | undefined,
): Promise<{ minted: MintResult; standIn: StandIn | undefined }> {
  for (let attempt = 1; ; attempt++) {
    const view = env.view();
    const placement = view.placement(request.address, quorum.n);
    checkEnoughReplicas(placement, quorum);
    const standIn = placement.owners.includes(env.self) ? undefined : { node: env.self, owner: absentOwner(env, placement) };
    if (earlier !== undefined) await take(env, standIn, request, earlier);
    const fenced = { ...request, stillValid: () => env.view().ringVersion === view.ringVersion };
    try {
      return {
        minted: await (standIn === undefined ? env.replica.mint(fenced) : env.hints.mint(standIn.owner, fenced)),
        standIn,
      };
    } catch (thrown) {
      if (toArmatureError(thrown).code !== 'stale-ring' || attempt === MAX_RING_RETRIES) throw thrown;
    }
  }
}

/** Into what this node mints from, so that the mint finds the operation there and is answered with its dot. */
function take(env: MintingEnv, standIn: StandIn | undefined, { address, bucket }: MintRequest, set: Uint8Array): Promise<void> {
  return standIn === undefined
    ? env.replica.merge(address, set, bucket, bucket.durability)
    : env.hints.merge(standIn.owner, address, set, bucket, bucket.durability);
}

/**
 * A write that can never meet its quorum is not begun: it would stay on some replicas, and surface, for nothing. W and DW may
 * exceed the present owners where others are on their way; see `put-core.ts`. PW may not.
 */
function checkEnoughReplicas({ owners, next }: Placement, { w, pw, dw }: WriteQuorum): void {
  const needed = Math.max(w, pw, dw);
  if (owners.length >= pw && Math.max(owners.length, next.length) >= needed) return;
  const coming = next.length > owners.length ? `, and will have ${next.length}` : '';
  throw new ArmatureError('unavailable', `the write needs ${needed} replicas, and the key has ${owners.length}${coming}`, {
    remedy:
      coming === ''
        ? `Join more nodes, write with a smaller W, PW or DW, or ${bucketForSoFew(owners.length)}`
        : 'Repeat it when the new owners are ready (armature cluster status), or write with a smaller PW.',
    details: { owners, needed },
  });
}

/**
 * A put that asks for DW copies on stable storage has all its copies made so: any of them may be among the DW, and a group commit
 * syncs many puts at the price of one.
 */
function durableEnough(bucket: BucketProperties, quorum: WriteQuorum): BucketProperties {
  return quorum.dw === 0 || bucket.durability === 'fsync' ? bucket : { ...bucket, durability: 'fsync' };
}

/**
 * The owner for whom this node, a fallback, keeps what it mints: one that seems down, since somebody found that none can be
 * reached.
 */
function absentOwner(env: MintingEnv, { owners }: Placement): NodeId {
  return owners.find((owner) => env.monitor.isSuspect(owner)) ?? (owners[0] as NodeId);
}

/** The version exists, but on fewer replicas than asked for; where nobody has confirmed it, on none or on some. */
function short(replicas: readonly ReplicaReceipt[], quorum: WriteQuorum): ArmatureError {
  const has = replicas.filter(({ outcome }) => outcome === 'ok' || outcome === 'durable');
  const lacks = replicas.filter(({ outcome }) => outcome !== 'ok' && outcome !== 'durable');
  const wanted = `W=${quorum.w}${quorum.pw > 0 ? `, PW=${quorum.pw}` : ''}${quorum.dw > 0 ? `, DW=${quorum.dw}` : ''}`;
  const isMoving = replicas.some(({ role }) => role === 'pending');
  const names = lacks
    .map(({ node, role, outcome }) => `${node}${role === 'pending' ? ', a future owner' : ''}: ${outcome}`)
    .join(', ');
  const details = { replicas, needed: quorum };
  if (has.length === 0)
    return unknownOutcome(`no replica confirmed the write, ${wanted} asked for (${names})`, undefined, details);
  return new ArmatureError(
    'partial-write',
    `written to ${has.length} replica(s), ${wanted} asked for${isMoving ? ', of the owners and of the next owners' : ''}${names === '' ? '' : ` (${names})`}`,
    {
      remedy: 'The write may surface later. Repeat it with the same operation id, or read the key to see what stands.',
      details,
    },
  );
}
