/**
 * Random histories of membership changes, and the questions that the laws of several test files ask of a ring.
 */
import type { NodeId, PartitionId, ZoneName } from '@armature/kernel';
import * as fc from 'fast-check';
import { emptyRing, ringJoin, ringLeave, ringReplace, ringReweigh, ringRezone } from './change.js';
import type { Ring, RingMember, RingSettings } from './ring.js';

export const nodeId = (index: number): NodeId => `node-${String(index).padStart(3, '0')}` as NodeId;
export const zoneName = (index: number): ZoneName => `zone-${index}` as ZoneName;
export const member = (index: number, options: { weight?: number; zone?: number } = {}): RingMember => ({
  node: nodeId(index),
  weight: options.weight ?? 1,
  zone: zoneName(options.zone ?? 0),
});

export const settings = (options: Partial<RingSettings> = {}): RingSettings => ({
  strategy: 3,
  partitionCount: 64,
  tokensPerNode: 8,
  targetN: 3,
  seed: 'test',
  ...options,
});

export type Change =
  | { readonly kind: 'join'; readonly member: RingMember }
  | { readonly kind: 'leave'; readonly node: NodeId }
  | { readonly kind: 'reweigh'; readonly node: NodeId; readonly weight: number }
  | { readonly kind: 'rezone'; readonly node: NodeId; readonly zone: ZoneName }
  | { readonly kind: 'replace'; readonly node: NodeId; readonly by: RingMember };

export function applyChange(ring: Ring, change: Change): Ring {
  switch (change.kind) {
    case 'join':
      return ringJoin(ring, change.member);
    case 'leave':
      return ringLeave(ring, change.node);
    case 'reweigh':
      return ringReweigh(ring, change.node, change.weight);
    case 'rezone':
      return ringRezone(ring, change.node, change.zone);
    case 'replace':
      return ringReplace(ring, change.node, change.by);
  }
}

export function fold(start: RingSettings, changes: readonly Change[]): Ring {
  return changes.reduce(applyChange, emptyRing(start));
}

export interface HistoryShape {
  readonly nodes?: number;
  readonly zones?: number;
  readonly weights?: readonly number[];
  readonly length?: number;
  /** With replacements, after which shares are no longer by weight until the next change. */
  readonly replaces?: boolean;
}

/** Changes over a small set of names, so that rejoins, double joins and leaves of strangers are common. */
export function histories({
  nodes = 12,
  zones = 4,
  weights = [0.5, 1, 2],
  length = 25,
  replaces = false,
}: HistoryShape = {}): fc.Arbitrary<Change[]> {
  const node = fc.nat(nodes - 1).map(nodeId);
  const weight = fc.constantFrom(...weights);
  const zone = fc.nat(zones - 1).map(zoneName);
  const join = fc.record({ kind: fc.constant('join' as const), member: fc.record({ node, weight, zone }) });
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: join },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), node }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reweigh' as const), node, weight }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('rezone' as const), node, zone }) },
      {
        weight: replaces ? 1 : 0,
        arbitrary: fc.record({ kind: fc.constant('replace' as const), node, by: fc.record({ node, weight, zone }) }),
      },
    ),
    { minLength: 1, maxLength: length },
  );
}

export const anySettings: fc.Arbitrary<RingSettings> = fc.record({
  strategy: fc.constantFrom(1 as const, 2 as const, 3 as const),
  partitionCount: fc.constantFrom(1, 4, 32, 64),
  tokensPerNode: fc.constantFrom(1, 4, 8),
  targetN: fc.integer({ min: 1, max: 5 }),
  seed: fc.constantFrom('red', 'blue'),
});

export function partitions(ring: Ring): PartitionId[] {
  return Array.from({ length: ring.partitionCount }, (_, partition) => partition as PartitionId);
}

/** Partitions owned by each member, in the order of members; empty where there are none. */
export function ownedCounts(ring: Ring): Map<NodeId, number> {
  const counts = new Map(ring.members.map(({ node }) => [node, 0]));
  if (counts.size === 0) return counts;
  for (const partition of partitions(ring)) {
    const owner = ring.ownerOf(partition);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

/** How many runs of `length` consecutive partitions, across the seam too, have owners that repeat in `labelOf`. */
export function repeatingRuns(ring: Ring, length: number, labelOf: (node: NodeId) => string = (node) => node): number {
  return partitions(ring).filter((first) => {
    const labels = Array.from({ length }, (_, i) => labelOf(ring.ownerOf(((first + i) % ring.partitionCount) as PartitionId)));
    return new Set(labels).size < length;
  }).length;
}

export function zoneOf(ring: Ring): (node: NodeId) => ZoneName {
  const zones = new Map(ring.members.map(({ node, zone }) => [node, zone]));
  return (node) => zones.get(node) as ZoneName;
}
