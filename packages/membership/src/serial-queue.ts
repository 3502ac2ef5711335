/** Runs tasks one after the other, in the order in which they came. A task that fails fails its own caller only. */
import { ArmatureError } from '@armature/kernel';

/** Each waiting task is a peer's gossip or an administrator's command; this many mean that the store hangs. */
const MAX_WAITING = 1_024;

export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** Rejects with the task's own error, `closed`, or `overloaded`. */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new ArmatureError('closed', 'membership has been stopped'));
    if (this.#waiting >= MAX_WAITING)
      return Promise.reject(new ArmatureError('overloaded', 'too many membership changes wait for the store'));
    this.#waiting++;
    const result = this.#tail.then(task);
    const settled = (): void => {
      this.#waiting--;
    };
    this.#tail = result.then(settled, settled);
    return result;
  }

  /** Takes no more tasks. Resolves when those it has are done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }
}
