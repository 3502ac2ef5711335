/**
 * Which of the latest sequence numbers have been seen: a ring of bits below the highest one (the algorithm of RFC 6479). Frames
 * may overtake each other a little. A number that was seen is refused, and so is one that is so far below the highest that nobody
 * remembers it.
 */

const BITS = 32;
/** 16 words, 64 bytes per peer: at least 480 frames may overtake one, and it is still taken. */
const WORDS = 16;

export const REPLAY_WINDOW = (WORDS - 1) * BITS;

export class ReplayWindow {
  readonly #seen = new Uint32Array(WORDS);
  #highest = 0;

  /** The highest number that was accepted; 0 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** True exactly once for each number from 1 to 2^53 that is not too old. */
  accept(sequence: number): boolean {
    const word = Math.floor(sequence / BITS);
    const top = Math.floor(this.#highest / BITS);
    if (sequence > this.#highest) {
      for (let step = Math.min(word - top, WORDS); step > 0; step--) this.#seen[(word - step + 1) % WORDS] = 0;
      this.#highest = sequence;
    } else if (sequence < 1 || top - word >= WORDS) {
      return false;
    }
    const bit = 1 << (sequence % BITS);
    const seen = this.#seen[word % WORDS] as number;
    if ((seen & bit) !== 0) return false;
    this.#seen[word % WORDS] = seen | bit;
    return true;
  }

  /** For the first number of a new count. */
  reset(): void {
    this.#seen.fill(0);
    this.#highest = 0;
  }
}
