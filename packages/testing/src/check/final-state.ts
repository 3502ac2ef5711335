/**
 * Whether what is left at the end is what must be left, by the log of what clients did (`operation-log.ts`).
 *
 *   lost       an acknowledged put that is not there, and that nothing which may have taken place has superseded
 *   returned   a value that is there although an acknowledged write, or another value that is there, supersedes it: overwritten
 *              or deleted
 *   invented   a value that nobody wrote, or whose writer was promised that it did not happen
 *
 * A write that was minted twice may show again when what was read and superseded was its first attempt, what shows is the
 * repetition, and so many versions of its key have ended in between that the set has forgotten the first (decision 0008 says how
 * many). The other way round it may not: that a version was minted for a repetition is remembered for a day.
 *
 * Together with equality of the replicas, this says that the final siblings are exactly the causal frontier of what took place.
 */
import { MAX_SUPERSEDED } from '@armature/versioning';
import type { Operation, OperationLog } from './operation-log.js';

/** Of each key, the operations whose values are there at the end. */
export type FinalState = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * `mayBeLost`: acknowledged operations that the bucket did not promise to keep through what has happened since (see `Custody`).
 * `repetitions`: operations of which what is there was minted for a repetition.
 */
export function checkFinalState(
  log: OperationLog,
  state: FinalState,
  mayBeLost: (operation: Operation) => boolean = () => false,
  repetitions: ReadonlySet<string> = new Set(),
): string[] {
  const returned = returns(log, state, mayBeLost).filter(({ id }) => !repetitions.has(id) || !mayBeForgotten(log, id));
  return [
    ...inventions(log, state),
    ...losses(log, state, mayBeLost),
    ...returned.map(
      ({ key, id, by }) => `returned: ${key} holds ${id}, which ${by} has superseded (a ${log.get(by)?.kind ?? ''})`,
    ),
  ];
}

function inventions(log: OperationLog, state: FinalState): string[] {
  const found: string[] = [];
  for (const [key, present] of state) {
    for (const id of present) {
      const operation = log.get(id);
      if (operation?.key !== key) found.push(`invented: ${key} holds ${id}, which nobody wrote there`);
      else if (operation.outcome === 'refused') found.push(`invented: ${key} holds ${id}, which was refused`);
    }
  }
  return found;
}

function losses(log: OperationLog, state: FinalState, mayBeLost: (operation: Operation) => boolean): string[] {
  const accounted = new Set<string>();
  const account = (id: string): void => {
    accounted.add(id);
    for (const ancestor of log.ancestorsOf(id)) accounted.add(ancestor);
  };
  for (const present of state.values()) for (const id of present) account(id);
  // A tombstone shows no value, and may have been reaped: every delete that may have taken place accounts for what it has seen.
  for (const { kind, id, outcome } of log.operations) if (kind === 'delete' && outcome !== 'refused') account(id);
  const found: string[] = [];
  for (const operation of log.operations) {
    const { kind, id, key, outcome, endedMs } = operation;
    if (kind !== 'put' || outcome !== 'acknowledged' || accounted.has(id) || mayBeLost(operation)) continue;
    found.push(`lost: ${id} in ${key}, acknowledged at ${((endedMs ?? 0) / 1000).toFixed(3)} s`);
  }
  return found;
}

function returns(log: OperationLog, state: FinalState, mayBeLost: (operation: Operation) => boolean): Return[] {
  const found: Return[] = [];
  const supersededBy = new Map<string, string>();
  for (const operation of log.operations) {
    const { id, outcome, key } = operation;
    const isKept = outcome === 'acknowledged' && !mayBeLost(operation);
    if (!isKept && state.get(key)?.has(id) !== true) continue;
    for (const ancestor of log.ancestorsOf(id, 'sure')) supersededBy.set(ancestor, id);
  }
  for (const [key, present] of state) {
    for (const id of present) {
      const by = supersededBy.get(id);
      if (by !== undefined) found.push({ key, id, by });
    }
  }
  return found;
}

interface Return {
  readonly key: string;
  readonly id: string;
  readonly by: string;
}

/** Whether more versions of its key may have ended since it was written than a set remembers. */
function mayBeForgotten(log: OperationLog, id: string): boolean {
  const { key, beganMs } = log.get(id) as Operation;
  const since = [...log.operations].filter((one) => one.key === key && one.beganMs >= beganMs && one.outcome !== 'refused');
  return since.length > MAX_SUPERSEDED;
}
