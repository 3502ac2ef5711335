/**
 * Forming: an assignment of partitions made at once, for a cluster that starts, and for one of at most N nodes.
 *
 * Partitions are dealt round the circle. Each goes to the node that conflicts least with those dealt before and, of equal ones,
 * lags most behind its share of what has been dealt, its zone's lag included; a little chance between equals mixes the
 * neighbourhoods. So weights are spread evenly over the circle, and only the seam, where the end meets the beginning, needs
 * repair.
 *
 * With at most N nodes everyone holds a replica of everything, whoever owns it, so that nothing is transferred for the sake of
 * the order: forming anew then costs nothing, and gives the perfect alternation that later joins start from.
 */
import type { Random } from '@armature/kernel';
import type { Allowance } from './ejection.js';
import { repairSpacing } from './repair.js';
import { Board, type BoardRules, NOBODY } from './spacing.js';

/** As for a claim; a formation happens once. */
const CHAIN_ALLOWANCE = 3000;

/** How far chance may outweigh lag, in partitions: less than one, so that nobody is dealt two before another has one. */
const CHANCE = 0.5;

/** An assignment of `partitionCount` partitions with exactly `rules.shares`. Deals in O(Q * S * N). */
export function formPartitions(partitionCount: number, rules: BoardRules, random: Random): Int32Array {
  const board = new Board(new Int32Array(partitionCount).fill(NOBODY), rules);
  const { owners, nodeCount } = board;
  const { shares, zones } = rules;
  if (nodeCount === 0) return owners;
  const zoneShares = new Int32Array(rules.zoneCount);
  for (let node = 0; node < nodeCount; node++)
    zoneShares[zones[node] as number] = (zoneShares[zones[node] as number] as number) + (shares[node] as number);
  const dealt = new Int32Array(nodeCount);
  const zoneDealt = new Int32Array(rules.zoneCount);
  for (let slot = 0; slot < partitionCount; slot++) {
    const progress = (slot + 1) / partitionCount;
    let best = NOBODY;
    let bestCost = Infinity;
    let bestLag = -Infinity;
    for (let node = 0; node < nodeCount; node++) {
      const share = shares[node] as number;
      if (dealt[node] === share) continue;
      const cost = board.cost(slot, node);
      if (cost > bestCost) continue;
      const zone = zones[node] as number;
      const zoneLag = progress * (zoneShares[zone] as number) - (zoneDealt[zone] as number);
      const lag = progress * share - (dealt[node] as number) + zoneLag + random.float() * CHANCE;
      if (cost === bestCost && lag <= bestLag) continue;
      best = node;
      bestCost = cost;
      bestLag = lag;
    }
    owners[slot] = best;
    dealt[best] = (dealt[best] as number) + 1;
    zoneDealt[zones[best] as number] = (zoneDealt[zones[best] as number] as number) + 1;
  }
  const allowance: Allowance = { vacancies: CHAIN_ALLOWANCE };
  repairSpacing(board, owners.slice(), partitionCount, random, allowance);
  return owners;
}
