/**
 * The view: what the history means now. Everybody who has the same history has the same view, without asking anyone; it is an
 * immutable value that requests hold on to, and the next change makes another.
 *
 * Placement is on the path of every request, so it is computed once per partition and N and then only looked up.
 *
 * Folding is incremental. Nearly always records are appended, and the fold goes on from where the last one stood; now and then
 * one arrives that belongs further back (made elsewhere at about the same time, or in a partition that has healed). For those, a
 * few earlier states are kept (`checkpoints.ts`): a record that is d places late costs the folding of a few d, and so one ring
 * claim for each ring change among them.
 */
import { ArmatureError, assert, type BucketName, type NodeId, type PartitionId } from '@armature/kernel';
import { MAX_N, RING_UNKNOWN, type BucketProperties, type RingVersion } from '@armature/protocol';
import type { Access } from '@armature/rights';
import type { Address, PreferenceList, Ring } from '@armature/ring';
import { isMilestone, thinned } from './checkpoints.js';
import { Fold, type Cluster, type Member } from './fold.js';
import type { History } from './history.js';
import type { Moving, NodeList } from './ownership.js';

export interface Placement {
  readonly partition: PartitionId;
  /** Up to n nodes that serve reads and count as primaries now. Never empty. */
  readonly owners: NodeList;
  /** Those of the next owners that are no owners yet: they get every write too. */
  readonly pending: NodeList;
  /** The owners when all pending ones are ready; the same array as `owners` while nobody is pending. */
  readonly next: NodeList;
  /** Who may stand in for an owner that is down, best first. */
  readonly fallbacks: NodeList;
}

/** Whether the node is given what is written there as its own: it is an owner, or is to become one. */
export function isHolder({ owners, pending }: Pick<Placement, 'owners' | 'pending'>, node: NodeId): boolean {
  return owners.includes(node) || pending.includes(node);
}

/** A partition that a node must copy before it may announce that it is ready for it. */
export interface PendingCopy {
  readonly partition: PartitionId;
  /**
   * The present owners, for each N of a bucket that the node is to become an owner for; `ready` is for all of them at once. A
   * write that met its quorum is on W of the owners for its N, perhaps not on any particular one: a copy that cannot reach all of
   * a group's owners must at least reach enough of that group to meet every such quorum.
   */
  readonly groups: readonly { readonly n: number; readonly owners: NodeList }[];
  /** The ring change to name in `ready`. */
  readonly change: string;
  /** The owners of all groups, each once: whom to copy from. The node itself is not among them, since it is pending in each. */
  readonly sources: NodeList;
}

/** A partition all of whose owners were removed before a successor was ready, or lost their stores: data may be lost. */
export interface Orphan {
  readonly partition: PartitionId;
  readonly n: number;
  /** The removal or loss that did it. */
  readonly change: string;
}

export interface View {
  /** Undefined before `create`. */
  readonly cluster: Cluster | undefined;
  readonly members: ReadonlyMap<NodeId, Member>;
  /** Always has `default`. */
  readonly buckets: ReadonlyMap<BucketName, BucketProperties>;
  /** What the cluster demands of those who come to its doors. */
  readonly access: Access;
  /** The distinct Ns of the buckets, ascending. */
  readonly ns: readonly number[];
  /** By N, the smallest W that a bucket with this N has, or has ever had. */
  readonly leastW: ReadonlyMap<number, number>;
  /** The target ring: whom each partition is on its way to. */
  readonly ring: Ring | undefined;
  /** Changes with every record that bears on the ring, and with no other. `RING_UNKNOWN` before `create`. */
  readonly ringVersion: RingVersion;
  /** Of the whole history. */
  readonly fingerprint: string;
  readonly orphans: readonly Orphan[];
  /** Error: `no-cluster` before `create`. */
  placement(address: Address, n: number): Placement;
  placementOf(partition: PartitionId, n: number): Placement;
  pendingFor(node: NodeId): readonly PendingCopy[];
  /** Whether the node owns a partition for any N, or is to own one. */
  holds(node: NodeId): boolean;
  /**
   * Whether it is the version of a ring that we had, or passed through, earlier: its sender is behind. A version that is neither
   * this nor past is of somebody who knows a change that we do not; whether he also lacks one of ours, only an exchange tells.
   */
  isPastRing(version: RingVersion): boolean;
}

/** Versions remembered for `isPastRing`. Whoever is further behind is told to catch up all the same, only less precisely. */
const MAX_PAST_RINGS = 8_192;
const NOBODY: NodeList = [];

/**
 * What a history means. `previous`, an earlier view of the same process, saves most of the work and is not needed for the result.
 */
export function foldHistory(history: History, previous?: View): View {
  const before = previous instanceof FoldedView ? previous : undefined;
  const common = before === undefined ? 0 : history.commonPrefix(before.history);
  const usable = before?.checkpoints.filter((fold) => fold.count <= common) ?? [];
  const fold = usable.at(-1)?.clone() ?? new Fold();
  const checkpoints = [...usable];
  const total = history.records.length;
  for (let index = fold.count; index < total; index++) {
    if (isMilestone(index, total)) checkpoints.push(fold.clone());
    const record = history.records[index];
    if (record !== undefined) fold.apply(record, history.digestAt(index));
  }
  return new FoldedView(history, fold, thinned([...checkpoints, fold], total), pastRings(fold, before));
}

function pastRings(fold: Fold, before: FoldedView | undefined): ReadonlySet<RingVersion> {
  const versions = [...(before?.past ?? []), ...(before === undefined ? [] : [before.ringVersion]), ...fold.versions];
  const past = new Set(versions.slice(-MAX_PAST_RINGS));
  past.delete(fold.version);
  past.delete(RING_UNKNOWN);
  return past;
}

class FoldedView implements View {
  readonly history: History;
  readonly checkpoints: readonly Fold[];
  readonly past: ReadonlySet<RingVersion>;
  readonly ns: readonly number[];
  readonly ringVersion: RingVersion;
  readonly orphans: readonly Orphan[];
  readonly #fold: Fold;
  /** By n, then by partition. */
  readonly #placements: (Placement | undefined)[][];

  constructor(history: History, fold: Fold, checkpoints: readonly Fold[], past: ReadonlySet<RingVersion>) {
    this.history = history;
    this.checkpoints = checkpoints;
    this.past = past;
    this.#fold = fold;
    this.ns = [...new Set([...fold.buckets.values()].map((bucket) => bucket.n))].sort((a, b) => a - b);
    this.ringVersion = fold.version;
    this.orphans = orphansOf(fold);
    const partitionCount = fold.ring?.partitionCount ?? 0;
    this.#placements = Array.from({ length: MAX_N + 1 }, (_, n) =>
      this.ns.includes(n) ? new Array<Placement | undefined>(partitionCount).fill(undefined) : [],
    );
  }

  get cluster(): Cluster | undefined {
    return this.#fold.cluster;
  }

  get members(): ReadonlyMap<NodeId, Member> {
    return this.#fold.members;
  }

  get buckets(): ReadonlyMap<BucketName, BucketProperties> {
    return this.#fold.buckets;
  }

  get access(): Access {
    return this.#fold.access;
  }

  get leastW(): ReadonlyMap<number, number> {
    return this.#fold.leastW;
  }

  get ring(): Ring | undefined {
    return this.#fold.ring;
  }

  get fingerprint(): string {
    return this.history.fingerprint;
  }

  placement(address: Address, n: number): Placement {
    const { ring } = this.#fold;
    if (ring === undefined) throw noCluster();
    return this.placementOf(ring.partitionOf(address), n);
  }

  placementOf(partition: PartitionId, n: number): Placement {
    return this.#placements[n]?.[partition] ?? this.#place(partition, n);
  }

  pendingFor(node: NodeId): readonly PendingCopy[] {
    const { ownerships, changes } = this.#fold;
    const copies = new Map<PartitionId, { groups: { n: number; owners: NodeList }[]; since: number; sources: Set<NodeId> }>();
    for (const [n, ownership] of ownerships) {
      for (const [partition, moving] of ownership.moving) {
        const own = moving.pending.find((one) => one.node === node && !one.ready);
        if (own === undefined) continue;
        const copy = copies.get(partition) ?? { groups: [], since: own.since, sources: new Set() };
        copies.set(partition, copy);
        copy.groups.push({ n, owners: moving.owners });
        // The latest of the changes: it is one under which the node is a target for every n.
        copy.since = Math.max(copy.since, own.since);
        for (const owner of moving.owners) copy.sources.add(owner);
      }
    }
    return [...copies]
      .sort(([a], [b]) => a - b)
      .map(([partition, copy]) => ({
        partition,
        groups: copy.groups,
        change: changes[copy.since] ?? '',
        sources: [...copy.sources],
      }));
  }

  holds(node: NodeId): boolean {
    return this.#fold.holds(node);
  }

  isPastRing(version: RingVersion): boolean {
    return this.past.has(version);
  }

  #place(partition: PartitionId, n: number): Placement {
    const { ring, ownerships } = this.#fold;
    if (ring === undefined) throw noCluster();
    assert(Number.isInteger(n) && n >= 1 && n <= MAX_N, 'n was checked with the bucket properties');
    const list = ring.preferenceList(partition, n);
    const ownership = ownerships.get(n);
    const moving = ownership?.moving.get(partition);
    const placement = moving === undefined ? settledPlacement(partition, list) : movingPlacement(partition, list, moving);
    const memo = this.#placements[n];
    assert(memo !== undefined && partition >= 0 && partition < ring.partitionCount, 'a partition of this ring');
    memo[partition] = placement;
    return placement;
  }
}

function settledPlacement(partition: PartitionId, list: PreferenceList): Placement {
  return { partition, owners: list.primaries, pending: NOBODY, next: list.primaries, fallbacks: list.fallbacks };
}

function movingPlacement(partition: PartitionId, list: PreferenceList, { owners, pending }: Moving): Placement {
  const taken = new Set([...owners, ...pending.map((one) => one.node)]);
  const fallbacks = [...list.primaries, ...list.fallbacks].filter((node) => !taken.has(node));
  return { partition, owners, pending: pending.map((one) => one.node), next: list.primaries, fallbacks };
}

function orphansOf(fold: Fold): Orphan[] {
  const orphans: Orphan[] = [];
  for (const [n, ownership] of fold.ownerships) {
    for (const [partition, change] of ownership.orphaned) orphans.push({ partition, n, change: fold.changes[change] ?? '' });
  }
  return orphans;
}

function noCluster(): ArmatureError {
  return new ArmatureError('no-cluster', 'this process knows no cluster yet', {
    remedy: 'Create one (armature cluster create), or check that the nodes it should learn from are running.',
  });
}
