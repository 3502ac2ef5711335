/**
 * What lies between two connections of the in-process broker: nothing, unless a test or a simulation says otherwise. Names are
 * those given to `InProcessBroker.connect`. Cuts and delays are per direction; order per direction is kept unless a shape says
 * otherwise.
 */

/**
 * More than NATS does to a message, so that nobody comes to rely on less: it arrives once for each delay, and may overtake
 * others.
 */
export interface Passages {
  readonly delaysMs: readonly number[];
}

/** Milliseconds a message from `source` takes to `target`, or `lost`, or worse. Asked once per delivery; may draw from a seed. */
export type Passage = (source: string, target: string, sizeBytes: number) => number | 'lost' | Passages;

const OPEN: Passage = () => 0;

export class InProcessNetwork {
  readonly #cut = new Set<string>();
  readonly #delayMs = new Map<string, number>();
  #passage: Passage = OPEN;

  /** Loses everything between `a` and `b`, both ways, until healed. Both stay connected to the broker, and visible. */
  cut(a: string, b: string): void {
    this.#cut.add(direction(a, b)).add(direction(b, a));
  }

  /** Loses everything from `source` to `target` only. */
  cutOneWay(source: string, target: string): void {
    this.#cut.add(direction(source, target));
  }

  /** Cuts every pair with one end in each group. */
  partition(left: readonly string[], right: readonly string[]): void {
    for (const a of left) for (const b of right) this.cut(a, b);
  }

  heal(a: string, b: string): void {
    this.#cut.delete(direction(a, b));
    this.#cut.delete(direction(b, a));
  }

  /** A fixed delay from `source` to `target`; 0 ends it. */
  delay(source: string, target: string, delayMs: number): void {
    this.#delayMs.set(direction(source, target), delayMs);
  }

  /** Ends every cut and delay, and the shape. */
  healAll(): void {
    this.#cut.clear();
    this.#delayMs.clear();
    this.#passage = OPEN;
  }

  /** Any behaviour at all: its delay adds to `delay`'s, and it is asked only where there is no cut. */
  shape(passage: Passage): void {
    this.#passage = passage;
  }

  /** The fate of one message. What a connection sends to itself stays inside the process, and always arrives. */
  passageOf(source: string, target: string, sizeBytes: number): number | 'lost' | Passages {
    if (source === target) return 0;
    if (this.#cut.size > 0 && this.#cut.has(direction(source, target))) return 'lost';
    const shaped = this.#passage(source, target, sizeBytes);
    if (shaped === 'lost' || this.#delayMs.size === 0) return shaped;
    const moreMs = this.#delayMs.get(direction(source, target)) ?? 0;
    return typeof shaped === 'number' ? shaped + moreMs : { delaysMs: shaped.delaysMs.map((delayMs) => delayMs + moreMs) };
  }
}

function direction(source: string, target: string): string {
  return `${source} ${target}`;
}
