/**
 * The object buffer (paper, section 6.1): writes that were acknowledged from memory and wait for the writer that flushes them.
 *
 * What one call of the store wrote is one group, and is stored in one batch or not at all. Groups leave in the order in which
 * they came, but for two things. A group whose key has an older write that somebody waits for is left for later, since that one
 * must be stored first. And a group of one operation gives way to a later one of the same key: however often a key is written
 * between two flushes, it is stored once, and the buffer holds it once.
 */
import type { BinaryString } from '@armature/kernel';
import { CommitBatch, type BatchLimits } from './commit-batch.js';
import type { StorageOperation } from './engine.js';
import { pendingBytes, type Overlay, type PendingWrite } from './overlay.js';

/**
 * What a flush hands to the engine at a time: about a millisecond with LevelDB, which is what a write that is waited for may have
 * to wait.
 */
const FLUSH_LIMITS: BatchLimits = { operations: 512, sizeBytes: 1024 * 1024 };

interface Group {
  /** Counts up with every group. */
  readonly order: number;
  /** Whether it was one operation from the start. */
  readonly isSingle: boolean;
  /** Those of its operations that no later write has covered. */
  readonly pending: Set<PendingWrite>;
}

export class WriteBuffer {
  readonly #overlay: Overlay;
  readonly #groups = new Set<Group>();
  readonly #groupOf = new Map<PendingWrite, Group>();
  #order = 0;
  /** Groups up to this one are being flushed. */
  #held = 0;
  #sizeBytes = 0;

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
  }

  /** Operations that wait. */
  get size(): number {
    return this.#groupOf.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Batches that it takes to store it, about. */
  get batches(): number {
    return Math.ceil(Math.max(this.size / FLUSH_LIMITS.operations, this.#sizeBytes / FLUSH_LIMITS.sizeBytes));
  }

  /** The order of the oldest group that waits, undefined when nothing does. */
  get oldest(): number | undefined {
    const [first] = this.#groups;
    return first?.order;
  }

  /**
   * A flush of all that is here has begun: none of it gives way to later writes any more, or the flush would end with neither
   * stored. Its newest group.
   */
  hold(): number {
    this.#held = this.#order;
    return this.#held;
  }

  /** Takes in one write, and shows it in the overlay. */
  add(operations: readonly StorageOperation[]): void {
    const group: Group = { order: ++this.#order, isSingle: operations.length === 1, pending: new Set() };
    const [first] = operations;
    const before = operations.length === 1 && first !== undefined ? this.#replaceable(first.key) : undefined;
    for (const operation of operations) {
      const pending = before === undefined ? this.#overlay.add(operation, true) : this.#overlay.replace(before, operation);
      group.pending.add(pending);
      this.#groupOf.set(pending, group);
      this.#sizeBytes += pendingBytes(operation);
    }
    if (before !== undefined) this.forget(before);
    this.#groups.add(group);
  }

  /**
   * The next batch of groups up to the one of that order, undefined when none of them can be stored now. They stay in the buffer
   * until `forget`.
   */
  batch(upTo: number): CommitBatch | undefined {
    const batch = new CommitBatch(FLUSH_LIMITS);
    for (const group of this.#groups) {
      if (group.order > upTo) break;
      if (!isNext(group)) continue;
      const pending = [...group.pending];
      if (!batch.fits(pending.length, sizeOf(pending))) break;
      for (const one of pending) batch.add(one);
    }
    return batch.pending.length === 0 ? undefined : batch;
  }

  /** A write has been stored, or covered: it does not wait any more. Does nothing for one that is not in the buffer. */
  forget(pending: PendingWrite): void {
    const group = this.#groupOf.get(pending);
    if (group === undefined) return;
    this.#groupOf.delete(pending);
    this.#sizeBytes -= pendingBytes(pending.operation);
    group.pending.delete(pending);
    if (group.pending.size === 0) this.#groups.delete(group);
  }

  /** The newest write of the key, if a later one may take its place. */
  #replaceable(key: BinaryString): PendingWrite | undefined {
    const pending = this.#overlay.get(key);
    const group = pending === undefined ? undefined : this.#groupOf.get(pending);
    // A group of several that lost one to a later write would be stored in half, were that later one lost.
    return group === undefined || group.order <= this.#held || !group.isSingle ? undefined : pending;
  }
}

/** Whether no older write of any of its keys has to be stored before it. */
function isNext({ pending }: Group): boolean {
  for (const one of pending) {
    for (let older = one.previous; older !== undefined; older = older.previous) {
      if (older.state === 'waiting' && !older.acknowledged) return false;
    }
  }
  return true;
}

function sizeOf(writes: readonly PendingWrite[]): number {
  let sizeBytes = 0;
  for (const { operation } of writes) sizeBytes += pendingBytes(operation);
  return sizeBytes;
}
