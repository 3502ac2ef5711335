/**
 * Where a replica keeps its records, as it sees it, and how it reads one that it is about to change.
 *
 * A damaged record counts as nothing held: its replicas elsewhere have it whole, and merging theirs heals it. But whoever is to
 * mint over it must know, because the damaged record held the count of this node's own writes to the key.
 */
import { toArmatureError, type BinaryString } from '@armature/kernel';
import type { Durability } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { RangePage, RangeQuery, StorageOperation } from '@armature/storage';
import { decodeVersionSet, emptyVersionSet, type VersionSet } from '@armature/versioning';
import { openRecord } from './record.js';

/**
 * The part of a store that a replica uses; keys are addresses.
 *
 * From the moment `write` returns, `read` answers with what was written, at once and as the very same bytes, until the commit
 * fails. That is also how a write that the store did not even accept (it is full, or closed) is told from one that is on its way.
 * Whoever provides the store retires the epoch's actor when a commit fails, before anybody can read the state from before it.
 */
export interface RecordStore {
  /**
   * A plain value where nothing has to be waited for. Throws or rejects with `storage-corrupt` for bytes that failed the engine's
   * own check.
   */
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  write(operations: readonly RecordOperation[], durability: Durability): Promise<void>;
  range(query: RangeQuery): Promise<RangePage>;
  /** Absent where nothing is ever reaped, as of hints. */
  readonly reapable?: ReapableList | undefined;
}

/**
 * Of a record. `reapable`: enters it in the list in the same batch (true), or takes it off (false); undefined leaves the list as
 * it is.
 */
export type RecordOperation = StorageOperation & { readonly reapable?: boolean | undefined };

/** The list of the records that may be reaped; `reapable-records.ts` says how it stays true. */
export interface ReapableList {
  /** A page of the list: addresses in an arc of the ring. */
  page(query: RangeQuery): Promise<{ readonly addresses: readonly Address[]; readonly next: BinaryString | undefined }>;
  /** Enters an address in the list, or takes it off. */
  set(address: Address, isListed: boolean): Promise<void>;
}

/** What the store has under an address: an encoded version set, or nothing, maybe because of damage. */
export interface Held {
  readonly set: Uint8Array | undefined;
  readonly damaged: boolean;
}

export const DAMAGED: Held = { set: undefined, damaged: true };

/** Reads for a change. Throws or rejects with every storage error but `storage-corrupt`. */
export function readHeld(store: RecordStore, address: Address): Held | Promise<Held> {
  let stored: Uint8Array | undefined | Promise<Uint8Array | undefined>;
  try {
    stored = store.read(address);
  } catch (thrown) {
    return damagedOrThrow(thrown);
  }
  return stored instanceof Promise ? stored.then(opened, damagedOrThrow) : opened(stored);
}

/** The held set, the empty one for nothing; undefined where a whole record holds what is no version set. */
export function decodeHeld(held: Held): VersionSet | undefined {
  if (held.set === undefined) return emptyVersionSet;
  const decoded = decodeVersionSet(held.set);
  return decoded.ok ? decoded.value : undefined;
}

/**
 * Whether the store has taken the record in. The promise of `write` would say so too, but only a turn later, when the next write
 * of the key may have been made from the state before.
 */
export function isAccepted(store: RecordStore, address: Address, record: Uint8Array): boolean {
  try {
    const stored = store.read(address);
    if (stored instanceof Promise) stored.catch(() => undefined); // asked in vain: whatever comes, it is not this record
    return stored === record;
  } catch {
    return false;
  }
}

/** `isAccepted` for a deletion of what was held. */
export function isDropped(store: RecordStore, address: Address): boolean {
  try {
    const stored = store.read(address);
    if (stored instanceof Promise) stored.catch(() => undefined); // the deletion would be known without asking the engine
    return stored === undefined;
  } catch {
    return false;
  }
}

function opened(record: Uint8Array | undefined): Held {
  const set = record === undefined ? undefined : openRecord(record);
  return { set, damaged: record !== undefined && set === undefined };
}

function damagedOrThrow(thrown: unknown): Held {
  const error = toArmatureError(thrown);
  if (error.code === 'storage-corrupt') return DAMAGED;
  throw error;
}
