/**
 * Whether there are as many copies as an acknowledged write was promised, at every moment: not in the end, when replica
 * synchronisation has made good whatever was missing, but when the next disk may fail.
 *
 * The claim. From its acknowledgement on, a write is on at least W disks of members of the cluster, as record, hint or stray:
 * itself, or what superseded it. On a disk it is where the clock of the key covers its dot; whoever has seen an event has seen
 * what it superseded, so that is the write or a successor. Hence W - 1 disks may be lost at any time, and nothing is. It is
 * looked at
 *
 *   when the client is told
 *   when a disk comes to say less of a key than it did: something was dropped, overwritten, damaged, lost with the power
 *   when a node ceases to be a member: an administrator who reads that it has left may throw it away
 *
 * What does not count, or is not claimed:
 *
 *   - Each node that has suffered since the write began what the bucket's durability does not survive (`custody.ts`) is one copy
 *     less.
 *   - A write that some reaped tombstone covers is nowhere any more. Reaped, or given up by a former owner, is a record that was
 *     dropped and showed tombstones only.
 *   - So is one that was superseded, once a node has pruned the clock of its key (`versioning/prune.ts`).
 *   - Buckets whose replicas answer from memory promise copies in memory.
 *   - A write that never came to a disk by itself, since the next one of the key was committed with it, has no dot that could be
 *     known.
 *
 * Of the writes of one actor the latest speaks for those before it: its holders have them too, and fewer misfortunes have
 * befallen it.
 */
import type { BinaryString, NodeId } from '@armature/kernel';
import { parseSpaceKey } from '@armature/storage';
import {
  EMPTY_VECTOR,
  compareDots,
  counterOf,
  covers,
  descends,
  isSuperseded,
  mergeVersionVectors,
  versionVector,
  type Dot,
  type VersionSet,
  type VersionVector,
} from '@armature/versioning';
import type { DiskImage, Mishap } from '../world/disk.js';
import type { LoadedBucket } from '../workload/workload.js';
import { hasSuffered } from './custody.js';
import { heldUnder, nameUnder } from './replica-contents.js';

export interface AcknowledgedWrite {
  readonly bucket: LoadedBucket;
  readonly key: string;
  /** The operation id that it carried. */
  readonly operation: string;
  /** Virtual ms. */
  readonly beganMs: number;
}

export interface CopiesEnv {
  readonly nowMs: () => number;
  /** All that has befallen each disk so far. */
  readonly mishaps: () => ReadonlyMap<NodeId, readonly Mishap[]>;
  /** Who is a member now. */
  readonly members: () => ReadonlySet<NodeId>;
}

/** What lies under one stored key of a disk. */
interface Lying {
  readonly clock: VersionVector;
  readonly dots: readonly Dot[];
  readonly isDeleted: boolean;
}

interface Demand extends AcknowledgedWrite {
  readonly endedMs: number;
}

/** All that is known of one key of one bucket. */
class KeyCopies {
  /** Of each disk, by stored key: the record, and hints for several owners. */
  readonly held = new Map<NodeId, Map<BinaryString, Lying>>();
  /** Of each operation, all dots that it was ever seen under. */
  readonly dots = new Map<string, Dot[]>();
  /** What dropped tombstones cover, and the entries that clocks were pruned of. */
  reaped: VersionVector = EMPTY_VECTOR;
  demands: Demand[] = [];
}

export class Copies {
  readonly violations: string[] = [];
  readonly #env: CopiesEnv;
  readonly #keys = new Map<string, KeyCopies>();
  readonly #names = new Map<BinaryString, string | undefined>();
  #members: ReadonlySet<NodeId> = new Set();

  constructor(env: CopiesEnv) {
    this.#env = env;
  }

  /** The client has been told. */
  acknowledged(write: AcknowledgedWrite): void {
    const { durability } = write.bucket.properties;
    const key = this.#keys.get(`${write.bucket.name}/${write.key}`);
    const dots = key?.dots.get(write.operation);
    if (key === undefined || dots === undefined || (durability !== 'fsync' && durability !== 'os')) return;
    this.look();
    const demand = { ...write, endedMs: this.#env.nowMs() };
    if (!this.#isMet(key, demand, 'when the client was told')) return;
    key.demands = key.demands.filter((earlier) => !isImpliedBy(earlier, demand, key));
    key.demands.push(demand);
  }

  /** What lies on a disk under these stored keys now. */
  changed(node: NodeId, stored: Iterable<readonly [BinaryString, Uint8Array | undefined]>): void {
    this.#take(node, stored, true);
  }

  /** `byItself`: what is not there any more the node has dropped. */
  #take(node: NodeId, stored: Iterable<readonly [BinaryString, Uint8Array | undefined]>, byItself: boolean): void {
    this.look();
    const less = new Map<KeyCopies, string>(); // and why
    for (const [at, value] of stored) {
      const name = this.#nameUnder(at);
      if (name === undefined) continue;
      const key = this.#key(name);
      const before = key.held.get(node)?.get(at);
      const after = value === undefined ? undefined : this.#lie(key, node, at, value);
      if (after === undefined) key.held.get(node)?.delete(at);
      if (before === undefined || (after !== undefined && descends(after.clock, before.clock))) continue;
      const isDropped = byItself && value === undefined;
      if (isDropped && before.isDeleted && hintOwner(at) === undefined)
        key.reaped = mergeVersionVectors(key.reaped, before.clock);
      if (byItself && after !== undefined && hintOwner(at) === undefined)
        key.reaped = mergeVersionVectors(key.reaped, prunedEntries(before, after));
      const why = `${node} ${isDropped ? 'dropped' : after === undefined ? 'lost' : 'overwrote'} its ${described(at)}`;
      less.set(key, why);
    }
    for (const [key, why] of less) this.#judge(key, why);
  }

  /** All that lies on a disk now: the power has gone, or it is another disk. */
  replaced(node: NodeId, image: DiskImage): void {
    const gone = new Map<BinaryString, undefined>();
    for (const key of this.#keys.values()) {
      for (const at of key.held.get(node)?.keys() ?? []) if (!image.has(at)) gone.set(at, undefined);
    }
    this.#take(node, [...gone, ...image], false);
  }

  /** Who is a member may have changed. */
  look(): void {
    const members = this.#env.members();
    const gone = [...this.#members].filter((node) => !members.has(node));
    this.#members = members;
    if (gone.length === 0) return;
    for (const key of this.#keys.values()) this.#judge(key, `${gone.join(', ')} ceased to be a member`);
  }

  #key(name: string): KeyCopies {
    let key = this.#keys.get(name);
    if (key === undefined) this.#keys.set(name, (key = new KeyCopies()));
    return key;
  }

  #nameUnder(stored: BinaryString): string | undefined {
    if (!this.#names.has(stored)) this.#names.set(stored, nameUnder(stored));
    return this.#names.get(stored);
  }

  /** Undefined where it is damaged. */
  #lie(key: KeyCopies, node: NodeId, at: BinaryString, value: Uint8Array): Lying | undefined {
    const set = heldUnder(at, value)?.set;
    if (set === undefined) return undefined;
    for (const { dot, version } of set.siblings) {
      const dots = key.dots.get(version.operation);
      if (dots === undefined) key.dots.set(version.operation, [dot]);
      else if (!dots.some((known) => compareDots(known, dot) === 0)) dots.push(dot);
    }
    const dots = set.siblings.map(({ dot }) => dot);
    const lying = { clock: set.clock, dots, isDeleted: showsTombstonesOnly(set) };
    const held = key.held.get(node);
    if (held === undefined) key.held.set(node, new Map([[at, lying]]));
    else held.set(at, lying);
    return lying;
  }

  #judge(key: KeyCopies, why: string): void {
    key.demands = key.demands.filter((demand) => this.#isMet(key, demand, why));
  }

  /** False for what needs no looking at any more: there are too few copies, which is said, or there may be none. */
  #isMet(key: KeyCopies, demand: Demand, why: string): boolean {
    const { bucket, key: of, operation, beganMs, endedMs } = demand;
    const dots = key.dots.get(operation) ?? [];
    if (dots.some((dot) => covers(key.reaped, dot))) return false;
    const { w, durability } = bucket.properties;
    const copies = [...key.held].flatMap(([node, held]) =>
      this.#members.has(node)
        ? [...held].flatMap(([at, { clock }]) => (dots.some((dot) => covers(clock, dot)) ? [{ node, at }] : []))
        : [],
    );
    const disks = new Set(copies.map(({ node }) => node)).size;
    if (disks >= w) return true;
    const name = `${bucket.name}/${of}`;
    const lost = [...this.#env.mishaps().values()].filter((mishaps) => hasSuffered(mishaps, name, durability, beganMs)).length;
    const wanted = w - lost;
    if (disks >= wanted) return true;
    const at = `${seconds(this.#env.nowMs())}, ${why}`;
    const where = copies.map((copy) => `${copy.node} (${described(copy.at)})`).join(', ');
    this.violations.push(
      `too few copies: ${operation} in ${name}, acknowledged at ${seconds(endedMs)}: at ${at}, and it is on ${where || 'no disk'}; ${wanted} wanted`,
    );
    return false;
  }
}

/**
 * The entries that a clock has lost though no version of theirs was there: a node drops them when nobody can bring one any more.
 */
function prunedEntries(before: Lying, after: Lying): VersionVector {
  const gone = before.clock.filter(({ actor }) => counterOf(after.clock, actor) === 0);
  return versionVector(gone.filter((entry) => !before.dots.some(({ actor }) => actor === entry.actor)));
}

/** As a reader sees it; not by `isDeleted`, which is what nodes go by. */
function showsTombstonesOnly({ siblings, superseded }: VersionSet): boolean {
  return siblings.every(({ version }) => version.tombstone || isSuperseded(superseded, version.operation));
}

/** Whether wherever the later one is, the earlier one is. One that was minted twice may be in more places. */
function isImpliedBy(earlier: Demand, later: Demand, { dots }: KeyCopies): boolean {
  const [last, ...more] = dots.get(later.operation) ?? [];
  if (last === undefined || more.length > 0 || later.beganMs < earlier.beganMs) return false;
  return (dots.get(earlier.operation) ?? []).some(({ actor, counter }) => actor === last.actor && counter <= last.counter);
}

function described(stored: BinaryString): string {
  const owner = hintOwner(stored);
  return owner === undefined ? 'record' : `hint for ${owner}`;
}

function hintOwner(stored: BinaryString): string | undefined {
  const parsed = parseSpaceKey(stored);
  return parsed?.space === 'hints' ? parsed.key.slice(0, parsed.key.indexOf('/')) : undefined;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
