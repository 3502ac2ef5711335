/** Cuts that overlap: a link is cut until the last of those that concern it is over. */
import type { InProcessNetwork } from '@armature/bus';

type Direction = readonly [from: string, to: string];

export class Cuts {
  readonly #network: InProcessNetwork;
  #counts = new Map<string, number>();

  constructor(network: InProcessNetwork) {
    this.#network = network;
  }

  /** Cuts every link with one end in each group, both ways. The result ends it, and says whether it had lasted until then. */
  partition(left: readonly string[], right: readonly string[]): () => boolean {
    return this.#cut(left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const])));
  }

  oneWay(from: string, to: string): () => boolean {
    return this.#cut([[from, to]]);
  }

  /** Ends all, at once. */
  heal(): void {
    this.#counts = new Map();
    this.#network.healAll();
  }

  #cut(directions: readonly Direction[]): () => boolean {
    for (const [from, to] of directions) {
      this.#count(from, to, 1);
      this.#network.cutOneWay(from, to);
    }
    const counts = this.#counts;
    return () => {
      if (counts !== this.#counts) return false;
      for (const [from, to] of directions) this.#count(from, to, -1);
      for (const [from, to] of directions) {
        this.#network.heal(from, to); // both ways
        if (this.#isCut(from, to)) this.#network.cutOneWay(from, to);
        if (this.#isCut(to, from)) this.#network.cutOneWay(to, from);
      }
      return true;
    };
  }

  #isCut(from: string, to: string): boolean {
    return (this.#counts.get(`${from} ${to}`) ?? 0) > 0;
  }

  #count(from: string, to: string, by: 1 | -1): void {
    const name = `${from} ${to}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }
}
