/**
 * Spends slices by the amount of work. A slice is for one bounded piece of work, and a full page of records is one; but most
 * pages of a ring with many partitions hold next to nothing, and a slice for each would make a thousand empty partitions as dear
 * as a thousand full ones.
 */
import type { SliceKind, TakeSlice } from './admission-controller.js';

/** A full page. */
export const SLICE_RECORDS = 500;
/** What asking for a page costs, even an empty one, in records: a round trip of some 100 us against merges of some 10 us. */
const PAGE_RECORDS = 25;

export class SliceBudget {
  readonly #take: TakeSlice;
  readonly #kind: SliceKind;
  /** Records that may still be worked on. */
  #left = 0;

  constructor(take: TakeSlice, kind: SliceKind) {
    this.#take = take;
    this.#kind = kind;
  }

  /** Waits for a slice unless something of the last one is left. Rejects as `TakeSlice` does. */
  async ready(): Promise<void> {
    if (this.#left > 0) return;
    await this.#take(this.#kind);
    this.#left = SLICE_RECORDS;
  }

  /** A page with so many records was worked on. */
  spend(records: number): void {
    this.#left -= records + PAGE_RECORDS;
  }
}
