/**
 * Work that is done in rounds, one at a time: when somebody says that there may be something to do, once more when that was said
 * while a round was under way (it may have looked too early), and again after a while when a round could not do all of it.
 */
import type { Clock, Timer } from '@armature/runtime';

export interface RoundsOptions {
  readonly clock: Clock;
  /** Whether nothing is left to do. Must not reject. */
  readonly round: () => Promise<boolean>;
  /** After a round that has left something, ms. */
  readonly retryMs: number;
}

export class Rounds {
  readonly #options: RoundsOptions;
  #running = false;
  #again = false;
  #stopped = false;
  #retry: Timer | undefined;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** There may be something to do. */
  wake(): void {
    this.#again = this.#running;
    if (this.#running || this.#stopped) return;
    this.#retry?.cancel();
    this.#running = true;
    void this.#options.round().then((isDone) => this.#rest(isDone));
  }

  /** Begins no round any more. One that is under way is to look at `isStopped`. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  #rest(isDone: boolean): void {
    this.#running = false;
    if (this.#stopped) return;
    if (this.#again) this.wake();
    else if (!isDone) this.#retry = this.#options.clock.after(this.#options.retryMs, () => this.wake());
  }
}
