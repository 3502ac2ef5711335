/**
 * Who owns each partition while the ring changes under it, for buckets of one N.
 *
 * The ring says who *should* own a partition: its target. A node that becomes a target holds nothing yet, so it is *pending*: it
 * gets every write from then on, counts for no quorum, and meanwhile copies what was there before from the owners. When it has
 * all, it says so in a `ready` record, which only it may write. When every target is an owner or ready, the partition flips: its
 * owners are the target, and whoever else owned it may drop the data. This is the confirmation round of section 4.9 of the paper,
 * made part of the history, so that everybody flips at the same record.
 *
 * The details, each of which loses data if it is left out:
 *
 * - Readiness is for a stretch of time. A node that stopped being a target missed writes; should it become one again, its earlier
 *   `ready` is void. So `ready` names the ring change under which the copy began, and counts only for a node that has been a
 *   target continuously since that change or an earlier one.
 * - A removed owner is gone at once. As long as owners are missing, those who are ready take their places
 *   without waiting for the rest: they hold what the others hold, and one owner is too few to wait with.
 * - A node whose store was wiped, or is an older copy of itself, does not hold what it said it holds. It is taken out of the
 *   owners and is pending again since that moment, like one that has just come; where it is the only owner it stays, for what it
 *   has is all there is, and the partition is noted as orphaned.
 * - When the last owner is removed there is nobody left to copy from. The targets become owners of an empty partition, so that
 *   it can be written again, and it is noted as *orphaned*: data may be lost, unless other copies turn up.
 *
 * Mutable, for the fold's own use: `clone` before changing what a view holds.
 */
import type { NodeId, PartitionId } from '@armature/kernel';

export type NodeList = readonly NodeId[];

export interface PendingNode {
  readonly node: NodeId;
  /** Index of the ring change that made it pending. */
  readonly since: number;
  readonly ready: boolean;
}

/** A partition on its way from its owners to its target. */
export interface Moving {
  readonly owners: NodeList;
  /** The targets that are not owners, in the target's order. At least one of them is not ready. */
  readonly pending: readonly PendingNode[];
}

export class Ownership {
  #targets: readonly NodeList[];
  /** Partitions whose owners are not their target. The others need no entry: their owners are the target. */
  readonly #moving: Map<PartitionId, Moving>;
  /** Partitions that lost their last owner, or whose last owner lost its store, with the index of the ring change that did it. */
  readonly #orphaned: Map<PartitionId, number>;

  /** All targets own their partitions at once: there is no data yet. */
  static settled(targets: readonly NodeList[]): Ownership {
    return new Ownership(targets, new Map(), new Map());
  }

  private constructor(targets: readonly NodeList[], moving: Map<PartitionId, Moving>, orphaned: Map<PartitionId, number>) {
    this.#targets = targets;
    this.#moving = moving;
    this.#orphaned = orphaned;
  }

  clone(): Ownership {
    return new Ownership(this.#targets, new Map(this.#moving), new Map(this.#orphaned));
  }

  /** The nodes that serve the partition and count as primaries. */
  ownersOf(partition: PartitionId): NodeList {
    return this.#moving.get(partition)?.owners ?? this.#targets[partition] ?? [];
  }

  pendingOf(partition: PartitionId): readonly PendingNode[] {
    return this.#moving.get(partition)?.pending ?? [];
  }

  get moving(): ReadonlyMap<PartitionId, Moving> {
    return this.#moving;
  }

  get orphaned(): ReadonlyMap<PartitionId, number> {
    return this.#orphaned;
  }

  /** Ring change number `change` has made these the targets and, if it was a removal, taken `dead` away. */
  retarget(targets: readonly NodeList[], change: number, dead?: NodeId): void {
    const before = this.#targets;
    this.#targets = targets;
    for (let index = 0; index < targets.length; index++) {
      const partition = index as PartitionId;
      const target = targets[index] as NodeList;
      const moving = this.#moving.get(partition);
      const owners = moving?.owners ?? before[index] ?? [];
      if (moving === undefined && (target === owners || sameList(target, owners))) continue;
      const alive = dead === undefined ? owners : owners.filter((node) => node !== dead);
      const pending = target
        .filter((node) => !alive.includes(node))
        .map((node) => moving?.pending.find((one) => one.node === node) ?? { node, since: change, ready: false });
      this.#settle(partition, alive, pending, change);
    }
  }

  /** `node` holds these partitions since ring change number `change`. What it was not pending for is passed over. */
  ready(node: NodeId, change: number, partitions: readonly number[]): void {
    for (const index of partitions) {
      const partition = index as PartitionId;
      const moving = this.#moving.get(partition);
      if (moving?.pending.some((one) => one.node === node && one.since <= change && !one.ready) !== true) continue;
      const pending = moving.pending.map((one) => (one.node === node ? { ...one, ready: true } : one));
      this.#settle(partition, moving.owners, pending, change);
    }
  }

  /**
   * The store of `node` is not the one that was here: as of ring change number `change` it holds nothing that it can vouch for.
   * Never leaves a partition without owners.
   */
  lose(node: NodeId, change: number): void {
    for (let index = 0; index < this.#targets.length; index++) {
      const partition = index as PartitionId;
      const target = this.#targets[index] as NodeList;
      const moving = this.#moving.get(partition);
      const owners = moving?.owners ?? target;
      const isPending = moving?.pending.some((one) => one.node === node) ?? false;
      if (!isPending && !owners.includes(node)) continue;
      const others = owners.filter((one) => one !== node);
      if (others.length === 0) {
        this.#orphaned.set(partition, change);
        continue;
      }
      const pending = target
        .filter((one) => !others.includes(one))
        .map((one) => (one === node ? undefined : moving?.pending.find((other) => other.node === one)))
        .map((one) => one ?? { node, since: change, ready: false });
      this.#settle(partition, others, pending, change);
    }
  }

  /** Whether the node owns a partition or is to own one. */
  holds(node: NodeId): boolean {
    for (const moving of this.#moving.values()) if (moving.owners.includes(node)) return true;
    return this.#targets.some((target) => target.includes(node));
  }

  #settle(partition: PartitionId, owners: NodeList, pending: readonly PendingNode[], change: number): void {
    const target = this.#targets[partition] ?? [];
    const vacancies = Math.max(0, target.length - owners.length);
    const promoted = pending.filter((one) => one.ready).slice(0, vacancies);
    const orphaned = owners.length === 0 && promoted.length === 0;
    if (orphaned) this.#orphaned.set(partition, change);
    if (orphaned || pending.every((one) => one.ready)) {
      this.#moving.delete(partition);
      return;
    }
    this.#moving.set(partition, {
      owners: promoted.length === 0 ? owners : [...owners, ...promoted.map((one) => one.node)],
      pending: promoted.length === 0 ? pending : pending.filter((one) => !promoted.includes(one)),
    });
  }
}

function sameList(a: NodeList, b: NodeList): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
