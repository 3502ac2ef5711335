/**
 * How long a frame has been under way. A process that stood still (SIGSTOP, a suspended machine, a long garbage collection) finds requests waiting
 * whose senders have given up long ago and written elsewhere meanwhile. To carry out a put then would bring back what has been overwritten
 * or deleted since, so requests that are seconds older than their own time limit are not carried out.
 *
 * Clocks of two machines tell different times, so the age of one frame cannot be seen. But each frame says when it was sent by its sender's clock, and
 * the smallest difference between that and the time of arrival, over the last minute or two of traffic, is that of a frame that did not wait: what
 * a frame exceeds it by is how long it has waited.
 *
 * A clock may jump: the wall clock when it is set, the monotonic clock of some systems when the machine was suspended. So both are
 * sent, and a frame is as old as the younger of the two says.
 */

/** When a frame was sent, by both clocks of its sender. */
export interface SendTime {
  /** In ms modulo 2^32: where the count begins means nothing to others. */
  readonly monotonic: number;
  /** In whole ms since the Unix epoch; 0 for a time before it. */
  readonly wall: number;
}

/** After so much time in which frames came, the smallest difference of before counts for as much again, and is forgotten then. */
const WINDOW_MS = 60_000;
/** The most that the time between two frames counts for: a pause, which is what this is for, must not age the measure. */
const LONGEST_GAP_MS = 1_000;
/** What two clocks may drift apart: five times what quartz does. */
const DRIFT = 5e-4;

export class FrameAge {
  readonly #monotonic = new LeastDifference();
  readonly #wall = new LeastDifference();

  /** Of a frame that arrives now, ms. Never more than it may be; 0 for the first from a sender. */
  of(sent: SendTime, nowMonotonicMs: number, nowWallMs: number): number {
    const byMonotonic = this.#monotonic.excess(sent.monotonic, nowMonotonicMs, nowMonotonicMs);
    const byWall = this.#wall.excess(clockWord(sent.wall), nowWallMs, nowMonotonicMs);
    return Math.min(byMonotonic, byWall);
  }
}

/** ms modulo 2^32: 49 days, far beyond any age that matters. */
export function clockWord(ms: number): number {
  return Math.floor(ms) >>> 0;
}

interface Least {
  readonly difference: number;
  readonly atMs: number;
}

/** The smallest difference of arrival and sending in the present window and the one before it. Differences are modulo 2^32, and signed when compared. */
class LeastDifference {
  #least: Least | undefined;
  #before: Least | undefined;
  #activeMs = 0;
  #lastMs = 0;

  /** What the difference of this frame exceeds the smallest by, less what clocks may have drifted. */
  excess(sent: number, arrivedMs: number, nowMs: number): number {
    const difference = clockWord(arrivedMs) - sent;
    const now: Least = { difference, atMs: nowMs };
    this.#activeMs += Math.min(LONGEST_GAP_MS, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#least === undefined) {
      this.#least = now;
    } else if (this.#activeMs >= WINDOW_MS) {
      this.#activeMs = 0;
      this.#before = this.#least;
      this.#least = now;
    } else if (signed(difference - this.#least.difference) < 0) {
      this.#least = now;
    }
    return Math.max(0, over(now, this.#least), this.#before === undefined ? 0 : over(now, this.#before));
  }
}

function over(now: Least, least: Least): number {
  return signed(now.difference - least.difference) - (now.atMs - least.atMs) * DRIFT;
}

function signed(difference: number): number {
  return difference | 0;
}
