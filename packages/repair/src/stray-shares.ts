/**
 * Data in the wrong place: what a node is to do with the keys of a partition and N, and which partitions it holds keys of that it
 * is not to hold.
 *
 * Finding them must be cheap, for it is done after every change of the view. Of a partition that is not this node's for any N,
 * one key tells; a run of such partitions side by side is one question to the store. Where a partition is this node's for one N
 * and not for another, its hash trees know, once they are built: until then, as after every start, the answer is that nobody can
 * tell yet, which is not that there is nothing.
 */
import type { BinaryString, NodeId, PartitionId } from '@armature/kernel';
import { isHolder, type View } from '@armature/membership';
import type { SliceBudget } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { SynchronisedReplica } from './local-share.js';
import type { TreeKeeper } from './tree-keeper.js';

/**
 * `wait`: it is not this node's, but on its way from some to others: who is to be given it is not settled. A node that is no
 * member keeps what it has to itself: tombstones are reaped without asking it, and it may hold what they deleted.
 */
export type Duty = 'keep' | 'wait' | 'relinquish';

export function dutyOf(view: View, node: NodeId, partition: PartitionId, n: number): Duty {
  if (!view.members.has(node)) return 'keep';
  const placement = view.placementOf(partition, n);
  if (isHolder(placement, node)) return 'keep';
  const { owners, pending } = placement;
  return pending.length > 0 || owners.length === 0 ? 'wait' : 'relinquish';
}

/** Whether the node is to hold the key, now or for the time to come. */
export function isOurs(view: View, node: NodeId, address: Address, n: number): boolean {
  return view.ring !== undefined && isHolder(view.placement(address, n), node);
}

export interface StraySearchEnv {
  readonly node: NodeId;
  readonly trees: Pick<TreeKeeper, 'sizeOf'>;
  readonly replica: Pick<SynchronisedReplica, 'page'>;
  readonly budget: SliceBudget;
}

/** Partitions of which keys are held for an N that is not this node's, with all those Ns. */
export type Strays = ReadonlyMap<PartitionId, readonly number[]>;

export interface StraySearch {
  readonly strays: Strays;
  /** Whether that is all: of some partitions the hash trees may still have to be built. */
  readonly isAll: boolean;
}

/** Rejects with storage errors, and as `TakeSlice` does. */
export async function findStrays(env: StraySearchEnv, view: View): Promise<StraySearch> {
  const strays = new Map<PartitionId, readonly number[]>();
  let isAll = true;
  const { ring } = view;
  if (ring === undefined) return { strays, isAll };
  const notOurs = (partition: number): number[] =>
    view.ns.filter((n) => dutyOf(view, env.node, partition as PartitionId, n) !== 'keep');
  for (let index = 0; index < ring.partitionCount;) {
    const partition = index as PartitionId;
    const ns = notOurs(partition);
    if (ns.length < view.ns.length) {
      const sizes = ns.map((n) => env.trees.sizeOf(partition, n)?.records);
      const held = ns.filter((_, place) => (sizes[place] ?? 0) > 0);
      if (held.length > 0) strays.set(partition, held);
      if (sizes.includes(undefined)) isAll = false;
      index++;
      continue;
    }
    let last = partition;
    while (last + 1 < ring.partitionCount && notOurs(last + 1).length === view.ns.length) last++;
    const { start } = ring.rangeOf(partition);
    const first = await firstKey(env, start, ring.rangeOf(last).end);
    const found = first === undefined ? undefined : ring.partitionOf(first);
    if (found !== undefined) strays.set(found, [...view.ns]);
    index = (found ?? last) + 1;
  }
  return { strays, isAll };
}

/** Whether keys of a partition are held that are not to be, or may be, for all that is known. */
export async function isStray(env: StraySearchEnv, view: View, partition: PartitionId, ns: readonly number[]): Promise<boolean> {
  if (view.ring === undefined) return false;
  if (ns.length < view.ns.length) return ns.some((n) => env.trees.sizeOf(partition, n)?.records !== 0);
  const { start, end } = view.ring.rangeOf(partition);
  return (await firstKey(env, start, end)) !== undefined;
}

async function firstKey({ replica, budget }: StraySearchEnv, start: BinaryString, end: BinaryString | undefined) {
  let cursor: BinaryString | undefined = start;
  while (cursor !== undefined) {
    await budget.ready();
    budget.spend(0);
    const page: Awaited<ReturnType<SynchronisedReplica['page']>> = await replica.page({
      start: cursor,
      end,
      limit: 1,
      limitBytes: 1,
    });
    const [entry] = page.entries;
    if (entry !== undefined) return entry.address;
    cursor = page.next; // a damaged record, which nobody can be given
  }
  return undefined;
}
