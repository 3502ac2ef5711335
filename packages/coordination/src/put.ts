/**
 * The driver of a put at the node that mints it: mint, replicate, wait for the quorum, answer (paper, sections 4.5 and 5).
 *
 * The version goes to the other replicas while it is being committed here, so a put takes one commit and one round trip, not two of each. The answer
 * has three outcomes: written; partial (some replicas have it, and it may surface later); and the caller's own timeout,
 * which says nothing. A partial put is not undone: it cannot be, replicas that have it may already have shown it to a reader.
 *
 * In a buffered bucket all copies are made in memory, but for one: see `durable-copy.ts` (paper, section 6.1). Nobody waits for that one.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { Placement, View } from '@armature/membership';
import {
  transferTimeMs,
  type BucketProperties,
  type MergeReply,
  type Receipt,
  type ReplicaReceipt,
  type WriteOptions,
} from '@armature/protocol';
import type { HintStore, MintRequest, MintResult, Replica } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { Dot, VersionSet } from '@armature/versioning';
import { DurableCopy } from './durable-copy.js';
import { MAX_RING_RETRIES, type CoordinationEnv } from './environment.js';
import { earlierAttempt } from './earlier-attempt.js';
import { unknownOutcome } from './forward.js';
import {
  allAnswered,
  hasAnswered,
  putAbandoned,
  putAcknowledged,
  putFailed,
  putGivenUp,
  putReplanned,
  putReplicas,
  putTargets,
  standsInFor,
  startPut,
  type PutPlan,
  type PutState,
  type StandIn,
} from './put-core.js';
import { watchSilent } from './patience.js';
import { bucketForSoFew, writeQuorum, type WriteQuorum } from './quorum.js';

/** How long a failed put waits for replicas that have not answered: longer than a healthy one takes, short for a caller who will repeat. */
const SHORT_GRACE_MS = 250;

/** How long a fallback, or one that is to make the durable copy, is waited for at least, whether or not the caller still does; longer for a large set. */
const AFTERWARDS_TIMEOUT_MS = 5_000;

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
 * Errors: `invalid-argument` (a quorum beyond N), `unavailable` (the cluster has fewer replicas than that; nothing is written), those of `Replica.mint`,
 * `partial-write`, `unknown-outcome` when no replica has confirmed what was minted. Where `env.self` is no owner of the key, it mints as a fallback.
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
    const state = await replicate(env, { address: request.address, bucket, minted, standIn, quorum: quorum.value, deadlineMs });
    const replicas = putReplicas(state);
    if (state.verdict === 'written') return { set: minted.set, dot: minted.dot, receipt: { coordinator: env.self, replicas } };
    throw short(replicas, quorum.value);
  } finally {
    letGo();
  }
}

/**
 * Mints as an owner, or as a fallback, of the ring under which the store takes it: had the ring changed on the way, new owners might have been told already what
 * is here, without it.
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
 * A write that can never meet its quorum is not begun: it would stay on some replicas, and surface, for nothing. W and DW may exceed the present owners where others are
 * on their way; see `put-core.ts`. PW may not.
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
 * A put that asks for DW copies on stable storage has all its copies made so: any of them may be among the DW, and a group commit syncs many puts at
 * the price of one.
 */
function durableEnough(bucket: BucketProperties, quorum: WriteQuorum): BucketProperties {
  return quorum.dw === 0 || bucket.durability === 'fsync' ? bucket : { ...bucket, durability: 'fsync' };
}

/** The owner for whom this node, a fallback, keeps what it mints: one that seems down, since somebody found that none can be reached. */
function absentOwner(env: MintingEnv, { owners }: Placement): NodeId {
  return owners.find((owner) => env.monitor.isSuspect(owner)) ?? (owners[0] as NodeId);
}

interface Replication {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly minted: MintResult;
  /** Set when this node mints as a fallback. */
  readonly standIn: StandIn | undefined;
  readonly quorum: WriteQuorum;
  readonly deadlineMs: number;
}

/** Resolves with the first state that has a verdict, or with what stands at the deadline. Replicas that are still to answer get their time. */
function replicate(env: MintingEnv, { address, bucket, minted, standIn, quorum, deadlineMs }: Replication): Promise<PutState> {
  return new Promise((decide) => {
    const isDurable = bucket.durability === 'fsync';
    const inFlight = new Set<NodeId>();
    let view = env.view();
    const planOf = (placement: Placement): PutPlan => ({ ...placement, quorum, fallbacks: healthy(env, placement.fallbacks) });
    const placement = view.placement(address, quorum.n);
    const down = placement.owners.filter((owner) => owner !== env.self && env.monitor.isSuspect(owner));
    let state = startPut(planOf(placement), down, standIn);
    const hinted = new Set<NodeId>();
    let refreshes = 0;
    let isRefreshing = false;
    let isShort = false;
    let isDecided = false;

    const leftMs = (): number => deadlineMs - env.clock.monotonicMs();
    const timeLimitMs = leftMs();
    const afterwardsMs = AFTERWARDS_TIMEOUT_MS + transferTimeMs(minted.encoded.length);
    const conclude = (): void => {
      if (isDecided) return;
      isDecided = true;
      deadline.cancel();
      patience.cancel();
      decide(state);
    };
    /** A quorum that cannot be met is reported a moment later, so that the report can say who has the version. */
    const settle = (next: PutState): void => {
      state = next;
      if (state.verdict === 'written' || (state.verdict === 'short' && allAnswered(state))) {
        conclude();
      } else if (state.verdict === 'short' && !isShort) {
        isShort = true;
        env.alarms.set(SHORT_GRACE_MS, conclude);
      }
    };
    /** After anything but an acknowledgement, which calls nobody in. */
    const apply = (next: PutState): void => {
      state = next;
      sendToSilent();
      keepHints();
      settle(state);
    };
    const send = (node: NodeId, hintFor: NodeId | undefined): void => {
      const { ringVersion } = view;
      const durability = node === durable?.holder ? 'fsync' : bucket.durability;
      const hint = hintFor === undefined ? {} : { hintFor };
      const message = { kind: 'merge', ring: ringVersion, address, set: minted.encoded, durability, ...hint } as const;
      // A hint is worth storing after the answer, too: it is how the version gets back to N replicas.
      const timeoutMs = Math.max(hintFor === undefined ? 1 : afterwardsMs, leftMs());
      inFlight.add(node);
      const asked = env.ask(node, message, timeoutMs);
      if (node === durable?.holder) durable.watch(node, asked.then(isDurableReply));
      const letGo = env.inHand.hold(address);
      asked.then(
        (reply) => {
          inFlight.delete(node);
          // A node that a new ring has given another part is asked again in that: a hint is no copy of its own, nor the reverse.
          if (standsInFor(state, node) !== hintFor) apply(state);
          else settle(putAcknowledged(state, node, reply.durable));
          letGo();
        },
        (thrown: unknown) => {
          inFlight.delete(node);
          const { code } = toArmatureError(thrown);
          if (standsInFor(state, node) !== hintFor) apply(state);
          else if (code !== 'stale-ring' || leftMs() <= 0) apply(putFailed(state, node, code));
          else if (ringVersion !== view.ringVersion)
            sendToSilent(); // asked under a ring that we have left since
          else catchUp(node);
          letGo();
        },
      );
    };
    /** For one that has its copy, in memory, or is just being given it. */
    const makeDurable = async (node: NodeId): Promise<boolean> => {
      const set = minted.encoded;
      const letGo = env.inHand.hold(address);
      try {
        if (node !== env.self) {
          const message = { kind: 'merge', ring: view.ringVersion, address, set, durability: 'fsync' } as const;
          return isDurableReply(await env.ask(node, message, afterwardsMs));
        }
        if (standIn === undefined) await env.replica.merge(address, set, bucket, 'fsync');
        else await env.hints.merge(standIn.owner, address, set, bucket, 'fsync');
        return true;
      } finally {
        letGo();
      }
    };
    /** To every replica of the plan that is not being asked and has not answered. Nobody is asked twice at a time, so nobody's answer is another's. */
    const sendToSilent = (): void => {
      for (const { node, hintFor } of putTargets(state)) {
        if (node !== env.self && !inFlight.has(node) && !hasAnswered(state, node)) send(node, hintFor);
      }
    };
    /** Where nobody is left to stand in for an owner, this node keeps the hint: it counts for nothing, and it saves the owner a repair. */
    const keepHints = (): void => {
      for (const owner of putAbandoned(state)) {
        if (hinted.has(owner) || owner === env.self) continue;
        hinted.add(owner);
        const letGo = env.inHand.hold(address);
        env.hints.merge(owner, address, minted.encoded, bucket, 'os').then(letGo, (thrown: unknown) => {
          letGo();
          env.log.debug({ owner, err: toArmatureError(thrown) }, 'no hint was kept');
        });
      }
    };
    /** `node` has another ring than we: catch up once for all who say so, and replicate to the owners of the ring that we all have then. */
    const catchUp = (node: NodeId): void => {
      if (isRefreshing) return;
      if (refreshes === MAX_RING_RETRIES) {
        apply(putFailed(state, node, 'stale-ring'));
        return;
      }
      refreshes++;
      isRefreshing = true;
      const letGo = env.inHand.hold(address);
      const replan = (refreshed: View): void => {
        isRefreshing = false;
        view = refreshed;
        apply(putReplanned(state, planOf(view.placement(address, quorum.n))));
        letGo();
      };
      // What cannot be caught up with now may have reached us otherwise; if not, the replica says so again.
      env.refresh().then(replan, () => replan(env.view()));
    };

    const durable =
      bucket.durability === 'buffered'
        ? new DurableCopy({
            ...{ self: env.self, owners: placement.owners, down, alarms: env.alarms, log: env.log },
            sizeBytes: minted.encoded.length,
            make: makeDurable,
            made: (node) => {
              // Under a new ring it may be a fallback now, whose own copy is not the hint that would count.
              if (node === env.self || standsInFor(state, node) === undefined) settle(putAcknowledged(state, node, true));
            },
            missing: () => env.metrics.durableCopiesMissing.add(),
          })
        : undefined;

    /** Whoever does not answer, and no ping either, is as good as one that refuses. */
    const giveUpSuspects = (): void => {
      const suspects = [...inFlight].filter((node) => !hasAnswered(state, node) && env.monitor.isSuspect(node));
      if (suspects.length === 0) return;
      const { fallbacks } = view.placement(address, quorum.n);
      const planned = { ...state, plan: { ...state.plan, fallbacks: healthy(env, fallbacks) } }; // without those that are suspects by now
      // Those that PW needs get half of the time, so that there is some left to tell the caller who has the version.
      const giveUp = leftMs() > timeLimitMs / 2 ? putGivenUp : putFailed;
      apply(suspects.reduce<PutState>((next, node) => giveUp(next, node, 'timeout'), planned));
    };

    const deadline = env.alarms.set(leftMs(), conclude);
    const patience = watchSilent(env, () => [...inFlight, ...placement.fallbacks.slice(0, quorum.n)], giveUpSuspects);
    minted.committed.then(
      () => {
        // What it minted as a fallback is a hint, and no copy of its own under a ring that gives it another part.
        const isOnlyHint = standIn !== undefined && standsInFor(state, env.self) === undefined;
        if (isOnlyHint) apply(putFailed(state, env.self, 'stale-ring'));
        else settle(putAcknowledged(state, env.self, isDurable));
      },
      (thrown: unknown) => apply(putFailed(state, env.self, toArmatureError(thrown).code)),
    );
    apply(state);
    // A pending owner that seems to be down is given the version all the same, in case it is up and about to be ready; it is not waited for.
    if (placement.pending.length > 0) giveUpSuspects();
  });
}

function isDurableReply(reply: MergeReply): boolean {
  return reply.durable;
}

function healthy(env: MintingEnv, nodes: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter((node) => node !== env.self && !env.monitor.isSuspect(node));
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
