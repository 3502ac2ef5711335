/**
 * The hint store: what this node keeps for owners that could not be reached (paper, section 4.6).
 *
 * For each such owner it is a replica of its own, in a space of its own, so hints are merged, minted over and read exactly like records, and never
 * mix with what this node owns. Hints are bounded in bytes: beyond the bound a new one is refused as `overloaded`, which costs the write one
 * acknowledgement, never the write itself. They survive restarts; the bytes are counted when the node starts, and from then
 * on with every hint that comes and goes.
 */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId, type Random } from '@armature/kernel';
import type { BucketProperties, Durability } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Clock, Logger, Telemetry } from '@armature/runtime';
import { joinEncoded } from '@armature/versioning';
import type { RecordStore } from './record-store.js';
import { Replica, type HeldPage, type MintRequest, type MintResult } from './replica.js';
import { StandInActor } from './stand-in-actor.js';

export interface HintSpace {
  /** The records kept for one owner. */
  for(owner: NodeId): RecordStore;
  /** The owners for whom there is at least one record, in any order. */
  owners(): Promise<readonly NodeId[]>;
}

export interface HintStoreEnv {
  readonly node: NodeId;
  readonly space: HintSpace;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Bound of all hints together. */
  readonly limitBytes: number;
  /** Whether hints may be taken now: not by a node that is about to go, for nobody would look for them there. Default: always. */
  readonly isTaking?: () => boolean;
}

/** 1 GiB: a node that is down for an hour under 250 writes of 1 KB a second. */
export const DEFAULT_HINT_LIMIT_BYTES = 1024 ** 3;

const COUNT_PAGE = { limit: 1_000, limitBytes: 4 * 1024 * 1024 };

/** What is kept for one owner. */
interface Shelf {
  readonly replica: Replica;
  readonly actor: StandInActor;
}

export class HintStore {
  readonly #env: HintStoreEnv;
  /** By owner. Each mints under an actor of its own: counters are per key and replica, and two replicas of one actor would give out one dot twice. */
  readonly #shelves = new Map<NodeId, Shelf>();
  #sizeBytes = 0;
  /** Hints on their way into the store. */
  #arriving = 0;
  #warned = false;

  private constructor(env: HintStoreEnv) {
    this.#env = env;
    env.telemetry.observedGauge(
      'armature_hints_bytes',
      'Bytes kept for owners that could not be reached.',
      () => this.#sizeBytes,
    );
  }

  /** Counts what an earlier life has left. */
  static async open(env: HintStoreEnv): Promise<HintStore> {
    const store = new HintStore(env);
    for (const owner of await env.space.owners()) {
      for await (const page of store.pages(owner))
        for (const { address, set } of page.entries) store.#sizeBytes += costOf(address, set);
    }
    return store;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The owners for whom something is kept. */
  owners(): Promise<readonly NodeId[]> {
    return this.#env.space.owners();
  }

  /** Keeps a version set for `owner`. Errors: `overloaded` past the bound, and those of `Replica.merge`. */
  async merge(owner: NodeId, address: Address, set: Uint8Array, bucket: BucketProperties, durability: Durability): Promise<void> {
    this.#checkTaking();
    this.#makeRoom(address, set.length);
    await this.#accounted(owner, address, (replica) => replica.merge(address, set, bucket, durability));
  }

  /** Mints a put that no owner could take, and keeps it for `owner`. Errors: `overloaded` past the bound, and those of `Replica.mint`. */
  async mint(owner: NodeId, request: MintRequest): Promise<MintResult> {
    this.#checkTaking();
    this.#makeRoom(request.address, request.value.length);
    return this.#accounted(owner, request.address, (replica) => replica.mint(request));
  }

  /** What is kept of a key for any of these owners, joined; undefined for nothing. */
  async read(address: Address, owners: readonly NodeId[]): Promise<Uint8Array | undefined> {
    let all: Uint8Array | undefined;
    for (const owner of owners) {
      const kept = await this.#shelf(owner).replica.read(address);
      if (kept === undefined) continue;
      const joined = joinEncoded(all, kept);
      if (joined.ok) all = joined.value.bytes;
    }
    return all;
  }

  /** Those of the addresses under which anything is kept, for whomever. A hint that is damaged is kept too: nobody knows what it says. */
  async kept(addresses: readonly Address[]): Promise<ReadonlySet<Address>> {
    const kept = new Set<Address>();
    for (const owner of await this.owners()) {
      const { replica } = this.#shelf(owner);
      for (const address of addresses) if (await isHeld(replica, address)) kept.add(address);
    }
    return kept;
  }

  /** Whether nothing is kept for anybody, nor on its way here. It stays so only while no hints are taken. */
  async isEmpty(): Promise<boolean> {
    if (this.#arriving > 0) return false;
    const owners = await this.owners();
    return owners.length === 0 && this.#arriving === 0;
  }

  /** Writes have been undone: what was minted in them may be known elsewhere. */
  commitFailed(): void {
    for (const { actor } of this.#shelves.values()) actor.retire();
  }

  /** All hints for an owner, a page at a time, in ring order. */
  async *pages(owner: NodeId): AsyncGenerator<HeldPage> {
    let start: BinaryString | undefined = '' as BinaryString;
    while (start !== undefined) {
      const page: HeldPage = await this.#shelf(owner).replica.page({ start, ...COUNT_PAGE });
      yield page;
      start = page.next;
    }
  }

  /** Deletes a hint that has been delivered, unless more has been added to it meanwhile. Whether it was deleted. */
  async drop(owner: NodeId, address: Address, set: Uint8Array): Promise<boolean> {
    const { replica } = this.#shelf(owner);
    const dropped = await replica.drop(address, set);
    if (dropped) this.#sizeBytes = Math.max(0, this.#sizeBytes - costOf(address, set));
    return dropped;
  }

  /** Two writes of one key at once may be counted a little wrong; the next start counts anew. */
  async #accounted<T>(owner: NodeId, address: Address, write: (replica: Replica) => Promise<T>): Promise<T> {
    const { replica } = this.#shelf(owner);
    this.#arriving++;
    try {
      const before = await sizeOf(replica, address);
      const result = await write(replica);
      this.#sizeBytes += (await sizeOf(replica, address).catch(() => before)) - before; // what was written must not be lost over the count
      return result;
    } finally {
      this.#arriving--;
    }
  }

  #shelf(owner: NodeId): Shelf {
    let shelf = this.#shelves.get(owner);
    if (shelf === undefined) {
      const { node, space, clock, random, log, telemetry } = this.#env;
      const actor = new StandInActor(random);
      const parts = { node, store: space.for(owner), epoch: actor, clock, log: log.child({ hintsFor: owner }), telemetry };
      shelf = { replica: new Replica(parts), actor };
      this.#shelves.set(owner, shelf);
    }
    return shelf;
  }

  #checkTaking(): void {
    if (this.#env.isTaking?.() ?? true) return;
    throw new ArmatureError('unavailable', 'this node takes no hints: it is no member of the cluster, or about to be none', {
      remedy: 'Another node stands in.',
    });
  }

  #makeRoom(address: Address, moreBytes: number): void {
    const { limitBytes, log } = this.#env;
    if (this.#sizeBytes + address.length + moreBytes <= limitBytes) {
      this.#warned &&= this.#sizeBytes > limitBytes / 2;
      return;
    }
    if (!this.#warned)
      log.warn({ sizeBytes: this.#sizeBytes, limitBytes }, 'the hint store is full: owners that are down will need anti-entropy');
    this.#warned = true;
    throw new ArmatureError('overloaded', `the hint store is full (${this.#sizeBytes} of ${limitBytes} bytes)`, {
      remedy: 'Bring the nodes back that are down, or remove those that are gone for good.',
    });
  }
}

function costOf(address: Address, set: Uint8Array): number {
  return address.length + set.length;
}

/** What the hint of a key takes; nothing where it is damaged, since the next write replaces it. */
async function sizeOf(replica: Replica, address: Address): Promise<number> {
  try {
    const set = await replica.read(address);
    return set === undefined ? 0 : costOf(address, set);
  } catch (thrown) {
    if (toArmatureError(thrown).code === 'storage-corrupt') return 0;
    throw thrown;
  }
}

async function isHeld(replica: Replica, address: Address): Promise<boolean> {
  try {
    return (await replica.read(address)) !== undefined;
  } catch (thrown) {
    if (toArmatureError(thrown).code === 'storage-corrupt') return true;
    throw thrown;
  }
}
