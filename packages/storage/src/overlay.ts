/**
 * What has been accepted and is not stored yet. Reads look here first, so a write is visible from the moment it is
 * accepted, and the engine may take its time.
 *
 * A commit can fail after later writes of the same key were accepted, or while earlier ones still wait to be retried. So
 * each key has a short chain, newest first: undoing one write uncovers the newest one before it that still stands. A
 * chain ends at whatever was stored; it cannot be longer than the writes that one commit and its successor hold.
 */
import type { BinaryString } from '@armature/kernel';
import { operationBytes, type StorageOperation } from './engine.js';

export interface PendingWrite {
  readonly operation: StorageOperation;
  /** Its caller was told "done" when it was accepted, so that it may no longer fail. */
  readonly acknowledged: boolean;
  state: 'waiting' | 'stored' | 'undone';
  /** The write of this key accepted before it, while that may still matter. */
  previous: PendingWrite | undefined;
}

/** A Map slot, the operation, this record: what a small pending write costs beside its bytes, roughly. */
const PENDING_OVERHEAD_BYTES = 200;

export function pendingBytes(operation: StorageOperation): number {
  return operationBytes(operation) + PENDING_OVERHEAD_BYTES;
}

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

  /** The engine holds it now: reads may look there, unless a later write of the key waits. */
  stored(pending: PendingWrite): void {
    pending.state = 'stored';
    pending.previous = undefined;
    this.#sizeBytes -= pendingBytes(pending.operation);
    const key = pending.operation.key;
    if (this.#latest.get(key) === pending) this.#latest.delete(key);
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
