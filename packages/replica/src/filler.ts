/**
 * Filling: a node that has become an owner of partitions copies them from their present owners, and then says that it is ready.
 *
 * Since the change that made it an owner is in its view, every coordinator that knows of the change sends it all writes too, and the present
 * owners refuse coordinators that do not (the ring fence). So what an owner holds when it answers a `pull` under the new ring, and what
 * arrives here from then on, is everything. Copying merges, so it may repeat, overlap with writes, and start again after a failure.
 *
 * A write was acknowledged by W owners; which ones is not known, so all of them are asked, and owners that are down are left out only while those that answer have every
 * such write among them: all but W - 1. (A single request may ask for less than its bucket's W, and then relies on repair.)
 */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import type { PendingCopy, View } from '@armature/membership';
import { unknownBucket, type PullReply, type PullRequest } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock, Counter, Logger, Telemetry, Timer } from '@armature/runtime';
import type { TakeSlice } from './admission-controller.js';
import type { Replica } from './replica.js';
import { SLICE_RECORDS, SliceBudget } from './slice-budget.js';

export interface FillerEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly ask: (node: NodeId, request: PullRequest, timeoutMs: number) => Promise<PullReply>;
  readonly replica: Pick<Replica, 'merge'>;
  readonly declareReady: (change: string, partitions: readonly PartitionId[]) => Promise<unknown>;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** Partitions declared ready in one record: few records in the history, and early progress on a long fill. */
const PARTITIONS_PER_RECORD = 256;
const PAGE_BYTES = 1024 * 1024;
const PULL_TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;

export class Filler {
  readonly #env: FillerEnv;
  readonly #copied: Counter;
  readonly #budget: SliceBudget;
  #running = false;
  #again = false;
  #stopped = false;
  #retry: Timer | undefined;

  constructor(env: FillerEnv) {
    this.#env = env;
    this.#budget = new SliceBudget(env.slice, 'fill');
    this.#copied = env.telemetry.counter(
      'armature_replica_filled_records_total',
      'Records copied from other owners into partitions this node has become an owner of.',
    );
  }

  /** Looks whether there is something to fill. Cheap when there is not; call it on every change of the view. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#retry?.cancel();
    if (this.#env.view().pendingFor(this.#env.node).length === 0) return;
    this.#running = true;
    this.#fill().then(
      () => this.#rest(0),
      (thrown: unknown) => {
        if (this.#stopped) return;
        this.#env.log.warn({ err: toArmatureError(thrown) }, 'filling was interrupted and starts again');
        this.#again = true;
        this.#rest(RETRY_MS);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  #rest(delayMs: number): void {
    this.#running = false;
    if (!this.#again) return;
    this.#again = false;
    if (this.#stopped) return;
    if (delayMs === 0) this.wake();
    else this.#retry = this.#env.clock.after(delayMs, () => this.wake());
  }

  /** Returns early, and declares nothing, once stopped: a copy that was cut short is no copy. */
  async #fill(): Promise<void> {
    const view = this.#env.view();
    const byChange = new Map<string, PartitionId[]>();
    const declare = async (change: string): Promise<void> => {
      const partitions = byChange.get(change) ?? [];
      byChange.delete(change);
      if (partitions.length > 0) await this.#env.declareReady(change, partitions);
    };
    for (const copy of view.pendingFor(this.#env.node)) {
      const { partition, change } = copy;
      await this.#fillPartition(view, copy);
      if (this.#stopped) return;
      const filled = byChange.get(change) ?? [];
      if (!filled.includes(partition)) filled.push(partition);
      byChange.set(change, filled);
      if (filled.length >= PARTITIONS_PER_RECORD) await declare(change);
    }
    for (const change of [...byChange.keys()]) await declare(change);
  }

  async #fillPartition(view: View, { partition, sources, groups }: PendingCopy): Promise<void> {
    const settled = await Promise.allSettled(sources.map((source) => this.#copyFrom(view, partition, source)));
    const copied = sources.filter((_, i) => settled[i]?.status === 'fulfilled');
    if (copied.length === sources.length) return;
    const failures = settled.flatMap((one, i) =>
      one.status === 'rejected' ? [`${sources[i]}: ${toArmatureError(one.reason).message}`] : [],
    );
    for (const { n, owners } of groups) {
      const needed = ownersToCopy(view, n, owners.length);
      const enough = owners.filter((owner) => copied.includes(owner)).length;
      if (enough >= needed) continue;
      throw new ArmatureError(
        'unavailable',
        `partition ${partition} could be copied from ${enough} of its ${owners.length} owners, ${needed} are needed (${failures.join('; ')})`,
        { remedy: 'It is tried again by itself. Bring the owners back, or remove those that are gone for good.' },
      );
    }
    this.#env.log.warn({ partition, failures }, 'a partition was copied without some of its owners');
  }

  async #copyFrom(view: View, partition: PartitionId, source: NodeId): Promise<void> {
    const { ring } = view;
    if (ring === undefined) return;
    const { start, end } = ring.rangeOf(partition);
    let cursor: BinaryString | undefined = start;
    while (cursor !== undefined && !this.#stopped) {
      await this.#budget.ready();
      const request: PullRequest = {
        kind: 'pull',
        ring: view.ringVersion,
        start: cursor,
        end,
        bucket: undefined,
        limit: SLICE_RECORDS,
        limitBytes: PAGE_BYTES,
      };
      const page: PullReply = await this.#env.ask(source, request, PULL_TIMEOUT_MS);
      await Promise.all(page.entries.map(({ address, set }) => this.#keep(address, set)));
      this.#copied.add(page.entries.length);
      this.#budget.spend(page.entries.length);
      if (page.next !== undefined && page.next <= cursor)
        throw new ArmatureError('internal', `${source} sends a page without an end`);
      cursor = page.next;
    }
  }

  /** On stable storage whatever the bucket's durability: `ready` is, and it says that this node holds what it copied. */
  async #keep(address: Address, set: Uint8Array): Promise<void> {
    const name = bucketOfAddress(address);
    const bucket = this.#env.view().buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    await this.#env.replica.merge(address, set, bucket, 'fsync');
  }
}

/** So many owners have every write among them that W of them acknowledged, W being the smallest of the buckets with this N. */
function ownersToCopy(view: View, n: number, owners: number): number {
  const w = Math.min(n, ...[...view.buckets.values()].filter((bucket) => bucket.n === n).map((bucket) => bucket.w));
  return Math.max(1, owners - w + 1);
}
