/**
 * Which keys this node is busy writing elsewhere: a put whose replicas have not all answered, a read whose answers may yet become
 * repairs. Each of these carries a state of the key in memory, where no look at any store finds it, and may send it on for as
 * long as the request lasts. Whoever must know that no old state of a key is about (the reaping of tombstones) asks here.
 *
 * Holds nest: a key is in hand until the last of them is let go.
 */
import type { Address } from '@armature/ring';

export class InHand {
  readonly #holds = new Map<Address, number>();

  /** Keys in hand now. */
  get size(): number {
    return this.#holds.size;
  }

  has(address: Address): boolean {
    return this.#holds.has(address);
  }

  /** Until the result is called, once, the key is in hand. */
  hold(address: Address): () => void {
    this.#holds.set(address, (this.#holds.get(address) ?? 0) + 1);
    return () => {
      const left = (this.#holds.get(address) ?? 1) - 1;
      if (left === 0) this.#holds.delete(address);
      else this.#holds.set(address, left);
    };
  }
}

const nothing = (): void => undefined;

/**
 * For processes that nobody asks: routers and clients are no members, and what they may send late is bounded by its age
 * (`read-repair.ts`).
 */
export const NOBODY_ASKS: Pick<InHand, 'hold'> = { hold: () => nothing };
