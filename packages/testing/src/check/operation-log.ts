/**
 * What clients did and were told, and what follows from it: the causal history of each key, as the clients themselves made it.
 *
 * A write that was made with the context of a read supersedes what that read returned, and so everything that this had superseded. Nothing else
 * does: not time, not luck. So from the log alone follows which writes may be missing in the end (those that some later one has superseded), and
 * which must not be there any more.
 */

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
  readonly beganMs: number;
  endedMs: number | undefined;
  outcome: Outcome | undefined;
}

export class OperationLog {
  readonly #operations = new Map<string, Operation>();
  readonly #ancestors = new Map<string, ReadonlySet<string>>();

  get operations(): Iterable<Operation> {
    return this.#operations.values();
  }

  get size(): number {
    return this.#operations.size;
  }

  get(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  begin(operation: Omit<Operation, 'endedMs' | 'outcome'>): Operation {
    const entry: Operation = { ...operation, endedMs: undefined, outcome: undefined };
    this.#operations.set(entry.id, entry);
    return entry;
  }

  count(outcome: Outcome): number {
    let count = 0;
    for (const operation of this.operations) if (operation.outcome === outcome) count++;
    return count;
  }

  /** Everything that the operation supersedes: what its writer had seen, and what that supersedes. Not the operation itself. */
  ancestorsOf(id: string): ReadonlySet<string> {
    const known = this.#ancestors.get(id);
    if (known !== undefined) return known;
    const all = new Set<string>();
    const open = [...(this.#operations.get(id)?.seen ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (all.has(next)) continue;
      all.add(next);
      open.push(...(this.#operations.get(next)?.seen ?? []));
    }
    this.#ancestors.set(id, all);
    return all;
  }
}
