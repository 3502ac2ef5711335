/**
 * Shopping carts, as in examples/cart: a map from item to a quantity and the time of its last change. Merging takes the later
 * line of each item; a removal is a line of quantity 0. So no acknowledged change of a line is lost to an earlier one, and no
 * removed item comes back by itself.
 *
 * Customers' clocks are off. Whoever changes a line says a later time than the line has, whatever the own clock says: else a
 * merge with somebody's copy of the line as it was would undo the change.
 */
import { json } from '@armature/client';
import type { MergingApplication } from './merging.js';

interface Line {
  readonly quantity: number;
  readonly changedAtMs: number;
}
type Cart = Readonly<Record<string, Line>>;

const ITEMS = 6;
const MOST = 1_000;
const WORST_SKEW_MS = 3_000;
const REMOVALS = 0.3;

export const carts: MergingApplication<Cart> = {
  codec: json(),
  merge(values) {
    const merged = new Map<string, Line>();
    for (const cart of values) {
      for (const [item, line] of Object.entries(cart)) {
        const known = merged.get(item);
        if (known === undefined || rankOf(line) > rankOf(known)) merged.set(item, line);
      }
    }
    return Object.fromEntries([...merged].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  },
  slotsOf: (cart) => new Map(Object.entries(cart).map(([item, line]) => [item, rankOf(line)])),
  contributor(_client, world, random) {
    const skewMs = random.int(WORST_SKEW_MS);
    return {
      change(_key, current = {}) {
        const item = `item-${random.int(ITEMS)}`;
        const known = current[item];
        const quantity = random.float() < REMOVALS ? 0 : ((known?.quantity ?? 0) + 1 + random.int(3)) % MOST;
        const line = { quantity, changedAtMs: Math.max(Math.floor(world.nowMs) + skewMs, (known?.changedAtMs ?? 0) + 1) };
        return { value: { ...current, [item]: line }, slot: item, rank: rankOf(line) };
      },
    };
  },
};

/** By time, then by quantity. */
function rankOf({ quantity, changedAtMs }: Line): number {
  return changedAtMs * MOST + quantity;
}
