/**
 * Counters as an application builds them on siblings: of each key, a count per client; merging takes the higher one of each
 * client, and the sum is what the counter says. A client knows how often it has counted for sure. A step whose outcome it does
 * not know it repeats with the same count, which is harmless if it did happen: so at the end each client's count is what was
 * acknowledged to it, or one more where the last step's outcome is unknown.
 */
import { json } from '@armature/client';
import type { MergingApplication } from './merging.js';

export const counters: MergingApplication<Readonly<Record<string, number>>> = {
  codec: json(),
  merge(values) {
    const merged = new Map<string, number>();
    for (const counts of values) {
      for (const [client, count] of Object.entries(counts)) merged.set(client, Math.max(count, merged.get(client) ?? 0));
    }
    return Object.fromEntries([...merged].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  },
  slotsOf: (value) => new Map(Object.entries(value)),
  contributor(client) {
    const counted = new Map<string, number>();
    return {
      change(key, current = {}) {
        const count = (counted.get(key) ?? 0) + 1;
        return { value: { ...current, [client]: count }, slot: client, rank: count };
      },
      acknowledged(key, { rank }) {
        counted.set(key, rank);
      },
    };
  },
};
