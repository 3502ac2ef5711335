/**
 * Preference lists (sections 4.3 and 4.6): the nodes that are to hold a partition, and who stands in for them.
 *
 * The walk goes clockwise over the circle of tokens from where the partition's keys begin to look, and meets nodes again and
 * again, since each has many tokens. A node counts where it is met first. It becomes a primary if its zone may still take one
 * (see `zone-spread.ts`), until there are n. A zone once full stays full, so a node refused need not be asked again, and the
 * owner, who is met first, is never refused.
 *
 * All others are fallbacks. They continue the same filling: whichever zone has the fewest nodes so far comes next, and within
 * that, clockwise order. So with more zones than n the first fallback is in a fresh zone; and with exactly n zones the first n
 * fallbacks are one of each zone, among them one in the zone of whichever primary is down.
 */
import type { NodeId } from '@armature/kernel';
import type { PreferenceList } from './ring.js';
import { type ZoneSpread, zoneSpread } from './zone-spread.js';

export interface Circle {
  /** Clockwise, the index of the node that owns each token. */
  readonly tokens: Int32Array;
  readonly nodes: readonly NodeId[];
  /** Zone index of each node. */
  readonly zones: readonly number[];
  /** Nodes per zone. */
  readonly zoneSizes: readonly number[];
}

/** Walks a circle. Holds scratch memory for the walk and nothing else, so that walking gives the same answer every time. */
export class PreferenceWalker {
  readonly #circle: Circle;
  readonly #spreads: (ZoneSpread | undefined)[] = [];
  /** Nodes that own a token; the others come last in every list. */
  readonly #tokenOwners: number;
  readonly #tokenless: readonly number[];
  /** The walk that met a node last: clearing it is counting on. */
  readonly #metInWalk: Float64Array;
  readonly #zoneTaken: Int32Array;
  #walk = 0;

  constructor(circle: Circle) {
    this.#circle = circle;
    const owners = new Set(circle.tokens);
    this.#tokenOwners = owners.size;
    this.#tokenless = [...circle.nodes.keys()].filter((node) => !owners.has(node));
    this.#metInWalk = new Float64Array(circle.nodes.length);
    this.#zoneTaken = new Int32Array(circle.zoneSizes.length);
  }

  /** The primaries of the walk that begins at a token. */
  primaries(firstToken: number, n: number): readonly NodeId[] {
    const wanted = Math.min(n, this.#circle.nodes.length);
    const taken: NodeId[] = [];
    const take = this.#taker(n);
    this.#meet(firstToken, (node) => {
      if (take(node)) taken.push(this.#circle.nodes[node] as NodeId);
      return taken.length < wanted;
    });
    return taken;
  }

  preferenceList(firstToken: number, n: number): PreferenceList {
    const { nodes, zones } = this.#circle;
    const primaries: NodeId[] = [];
    const others: { readonly node: number; level: number }[] = [];
    const take = this.#taker(n);
    this.#meet(firstToken, (node) => {
      if (take(node)) primaries.push(nodes[node] as NodeId);
      else others.push({ node, level: 0 });
      return true;
    });
    for (const other of others) other.level = this.#fill(zones[other.node] as number);
    // The sort is stable: within a level, clockwise order remains.
    others.sort((a, b) => a.level - b.level);
    return { primaries, fallbacks: others.map(({ node }) => nodes[node] as NodeId) };
  }

  /** Calls `visit` with each node where it is met first, until it returns false. */
  #meet(firstToken: number, visit: (node: number) => boolean): void {
    const { tokens } = this.#circle;
    const met = this.#metInWalk;
    const walk = ++this.#walk;
    let left = this.#tokenOwners;
    for (let token = firstToken; left > 0; token = token + 1 === tokens.length ? 0 : token + 1) {
      const node = tokens[token] as number;
      if (met[node] === walk) continue;
      met[node] = walk;
      left--;
      if (!visit(node)) return;
    }
    for (const node of this.#tokenless) if (!visit(node)) return;
  }

  /** Decides, node by node in the order of the walk, who is a primary. */
  #taker(n: number): (node: number) => boolean {
    const { zones, zoneSizes } = this.#circle;
    const spread = (this.#spreads[n] ??= zoneSpread(zoneSizes, n));
    const taken = this.#zoneTaken.fill(0);
    let extra = spread.extra;
    return (node) => {
      const zone = zones[node] as number;
      const inZone = taken[zone] as number;
      if (inZone > spread.base || (inZone === spread.base && extra === 0)) return false;
      if (inZone === spread.base) extra--;
      taken[zone] = inZone + 1;
      return true;
    };
  }

  /** Nodes listed in a zone so far; counts one more. */
  #fill(zone: number): number {
    const before = this.#zoneTaken[zone] as number;
    this.#zoneTaken[zone] = before + 1;
    return before;
  }
}
