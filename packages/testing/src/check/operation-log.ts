/**
 * What clients did and were told, and what follows from it: the causal history of each key, as the clients themselves made it.
 *
 * A write that was made with the context of a read supersedes what that read returned, and so everything that this had
 * superseded. Nothing else does: not time, not luck. So from the log alone follows which writes may be missing in the end (those
 * that some later one has superseded), and which must not be there any more.
 */

import { toArmatureError, type ErrorCode, type NodeId } from '@armature/kernel';
import { tookPart, type Receipt } from '@armature/protocol';

/** `unknown`: it may have taken place, wholly, in part, or not at all. `refused`: it was promised that nothing has happened. */
export type Outcome = 'acknowledged' | 'unknown' | 'refused';

export interface Operation {
  /** Unique; the operation id that the write carried. */
  readonly id: string;
  readonly key: string;
  readonly kind: 'put' | 'delete';
  readonly client: string;
  /** The puts that the read before it returned. */
  readonly seen: readonly string[];
  /**
   * The writer's own puts since that read, where the context is that of the last of them. Such a context names them one by one; a
   * replica that mints with it, and lacks something that came before one of them, leaves that one beside the new version (see
   * `mint` in versioning).
   */
  readonly own?: readonly string[];
  /**
   * How the context was made, where it was never issued for the key (`workload/forgery.ts`). The write must be refused, and
   * supersedes nothing: it has seen nothing.
   */
  readonly forged?: string;
  readonly beganMs: number;
  endedMs: number | undefined;
  outcome: Outcome | undefined;
  /** What it failed with; undefined: it did not. */
  failure: ErrorCode | undefined;
  /** Of an acknowledged put. Deletes have none. */
  receipt: Receipt | undefined;
  /** Of a `partial-write`: the nodes that are said to have it. */
  partial: readonly NodeId[] | undefined;
}

/** A read that was answered. */
export interface ReadRecord {
  readonly key: string;
  readonly client: string;
  /** The puts that it returned. */
  readonly values: readonly string[];
  readonly receipt: Receipt;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Said before anything was minted: nothing has happened. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['too-large', 'invalid-context', 'invalid-argument', 'unknown-bucket']);

/** What a write that failed so may have left behind. */
export function outcomeOf(thrown: unknown): Outcome {
  return REFUSALS.has(toArmatureError(thrown).code) ? 'refused' : 'unknown';
}

/**
 * The nodes that a `partial-write` names as having the write; undefined for every other error, and where the details were lost on
 * the way.
 */
export function partialOf(thrown: unknown): readonly NodeId[] | undefined {
  const { code, details } = toArmatureError(thrown);
  const { replicas } = details;
  if (code !== 'partial-write' || !Array.isArray(replicas)) return undefined;
  return (replicas as Receipt['replicas']).filter(tookPart).map(({ node }) => node);
}

export class OperationLog {
  readonly reads: ReadRecord[] = [];
  readonly #operations = new Map<string, Operation>();
  readonly #ancestors = { all: new Map<string, ReadonlySet<string>>(), sure: new Map<string, ReadonlySet<string>>() };

  get operations(): Iterable<Operation> {
    return this.#operations.values();
  }

  get size(): number {
    return this.#operations.size;
  }

  get(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  begin(operation: Omit<Operation, 'endedMs' | 'outcome' | 'failure' | 'receipt' | 'partial'>): Operation {
    const unknown = { endedMs: undefined, outcome: undefined, failure: undefined, receipt: undefined, partial: undefined };
    const entry: Operation = { ...operation, ...unknown };
    this.#operations.set(entry.id, entry);
    return entry;
  }

  count(outcome: Outcome): number {
    let count = 0;
    for (const operation of this.operations) if (operation.outcome === outcome) count++;
    return count;
  }

  /**
   * Everything that the operation supersedes: what its writer had seen, and what that supersedes. Not the operation itself. `all`
   * is what may be gone because of it, `sure` what must not be there any more.
   */
  ancestorsOf(id: string, which: 'all' | 'sure' = 'all'): ReadonlySet<string> {
    const known = this.#ancestors[which].get(id);
    if (known !== undefined) return known;
    const all = new Set<string>();
    const open = this.#supersededBy(id, which);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (all.has(next)) continue;
      all.add(next);
      open.push(...this.#supersededBy(next, which));
    }
    this.#ancestors[which].set(id, all);
    return all;
  }

  #supersededBy(id: string, which: 'all' | 'sure'): string[] {
    const { seen = [], own = [] } = this.#operations.get(id) ?? {};
    return which === 'all' ? [...seen, ...own] : [...seen];
  }
}
