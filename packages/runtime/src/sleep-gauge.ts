/**
 * How long the machine has slept. A suspended machine, a paused virtual one and one that is moved to another host stand still,
 * and the monotonic clock of most systems does not count that time. The wall clock does, sooner or later: where it runs ahead of
 * the monotonic one all at once, the machine slept.
 *
 * A wall clock that somebody sets forward looks the same. So what is measured is never less than what was slept, and may be more:
 * use it where too much does no harm.
 */

/** Steps below this are a clock that is being disciplined. A sleep as short as that harms nobody. */
const SHORTEST_SLEEP_MS = 250;

export class SleepGauge {
  #aheadMs: number | undefined;
  #sleptMs = 0;

  /** All that was slept since the first reading, ms, given what both clocks say now. */
  sleptMs(monotonicMs: number, wallMs: number): number {
    const aheadMs = wallMs - monotonicMs;
    const stepMs = this.#aheadMs === undefined ? 0 : aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    if (stepMs >= SHORTEST_SLEEP_MS) this.#sleptMs += stepMs;
    return this.#sleptMs;
  }
}
