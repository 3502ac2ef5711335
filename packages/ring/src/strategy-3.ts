/**
 * Strategy 3: Q/S tokens per node, and Q equal partitions (section 6.2). The default, and the paper's choice.
 *
 * Each partition is a token: the circle is the list of owners. It is the only strategy whose ring depends on the way it came
 * about, because a claim starts from the assignment that is there and moves as little as it can.
 */
import { type NodeId, type PartitionId, seededRandom } from '@armature/kernel';
import { circleOf, CircleRing, zonesOf } from './circle-ring.js';
import { claimPartitions } from './claim.js';
import { equalPartitionOf, partitionRange, partitionShift } from './equal-partitions.js';
import { formPartitions } from './form.js';
import type { Ring, RingMember, RingSettings } from './ring.js';
import { wholeShares } from './shares.js';
import { type BoardRules, NOBODY } from './spacing.js';

/** A ring formed at once. */
export function formedRing(settings: RingSettings, members: readonly RingMember[]): Ring {
  const held = new Int32Array(members.length);
  const random = seededRandom(`${settings.seed}/form`);
  return assignedRing(settings, members, formPartitions(settings.partitionCount, boardRules(settings, members, held), random));
}

/**
 * The ring of `members` that is closest to `before`. `occasion` names the change; together with the seed it decides between
 * equals.
 */
export function claimedRing(before: Ring, members: readonly RingMember[], occasion: string): Ring {
  const { settings } = before;
  // Everyone holds everything then, so that order is free: see form.ts.
  if (members.length <= settings.targetN) return formedRing(settings, members);
  const indices = new Map(members.map(({ node }, index) => [node, index]));
  const held = new Int32Array(members.length);
  const owners = Int32Array.from(
    { length: before.partitionCount },
    (_, partition) => indices.get(before.ownerOf(partition as PartitionId)) ?? NOBODY,
  );
  for (const owner of owners) if (owner !== NOBODY) held[owner] = (held[owner] as number) + 1;
  const random = seededRandom(`${settings.seed}/${occasion}`);
  return assignedRing(settings, members, claimPartitions(owners, boardRules(settings, members, held), random));
}

/** The ring of `members` in which each partition belongs to whom `nameOf` calls its owner of before. */
export function renamedRing(before: Ring, members: readonly RingMember[], nameOf: (owner: NodeId) => NodeId): Ring {
  const indices = new Map(members.map(({ node }, index) => [node, index]));
  const owners = Int32Array.from(
    { length: before.partitionCount },
    (_, partition) => indices.get(nameOf(before.ownerOf(partition as PartitionId))) ?? NOBODY,
  );
  return assignedRing(before.settings, members, owners);
}

function boardRules(settings: RingSettings, members: readonly RingMember[], held: Int32Array): BoardRules {
  const { partitionCount, targetN } = settings;
  const { zones, zoneSizes } = zonesOf(members);
  const claimants = members.map(({ weight }, index) => ({ weight, zone: zones[index] as number }));
  return {
    targetN,
    zones,
    zoneCount: zoneSizes.length,
    shares: wholeShares({ partitionCount, targetN, zoneSizes }, claimants, held),
  };
}

function assignedRing(settings: RingSettings, members: readonly RingMember[], owners: Int32Array): Ring {
  const { partitionCount } = settings;
  const shift = partitionShift(partitionCount);
  return new CircleRing(settings, members, circleOf(members, members.length === 0 ? new Int32Array(0) : owners), {
    partitionCount,
    partitionOf: (address) => equalPartitionOf(address, shift),
    rangeOf: (partition) => partitionRange(partition, partitionCount),
    firstToken: (partition) => partition,
  });
}
