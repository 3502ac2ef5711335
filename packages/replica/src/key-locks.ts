/**
 * One writer per key. A merge or a mint reads the stored set and writes back a function of it; two that interleave would lose
 * one of the results. With an engine that answers at once nothing can interleave, and the lock costs a Map lookup; with one
 * that has to wait, work on the same key queues up in order of arrival.
 */
import { ArmatureError } from '@armature/kernel';

/** Work that may wait behind one key. Beyond it the key is being hammered faster than the engine answers. */
const MAX_QUEUED_PER_KEY = 1_024;

interface Queue {
  tail: Promise<unknown>;
  length: number;
}

export class KeyLocks {
  readonly #queues = new Map<string, Queue>();

  /** Keys that are locked now. */
  get size(): number {
    return this.#queues.size;
  }

  /**
   * Runs `work` with the key to itself. When nobody holds the key and `work` returns a plain value, so does this: no promise is
   * made. Error `overloaded` when too much waits already.
   */
  run<T>(key: string, work: () => T | Promise<T>): T | Promise<T> {
    const queue = this.#queues.get(key);
    if (queue !== undefined) return this.#enqueue(key, queue, work);
    const result = work();
    if (result instanceof Promise) this.#hold(key, result);
    return result;
  }

  #enqueue<T>(key: string, queue: Queue, work: () => T | Promise<T>): Promise<T> {
    if (queue.length >= MAX_QUEUED_PER_KEY) {
      throw new ArmatureError('overloaded', 'too many operations wait for this key', {
        remedy: 'Pause, then repeat; spread the load over more keys.',
        details: { retryAfterMs: 50 },
      });
    }
    const result = queue.tail.then(work, work);
    this.#hold(key, result);
    return result;
  }

  #hold(key: string, result: Promise<unknown>): void {
    const queue = this.#queues.get(key) ?? { tail: result, length: 0 };
    queue.tail = result;
    queue.length++;
    this.#queues.set(key, queue);
    const release = (): void => {
      queue.length--;
      if (queue.length === 0) this.#queues.delete(key);
    };
    result.then(release, release);
  }
}
