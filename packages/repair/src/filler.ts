/**
 * Filling: a node that has become an owner of partitions copies them from their present owners, and then says that it is ready
 * (paper, section 4.9).
 *
 * Since the change that made it an owner is in its view, every coordinator that knows of the change sends it all writes too, and
 * the present owners refuse coordinators that do not (the ring fence). So what an owner holds when it answers under that ring or
 * a later one, and what arrives here from then on, is everything. Copying merges, so it may repeat, overlap with writes, and
 * start again after a failure; what it costs to start again, and why it need not begin at the beginning, is told in
 * `share-copy.ts`.
 *
 * A write was acknowledged by W owners; which ones is not known, so all of them are asked, and owners that are down are left out
 * only while those that answer have every such write among them: N - W + 1, or all there are. (A single request may ask for less
 * than its bucket's W, and then relies on repair.)
 *
 * Before it says `ready`, it makes sure of three things: that what it compared is on stable storage; that it knows every bucket
 * its sources know, for `ready` holds for all of them; and that the owners which it copied are still enough of the owners there
 * are.
 */
import { ArmatureError, toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { PendingCopy, View } from '@armature/membership';
import { unknownBucket } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock, Logger } from '@armature/runtime';
import { SliceBudget, type Replica, type TakeSlice } from '@armature/replica';
import type { LocalShare } from './local-share.js';
import { PeerFailure, problemText, type AskPeer } from './peer-questions.js';
import { Rounds } from './rounds.js';
import { copyShare, type ShareCopyEnv } from './share-copy.js';
import { isOurs } from './stray-shares.js';
import type { TransferPace } from './token-bucket.js';
import type { TransferLedger } from './transfer-ledger.js';

export interface FillerEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly ask: AskPeer;
  readonly isSuspect: (node: NodeId) => boolean;
  /**
   * Whether the store is known to be this node's of now: what is left from an earlier life, or is about to be discarded, is
   * neither built on nor handed on.
   */
  readonly isOwnStore: () => boolean;
  /** Resolves when every record of membership that the peer knows is in the view. */
  readonly catchUp: (peer: NodeId) => Promise<unknown>;
  readonly local: Pick<LocalShare, 'digests'>;
  readonly replica: Pick<Replica, 'merge'>;
  /** Resolves when everything written before is on stable storage. */
  readonly sync: () => Promise<void>;
  /** Resolves when nothing is being dropped any more that an earlier view did not want here. */
  readonly dropsEnded: () => Promise<void>;
  readonly declareReady: (change: string, partitions: readonly PartitionId[]) => Promise<unknown>;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly pace: TransferPace;
  readonly ledger: TransferLedger;
  /** Partitions copied at a time. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Owners copied from, by N. */
type Copied = ReadonlyMap<number, ReadonlySet<NodeId>>;

interface Done {
  readonly copy: PendingCopy;
  readonly copied: Copied;
  readonly atMs: number;
}

/** Partitions declared ready in one record: few records in the history ... */
const PARTITIONS_PER_RECORD = 256;
/** ... and early progress on a long fill. */
const DECLARE_AFTER_MS = 5_000;
const RETRY_MS = 1_000;

export class Filler {
  readonly #env: FillerEnv;
  readonly #copying: ShareCopyEnv;
  /** Copied, and not yet declared. */
  #done: Done[] = [];
  readonly #rounds: Rounds;
  #filling = false;

  constructor(env: FillerEnv) {
    this.#env = env;
    this.#rounds = new Rounds({ clock: env.clock, round: () => this.#round(), retryMs: RETRY_MS });
    this.#copying = {
      ask: env.ask,
      clock: env.clock,
      isStopped: () => this.#rounds.isStopped,
      local: env.local,
      keep: (address, set) => this.#keep(address, set),
      ring: () => env.view().ringVersion,
      catchUp: env.catchUp,
      budget: new SliceBudget(env.slice, 'fill'),
      pace: env.pace,
    };
  }

  /**
   * Looks whether there is something to fill. Cheap when there is not; call it on every change of the view, and when the store
   * has turned out to be its own.
   */
  wake(): void {
    this.#rounds.wake();
  }

  stop(): void {
    this.#rounds.stop();
  }

  async #round(): Promise<boolean> {
    const { isOwnStore, view, node, ledger, log } = this.#env;
    if (!isOwnStore()) return true;
    if (view().pendingFor(node).length === 0) {
      this.#filling = false;
      ledger.problem('filling', '');
      return true;
    }
    if (!this.#filling) ledger.fillBegan();
    this.#filling = true;
    try {
      await this.#fill();
      return true;
    } catch (thrown) {
      if (this.#rounds.isStopped) return true;
      const error = toArmatureError(thrown);
      ledger.problem('filling', `${error.code}: ${error.message}`);
      log.warn({ err: error }, 'filling was interrupted and goes on in a second');
      return false;
    }
  }

  /**
   * A round over all pending partitions; one that cannot be copied keeps no other from it. Rejects with the first problem, when
   * all else is done.
   */
  async #fill(): Promise<void> {
    const queue = [...this.#env.view().pendingFor(this.#env.node)];
    const problems: unknown[] = [];
    this.#done = [];
    const work = async (): Promise<void> => {
      for (let copy = queue.shift(); copy !== undefined && !this.#rounds.isStopped; copy = queue.shift()) {
        await this.#fillOne(copy).catch((thrown: unknown) => problems.push(thrown));
      }
    };
    await Promise.all(Array.from({ length: this.#env.atOnce }, work));
    if (this.#rounds.isStopped) return; // a copy that was cut short is no copy
    await this.#declare();
    if (problems.length > 0) throw problems[0];
    this.#env.ledger.problem('filling', '');
  }

  async #fillOne(copy: PendingCopy): Promise<void> {
    const copied = await this.#copy(copy);
    if (this.#rounds.isStopped) return;
    const nowMs = this.#env.clock.monotonicMs();
    this.#done.push({ copy, copied, atMs: nowMs });
    const isDue = this.#done.length >= PARTITIONS_PER_RECORD || nowMs - (this.#done[0]?.atMs ?? nowMs) >= DECLARE_AFTER_MS;
    if (isDue) await this.#declare();
  }

  async #copy({ partition, groups }: PendingCopy): Promise<Copied> {
    await this.#env.dropsEnded();
    const copied = new Map<number, Set<NodeId>>();
    const failures: string[] = [];
    for (const { n, owners } of groups) {
      const from = new Set<NodeId>();
      copied.set(n, from);
      for (const source of rotated(owners, partition)) {
        if (this.#rounds.isStopped) return copied;
        const failure = await this.#copyFrom(partition, n, source);
        if (failure === undefined) from.add(source);
        else failures.push(failure);
      }
    }
    if (this.#rounds.isStopped) return copied;
    const problem = shortfall(this.#env.view(), partition, groups, copied, failures);
    if (problem !== undefined) throw problem;
    if (failures.length > 0) this.#env.log.warn({ partition, failures }, 'a partition was copied without some of its owners');
    return copied;
  }

  /** Resolves with what kept the source from doing its part. Rejects with our own trouble. */
  async #copyFrom(partition: PartitionId, n: number, source: NodeId): Promise<string | undefined> {
    const { ring } = this.#env.view();
    if (ring === undefined) return 'there is no ring';
    if (this.#env.isSuspect(source)) return `${source} seems to be down`;
    const notes = this.#env.ledger.copyBegan(partition, source);
    try {
      await copyShare(this.#copying, { partition, n, range: ring.rangeOf(partition), source }, notes);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof PeerFailure) return problemText(thrown);
      throw thrown;
    } finally {
      notes.ended();
    }
  }

  /** Says `ready` for what is copied and still counts as copied; the rest is looked at again in the next round. */
  async #declare(): Promise<void> {
    const done = this.#done.splice(0);
    if (done.length === 0) return;
    const { node, view, sync, catchUp, declareReady, ledger } = this.#env;
    await sync();
    // A source that cannot say which buckets it knows may hold some that were not copied: it is as if it had not been one.
    const silent = new Set<NodeId>();
    for (const source of new Set(done.flatMap(({ copied }) => [...copied.values()].flatMap((from) => [...from])))) {
      await catchUp(source).catch(() => silent.add(source));
    }
    const pending = new Map(
      view()
        .pendingFor(node)
        .map((copy) => [copy.partition, copy]),
    );
    const byChange = new Map<string, PartitionId[]>();
    for (const { copy, copied } of done) {
      const { partition, change } = copy;
      const now = pending.get(partition);
      if (now === undefined) continue;
      if (now.change === change && shortfall(view(), partition, now.groups, without(copied, silent), []) === undefined) {
        byChange.set(change, [...(byChange.get(change) ?? []), partition]);
      } else this.#rounds.wake();
    }
    if (this.#rounds.isStopped) return;
    for (const [change, partitions] of byChange) {
      await declareReady(change, partitions);
      ledger.filled(partitions.length);
    }
  }

  /**
   * On stable storage whatever the bucket's durability: `ready` is, and it says that this node holds what it copied. What has
   * ceased to be this node's while it was on its way is left: it has been looked for what is to be given up, and nobody would
   * look again before the next change.
   */
  async #keep(address: Address, set: Uint8Array): Promise<void> {
    const { node, view, replica } = this.#env;
    const name = bucketOfAddress(address);
    const bucket = view().buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    try {
      await replica.merge(address, set, bucket, 'fsync', () => isOurs(view(), node, address, bucket.n));
    } catch (thrown) {
      if (toArmatureError(thrown).code !== 'stale-ring') throw thrown;
    }
  }
}

function without(copied: Copied, nodes: ReadonlySet<NodeId>): Copied {
  return new Map([...copied].map(([n, from]) => [n, new Set([...from].filter((node) => !nodes.has(node)))]));
}

/** Why these copies are not enough to vouch for the partition; undefined: they are. */
function shortfall(
  view: View,
  partition: PartitionId,
  groups: PendingCopy['groups'],
  copied: Copied,
  failures: readonly string[],
): ArmatureError | undefined {
  for (const { n, owners } of groups) {
    const needed = Math.min(owners.length, ownersToCopy(view, n));
    const enough = owners.filter((owner) => copied.get(n)?.has(owner) === true).length;
    if (enough >= needed) continue;
    return new ArmatureError(
      'unavailable',
      `partition ${partition} could be copied from ${enough} of its ${owners.length} owners, ${needed} are needed (${failures.join('; ')})`,
      { remedy: 'It is tried again by itself. Bring the owners back, or remove those that are gone for good.' },
    );
  }
  return undefined;
}

/**
 * So many owners have every write among them that W of N acknowledged, W being the smallest that a bucket with this N has ever
 * had: to raise it does not put more copies of what is there already. It is so where owners are missing, too: who was removed, or
 * has lost its store, may have been among the W, and of those who are left fewer have the write.
 */
function ownersToCopy(view: View, n: number): number {
  const w = Math.min(n, view.leastW.get(n) ?? 1);
  return n - w + 1;
}

/** Another one first for every partition, so that the data comes from all of them and not N times from one. */
function rotated(owners: readonly NodeId[], partition: PartitionId): readonly NodeId[] {
  const first = partition % Math.max(1, owners.length);
  return [...owners.slice(first), ...owners.slice(0, first)];
}
