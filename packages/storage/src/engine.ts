/**
 * The engine port: one node's durable, ordered map from bytes to bytes. The paper leaves the local persistence engine
 * pluggable and picks one by object size (section 4.3); here an engine is anything that passes `./conformance`.
 *
 * What is asked of an engine is small: point reads, an atomic batch, an ordered page of a range, and a promise about
 * stable storage. Everything above that (group commit, the object buffer, durability levels) is the `Store`'s, once.
 *
 * Ownership: neither side changes a value's bytes after it crossed this port, in either direction, so an engine may keep
 * or hand out the very array it was given. The batch array itself belongs to the caller again when `write` settles.
 *
 * Failures are `ArmatureError`s: `storage-locked`, `storage-foreign`, `storage-corrupt`, `storage-full`, `storage-failed`,
 * or `closed` for any call after `close`.
 */
import type { BinaryString } from '@armature/kernel';

export interface PutOperation {
  readonly kind: 'put';
  readonly key: BinaryString;
  readonly value: Uint8Array;
}

export interface DeleteOperation {
  readonly kind: 'delete';
  readonly key: BinaryString;
}

export type StorageOperation = PutOperation | DeleteOperation;

export interface StorageEntry {
  readonly key: BinaryString;
  readonly value: Uint8Array;
}

export interface WriteOptions {
  /** Whether the batch must be on stable storage before `write` resolves. */
  readonly sync: boolean;
}

export interface RangeQuery {
  /** First key of the page, inclusive; the empty string is the first of all keys. */
  readonly start: BinaryString;
  /** Exclusive; without it the range runs to the last key. */
  readonly end?: BinaryString | undefined;
  /** Most entries in the page; at least 1. */
  readonly limit: number;
  /** The page ends with the entry whose key and value reach this many bytes; so it never ends before its first entry. */
  readonly limitBytes?: number | undefined;
}

export interface RangePage {
  /** Ascending by key. A page may be shorter than asked for, even empty, while there is a `next`. */
  readonly entries: readonly StorageEntry[];
  /** Where the next page starts: no key of the range lies between this page and it. Undefined at the range's end. */
  readonly next: BinaryString | undefined;
}

/** A store found at its opening to lack writes that it had acknowledged. */
export interface StorageLoss {
  /** For a log: what was found. */
  readonly reason: string;
  /** The loss is on record elsewhere, on stable storage, and is not to be found again at the next opening. */
  recorded(): Promise<void>;
}

export interface Engine {
  /** For logs and labels: `memory`, `level`, `redis`. */
  readonly name: string;
  /** Undefined when nothing says that the store lacks what it had acknowledged. */
  readonly loss?: StorageLoss | undefined;
  /** Absence is undefined. A plain value where the engine can answer without waiting: the hot path has no promise then. */
  get(key: BinaryString): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Values in the order of the keys. */
  getMany(keys: readonly BinaryString[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * All of the batch or nothing; of two operations on one key the later wins. After a failure the batch may nevertheless
   * be found stored (whole): a device that fails to say "done" does not say "not done" either.
   */
  write(batch: readonly StorageOperation[], options: WriteOptions): Promise<void>;
  /**
   * One ordered page. Sees every write that resolved before the call. A page ends before an entry whose bytes are corrupt; one
   * that would begin with it fails with `storage-corrupt`, and `details.resumeAt` is the hex of a start to go on from. Where
   * damage hides even which keys there were, they are left out.
   */
  range(query: RangeQuery): Promise<RangePage>;
  /** Resolves when everything whose write resolved before the call is on stable storage. */
  sync(): Promise<void>;
  /**
   * Rejects when what was opened is not there any more, though no call has failed; from then on every write is refused, until a
   * probe finds it again. Asked every few seconds. Left out by engines that notice it without being asked.
   */
  probe?: (() => Promise<void>) | undefined;
  /** Approximate bytes occupied. Meant for a scrape or a status page, not for each request. */
  sizeBytes(): Promise<number>;
  /** Waits for calls under way. Idempotent. */
  close(): Promise<void>;
}

/** Bytes an operation or entry is accounted with against a bound: key, value. */
export function operationBytes(operation: StorageOperation): number {
  return operation.key.length + (operation.kind === 'put' ? operation.value.length : 0);
}

/** The smallest key greater than `key`. */
export function keyAfter(key: BinaryString): BinaryString {
  return `${key}\0` as BinaryString;
}
