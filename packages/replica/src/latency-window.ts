/**
 * A percentile over the last so many seconds, in bounded memory and without an allocation per sample.
 *
 * Samples are counted in bins that grow by an eighth of an octave, so a percentile read off them is at most 9 % above the exact
 * one. To forget, time is cut into panes: each has counts of its own, and when a pane leaves the window its counts are
 * subtracted. The window is therefore up to one pane shorter than its name says.
 *
 * `LatencyEstimate` (membership) is its cousin for one peer: that one fades with the number of samples, this one with time.
 */

/** Each bin ends at this times the end of the one before it: 2^(1/8), about 1.09. */
export const BIN_RATIO = 2 ** (1 / 8);
const BINS_PER_OCTAVE = 8;
/** The first bin ends here, ms: what is faster than this is not told apart. */
export const FIRST_BIN_MS = 0.01;
/** 24 octaves: up to 167 s, beyond any deadline; what is slower is counted there. */
const BINS = 24 * BINS_PER_OCTAVE + 1;

export class LatencyWindow {
  readonly #paneMs: number;
  readonly #panes: readonly Uint32Array[];
  readonly #total = new Uint32Array(BINS);
  /** Number of the pane that takes samples now, counted from time 0. */
  #pane = -1;
  #count = 0;

  /** `panes` of `paneMs` each. */
  constructor(panes: number, paneMs: number) {
    this.#paneMs = paneMs;
    this.#panes = Array.from({ length: panes }, () => new Uint32Array(BINS));
  }

  /** `nowMs` is monotonic, and never less than at the call before. */
  record(valueMs: number, nowMs: number): void {
    this.#slide(nowMs);
    const bin = binOf(valueMs);
    const pane = this.#panes[this.#pane % this.#panes.length] as Uint32Array;
    pane[bin] = (pane[bin] as number) + 1;
    this.#total[bin] = (this.#total[bin] as number) + 1;
    this.#count++;
  }

  /** Samples in the window. */
  count(nowMs: number): number {
    this.#slide(nowMs);
    return this.#count;
  }

  /**
   * What all but a share of 1 - q of the samples stayed at or below, in ms, rounded up to a bin's end; undefined without samples.
   * Of few samples one may always lie above: a 99th percentile is not the one slow answer of a quiet second.
   */
  quantile(q: number, nowMs: number): number | undefined {
    this.#slide(nowMs);
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.floor(q * this.#count));
    let seen = 0;
    for (let bin = 0; bin < BINS; bin++) {
      seen += this.#total[bin] as number;
      if (seen >= rank) return FIRST_BIN_MS * 2 ** (bin / BINS_PER_OCTAVE);
    }
    return undefined;
  }

  #slide(nowMs: number): void {
    const pane = Math.floor(nowMs / this.#paneMs);
    if (pane === this.#pane) return;
    const panes = this.#panes.length;
    // After a long silence every pane is old, and each needs clearing once only.
    for (let next = Math.max(this.#pane + 1, pane - panes + 1); next <= pane; next++) this.#clear(next % panes);
    this.#pane = pane;
  }

  #clear(slot: number): void {
    const pane = this.#panes[slot] as Uint32Array;
    for (let bin = 0; bin < BINS; bin++) {
      const samples = pane[bin] as number;
      if (samples === 0) continue;
      this.#total[bin] = (this.#total[bin] as number) - samples;
      this.#count -= samples;
      pane[bin] = 0;
    }
  }
}

function binOf(valueMs: number): number {
  if (!(valueMs > FIRST_BIN_MS)) return 0;
  // A value at a bin's very end may come out a hair above it.
  return Math.min(BINS - 1, Math.ceil(Math.log2(valueMs / FIRST_BIN_MS) * BINS_PER_OCTAVE - 1e-9));
}
