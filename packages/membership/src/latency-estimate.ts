/**
 * How fast a peer answers, from the answers themselves: a moving average to compare peers by, and a high percentile to
 * know when an answer is late. Constant memory, no allocation per sample.
 *
 * The percentile comes from a histogram whose bins grow by a quarter octave (19 %), so its error is at most that; when
 * enough samples have gathered all counts are halved, so that the past fades. The average fades with samples and, when none
 * come, with time: a peer avoided for being slow would otherwise be slow for ever.
 */

const BINS_PER_OCTAVE = 4;
/** The first bin ends here. Nothing over a bus is faster. */
const FIRST_BIN_MS = 0.05;
/** 21 octaves: up to 100 s, beyond any deadline. */
const BINS = 84;
/** Weight of a new sample in the average: the last dozen samples decide. */
const GAIN = 1 / 8;
/** The histogram forgets half when it holds this many: a percentile is then over some thousand recent answers. */
const FORGET_AT = 2_048;
/** Below this many samples a 99th percentile means nothing. */
const MIN_SAMPLES = 32;
/** Samples between two walks through the histogram. */
const RECOMPUTE_EVERY = 64;
/** Without samples, what is known of a peer's slowness halves in this time. */
const HALF_LIFE_MS = 30_000;

export class LatencyEstimate {
  readonly #bins = new Float64Array(BINS);
  #total = 0;
  #sinceComputed = 0;
  #p99Ms: number | undefined;
  #averageMs = 0;
  #sampledAtMs = 0;

  sample(latencyMs: number, nowMs: number): void {
    this.#averageMs = this.#total === 0 ? latencyMs : this.averageMs(nowMs) + (latencyMs - this.averageMs(nowMs)) * GAIN;
    this.#sampledAtMs = nowMs;
    const bin = binOf(latencyMs);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= FORGET_AT) this.#forgetHalf();
    if (++this.#sinceComputed >= RECOMPUTE_EVERY || (this.#p99Ms === undefined && this.#total >= MIN_SAMPLES)) this.#compute();
  }

  /** The moving average, in ms; 0 when nothing is known, so that a new peer gets tried. */
  averageMs(nowMs: number): number {
    const idleMs = nowMs - this.#sampledAtMs;
    // Under load samples are milliseconds apart: the exponential is for silence only.
    return idleMs < 1_000 ? this.#averageMs : this.#averageMs * 2 ** (-idleMs / HALF_LIFE_MS);
  }

  /** What 99 of 100 recent answers stayed below, in ms, rounded up to a bin; undefined while there are too few. */
  get p99Ms(): number | undefined {
    return this.#p99Ms;
  }

  #forgetHalf(): void {
    for (let bin = 0; bin < BINS; bin++) this.#bins[bin] = (this.#bins[bin] ?? 0) / 2;
    this.#total /= 2;
  }

  #compute(): void {
    this.#sinceComputed = 0;
    if (this.#total < MIN_SAMPLES) return;
    let above = this.#total * 0.01;
    for (let bin = BINS - 1; bin >= 0; bin--) {
      above -= this.#bins[bin] ?? 0;
      if (above < 0) {
        this.#p99Ms = FIRST_BIN_MS * 2 ** (bin / BINS_PER_OCTAVE);
        return;
      }
    }
  }
}

function binOf(latencyMs: number): number {
  if (!(latencyMs > FIRST_BIN_MS)) return 0;
  return Math.min(BINS - 1, Math.ceil(Math.log2(latencyMs / FIRST_BIN_MS) * BINS_PER_OCTAVE));
}
