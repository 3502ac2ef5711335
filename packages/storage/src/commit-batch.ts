/**
 * One batch of a group commit: what gathered until the engine was free, and those who wait for it.
 *
 * All who wait for one batch learn the same thing at the same moment, so they share one promise: under load that is one
 * per commit instead of one per write.
 */
import { type ArmatureError } from '@armature/kernel';
import type { StorageOperation } from './engine.js';
import { pendingBytes, type PendingWrite } from './overlay.js';

/**
 * A batch is closed to newcomers beyond these. Larger ones save little (1.2 times from 64 to 256 operations) and hold the
 * event loop longer while they are handed to the engine: 1,024 small operations take about 3 ms with LevelDB.
 */
const OPERATIONS_LIMIT = 1024;
const SIZE_LIMIT_BYTES = 4 * 1024 * 1024;

export class CommitBatch {
  operations: StorageOperation[] = [];
  pending: PendingWrite[] = [];
  sizeBytes = 0;
  /** Whether anyone in it asked for stable storage. */
  sync = false;
  #promise: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #reject: ((error: ArmatureError) => void) | undefined;

  add(pending: PendingWrite): void {
    this.operations.push(pending.operation);
    this.pending.push(pending);
    this.sizeBytes += pendingBytes(pending.operation);
  }

  /** Puts the writes of an earlier, failed batch before its own. */
  prepend(earlier: readonly PendingWrite[]): void {
    const own = this.pending;
    this.operations = [];
    this.pending = [];
    this.sizeBytes = 0;
    for (const pending of earlier) this.add(pending);
    for (const pending of own) this.add(pending);
  }

  /** Whether so much more would still fit. An empty batch takes a write of any size: a write is never split. */
  fits(operations: number, sizeBytes: number): boolean {
    if (this.operations.length === 0) return true;
    return this.operations.length + operations <= OPERATIONS_LIMIT && this.sizeBytes + sizeBytes <= SIZE_LIMIT_BYTES;
  }

  /** Settles when the batch has: the same promise for all who ask. */
  settled(): Promise<void> {
    this.#promise ??= new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    return this.#promise;
  }

  get hasWaiters(): boolean {
    return this.#promise !== undefined;
  }

  resolve(): void {
    this.#resolve?.();
  }

  reject(error: ArmatureError): void {
    this.#reject?.(error);
  }
}
