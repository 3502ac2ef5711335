/**
 * Values that are merged, not replaced: sets, counters, carts. Each update contributes one thing, a slot and a rank in it, and
 * the merge keeps of each slot the highest rank it has seen. So whatever order updates, merges and repairs come in, there must be
 * in the end
 *
 *   lost      of each slot no lower rank than any acknowledged update gave it
 *   invented  no slot and no rank that no update has contributed
 *
 * An element of a set is a slot of rank 0; a client's count is the rank of the slot of that client; a line of a cart is a slot,
 * and its rank is the time of its last change.
 */
import type { Outcome } from './operation-log.js';

export interface Contribution {
  readonly key: string;
  readonly slot: string;
  /** Comparable within the slot. */
  readonly rank: number;
  readonly client: string;
  /** Virtual ms. */
  readonly beganMs: number;
  endedMs: number | undefined;
  outcome: Outcome | undefined;
}

/** Of each key, the merged value: of each slot its rank. */
export type Slots = ReadonlyMap<string, number>;

export function checkContributions(
  contributions: readonly Contribution[],
  state: ReadonlyMap<string, Slots>,
  mayBeLost: (contribution: Contribution) => boolean = () => false,
): string[] {
  const found: string[] = [];
  const contributed = new Set<string>();
  for (const contribution of contributions) {
    const { key, slot, rank, client, outcome, endedMs } = contribution;
    if (outcome !== 'refused') contributed.add(named(key, slot, rank));
    if (outcome !== 'acknowledged') continue;
    const present = state.get(key)?.get(slot);
    if ((present === undefined || present < rank) && !mayBeLost(contribution)) {
      const at = `${((endedMs ?? 0) / 1000).toFixed(3)} s`;
      found.push(`lost: ${slot} of ${key} at ${rank}, acknowledged to ${client} at ${at}; there is ${present ?? 'nothing'}`);
    }
  }
  for (const [key, slots] of state) {
    for (const [slot, rank] of slots) {
      if (!contributed.has(named(key, slot, rank))) found.push(`invented: ${slot} of ${key} at ${rank}`);
    }
  }
  return found;
}

function named(key: string, slot: string, rank: number): string {
  return `${key} ${slot} ${rank}`;
}
