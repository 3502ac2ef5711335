/**
 * Which records of a replica may be reaped (`isReapable` of versioning), kept as a list beside the records, so that reaping reads
 * these and not all records.
 *
 * Every write of such a record enters it in the list in the same batch, also where it is there already. A record is taken off
 * only in the batch of a write after which it is none. So after any crash, and after any failed commit, a record that may be
 * reaped is in the list. The list may have too much: a commit that was to take a record off it has failed, or a buffered one was
 * overtaken. Whoever reads the list looks at the records, and corrects it. It has too little where it is damaged, or where the
 * store is of before there was a list. The scans that build hash trees after each start, and verify them once a day, find that
 * out (`enlist`).
 *
 * A value over a value with a short clock, which is nearly every write, touches no list.
 */
import type { BinaryString } from '@armature/kernel';
import type { Address } from '@armature/ring';
import type { RangeQuery } from '@armature/storage';
import { decodeVersionSet, emptyVersionSet, isReapable, type VersionSet } from '@armature/versioning';
import { decodeHeld, readHeld, type Held, type RecordStore } from './record-store.js';
import type { HeldPage } from './replica-env.js';

export interface ReapableRecordsEnv {
  readonly store: RecordStore;
  /** Clocks with more entries may be pruned; see `isReapable`. */
  readonly pruneAbove: number | undefined;
  /** Has `work` look at what is held of a key, which nobody changes before `work` returns. */
  readonly change: <T>(address: Address, work: (held: Held) => T) => T | Promise<T>;
}

export class ReapableRecords {
  readonly #env: ReapableRecordsEnv;

  constructor(env: ReapableRecordsEnv) {
    this.#env = env;
  }

  /**
   * What the write of a change is to say of the list. Undefined, and not worth an operation, where neither set may be reaped.
   * `before` is undefined where nobody knows what was held.
   */
  listing(before: VersionSet | undefined, after: VersionSet): boolean | undefined {
    const { store, pruneAbove } = this.#env;
    if (store.reapable === undefined) return undefined;
    if (isReapable(after, pruneAbove)) return true;
    return before === undefined || isReapable(before, pruneAbove) ? false : undefined;
  }

  /** A page of the records in the list, damaged ones left out. What does not belong there is taken off it. */
  async page(query: RangeQuery): Promise<HeldPage> {
    const { store, pruneAbove } = this.#env;
    if (store.reapable === undefined) return { entries: [], next: undefined };
    const { addresses, next } = await store.reapable.page(query);
    const entries = [];
    for (const address of addresses) {
      const held = await readHeld(store, address);
      if (held.set !== undefined && isReapable(decodeHeld(held) ?? emptyVersionSet, pruneAbove))
        entries.push({ address, set: held.set });
      else if (!held.damaged) await this.#correct(address);
    }
    return { entries, next };
  }

  /** Enters those of these records in the list that belong there and are missing. */
  async enlist({ entries }: Pick<HeldPage, 'entries'>): Promise<void> {
    const { store, pruneAbove } = this.#env;
    if (store.reapable === undefined) return;
    for (const { address, set } of entries) {
      const decoded = decodeVersionSet(set);
      if (!decoded.ok || !isReapable(decoded.value, pruneAbove)) continue;
      const { addresses } = await store.reapable.page({ start: address as string as BinaryString, limit: 1 });
      if (addresses[0] !== address) await this.#correct(address);
    }
  }

  /** Has the list say of one record what the record says. */
  async #correct(address: Address): Promise<void> {
    const { store, pruneAbove, change } = this.#env;
    const corrected = await change(address, (held) => {
      const local = decodeHeld(held);
      if (held.damaged || local === undefined) return undefined;
      return { committed: store.reapable?.set(address, isReapable(local, pruneAbove)) };
    });
    await corrected?.committed;
  }
}
