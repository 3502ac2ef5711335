/**
 * Who makes the durable copy of a put in a buffered bucket (paper, section 6.1: "the coordinator chooses one of the N replicas to
 * perform a durable write"), without the waiting.
 *
 * One replica has the duty at a time. It is the next healthy owner after the minting node, in the order of the preference list:
 * so the minting node's disk is on no path, and the duty is spread over the nodes as the keys are. Who fails, says that its copy
 * is not durable, or takes too long, passes the duty on to the next; the last is the minting node itself, which cannot be
 * unreachable. With all well exactly one durable copy is made.
 */
import type { NodeId } from '@armature/kernel';

export interface DurableDuty {
  /** Those who have the duty in turn, the minting node last. */
  readonly order: readonly NodeId[];
  /** How many of them have passed it on. */
  readonly passed: number;
  /** A durable copy exists. */
  readonly done: boolean;
}

/** `down`: who is not worth asking. `self`: the minting node, an owner or not. */
export function startDuty(owners: readonly NodeId[], self: NodeId, down: readonly NodeId[]): DurableDuty {
  const at = owners.indexOf(self) + 1; // 0 where a fallback mints: then all owners come after it
  const others = [...owners.slice(at), ...owners.slice(0, at)].filter((node) => node !== self && !down.includes(node));
  return { order: [...others, self], passed: 0, done: false };
}

/** Whose duty it is to make the durable copy; undefined when it is made, or nobody is left who could. */
export function dutyHolder({ order, passed, done }: DurableDuty): NodeId | undefined {
  return done ? undefined : order[passed];
}

/**
 * What became of an attempt of `node`. A copy counts whoever made it, however late; only the one that has the duty can pass it
 * on.
 */
export function dutyAnswered(duty: DurableDuty, node: NodeId, isDurable: boolean): DurableDuty {
  if (isDurable) return { ...duty, done: true };
  return dutyHolder(duty) === node ? { ...duty, passed: duty.passed + 1 } : duty;
}
