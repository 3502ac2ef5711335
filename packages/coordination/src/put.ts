/**
 * The driver of a put at the node that mints it: mint, replicate, wait for the quorum, answer (paper, sections 4.5 and 5).
 *
 * The version goes to the other replicas while it is being committed here, so a put takes one commit and one round trip, not two of each. The answer
 * has three outcomes: written; partial (some replicas have it, and it may surface later); and the caller's own timeout,
 * which says nothing. A partial put is not undone: it cannot be, replicas that have it may already have shown it to a reader.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { Placement, View } from '@armature/membership';
import type { BucketProperties, Meta, Receipt, ReplicaReceipt, WriteOptions } from '@armature/protocol';
import type { MintResult, Replica } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { CausalContext, Dot, OperationId, VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, type CoordinationEnv } from './environment.js';
import {
  allAnswered,
  hasAnswered,
  putAcknowledged,
  putFailed,
  putReplanned,
  putReplicas,
  startPut,
  type PutPlan,
  type PutState,
} from './put-core.js';
import { writeQuorum, type WriteQuorum } from './quorum.js';

/** How long a failed put waits for replicas that have not answered: longer than a healthy one takes, short for a caller who will repeat. */
const SHORT_GRACE_MS = 250;

/** A coordinator that lives in a node, beside the replica that mints. */
export interface MintingEnv extends CoordinationEnv {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'mint'>;
}

export interface PutRequest {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly context: CausalContext;
  readonly operation: OperationId;
  readonly tombstone: boolean;
  readonly value: Uint8Array;
  readonly meta: Meta;
  readonly options: WriteOptions;
  /** From now. */
  readonly timeoutMs: number;
}

export interface PutResult {
  /** The key's state after the put, as the minting replica sees it. */
  readonly set: VersionSet;
  /** The event of this put. */
  readonly dot: Dot;
  readonly receipt: Receipt;
}

/**
 * Errors: `invalid-argument` (a quorum beyond N), `unavailable` (the cluster has fewer replicas than that; nothing is written), those of `Replica.mint`,
 * `partial-write`. `env.self` must be an owner of the key.
 */
export async function put(env: MintingEnv, request: PutRequest): Promise<PutResult> {
  const quorum = writeQuorum(request.bucket, request.options);
  if (!quorum.ok) throw quorum.error;
  const deadlineMs = env.clock.monotonicMs() + request.timeoutMs;
  checkEnoughOwners(env.view().placement(request.address, quorum.value.n), quorum.value);
  const bucket = durableEnough(request.bucket, quorum.value);
  const minted = await env.replica.mint({ ...request, bucket });
  const state = await replicate(env, { address: request.address, bucket, minted, quorum: quorum.value, deadlineMs });
  const replicas = putReplicas(state);
  if (state.verdict === 'written') return { set: minted.set, dot: minted.dot, receipt: { coordinator: env.self, replicas } };
  throw partial(replicas, quorum.value);
}

/** A write that can never meet its quorum is not begun: it would stay on some replicas, and surface, for nothing. */
function checkEnoughOwners({ owners }: Placement, { w, pw, dw }: WriteQuorum): void {
  const needed = Math.max(w, pw, dw);
  if (owners.length >= needed) return;
  throw new ArmatureError('unavailable', `the write needs ${needed} replicas, and the key has ${owners.length}`, {
    remedy: 'Join more nodes, or write with a smaller W, PW or DW.',
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

interface Replication {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly minted: MintResult;
  readonly quorum: WriteQuorum;
  readonly deadlineMs: number;
}

/** Resolves with the first state that has a verdict, or with what stands at the deadline. Replicas that are still to answer get their time. */
function replicate(env: MintingEnv, { address, bucket, minted, quorum, deadlineMs }: Replication): Promise<PutState> {
  return new Promise((decide) => {
    const isDurable = bucket.durability === 'fsync';
    const inFlight = new Set<NodeId>();
    let view = env.view();
    let state = startPut(planOf(view.placement(address, quorum.n), quorum));
    let refreshes = 0;
    let isRefreshing = false;
    let isShort = false;
    let isDecided = false;

    const leftMs = (): number => deadlineMs - env.clock.monotonicMs();
    const conclude = (): void => {
      if (isDecided) return;
      isDecided = true;
      deadline.cancel();
      decide(state);
    };
    /** A quorum that cannot be met is reported a moment later, so that the report can say who has the version. */
    const apply = (next: PutState): void => {
      state = next;
      if (state.verdict === 'written' || (state.verdict === 'short' && allAnswered(state))) {
        conclude();
      } else if (state.verdict === 'short' && !isShort) {
        isShort = true;
        env.alarms.set(SHORT_GRACE_MS, conclude);
      }
    };
    const send = (node: NodeId): void => {
      const { ringVersion } = view;
      const { durability } = bucket;
      const message = { kind: 'merge', ring: ringVersion, address, set: minted.encoded, durability } as const;
      inFlight.add(node);
      env.ask(node, message, Math.max(1, leftMs())).then(
        (reply) => {
          inFlight.delete(node);
          apply(putAcknowledged(state, node, reply.durable));
        },
        (thrown: unknown) => {
          inFlight.delete(node);
          const { code } = toArmatureError(thrown);
          if (code !== 'stale-ring' || leftMs() <= 0) apply(putFailed(state, node, code));
          else if (ringVersion !== view.ringVersion)
            sendToSilent(); // asked under a ring that we have left since
          else catchUp(node);
        },
      );
    };
    /** To every replica of the plan that is not being asked and has not answered. Nobody is asked twice at a time, so nobody's answer is another's. */
    const sendToSilent = (): void => {
      const { owners, pending } = state.plan;
      for (const node of [...owners, ...pending]) {
        if (node !== env.self && !inFlight.has(node) && !hasAnswered(state, node)) send(node);
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
      const replan = (refreshed: View): void => {
        isRefreshing = false;
        view = refreshed;
        apply(putReplanned(state, planOf(view.placement(address, quorum.n), quorum)));
        sendToSilent();
      };
      // What cannot be caught up with now may have reached us otherwise; if not, the replica says so again.
      env.refresh().then(replan, () => replan(env.view()));
    };

    const deadline = env.alarms.set(leftMs(), conclude);
    minted.committed.then(
      () => apply(putAcknowledged(state, env.self, isDurable)),
      (thrown: unknown) => apply(putFailed(state, env.self, toArmatureError(thrown).code)),
    );
    apply(state);
    sendToSilent();
  });
}

function planOf(placement: Placement, quorum: WriteQuorum): PutPlan {
  return { owners: placement.owners, pending: placement.pending, quorum };
}

/** The version exists, but on fewer replicas than asked for. */
function partial(replicas: readonly ReplicaReceipt[], quorum: WriteQuorum): ArmatureError {
  const has = replicas.filter(({ outcome }) => outcome === 'ok' || outcome === 'durable');
  const lacks = replicas.filter(({ outcome }) => outcome !== 'ok' && outcome !== 'durable');
  const wanted = `W=${quorum.w}${quorum.pw > 0 ? `, PW=${quorum.pw}` : ''}${quorum.dw > 0 ? `, DW=${quorum.dw}` : ''}`;
  const names = lacks.map(({ node, outcome }) => `${node}: ${outcome}`).join(', ');
  return new ArmatureError(
    'partial-write',
    `written to ${has.length} replica(s), ${wanted} asked for${names === '' ? '' : ` (${names})`}`,
    {
      remedy: 'The write may surface later. Repeat it with the same operation id, or read the key to see what stands.',
      details: { replicas, needed: quorum },
    },
  );
}
