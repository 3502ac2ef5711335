/**
 * How often a store may take a fresh actor.
 *
 * Each actor under which a key is written adds an entry to the clock of that key. A disk at the brink, on which one commit
 * succeeds and the next one fails, would retire an actor with each failure, hundreds in an hour. So a fresh actor is taken at
 * once only a few times in a row. Then the node waits before it takes the next one, twice as long each time, while the other
 * owners of its keys take the writes. An actor that has lasted ends the row.
 */

/**
 * Actors that may be retired in a row before the first wait: a disk that fills up, or is damaged here and there, costs no more.
 */
const FREE_RENEWALS = 3;
const FIRST_WAIT_MS = 1_000;
/** One entry a minute at most, in the keys that are written. */
const LAST_WAIT_MS = 60_000;
/** An actor that has been in use for so long ends the row. */
const LASTING_MS = 10 * 60_000;

export class RenewalPace {
  #row = 0;
  #takenMs = -Infinity;
  #notBeforeMs = -Infinity;

  /** A fresh actor is in use. Times are monotonic. */
  taken(nowMs: number): void {
    this.#takenMs = nowMs;
  }

  /** The actor in use is retired. */
  retired(nowMs: number): void {
    this.#row = nowMs - this.#takenMs >= LASTING_MS ? 1 : this.#row + 1;
    const waits = this.#row - FREE_RENEWALS;
    this.#notBeforeMs = waits <= 0 ? nowMs : nowMs + Math.min(FIRST_WAIT_MS * 2 ** (waits - 1), LAST_WAIT_MS);
  }

  /** How long until the next may be taken, ms; 0 or less for at once. */
  waitMs(nowMs: number): number {
    return this.#notBeforeMs - nowMs;
  }
}
