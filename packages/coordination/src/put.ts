/**
 * The driver of a put at the node that mints it: mint, replicate, wait for the quorum, answer (paper, sections 4.5 and 5).
 *
 * The version goes to the other replicas while it is being committed here, so a put takes one commit and one round trip, not two of each. The answer
 * has three outcomes: written; partial (some replicas have it, and it may surface later); and the caller's own timeout,
 * which says nothing. A partial put is not undone: it cannot be, replicas that have it may already have shown it to a reader.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { Placement } from '@armature/membership';
import type { BucketProperties, Meta, Receipt, ReplicaReceipt, WriteOptions } from '@armature/protocol';
import type { MintResult, Replica } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { CausalContext, Dot, OperationId, VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, type CoordinationEnv } from './environment.js';
import { putAcknowledged, putFailed, putReplanned, putReplicas, startPut, type PutPlan, type PutState } from './put-core.js';
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

/** Errors: `invalid-argument` (a quorum beyond N), those of `Replica.mint`, `partial-write`. `env.self` must be an owner of the key. */
export async function put(env: MintingEnv, request: PutRequest): Promise<PutResult> {
  const quorum = writeQuorum(request.bucket, request.options);
  if (!quorum.ok) throw quorum.error;
  const deadlineMs = env.clock.monotonicMs() + request.timeoutMs;
  const minted = await env.replica.mint(request);
  const state = await replicate(env, request, minted, quorum.value, deadlineMs);
  const replicas = putReplicas(state);
  if (state.verdict === 'written') return { set: minted.set, dot: minted.dot, receipt: { coordinator: env.self, replicas } };
  throw partial(replicas, quorum.value);
}

/** Resolves with the first state that has a verdict, or with what stands at the deadline. Replicas that are still to answer get their time. */
function replicate(
  env: MintingEnv,
  request: PutRequest,
  minted: MintResult,
  quorum: WriteQuorum,
  deadlineMs: number,
): Promise<PutState> {
  return new Promise((decide) => {
    const { address, bucket } = request;
    const durable = bucket.durability === 'fsync';
    let view = env.view();
    let state = startPut(planOf(view.placement(address, quorum.n), quorum));
    let ringRetries = 0;
    let decided = false;

    const conclude = (): void => {
      if (decided) return;
      decided = true;
      deadline.cancel();
      decide(state);
    };
    /** A quorum that cannot be met is reported a moment later, so that the report can say who has the version. */
    const apply = (next: PutState): void => {
      const wasShort = state.verdict === 'short';
      state = next;
      if (state.verdict === 'written' || (state.verdict === 'short' && allHeard(state))) conclude();
      else if (state.verdict === 'short' && !wasShort) env.alarms.set(SHORT_GRACE_MS, conclude);
    };
    const send = (node: NodeId): void => {
      const message = {
        kind: 'merge',
        ring: view.ringVersion,
        address,
        set: minted.encoded,
        durability: bucket.durability,
      } as const;
      env.ask(node, message, Math.max(1, deadlineMs - env.clock.monotonicMs())).then(
        (reply) => apply(putAcknowledged(state, node, reply.durable)),
        (thrown: unknown) => {
          const { code } = toArmatureError(thrown);
          if (code === 'stale-ring' && ringRetries < MAX_RING_RETRIES) replan();
          else apply(putFailed(state, node, code));
        },
      );
    };
    /** A replica has another ring than we: catch up, and replicate to the owners of the ring that both now have. */
    const replan = (): void => {
      ringRetries++;
      env.refresh().then(
        (refreshed) => {
          view = refreshed;
          const heardBefore = new Set(state.heard.map(({ node }) => node));
          apply(putReplanned(state, planOf(view.placement(address, quorum.n), quorum)));
          for (const node of others(state.plan)) if (!heardBefore.has(node)) send(node);
        },
        () => conclude(),
      );
    };
    const others = (plan: PutPlan): NodeId[] => [...plan.owners, ...plan.pending].filter((node) => node !== env.self);

    const deadline = env.alarms.set(deadlineMs - env.clock.monotonicMs(), conclude);
    for (const node of others(state.plan)) send(node);
    minted.committed.then(
      () => apply(putAcknowledged(state, env.self, durable)),
      (thrown: unknown) => apply(putFailed(state, env.self, toArmatureError(thrown).code)),
    );
  });
}

function allHeard({ plan, heard }: PutState): boolean {
  return heard.length === plan.owners.length + plan.pending.length;
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
