/**
 * The clock of an endpoint as its frames show it: when they are sent, and what they give back of the peer's own stamps
 * (`frame-age.ts`).
 */
import { SleepGauge, type Clock } from '@armature/runtime';
import { clockWord, HELD_TOO_LONG_MS, type Echo, type SendTime } from './frame-age.js';

export class FrameClock {
  readonly #clock: Clock;
  readonly #sleep = new SleepGauge();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Our monotonic clock with what the machine slept, given what both clocks say now. */
  wakingMs(monotonicMs: number, wallMs: number): number {
    return monotonicMs + this.#sleep.sleptMs(monotonicMs, wallMs);
  }

  sendTime(): SendTime {
    const wallMs = this.#clock.nowMs();
    const monotonic = clockWord(this.wakingMs(this.#clock.monotonicMs(), wallMs));
    return { monotonic, wall: Math.max(0, Math.floor(wallMs)) };
  }

  /** Of a stamp that was heard at `heardMs` by our monotonic clock. */
  echo(stamp: number, heardMs: number): Echo {
    return { stamp, heldMs: Math.min(HELD_TOO_LONG_MS, Math.floor(this.#clock.monotonicMs() - heardMs)) };
  }
}
