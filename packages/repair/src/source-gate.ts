/**
 * The sending side of transfers and exchanges. Whoever asks a node for digests or sets, or hands some over, has the node read,
 * hash and write for him, and that is background work: it takes slices of time like all other, and only so many pieces are in
 * hand at a time. Beyond that, and where no slice is to be had soon, the asker is told that there is no room, before he takes the
 * silence for death; he waits and asks again.
 */
import { ArmatureError } from '@armature/kernel';
import { SliceBudget, type TakeSlice } from '@armature/replica';
import type { Clock, Counter, Telemetry } from '@armature/runtime';

/** Two transfers and two exchanges with as many peers. */
const AT_ONCE = 8;
/** Far below what askers wait for an answer. */
const LONGEST_WAIT_MS = 2_000;

export class SourceGate {
  readonly #clock: Clock;
  readonly #budget: SliceBudget;
  readonly #refused: Counter;
  #inHand = 0;

  constructor(slice: TakeSlice, clock: Clock, telemetry: Telemetry) {
    this.#clock = clock;
    this.#budget = new SliceBudget(slice, 'repair');
    this.#refused = telemetry.counter(
      'armature_transfer_refused_total',
      'Questions of transfers and exchanges refused for want of room: their askers repeat them.',
    );
    telemetry.observedGauge('armature_transfer_served', 'Questions of transfers and exchanges in hand.', () => this.#inHand);
  }

  /**
   * Does `work` when there is a slice for it; `recordsOf` says how much it was. Errors: `overloaded`; `closed` when there are no
   * slices any more.
   */
  async pass<T>(work: () => T | Promise<T>, recordsOf: (result: T) => number): Promise<T> {
    if (this.#inHand >= AT_ONCE) throw this.#noRoom(`${AT_ONCE} questions of transfers and repairs are in hand already`);
    this.#inHand++;
    const leave = (): void => {
      this.#inHand--;
    };
    // A slice that comes too late for whoever asked serves the next one; so it is waited for here all the same, and counts as in
    // hand until then.
    const ready = this.#budget.ready();
    if (!(await this.#isInTime(ready))) {
      ready.then(leave, leave);
      throw this.#noRoom('the foreground leaves no time for transfers and repairs');
    }
    try {
      await ready;
      const result = await work();
      this.#budget.spend(recordsOf(result));
      return result;
    } finally {
      leave();
    }
  }

  /** Whether it settles, well or not, before whoever asked loses patience. */
  #isInTime(ready: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(LONGEST_WAIT_MS, () => resolve(false));
      const settle = (): void => {
        timer.cancel();
        resolve(true);
      };
      ready.then(settle, settle);
    });
  }

  #noRoom(why: string): ArmatureError {
    this.#refused.add();
    return new ArmatureError('overloaded', why, { remedy: 'Repeat in a second.' });
  }
}
