/**
 * How many of Q partitions each node deserves: whole numbers that sum to Q and follow the weights.
 *
 * Ideally a node's share is Q * weight / sum of weights. But what a node is to be given in proportion is load, the N * Q
 * replicas, and these have limits that plain proportion ignores: a node holds at most one replica of a partition, and a zone
 * between `least` and `most` (see `zone-spread.ts`). A node of half the total weight would still hold each partition once; the
 * only node of a zone holds them all when there are N zones. If such a node owned more (or fewer) partitions than the replicas it
 * must hold anyway imply, its partitions could not be spaced out, preference lists would have to skip, and the skipping would
 * load the others unevenly and move their data at every change.
 *
 * So shares are filled like glasses: the level rises, each node taking replicas by weight, between one partition and its limit; a
 * zone stops at its own limits; until N * Q are given. A node's *fair share* is its replicas / N. Wherever no limit binds this is
 * the plain proportion. Whole numbers follow by largest remainder, first among zones, then within each: everyone gets the floor
 * or the ceiling of his fair share, and those who hold the odd partition already keep it, which saves a transfer.
 */
import { assert } from '@armature/kernel';
import { zoneBounds, zoneSpread } from './zone-spread.js';

/** Shares this close to a whole number are that number: levels are doubles, found by halving. */
const ROUNDING = 1e-9;

/** Halvings of the level: doubles have 53 bits, and weights may differ by a factor of 2^14. */
const HALVINGS = 80;

export interface Claimant {
  readonly weight: number;
  /** Index into `zoneSizes`. */
  readonly zone: number;
}

export interface ShareRules {
  readonly partitionCount: number;
  /** Replicas per partition that the ring is made for. */
  readonly targetN: number;
  /** Nodes per zone. */
  readonly zoneSizes: readonly number[];
}

/** Fair shares in partitions, with fractions. They sum to `partitionCount`, if there is anybody. */
export function fairShares(rules: ShareRules, claimants: readonly Claimant[]): Float64Array {
  const { partitionCount, zoneSizes } = rules;
  const fair = new Float64Array(claimants.length);
  if (claimants.length === 0) return fair;
  const n = Math.min(rules.targetN, claimants.length);
  const spread = zoneSpread(zoneSizes, n);
  const zones = zoneSizes.map((size, zone) => {
    const { least, most } = zoneBounds(spread, size);
    return {
      members: claimants.filter((claimant) => claimant.zone === zone),
      least: least * partitionCount,
      most: most * partitionCount,
      // One partition each, while there are as many, or whoever weighs little would be a member that owns nothing.
      leastEach: claimants.length > partitionCount ? 0 : Math.min(n, (most * partitionCount) / size),
    };
  });
  const take = (level: number, weight: number, leastEach: number): number => clamp(level * weight, leastEach, partitionCount);
  const demand = (level: number, zone: (typeof zones)[number]): number =>
    zone.members.reduce((sum, { weight }) => sum + take(level, weight, zone.leastEach), 0);
  const lightest = claimants.reduce((least, { weight }) => Math.min(least, weight), Infinity);
  const highest = partitionCount / lightest;

  const level = levelFor(n * partitionCount, highest, (at) =>
    zones.reduce((sum, zone) => sum + clamp(demand(at, zone), zone.least, zone.most), 0),
  );
  const levels = zones.map((zone) => {
    const wanted = demand(level, zone);
    const given = clamp(wanted, zone.least, zone.most);
    return wanted === given ? level : levelFor(given, highest, (at) => demand(at, zone));
  });
  claimants.forEach(({ weight, zone }, index) => {
    fair[index] = take(levels[zone] ?? 0, weight, zones[zone]?.leastEach ?? 0) / n;
  });
  return fair;
}

/** Partitions per node, summing to `partitionCount`. `held` is what each has now. */
export function wholeShares(rules: ShareRules, claimants: readonly Claimant[], held: ArrayLike<number>): Int32Array {
  const shares = new Int32Array(claimants.length);
  if (claimants.length === 0) return shares;
  const { partitionCount, zoneSizes } = rules;
  const fair = fairShares(rules, claimants);
  const n = Math.min(rules.targetN, claimants.length);
  const spread = zoneSpread(zoneSizes, n);
  const byZone = zoneSizes.map((size, zone): Part & { indices: number[] } => {
    const indices = [...claimants.keys()].filter((index) => claimants[index]?.zone === zone);
    return {
      indices,
      fair: indices.reduce((sum, index) => sum + (fair[index] ?? 0), 0),
      held: indices.reduce((sum, index) => sum + (held[index] ?? 0), 0),
      roomy: Math.floor((zoneBounds(spread, size).most * partitionCount) / n),
    };
  });
  const zoneTotals = round(partitionCount, byZone);
  byZone.forEach(({ indices }, zone) => {
    const parts = indices.map((index): Part => ({
      fair: fair[index] ?? 0,
      held: held[index] ?? 0,
      roomy: Math.floor(partitionCount / n),
    }));
    round(zoneTotals[zone] ?? 0, parts).forEach((whole, k) => {
      shares[indices[k] as number] = whole;
    });
  });
  return shares;
}

interface Part {
  readonly fair: number;
  readonly held: number;
  /** The most that can be spaced out on the circle. */
  readonly roomy: number;
}

/** Whole numbers, each the floor or ceiling of its part, with the given sum: largest remainder, with preferences. */
function round(total: number, parts: readonly Part[]): number[] {
  const whole = parts.map(({ fair }) => Math.floor(fair + ROUNDING));
  const odd = parts.map(({ fair, held, roomy }, index) => {
    const floor = whole[index] as number;
    const fraction = fair - floor;
    // A whole share has no ceiling to round up to; a crowded one should not; one that holds it already saves a transfer.
    const rank = fraction < ROUNDING ? 3 : floor + 1 > roomy ? 2 : held > floor ? 0 : 1;
    return { index, fraction, rank };
  });
  // Ties end at the index, so the order is total, and every node of the cluster computes the same one.
  odd.sort((a, b) => a.rank - b.rank || b.fraction - a.fraction || a.index - b.index);
  const left = total - whole.reduce((sum, part) => sum + part, 0);
  assert(left >= 0 && left <= odd.length, 'fair shares sum to what is shared');
  for (const { index } of odd.slice(0, left)) whole[index] = (whole[index] as number) + 1;
  return whole;
}

/** The level at which a growing function of it reaches the goal. */
function levelFor(goal: number, highest: number, total: (level: number) => number): number {
  let low = 0;
  let high = highest;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (total(middle) < goal) low = middle;
    else high = middle;
  }
  return high;
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
