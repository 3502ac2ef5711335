/**
 * What has been accepted and is not stored yet. Reads look here first, so a write is visible from the moment it is
 * accepted, and the engine may take its time.
 *
 * A commit can fail after later writes of the same key were accepted, or while earlier ones still wait to be retried. So each key
 * has a short chain, newest first: undoing one write uncovers the newest one before it that still stands. A chain ends at
 * whatever was stored; it cannot be longer than the writes that one commit and its successor hold, and the buffered ones between
 * them.
 *
 * Buffered writes are stored later than writes made after them that somebody waits for. What is stored over an older write of its
 * key that still waits therefore covers it: the older one must never reach the engine.
 */
import { assert, type BinaryString } from '@armature/kernel';
import { operationBytes, type StorageOperation } from './engine.js';

export interface PendingWrite {
  readonly operation: StorageOperation;
  /** Its caller was told "done" when it was accepted, so that it may no longer fail. */
  readonly acknowledged: boolean;
  /**
   * `covered`: a later write of its key was stored first, or took its place in the buffer, so that nobody will ever ask for it.
   */
  state: 'waiting' | 'stored' | 'covered' | 'undone';
  /** The write of this key accepted before it, while that may still matter. */
  previous: PendingWrite | undefined;
}

/** A Map slot, the operation, this record: what a small pending write costs beside its bytes, roughly. */
const PENDING_OVERHEAD_BYTES = 200;

export function pendingBytes(operation: StorageOperation): number {
  return operationBytes(operation) + PENDING_OVERHEAD_BYTES;
}

const NONE: readonly PendingWrite[] = [];

export class Overlay {
  readonly #latest = new Map<BinaryString, PendingWrite>();
  #sizeBytes = 0;

  /** Bytes of all pending writes, those covered by later ones included. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Keys with a pending write. */
  get size(): number {
    return this.#latest.size;
  }

  get(key: BinaryString): PendingWrite | undefined {
    return this.#latest.get(key);
  }

  add(operation: StorageOperation, acknowledged: boolean): PendingWrite {
    const pending: PendingWrite = { operation, acknowledged, state: 'waiting', previous: this.#latest.get(operation.key) };
    this.#latest.set(operation.key, pending);
    this.#sizeBytes += pendingBytes(operation);
    return pending;
  }

  /**
   * The engine holds it now: reads may look there, unless a later write of the key waits. The older writes of its key that it
   * covers.
   */
  stored(pending: PendingWrite): readonly PendingWrite[] {
    let covered = NONE;
    for (let older = pending.previous; older !== undefined; older = older.previous) {
      if (older.state !== 'waiting') continue;
      assert(older.acknowledged, 'of two writes of a key that are waited for, the older is stored first');
      this.#cover(older);
      covered = [...covered, older];
    }
    pending.state = 'stored';
    pending.previous = undefined;
    this.#sizeBytes -= pendingBytes(pending.operation);
    const key = pending.operation.key;
    if (this.#latest.get(key) === pending) this.#latest.delete(key);
    return covered;
  }

  /** Takes the place of `older`, the newest write of its key so far. Both are acknowledged, so that neither can be undone. */
  replace(older: PendingWrite, operation: StorageOperation): PendingWrite {
    const pending = this.add(operation, true);
    pending.previous = older.previous;
    this.#cover(older);
    return pending;
  }

  /** The write failed: reads see what was there before it. */
  undo(pending: PendingWrite): void {
    pending.state = 'undone';
    this.#sizeBytes -= pendingBytes(pending.operation);
    const key = pending.operation.key;
    if (this.#latest.get(key) !== pending) return;
    const standing = standingAt(pending);
    if (standing?.state === 'waiting') this.#latest.set(key, standing);
    else this.#latest.delete(key);
  }

  #cover(pending: PendingWrite): void {
    pending.state = 'covered';
    this.#sizeBytes -= pendingBytes(pending.operation);
  }

  /** The newest pending write of each key in [start, end), ascending. */
  between(start: BinaryString, end: BinaryString | undefined): PendingWrite[] {
    const found: PendingWrite[] = [];
    for (const [key, pending] of this.#latest) {
      if (key >= start && (end === undefined || key < end)) found.push(pending);
    }
    return found.sort((a, b) => (a.operation.key < b.operation.key ? -1 : 1));
  }
}

/** The write itself if it stands, else the newest one before it that does; undefined if none, and the engine decides. */
export function standingAt(pending: PendingWrite): PendingWrite | undefined {
  let at: PendingWrite | undefined = pending;
  while (at?.state === 'undone') at = at.previous;
  return at;
}
