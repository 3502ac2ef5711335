/**
 * How long a frame may have been under way.
 *
 * A process that stood still (SIGSTOP, a suspended machine, a long garbage collection) finds requests waiting for it. Their
 * senders have given up, and may have written elsewhere since. A put that is carried out then would bring back what has been
 * overwritten or deleted. So a request that may be seconds older than its own time limit is not carried out; it is sent back, and
 * whoever still wants it sends it again.
 *
 * Clocks of two machines differ, so the receiver measures with its own clock only. Each frame says by the sender's clock when it
 * was sent. The peer sends the latest of these stamps back (the *echo*), with the time that it has held it. When a frame arrives,
 *
 *     now - echo - held
 *
 * is the time that the stamp took to the peer and the frame took back. The frame cannot have been under way for longer than both
 * together.
 *
 * - The echo is from the receiver's own clock, so it may be added to: time in which the machine slept counts (`SleepGauge` in
 *   runtime). The result only grows by that.
 * - The held time is from the sender's clock. It must not be too long, so sleep is not added to it.
 * - A result below zero means that the receiver's clock stood still and nothing has told it. Then the age is not known.
 * - The first frame of a peer has no echo, and its age is not known either. One answer of ours later the peer has one.
 *
 * What this does not see: a machine that is suspended while neither its monotonic nor its wall clock goes on, and a frame whose
 * echo came just before.
 */

/** What a frame says about the last frame that its sender had from the receiver. */
export interface Echo {
  /** Its time by the receiver's clock, ms modulo 2^32. */
  readonly stamp: number;
  /** How long ago the sender heard it, by the sender's clock, ms; at most `HELD_TOO_LONG`. */
  readonly heldMs: number;
}

/** When a frame was sent, by both clocks of its sender. */
export interface SendTime {
  /**
   * In ms modulo 2^32. Where the count begins means nothing to others. It goes on while the machine sleeps, as far as its wall
   * clock tells.
   */
  readonly monotonic: number;
  /** In whole ms since the Unix epoch; 0 for a time before it. */
  readonly wall: number;
}

/** An echo that was held for longer says nothing: clocks drift, and words of 32 bits wrap around. A day. */
export const HELD_TOO_LONG_MS = 24 * 3_600_000;
/** What two clocks may drift apart: five times what quartz does. */
const DRIFT = 5e-4;

/**
 * How much later than its time limit a request may be carried out. Where everything takes long because there is too much of it,
 * what is a little late is mostly wanted still. Much later it is not: whoever has given up has written elsewhere, and others have
 * written over that.
 */
const LATE_MS = 1_000;

/** The longest that a frame may have been under way when it arrives at `nowWord`, ms; `Infinity` where nobody can tell. */
export function longestAgeMs({ stamp, heldMs }: Echo, nowWord: number): number {
  if (heldMs >= HELD_TOO_LONG_MS) return Infinity;
  const driftMs = heldMs * DRIFT + 1; // and what rounding takes
  const ageMs = ((nowWord - stamp) | 0) - heldMs;
  return ageMs < -driftMs ? Infinity : Math.max(0, ageMs + driftMs);
}

/** Whether a request may be carried out that is at most so old, and whose sender waits for so long. */
export function isInTime(oldestMs: number, timeoutMs: number): boolean {
  return oldestMs <= timeoutMs + LATE_MS;
}

/** ms modulo 2^32: 49 days, far beyond any age that matters. */
export function clockWord(ms: number): number {
  return Math.floor(ms) >>> 0;
}
