/** What a get returns: all concurrent values of a key, one context for them, and who took part in the read. */
import { ArmatureError } from '@armature/kernel';
import type { Meta, Receipt } from '@armature/protocol';
import type { ReadContext } from './read-context.js';

export interface Sibling<T> {
  readonly value: T;
  /** When it was written, by the clock of the replica that minted it. */
  readonly writtenAt: Date;
  readonly meta: Meta;
}

export class Entry<T> {
  readonly siblings: readonly Sibling<T>[];
  /** Pass it to the put that replaces these values. */
  readonly context: ReadContext;
  readonly receipt: Receipt;
  readonly #merge: ((values: readonly T[]) => T) | undefined;

  constructor(
    siblings: readonly Sibling<T>[],
    context: ReadContext,
    receipt: Receipt,
    merge: ((values: readonly T[]) => T) | undefined,
  ) {
    this.siblings = siblings;
    this.context = context;
    this.receipt = receipt;
    this.#merge = merge;
  }

  /** All concurrent values; at least one. */
  get values(): readonly T[] {
    return this.siblings.map(({ value }) => value);
  }

  /**
   * The value. Of several concurrent ones, what the bucket's merge function makes of them. Throws `application-error` when there
   * are several and no merge function: to pick one silently would lose the others.
   */
  get value(): T {
    const [first] = this.siblings;
    if (first !== undefined && this.siblings.length === 1) return first.value;
    if (this.#merge !== undefined) return this.#merge(this.values);
    throw new ArmatureError(
      'application-error',
      `the key has ${this.siblings.length} concurrent values and the bucket no merge function`,
      {
        remedy: 'Give the bucket a merge function, or look at entry.values and put the one to keep with entry.context.',
        details: { siblings: this.siblings.length },
      },
    );
  }
}
