/**
 * A node's hash trees: one per partition that it holds a replica of and N of a bucket, kept up to date by every write (paper,
 * section 4.7: "each node maintains a separate Merkle tree for each key range it hosts").
 *
 * After a start nothing is known, and the trees are built by scanning the store in the background, a slice at a time. A build is
 * also due where a write was told of and then did not take place, where a tree has outgrown its depth, and, slowly, for one
 * partition after another, to compare what writes have made of a tree with what the store says: bit rot and mistakes show there.
 * Whoever asks for a tree that is still to be built waits for it, and it goes first.
 */
import {
  ArmatureError,
  toArmatureError,
  type BinaryString,
  type BucketName,
  type NodeId,
  type PartitionId,
} from '@armature/kernel';
import { isHolder, type View } from '@armature/membership';
import { MerkleTree } from '@armature/merkle';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { WriteObserver } from '@armature/replica';
import { repeat, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import { entryState, ShareTree } from './share-tree.js';
import { TreeBuild, type ScannedPage, type TreesByN } from './tree-build.js';

export interface ScanQuery {
  readonly start: BinaryString;
  readonly end: BinaryString | undefined;
  readonly limit: number;
  readonly limitBytes: number;
}

export interface TreeKeeperEnv {
  readonly node: NodeId;
  readonly view: () => View;
  /** What is held, damaged records left out. */
  readonly scan: (query: ScanQuery) => Promise<ScannedPage>;
  /** Resolves when the next page may be read: background work gives way to the foreground. */
  readonly slice: (kind: 'tree') => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Time for all partitions to be scanned and compared with their trees; a day by default. */
  readonly verifyCycleMs?: number | undefined;
}

/** One partition. */
interface Plot {
  /** Undefined until built. */
  trees: TreesByN | undefined;
  build: TreeBuild | undefined;
  readonly waiters: { readonly resolve: () => void; readonly reject: (error: ArmatureError) => void }[];
}

const PAGE_ENTRIES = 500;
const PAGE_BYTES = 1024 * 1024;
const RETRY_MS = 5_000;
const VERIFY_CYCLE_MS = 24 * 3_600_000;
const SHORTEST_VERIFY_INTERVAL_MS = 1_000;
/** Builds of one partition that writes may void before it has to wait like one that failed. */
const MAX_VOID_BUILDS = 3;

export class TreeKeeper implements WriteObserver {
  readonly #env: TreeKeeperEnv;
  readonly #plots = new Map<PartitionId, Plot>();
  /** Partitions to be built, in this order. */
  readonly #queue = new Set<PartitionId>();
  readonly #built: Counter;
  readonly #mismatches: Counter;
  #held: readonly PartitionId[] = [];
  /** Ring version and Ns that `#held` was made for. */
  #heldUnder: string | undefined;
  #nOfBucket: ReadonlyMap<BucketName, number> = new Map();
  #nextToVerify = 0;
  #verifying: Timer | undefined;
  #retry: Timer | undefined;
  #building = false;
  #stopped = false;

  constructor(env: TreeKeeperEnv) {
    this.#env = env;
    const { telemetry } = env;
    this.#built = telemetry.counter('armature_repair_trees_built_total', 'Partitions whose hash trees were built by a scan.');
    this.#mismatches = telemetry.counter(
      'armature_repair_tree_mismatches_total',
      'Partitions whose hash trees, kept by writes, were not those of the store.',
    );
    telemetry.observedGauge('armature_repair_trees_unbuilt', 'Partitions whose hash trees are still to be built.', () =>
      [...this.#plots.values()].reduce((sum, { trees }) => sum + (trees === undefined ? 1 : 0), 0),
    );
    telemetry.observedGauge('armature_repair_tree_bytes', 'Memory of the hash trees.', () => this.#sizeBytes());
  }

  /** Takes up the partitions that the node holds under the present view. Call it at the start and at every change of the view. */
  follow(): void {
    const { ring, ringVersion, ns, buckets } = this.#env.view();
    if (ring === undefined || this.#stopped) return;
    // The N of a bucket never changes, but a record that arrives late may show that it was another from the beginning.
    const isResorted = [...this.#nOfBucket].some(([name, n]) => buckets.get(name)?.n !== n);
    this.#nOfBucket = new Map([...buckets].map(([name, { n }]) => [name, n]));
    const under = `${ringVersion} ${ns.join()}`;
    if (this.#heldUnder === under && !isResorted) return;
    this.#heldUnder = under;
    const held = new Set<PartitionId>();
    for (let index = 0; index < ring.partitionCount; index++) {
      const partition = index as PartitionId;
      if (ns.some((n) => this.#isReplica(partition, n))) held.add(partition);
    }
    for (const [partition, plot] of this.#plots) {
      if (isResorted) this.#distrust(partition, plot);
      if (!held.has(partition) && plot.waiters.length === 0) this.#forget(partition, plot);
    }
    for (const partition of held) if (!this.#plots.has(partition)) this.#plant(partition);
    this.#held = [...held];
    this.#scheduleVerification();
    this.#work();
  }

  /** A key was written: its set was `before`, and is `after` for every read from now on. On the path of every write. */
  wrote(address: Address, before: Uint8Array | undefined, after: Uint8Array): void {
    this.#changed(address, before, after);
  }

  /** A key is not held any more; its set was `before`. */
  dropped(address: Address, before: Uint8Array): void {
    this.#changed(address, before, undefined);
  }

  #changed(address: Address, before: Uint8Array | undefined, after: Uint8Array | undefined): void {
    const { ring, buckets } = this.#env.view();
    const plot = ring === undefined ? undefined : this.#plots.get(ring.partitionOf(address));
    if (ring === undefined || plot === undefined || (plot.trees === undefined && plot.build === undefined)) return;
    const n = buckets.get(bucketOfAddress(address))?.n;
    if (n === undefined) return;
    const old = before === undefined ? undefined : entryState(address, before);
    const now = after === undefined ? undefined : entryState(address, after);
    plot.build?.wrote(address, n, old, now);
    if (plot.trees === undefined) return;
    let tree = plot.trees.get(n);
    if (tree === undefined) plot.trees.set(n, (tree = new ShareTree(new MerkleTree(arcBitsOf(ring.partitionCount), 1))));
    tree.update(address, old, now);
    if (tree.tree.isOutgrown && plot.build === undefined) this.#enqueue(ring.partitionOf(address));
  }

  /** What is held under the address may not be what was told last: a write did not take place, or a record is damaged. */
  doubted(address: Address): void {
    const { ring } = this.#env.view();
    if (ring === undefined) return;
    const partition = ring.partitionOf(address);
    const plot = this.#plots.get(partition);
    if (plot === undefined) return;
    this.#distrust(partition, plot);
    this.#work();
  }

  /**
   * The tree of a partition and N. Waits while it is being built, at most `timeoutMs`: then `overloaded`. The tree
   * goes on changing with every write, and is replaced by another when it is built anew.
   */
  async tree(partition: PartitionId, n: number, timeoutMs: number): Promise<MerkleTree> {
    const { ring } = this.#env.view();
    if (ring === undefined || partition >= ring.partitionCount) {
      throw new ArmatureError('invalid-argument', `there is no partition ${partition}`);
    }
    if (this.#stopped) throw closed();
    const plot = this.#plots.get(partition) ?? this.#plant(partition);
    if (plot.trees === undefined) await this.#untilBuilt(partition, plot, timeoutMs);
    return plot.trees?.get(n)?.tree ?? new MerkleTree(arcBitsOf(ring.partitionCount), 1);
  }

  /** Keys and bytes of a share, exactly; undefined while its tree is still to be built. */
  sizeOf(partition: PartitionId, n: number): { readonly records: number; readonly bytes: number } | undefined {
    const trees = this.#plots.get(partition)?.trees;
    if (trees === undefined) return undefined;
    const share = trees.get(n);
    return { records: share?.tree.keys ?? 0, bytes: share?.bytes ?? 0 };
  }

  stop(): void {
    this.#stopped = true;
    this.#verifying?.cancel();
    this.#retry?.cancel();
    for (const { waiters } of this.#plots.values()) for (const { reject } of waiters.splice(0)) reject(closed());
  }

  #isReplica(partition: PartitionId, n: number): boolean {
    return isHolder(this.#env.view().placementOf(partition, n), this.#env.node);
  }

  #plant(partition: PartitionId): Plot {
    const plot: Plot = { trees: undefined, build: undefined, waiters: [] };
    this.#plots.set(partition, plot);
    this.#queue.add(partition);
    return plot;
  }

  #forget(partition: PartitionId, plot: Plot): void {
    plot.build?.void();
    this.#plots.delete(partition);
    this.#queue.delete(partition);
  }

  #distrust(partition: PartitionId, plot: Plot): void {
    plot.trees = undefined;
    plot.build?.void();
    this.#queue.add(partition);
  }

  #enqueue(partition: PartitionId): void {
    this.#queue.add(partition);
    this.#work();
  }

  #untilBuilt(partition: PartitionId, plot: Plot, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = {
        resolve: () => {
          timer.cancel();
          resolve();
        },
        reject: (error: ArmatureError) => {
          timer.cancel();
          reject(error);
        },
      };
      const timer = this.#env.clock.after(timeoutMs, () => {
        plot.waiters.splice(plot.waiters.indexOf(waiter), 1);
        reject(
          new ArmatureError('overloaded', `the hash tree of partition ${partition} is still being built`, {
            remedy: 'Repeat later: trees are built after a start, while the foreground allows it.',
          }),
        );
      });
      plot.waiters.push(waiter);
      this.#queue.add(partition);
      this.#work();
    });
  }

  /** Builds what is queued, one partition after the other; those that are waited for first. */
  #work(): void {
    if (this.#building || this.#stopped || this.#retry !== undefined) return;
    const queued = [...this.#queue];
    const partition = queued.find((one) => (this.#plots.get(one)?.waiters.length ?? 0) > 0) ?? queued[0];
    if (partition === undefined) return;
    this.#queue.delete(partition);
    this.#building = true;
    this.#build(partition).then(
      () => this.#rest(undefined),
      (thrown: unknown) => {
        if (!this.#stopped)
          this.#env.log.warn({ partition, err: toArmatureError(thrown) }, 'a hash tree could not be built; it is tried again');
        this.#rest(partition);
      },
    );
  }

  #rest(failed: PartitionId | undefined): void {
    this.#building = false;
    if (failed !== undefined && this.#plots.has(failed) && !this.#stopped) {
      this.#queue.add(failed);
      this.#retry = this.#env.clock.after(RETRY_MS, () => {
        this.#retry = undefined;
        this.#work();
      });
    } else this.#work();
  }

  async #build(partition: PartitionId): Promise<void> {
    for (let attempt = 0; attempt < MAX_VOID_BUILDS; attempt++) {
      const plot = this.#plots.get(partition);
      const { ring } = this.#env.view();
      if (plot === undefined || ring === undefined) return;
      const { start, end } = ring.rangeOf(partition);
      const nOf = (address: BinaryString): number | undefined =>
        this.#env.view().buckets.get(bucketOfAddress(address as string as Address))?.n;
      const build = new TreeBuild(arcBitsOf(ring.partitionCount), { start, end }, nOf);
      plot.build = build;
      try {
        while (build.cursor !== undefined && !build.isVoid) {
          await this.#env.slice('tree');
          if (this.#stopped) return;
          build.beginPage();
          build.takePage(await this.#env.scan({ start: build.cursor, end, limit: PAGE_ENTRIES, limitBytes: PAGE_BYTES }));
        }
      } finally {
        plot.build = undefined;
      }
      if (this.#plots.get(partition) !== plot) return;
      if (build.isVoid) continue;
      this.#replace(partition, plot, build.finish());
      return;
    }
    throw new ArmatureError('unavailable', 'writes that failed have voided each scan of the partition');
  }

  #replace(partition: PartitionId, plot: Plot, trees: TreesByN): void {
    this.#built.add();
    if (plot.trees !== undefined && !isSame(plot.trees, trees)) {
      this.#mismatches.add();
      this.#env.log.error(
        { partition },
        'a hash tree was not that of the store, and was replaced; the next exchange tells what differs',
      );
    }
    plot.trees = trees;
    this.#queue.delete(partition);
    for (const { resolve } of plot.waiters.splice(0)) resolve();
  }

  #scheduleVerification(): void {
    this.#verifying?.cancel();
    const cycleMs = this.#env.verifyCycleMs ?? VERIFY_CYCLE_MS;
    const intervalMs = Math.max(SHORTEST_VERIFY_INTERVAL_MS, cycleMs / Math.max(1, this.#held.length));
    this.#verifying = repeat(this.#env.clock, intervalMs, () => {
      const partition = this.#held[this.#nextToVerify++ % Math.max(1, this.#held.length)];
      if (partition !== undefined) this.#enqueue(partition);
    });
  }

  #sizeBytes(): number {
    let sum = 0;
    for (const { trees } of this.#plots.values()) for (const { tree } of trees?.values() ?? []) sum += tree.sizeBytes;
    return sum;
  }
}

/** Partitions are equal, and a power of two: the history's `create` accepts no other rings. */
function arcBitsOf(partitionCount: number): number {
  return Math.log2(partitionCount);
}

function isSame(one: TreesByN, other: TreesByN): boolean {
  const nothing = new MerkleTree(0, 0).rootHash;
  const rootOf = (trees: TreesByN, n: number): string => trees.get(n)?.tree.rootHash ?? nothing;
  return [...one.keys(), ...other.keys()].every((n) => rootOf(one, n) === rootOf(other, n));
}

function closed(): ArmatureError {
  return new ArmatureError('closed', 'the node is stopping', { remedy: 'Ask another node.' });
}
