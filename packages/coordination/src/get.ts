/**
 * The driver of a get: asks, waits, reconciles, answers, then repairs (paper, sections 4.5 and 5).
 *
 * It asks as many replicas as the quorum needs, fastest first, and one more whenever the slowest takes longer than that replica usually
 * does (hedging); see docs/decisions for why not all N at once. Once in `FULL_READ_SHARE` reads all N are asked, so that read repair gets to see
 * replicas that are never among the fastest.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import { tooLargeToSend, type BucketProperties, type FetchOptions, type Receipt, type ReplicaReceipt } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Placement, View } from '@armature/membership';
import { liveSiblings, outlinedBytes, resolve, type VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, refreshWithin, type CoordinationEnv } from './environment.js';
import {
  getAnswered,
  getFailed,
  getHedged,
  getSettled,
  getWidened,
  outstanding,
  silentReplicas,
  startGet,
  type GetState,
  type GetStep,
} from './get-core.js';
import { watchSilent } from './patience.js';
import { bucketForSoFew, readQuorum, type ReadQuorum } from './quorum.js';
import { momentOf, reconcileAnswers, repairReplicas } from './read-repair.js';

export interface GetRequest {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly options: FetchOptions;
  /** From now. */
  readonly timeoutMs: number;
}

export interface GetResult {
  /** Its outline, where that was asked for. */
  readonly set: VersionSet;
  /** The replica that answered first: the one to coordinate the write that follows. */
  readonly fastest: NodeId;
  readonly receipt: Receipt;
}

/** One in 16 reads asks all N: at N = 3, R = 2 that costs 3 % more requests and visits every replica of a hot key within milliseconds. */
const FULL_READ_SHARE = 16;

/** What replicas that seem down get, in case they are up after all: twice their usual time, within these bounds. */
const MIN_COURTESY_MS = 100;
const MAX_COURTESY_MS = 500;

/**
 * Reads and reconciles. Errors: `unavailable`, `timeout`, `invalid-argument` (a quorum beyond N), `storage-corrupt` (see `reconcileAnswers`); `too-large` where a replica holds
 * more than a message can carry, and its values were asked for.
 */
export async function get(env: CoordinationEnv, request: GetRequest): Promise<GetResult> {
  const quorum = readQuorum(request.bucket, request.options);
  if (!quorum.ok) throw quorum.error;
  const deadlineMs = env.clock.monotonicMs() + request.timeoutMs;
  for (let attempt = 1; ; attempt++) {
    const view = env.view();
    const placement = view.placement(request.address, quorum.value.n);
    const state = await readFrom(env, view, placement, request, quorum.value, deadlineMs);
    if (state.verdict === 'answered') return answer(state, placement, request);
    const stale = state.failures.some((failure) => failure.code === 'stale-ring');
    if (!stale || attempt === MAX_RING_RETRIES || env.clock.monotonicMs() >= deadlineMs) throw unmet(state, quorum.value);
    await refreshWithin(env, deadlineMs - env.clock.monotonicMs()).catch(() => undefined); // what could not be caught up with, the replicas tell again
  }
}

/** Resolves with the first state that has a verdict; goes on in the background until all that were asked have answered, then repairs. */
function readFrom(
  env: CoordinationEnv,
  view: View,
  placement: Placement,
  { address, options }: GetRequest,
  quorum: ReadQuorum,
  deadlineMs: number,
): Promise<GetState> {
  return new Promise((decide) => {
    const { replicas, fallbacks } = firstHealthy(env, placement);
    const full = fallbacks.length === 0 && env.random.int(FULL_READ_SHARE) === 0;
    const ring = view.ringVersion;
    const outline = options.outline === true ? { outline: true } : undefined;
    const begun = momentOf(env.clock);
    let state!: GetState;
    let decided = false;
    let settling = false;
    let hedge = { cancel(): void {} };

    const apply = (step: GetStep): void => {
      state = step.state;
      for (const node of step.ask) ask(node);
      if (!decided && state.verdict !== 'asking') {
        decided = true;
        hedge.cancel();
        patience.cancel();
        decide(state);
      }
      if (!decided && state.plan.fallbacks?.length !== 0) settleWithoutSuspects();
      if (decided && outstanding(state) === 0) repairReplicas(env, view, address, state, begun);
    };
    const ask = (node: NodeId): void => {
      const timeoutMs = Math.max(1, deadlineMs - env.clock.monotonicMs());
      const standIn = state.plan.fallbacks?.includes(node) === true ? { standIn: true } : {};
      const letGo = env.inHand.hold(address);
      env.ask(node, { kind: 'read', ring, address, ...standIn, ...outline }, timeoutMs).then(
        ({ set, isOutline }) => {
          apply(getAnswered(state, { node, set, isOutline }));
          letGo();
        },
        (thrown: unknown) => {
          apply(getFailed(state, { node, code: toArmatureError(thrown).code }));
          letGo();
        },
      );
    };
    const hedgeAfter = (delayMs: number): void => {
      hedge = env.alarms.set(delayMs, () => {
        const hedged = getHedged(state);
        env.metrics.hedges.add(hedged.ask.length);
        apply(hedged);
        if (!decided && state.asked < replicas.length) hedgeAfter(delayMs);
      });
    };

    /** When nobody but suspects is waited for, more fallbacks are asked, one for each, and nobody waits for the suspects much longer. */
    const settleWithoutSuspects = (): void => {
      const silent = silentReplicas(state);
      if (settling || silent.length === 0 || !silent.every((node) => env.monitor.isSuspect(node))) return;
      settling = true;
      const usualMs = Math.max(0, ...silent.map((node) => env.monitor.hedgeDelayMs(node)));
      const missing = placement.owners.filter((node) => env.monitor.isSuspect(node)).length;
      const healthy = placement.fallbacks.filter((node) => !env.monitor.isSuspect(node)).slice(0, missing);
      apply(
        getWidened(
          state,
          healthy.filter((node) => !state.plan.replicas.includes(node)),
        ),
      );
      env.alarms.set(Math.min(MAX_COURTESY_MS, Math.max(MIN_COURTESY_MS, 2 * usualMs)), () => {
        if (!decided) apply(getSettled(state));
      });
    };

    const { needed, pr } = quorum;
    const patience = watchSilent(
      env,
      () => [...silentReplicas(state), ...placement.fallbacks.slice(0, quorum.n)],
      settleWithoutSuspects,
    );
    apply(startGet({ replicas, needed, pr, fallbacks, fanout: full ? replicas.length : needed }));
    if (!decided && state.asked < replicas.length) hedgeAfter(env.monitor.hedgeDelayMs(replicas[state.asked - 1] as NodeId));
  });
}

/**
 * Whom to ask, in order (paper, section 4.6: the first N *healthy* nodes): the owners that are up, fastest first; for those that are not, as many fallbacks, which
 * may keep hints for them; at last, in case they are up after all, the owners that are not.
 */
function firstHealthy(env: CoordinationEnv, placement: Placement): { replicas: readonly NodeId[]; fallbacks: readonly NodeId[] } {
  const isUp = (node: NodeId): boolean => !env.monitor.isSuspect(node);
  const owners = env.monitor.order(placement.owners);
  const up = owners.filter(isUp);
  if (up.length === owners.length) return { replicas: owners, fallbacks: [] };
  const fallbacks = placement.fallbacks.filter(isUp).slice(0, owners.length - up.length);
  return { replicas: [...up, ...fallbacks, ...owners.filter((node) => !isUp(node))], fallbacks };
}

function answer(state: GetState, placement: Placement, { address, bucket, options }: GetRequest): GetResult {
  const fastest = (state.answers[0] as { node: NodeId }).node;
  const set = resolve(bucket.resolver, reconcileAnswers(state.answers));
  if (state.isOutlined && options.outline !== true) throw oversized(address, set);
  return {
    set,
    fastest,
    receipt: { coordinator: fastest, replicas: replicasOf(state, placement) },
  };
}

function replicasOf(state: GetState, placement: Placement): readonly ReplicaReceipt[] {
  const role = (node: NodeId): ReplicaReceipt['role'] => (placement.owners.includes(node) ? 'primary' : 'fallback');
  return [
    ...state.answers.map(({ node }) => ({ node, role: role(node), outcome: 'ok' as const })),
    ...state.failures.map(({ node, code }) => ({ node, role: role(node), outcome: code })),
  ];
}

/** Sizes named in an error. */
const MAX_SIZES = 100;

/** Error `too-large`: what a key holds, here its outline, is more than a message can carry. */
export function oversized(address: Address, outline: VersionSet): ArmatureError {
  const sizesBytes = liveSiblings(outline).map(({ version }) => outlinedBytes(version));
  return tooLargeToSend(address, { siblings: sizesBytes.length, sizesBytes: sizesBytes.slice(0, MAX_SIZES) });
}

/** Says who answered, who did not, and who was not waited for: the operator's first question. */
function unmet(state: GetState, quorum: ReadQuorum): ArmatureError {
  const { answers, failures, plan, asked } = state;
  const owners = plan.replicas.length;
  const answered = answers.map(({ node }) => node);
  const silent = plan.replicas.slice(0, asked).filter((node) => !hasSpoken(state, node));
  const names = [...failures.map(({ node, code }) => `${node}: ${code}`), ...silent.map((node) => `${node}: not waited for`)];
  const timedOut = failures.some(({ code }) => code === 'timeout');
  return new ArmatureError(
    timedOut ? 'timeout' : 'unavailable',
    asked === 0
      ? `the read needs ${neededText(quorum)}, and can ask ${owners}`
      : `${answers.length} of the ${quorum.needed} replicas needed answered the read (${names.join(', ')})`,
    {
      remedy:
        owners < quorum.needed
          ? `The cluster has only ${owners} replica(s) of this key: join more nodes, read with a smaller R, or ${bucketForSoFew(owners)}`
          : 'Repeat later, or read with a smaller R. "armature cluster status" shows which nodes are down.',
      details: { answered, failed: failures, waiting: silent, owners: plan.replicas, needed: quorum.needed },
    },
  );
}

function hasSpoken({ answers, failures }: GetState, node: NodeId): boolean {
  return [...answers, ...failures].some((one) => one.node === node);
}

function neededText({ needed, pr }: ReadQuorum): string {
  return pr > 0 ? `${needed} replicas, ${pr} of them primaries` : `${needed} replicas`;
}
