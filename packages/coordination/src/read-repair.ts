/**
 * Reconciliation and read repair (paper, sections 4.4 and 4.5): what the answers of a read amount to, and which of the replicas
 * that gave them have to learn something from the others.
 *
 * Answers are compared as bytes first: encodings are canonical, and in production 99.94 % of reads see one version (paper, 6.3),
 * so nearly always one decoding serves all replicas and there is nothing to repair.
 */
import { ArmatureError, bytesEqual, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { largestSetSentBytes, transferTimeMs } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import {
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  outlineOf,
  reconcile,
  resolve,
  type VersionSet,
} from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';
import type { GetAnswer, GetState } from './get-core.js';

/**
 * A repair is not sent later than this after its read began. The sender may have stood still since, while the key was deleted and
 * its tombstone reaped; what it carries would then bring the value back. Reaping waits much longer than this before it takes a
 * tombstone (see docs/decisions/0007-reaping.md).
 */
const MAX_REPAIR_AGE_MS = 60_000;
/**
 * Repairs are off the path of any request; this only bounds how long one may linger. A large one gets the time in addition that
 * its bytes may take.
 */
const REPAIR_TIMEOUT_MS = 10_000;

/**
 * A moment by both clocks: on some systems the monotonic one stands still while the machine sleeps, and the wall clock may be
 * set.
 */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
}

/** Ms since then, by the clock that says more. */
function ageOf(clock: Clock, { monotonicMs, wallMs }: Moment): number {
  return Math.max(clock.monotonicMs() - monotonicMs, clock.nowMs() - wallMs);
}

/**
 * The join of all answers; of their outlines, where one of them is an outline: to join it with a whole set would mix sizes with
 * values. Error `storage-corrupt` when a replica sent what is no version set.
 */
export function reconcileAnswers(answers: readonly GetAnswer[]): VersionSet {
  const first = answers[0]?.set;
  if (areSame(answers)) return first === undefined ? emptyVersionSet : decoded(first);
  const asOutlines = answers.some(({ isOutline }) => isOutline === true);
  return reconcile(answers.map((answer) => (asOutlines ? outlineOfAnswer(answer) : setOfAnswer(answer))));
}

function setOfAnswer({ set }: GetAnswer): VersionSet {
  return set === undefined ? emptyVersionSet : decoded(set);
}

function outlineOfAnswer(answer: GetAnswer): VersionSet {
  return answer.isOutline === true ? setOfAnswer(answer) : outlineOf(setOfAnswer(answer));
}

/**
 * Sends the join to every owner that answered something else, or that found its record damaged. Fire and forget: a repair that
 * fails is repaired by the next read. Nothing is decoded, and nothing sent, when all hold the same bytes. Fallbacks are not
 * repaired: what they keep is not theirs. Nor is anybody by outlines, which have no values, or by what no message can carry.
 * `begun`: the read.
 *
 * Where all owners have spoken, and those whose records are whole hold nothing, what a damaged record held is lost. The empty set
 * takes it away: left where it is, it would keep a read that needs its owner from ever being answered.
 */
export function repairReplicas(
  env: CoordinationEnv,
  view: View,
  address: Address,
  state: Pick<GetState, 'answers' | 'failures' | 'isOutlined'>,
  begun: Moment,
): void {
  const { answers } = state;
  const damaged = state.failures.filter(({ code }) => code === 'storage-corrupt').map(({ node }) => node);
  const bucket = view.buckets.get(bucketOfAddress(address));
  if (bucket === undefined || state.isOutlined || (damaged.length === 0 && areSame(answers))) return;
  let all: VersionSet;
  try {
    all = reconcileAnswers(answers);
  } catch (thrown) {
    env.log.error({ err: thrown }, 'read repair: a replica holds what cannot be decoded');
    return;
  }
  const { owners, pending } = view.placement(address, bucket.n);
  const isEmpty = all.clock.length === 0;
  if (isEmpty && (pending.length > 0 || !owners.every((owner) => damaged.includes(owner) || hasAnswered(answers, owner)))) return;
  const set = encodeVersionSet(resolve(bucket.resolver, all));
  if (set.length > largestSetSentBytes(env.messageBytes)) return;
  const stale = answers.filter((answer) => answer.set === undefined || !bytesEqual(answer.set, set)).map(({ node }) => node);
  const request = { kind: 'merge', ring: view.ringVersion, address, set, durability: bucket.durability } as const;
  for (const node of isEmpty ? damaged : [...stale, ...damaged]) {
    if (!owners.includes(node)) continue;
    if (ageOf(env.clock, begun) > MAX_REPAIR_AGE_MS) return;
    const letGo = env.inHand.hold(address);
    env
      .ask(node, request, REPAIR_TIMEOUT_MS + transferTimeMs(set.length))
      .then(
        () => env.metrics.repairs.add(),
        (thrown: unknown) => env.log.debug({ node, err: thrown }, 'read repair did not arrive'),
      )
      .finally(letGo);
  }
}

function hasAnswered(answers: readonly GetAnswer[], node: NodeId): boolean {
  return answers.some((answer) => answer.node === node);
}

function areSame(answers: readonly GetAnswer[]): boolean {
  const first = answers[0]?.set;
  return answers.every(({ set }) => (set === undefined || first === undefined ? set === first : bytesEqual(set, first)));
}

function decoded(set: Uint8Array): VersionSet {
  const result = decodeVersionSet(set);
  if (result.ok) return result.value;
  throw new ArmatureError('storage-corrupt', `a replica answered with a malformed version set: ${result.error.message}`, {
    cause: result.error,
  });
}
