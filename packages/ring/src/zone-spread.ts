/**
 * How n replicas spread over zones (section 4.6: preference lists are built so that the nodes are in several data centres).
 *
 * The evenest spread fills zones like glasses under one tap: one replica in each, then a second in each that has another node,
 * and so on until n are placed. So every zone holds `base` replicas or all its nodes, and `extra` of the zones that can hold one
 * more. With at least n zones that is one each; with Z < n zones of enough nodes, ceil(n / Z) at most; and where a zone has too
 * few nodes, the others take over.
 */
export interface ZoneSpread {
  /** Replicas that every zone takes, as far as it has nodes. */
  readonly base: number;
  /** How many zones take one replica more. */
  readonly extra: number;
}

/** The evenest spread of `n` replicas, or of all nodes when there are fewer, over zones of the given numbers of nodes. */
export function zoneSpread(zoneSizes: readonly number[], n: number): ZoneSpread {
  const total = zoneSizes.reduce((sum, size) => sum + size, 0);
  let extra = Math.min(n, total);
  for (let base = 0; ; base++) {
    const zonesWithRoom = zoneSizes.filter((size) => size > base).length;
    if (extra <= zonesWithRoom) return { base, extra };
    extra -= zonesWithRoom;
  }
}

/** The least and the most of its nodes that a zone of `size` can have among the replicas. */
export function zoneBounds(spread: ZoneSpread, size: number): { least: number; most: number } {
  return { least: Math.min(size, spread.base), most: Math.min(size, spread.base + (spread.extra > 0 ? 1 : 0)) };
}
