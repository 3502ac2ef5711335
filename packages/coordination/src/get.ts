/**
 * The driver of a get: asks, waits, reconciles, answers, then repairs (paper, sections 4.5 and 5).
 *
 * It asks as many replicas as the quorum needs, fastest first, and one more whenever the slowest takes longer than that replica
 * usually does (hedging); see docs/decisions for why not all N at once. Once in `FULL_READ_SHARE` reads all N are asked, so that
 * read repair gets to see replicas that are never among the fastest.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import { tooLargeToSend, type BucketProperties, type FetchOptions, type Receipt, type ReplicaReceipt } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Placement, View } from '@armature/membership';
import type { Alarm } from '@armature/runtime';
import { liveSiblings, outlinedBytes, resolve, type VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, refreshWithin, type CoordinationEnv } from './environment.js';
import {
  getAnswered,
  getFailed,
  getHedged,
  getSettled,
  getSilent,
  silentReplicas,
  startGet,
  type GetEffect,
  type GetState,
  type GetStep,
} from './get-core.js';
import { watchSilent } from './patience.js';
import { bucketForSoFew, readQuorum, type ReadQuorum } from './quorum.js';
import { momentOf, reconcileAnswers, repairReplicas, type Moment } from './read-repair.js';

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

/**
 * One in 16 reads asks all N: at N = 3, R = 2 that costs 3 % more requests and visits every replica of a hot key within
 * milliseconds.
 */
const FULL_READ_SHARE = 16;

/** What replicas that seem down get, in case they are up after all: twice their usual time, within these bounds. */
const MIN_COURTESY_MS = 100;
const MAX_COURTESY_MS = 500;

/**
 * Reads and reconciles. Errors: `unavailable`, `timeout`, `invalid-argument` (a quorum beyond N), `storage-corrupt` (see
 * `reconcileAnswers`); `too-large` where a replica holds more than a message can carry, and its values were asked for.
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

/**
 * Resolves with the first state that has a verdict; goes on in the background until all that were asked have answered, then
 * repairs.
 */
function readFrom(
  env: CoordinationEnv,
  view: View,
  placement: Placement,
  request: GetRequest,
  quorum: ReadQuorum,
  deadlineMs: number,
): Promise<GetState> {
  return new Promise((decide) => new Reading(env, { view, placement, request, quorum, deadlineMs, decide }).begin());
}

interface ReadFrom {
  readonly view: View;
  readonly placement: Placement;
  readonly request: GetRequest;
  readonly quorum: ReadQuorum;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  readonly decide: (state: GetState) => void;
}

/** The driver: does what `get-core.ts` says, and tells it what becomes of that. */
class Reading {
  readonly #env: CoordinationEnv;
  readonly #read: ReadFrom;
  readonly #begun: Moment;
  #state!: GetState;
  /**
   * Owners and, for those that seem down, fallbacks: how many there are to ask before it is known that nobody but suspects is
   * silent.
   */
  #plannedCount = 0;
  #hedge: Alarm | undefined;
  #patience: Alarm | undefined;

  constructor(env: CoordinationEnv, read: ReadFrom) {
    this.#env = env;
    this.#read = read;
    this.#begun = momentOf(env.clock);
  }

  begin(): void {
    const { placement, quorum } = this.#read;
    const { replicas, fallbacks } = firstHealthy(this.#env, placement);
    const isFull = fallbacks.length === 0 && this.#env.random.int(FULL_READ_SHARE) === 0;
    const { needed, pr } = quorum;
    this.#plannedCount = replicas.length;
    const others = placement.fallbacks.slice(0, quorum.n);
    this.#patience = watchSilent(
      this.#env,
      () => [...silentReplicas(this.#state), ...others],
      () => this.#look(),
    );
    this.#take(startGet({ replicas, needed, pr, fallbacks, fanout: isFull ? replicas.length : needed }));
    const slowest = replicas[this.#state.asked - 1];
    if (slowest !== undefined) this.#hedgeAfter(this.#env.monitor.hedgeDelayMs(slowest));
  }

  #take({ state, effects }: GetStep): void {
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: GetEffect): void {
    switch (effect.kind) {
      case 'ask':
        this.#ask(effect.node, effect.isFallback);
        return;
      case 'look':
        this.#look();
        return;
      case 'settle':
        this.#settleLater(effect.silent);
        return;
      case 'decide':
        this.#hedge?.cancel();
        this.#patience?.cancel();
        this.#read.decide(this.#state);
        return;
      case 'repair':
        repairReplicas(this.#env, this.#read.view, this.#read.request.address, this.#state, this.#begun);
    }
  }

  #ask(node: NodeId, isFallback: boolean): void {
    const { clock, inHand, ask } = this.#env;
    const { view, request, deadlineMs } = this.#read;
    const { address, options } = request;
    const standIn = isFallback ? { standIn: true } : undefined;
    const outline = options.outline === true ? { outline: true } : undefined;
    const timeoutMs = Math.max(1, deadlineMs - clock.monotonicMs());
    const letGo = inHand.hold(address);
    ask(node, { kind: 'read', ring: view.ringVersion, address, ...standIn, ...outline }, timeoutMs).then(
      ({ set, isOutline }) => {
        this.#take(getAnswered(this.#state, { node, set, isOutline }));
        letGo();
      },
      (thrown: unknown) => {
        this.#take(getFailed(this.#state, { node, code: toArmatureError(thrown).code }));
        letGo();
      },
    );
  }

  /** One more replica is asked each time that the slowest takes longer than it usually does. */
  #hedgeAfter(delayMs: number): void {
    if (this.#state.verdict !== 'asking' || this.#state.asked >= this.#plannedCount) return;
    this.#hedge = this.#env.alarms.set(delayMs, () => {
      const step = getHedged(this.#state);
      this.#env.metrics.hedges.add(step.state.asked - this.#state.asked);
      this.#take(step);
      this.#hedgeAfter(delayMs);
    });
  }

  /** When nobody but suspects is waited for, more fallbacks are asked, one for each. */
  #look(): void {
    const { owners, fallbacks } = this.#read.placement;
    const isSuspect = (node: NodeId): boolean => this.#env.monitor.isSuspect(node);
    this.#take(
      getSilent(this.#state, isSuspect, () =>
        fallbacks.filter((node) => !isSuspect(node)).slice(0, owners.filter(isSuspect).length),
      ),
    );
  }

  #settleLater(silent: readonly NodeId[]): void {
    const { alarms, monitor } = this.#env;
    const usualMs = Math.max(0, ...silent.map((node) => monitor.hedgeDelayMs(node)));
    const isSuspect = (node: NodeId): boolean => monitor.isSuspect(node);
    const waitMs = Math.min(MAX_COURTESY_MS, Math.max(MIN_COURTESY_MS, 2 * usualMs));
    alarms.set(waitMs, () => this.#take(getSettled(this.#state, isSuspect)));
  }
}

/**
 * Whom to ask, in order (paper, section 4.6: the first N *healthy* nodes): the owners that are up, fastest first; for those that
 * are not, as many fallbacks, which may keep hints for them; at last, in case they are up after all, the owners that are not.
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
