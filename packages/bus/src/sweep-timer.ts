/**
 * When an endpoint looks at the deadlines of its requests. One timer serves all of them.
 *
 * After a pause every deadline is past, and the answers have yet to be read: timers come first. So a look that comes late is put
 * off by one more tick, once.
 */
import type { Clock, Timer } from '@armature/runtime';

/** Deadlines are looked at no more often than this. A request may wait that much longer than it asked. */
export const TICK_MS = 10;
/** A look at the deadlines that comes so late tells that this process stood still: what has come meanwhile waits behind it. */
const STOOD_STILL_MS = 50;

export class SweepTimer {
  readonly #clock: Clock;
  readonly #sweep: (nowMs: number) => number;
  #timer: Timer | undefined;
  #dueMs = Infinity;
  /** Whether a late look was put off, for what has come meanwhile to be read. */
  #isPutOff = false;

  /** `sweep` looks at all deadlines, and returns the next one; Infinity if there is none. */
  constructor(clock: Clock, sweep: (nowMs: number) => number) {
    this.#clock = clock;
    this.#sweep = sweep;
  }

  /** Makes sure that there is a look about then. */
  wakeAt(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    const nowMs = this.#clock.monotonicMs();
    const wakeMs = Math.max(dueMs, nowMs + TICK_MS);
    if (wakeMs >= this.#dueMs) return; // or a stream of short deadlines would push the timer ahead of itself
    this.#timer?.cancel();
    this.#dueMs = wakeMs;
    this.#timer = this.#clock.after(Math.ceil(wakeMs - nowMs), () => this.#look());
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const lateMs = nowMs - this.#dueMs;
    this.#timer = undefined;
    this.#dueMs = Infinity;
    this.#isPutOff = !this.#isPutOff && lateMs > STOOD_STILL_MS;
    const nextMs = this.#isPutOff ? nowMs : this.#sweep(nowMs);
    if (nextMs !== Infinity) this.wakeAt(nextMs);
  }
}
