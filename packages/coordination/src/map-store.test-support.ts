/** Records and hints in maps, for replicas in tests: visible at once, stored later, or not. */
import { ArmatureError, type ErrorCode, type NodeId } from '@armature/kernel';
import type { Durability } from '@armature/protocol';
import type { HintSpace, RecordStore } from '@armature/replica';
import type { Address } from '@armature/ring';
import { sleep, type ManualClock } from '@armature/runtime';
import type { StorageOperation } from '@armature/storage';

/** A store of records in a map. Writes are visible at once, and stored `commitMs` later, or not. */
export class MapStore implements RecordStore {
  readonly records = new Map<string, Uint8Array>();
  readonly durabilities: Durability[] = [];
  commitMs = 0;
  failure: ErrorCode | undefined;
  readonly #clock: ManualClock;
  readonly #failed: () => void;

  constructor(clock: ManualClock, failed: () => void) {
    this.#clock = clock;
    this.#failed = failed;
  }

  read(address: Address): Uint8Array | undefined {
    return this.records.get(address);
  }

  write(operations: readonly StorageOperation[], durability: Durability): Promise<void> {
    const before = new Map(operations.map(({ key }) => [key, this.records.get(key)]));
    for (const operation of operations) {
      if (operation.kind === 'put') this.records.set(operation.key, operation.value);
      else this.records.delete(operation.key);
    }
    this.durabilities.push(durability);
    if (durability === 'buffered') return Promise.resolve(); // when it is flushed, and whether, is no matter here
    if (this.failure === undefined && this.commitMs === 0) return Promise.resolve();
    return this.#commit(before);
  }

  async range(query: { start: string; end?: string | undefined; limit: number; limitBytes?: number | undefined }) {
    const inside = [...this.records]
      .filter(([key]) => key >= query.start && (query.end === undefined || key < query.end))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    let leftBytes = query.limitBytes ?? Infinity;
    const fits = inside.findIndex(([key, value]) => (leftBytes -= key.length + value.length) <= 0);
    const count = Math.min(query.limit, fits < 0 ? inside.length : fits + 1);
    const page = inside.slice(0, count).map(([key, value]) => ({ key: key as Address, value }));
    const last = page.at(-1);
    return { entries: page, next: last !== undefined && inside.length > page.length ? (`${last.key}\0` as Address) : undefined };
  }

  async #commit(before: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    await sleep(this.#clock, this.commitMs);
    if (this.failure === undefined) return;
    for (const [key, value] of before) {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, value);
    }
    this.#failed();
    throw new ArmatureError(this.failure, 'the commit failed');
  }
}

/** Hints: a map for each owner. */
export class MapHintSpace implements HintSpace {
  readonly stores = new Map<NodeId, MapStore>();
  readonly #open: () => MapStore;

  constructor(open: () => MapStore) {
    this.#open = open;
  }

  for(owner: NodeId): MapStore {
    const store = this.stores.get(owner) ?? this.#open();
    this.stores.set(owner, store);
    return store;
  }

  async owners(): Promise<readonly NodeId[]> {
    return [...this.stores].filter(([, { records }]) => records.size > 0).map(([owner]) => owner);
  }
}
