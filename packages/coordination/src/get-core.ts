/**
 * The state machine of one get (paper, section 5), without the waiting: an event goes in, the next state and what is to be done
 * come out.
 *
 *   asking --answer--> asking | answered          an answer counts; R of them (PR of them primaries) end the read; but see
 *                                                 `isMet`
 *   asking --failure--> asking | failed           the next replica in line is asked instead; none left and too few answers:
 *                                                 failed
 *   asking --hedge--> asking                      the quorum is slow: one more replica is asked, whoever is first counts
 *   asking --settle--> asking | answered          only replicas that seem down are silent, and have been waited for: fallbacks
 *                                                 make up the quorum
 *
 * A late answer, after the verdict, is still taken in. When all that were asked have spoken, those who lacked something are
 * repaired.
 *
 * The effects of a step are done in their order: first who is asked, then the verdict, then what follows from it.
 */
import type { ErrorCode, NodeId } from '@armature/kernel';

export interface GetPlan {
  /** Replicas in the order in which to ask them: fastest first. */
  readonly replicas: readonly NodeId[];
  /** Answers that make a quorum. */
  readonly needed: number;
  /** Of these, how many must come from primaries; none by default. */
  readonly pr?: number;
  /** Those among `replicas` that are no primaries. */
  readonly fallbacks?: readonly NodeId[];
  /** Replicas to ask at first; at least `needed` where there are so many. */
  readonly fanout: number;
}

export interface GetAnswer {
  readonly node: NodeId;
  /** Encoded version set, or undefined: the replica holds nothing. */
  readonly set: Uint8Array | undefined;
  /** It is the set's outline. */
  readonly isOutline?: boolean | undefined;
}

export interface GetFailure {
  readonly node: NodeId;
  readonly code: ErrorCode;
}

export interface GetState {
  readonly plan: GetPlan;
  /** The first `asked` of the plan's replicas have been asked. */
  readonly asked: number;
  readonly answers: readonly GetAnswer[];
  readonly failures: readonly GetFailure[];
  /** Whether some answer is an outline: then the read knows sizes, and not all values. */
  readonly isOutlined: boolean;
  /** Nobody but suspects is waited for, and those not for long. */
  readonly isSettling: boolean;
  /** Nobody who seems up is left to answer: what fallbacks say counts, even if it is "nothing". */
  readonly settled: boolean;
  readonly verdict: 'asking' | 'answered' | 'failed';
}

export type GetEffect =
  | { readonly kind: 'ask'; readonly node: NodeId; readonly isFallback: boolean }
  /** The read has a verdict, and is over for its caller. */
  | { readonly kind: 'decide' }
  /** If nobody but suspects is silent, say so: `getSilent`. */
  | { readonly kind: 'look' }
  /** The silent ones get a moment in case they are up after all; then `getSettled`. */
  | { readonly kind: 'settle'; readonly silent: readonly NodeId[] }
  /** All that were asked have spoken: repair those that lack something. */
  | { readonly kind: 'repair' };

export interface GetStep {
  readonly state: GetState;
  readonly effects: readonly GetEffect[];
}

const NOBODY: readonly NodeId[] = [];
const NOTHING: readonly GetEffect[] = [];
const DECIDE: GetEffect = { kind: 'decide' };
const LOOK: GetEffect = { kind: 'look' };
const REPAIR: GetEffect = { kind: 'repair' };

export function startGet(plan: GetPlan): GetStep {
  const asked = Math.min(Math.max(plan.fanout, plan.needed), plan.replicas.length);
  const isHopeless = !canBeMet(plan, plan.replicas);
  const begun = { plan, answers: [], failures: [], isOutlined: false, isSettling: false, settled: false };
  const state: GetState = { ...begun, asked: isHopeless ? 0 : asked, verdict: isHopeless ? 'failed' : 'asking' };
  return stepped(state, state, plan.replicas.slice(0, state.asked));
}

export function getAnswered(state: GetState, answer: GetAnswer): GetStep {
  const isOutlined = state.isOutlined || answer.isOutline === true;
  const next = { ...state, isOutlined, answers: [...state.answers, answer] };
  if (state.verdict !== 'asking') return stepped(state, next);
  if (isMet(next)) return stepped(state, { ...next, verdict: 'answered' });
  // An answer that does not count, or enough answers and too few of them from primaries: somebody else has to say something.
  return !isTelling(state.plan, answer) || outstanding(next) === 0 ? askNext(state, next) : stepped(state, next);
}

export function getFailed(state: GetState, failure: GetFailure): GetStep {
  const next = { ...state, failures: [...state.failures, failure] };
  if (state.verdict !== 'asking') return stepped(state, next);
  const left = state.plan.replicas.filter((node) => next.failures.every((one) => one.node !== node));
  if (!canBeMet(state.plan, left)) return stepped(state, { ...next, verdict: 'failed' });
  return isMet(next) ? stepped(state, { ...next, verdict: 'answered' }) : askNext(state, next);
}

/** The replicas asked so far are slow. */
export function getHedged(state: GetState): GetStep {
  return state.verdict === 'asking' ? askNext(state, state) : { state, effects: NOTHING };
}

/**
 * Only replicas that seem down have not answered yet: everybody else is asked, `fallbacks` too, which the plan did not know it
 * would need.
 */
export function getSilent(state: GetState, isSuspect: (node: NodeId) => boolean, fallbacks: () => readonly NodeId[]): GetStep {
  if (state.verdict !== 'asking' || state.isSettling) return { state, effects: NOTHING };
  const silent = silentReplicas(state);
  if (silent.length === 0 || !silent.every(isSuspect)) return { state, effects: NOTHING };
  const { plan } = state;
  const others = fallbacks().filter((node) => !plan.replicas.includes(node));
  const replicas = [...plan.replicas, ...others];
  const widened = { ...plan, replicas, fallbacks: [...(plan.fallbacks ?? []), ...others] };
  const next = { ...state, plan: widened, asked: replicas.length, isSettling: true };
  const { effects } = stepped(state, next, replicas.slice(state.asked));
  return { state: next, effects: [...effects, { kind: 'settle', silent }] };
}

/**
 * They have had their time. Who is silent and seems up is waited for all the same, those who were asked last above all: a
 * fallback that keeps nothing must not speak for an owner that is about to answer.
 */
export function getSettled(state: GetState, isSuspect: (node: NodeId) => boolean): GetStep {
  if (state.verdict !== 'asking') return { state, effects: NOTHING };
  const silent = silentReplicas(state);
  if (!silent.every(isSuspect)) return { state, effects: [{ kind: 'settle', silent }] };
  const next = { ...state, settled: true };
  return stepped(state, isMet(next) ? { ...next, verdict: 'answered' } : next);
}

/** Replicas that were asked and have not said anything yet. */
export function outstanding(state: GetState): number {
  return state.asked - state.answers.length - state.failures.length;
}

/** Who they are. */
export function silentReplicas({ plan, asked, answers, failures }: GetState): readonly NodeId[] {
  const spoken = new Set([...answers, ...failures].map(({ node }) => node));
  return plan.replicas.slice(0, asked).filter((node) => !spoken.has(node));
}

/**
 * Whether the answers make the quorum. That a fallback keeps nothing of a key says nothing about the key, so such an answer
 * counts only when there is nobody left to ask: better to hear "nothing" from it then than to fail.
 */
function isMet(state: GetState): boolean {
  const { needed, pr = 0, replicas } = state.plan;
  const isLast = state.settled || (state.asked === replicas.length && outstanding(state) === 0);
  const counted = state.answers.filter((answer) => isLast || isTelling(state.plan, answer)).length;
  return counted >= needed && state.answers.filter(({ node }) => isPrimary(state.plan, node)).length >= pr;
}

function isTelling(plan: GetPlan, answer: GetAnswer): boolean {
  return answer.set !== undefined || isPrimary(plan, answer.node);
}

/** Whether these replicas, were they all to answer, would make the quorum. */
function canBeMet(plan: GetPlan, replicas: readonly NodeId[]): boolean {
  return replicas.length >= plan.needed && replicas.filter((node) => isPrimary(plan, node)).length >= (plan.pr ?? 0);
}

function isPrimary(plan: GetPlan, node: NodeId): boolean {
  return plan.fallbacks?.includes(node) !== true;
}

function askNext(before: GetState, state: GetState): GetStep {
  const next = state.plan.replicas[state.asked];
  return next === undefined ? stepped(before, state) : stepped(before, { ...state, asked: state.asked + 1 }, [next]);
}

/** What is to be done between two states, where these are asked. */
function stepped(before: GetState, state: GetState, asked: readonly NodeId[] = NOBODY): GetStep {
  const { plan, verdict } = state;
  const effects: GetEffect[] = asked.map((node) => ({ kind: 'ask', node, isFallback: !isPrimary(plan, node) }));
  if (verdict === 'asking') {
    if (plan.fallbacks?.length !== 0 && !state.isSettling) effects.push(LOOK);
    return { state, effects };
  }
  if (before === state || before.verdict === 'asking') effects.push(DECIDE);
  if (outstanding(state) === 0) effects.push(REPAIR);
  return { state, effects };
}
