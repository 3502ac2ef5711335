/**
 * The hint store: what this node keeps for owners that could not be reached (paper, section 4.6).
 *
 * For each such owner it is a replica of its own, in a space of its own, so hints are merged, minted over and read exactly like
 * records, and never mix with what this node owns. Hints are bounded in bytes: beyond the bound a new one is refused as
 * `overloaded`, which costs the write one acknowledgement, never the write itself. They survive restarts; the bytes are counted
 * when the node starts, and from then on with every change that a shelf tells of. A change that was undone, by a commit that
 * failed or by damage, is not told in bytes: then all is counted anew.
 */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId, type Random } from '@armature/kernel';
import type { BucketProperties, Durability } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { sleep, type Clock, type Logger, type Telemetry } from '@armature/runtime';
import { joinEncoded } from '@armature/versioning';
import { HintAges } from './hint-age.js';
import type { RecordStore } from './record-store.js';
import type { MintRequest, MintResult } from './mint-request.js';
import { Replica } from './replica.js';
import type { ClockCheck, StoredPage } from './replica-env.js';
import type { WriteObserver } from './write-observer.js';
import { retain, type Retention } from './retention.js';
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
  /** See `ReplicaEnv`. */
  readonly messageBytes?: number;
  /** Whether hints may be taken now: not by a node that is about to go, for nobody would look for them there. Default: always. */
  readonly isTaking?: () => boolean;
  /** See `ReplicaEnv`. */
  readonly clocks?: ClockCheck;
}

/** 1 GiB: a node that is down for an hour under 250 writes of 1 KB a second. */
export const DEFAULT_HINT_LIMIT_BYTES = 1024 ** 3;

/** After a doubt, and between counts that were disturbed: they read all hints. */
const RECOUNT_MS = 10_000;
const COUNT_PAGE = { limit: 1_000, limitBytes: 4 * 1024 * 1024 };

/** What is kept for one owner. */
interface Shelf {
  readonly replica: Replica;
  readonly actor: StandInActor;
}

export class HintStore {
  readonly #env: HintStoreEnv;
  /**
   * By owner. Each mints under an actor of its own: counters are per key and replica, and two replicas of one actor would give
   * out one dot twice.
   */
  readonly #shelves = new Map<NodeId, Shelf>();
  /** How old the hints are that are kept. */
  readonly ages = new HintAges();
  #sizeBytes = 0;
  /** Hints on their way into the store. */
  #arriving = 0;
  #warned = false;
  /** Of what is kept, so that a count can tell whether it was disturbed. */
  #changes = 0;
  #isRecounting = false;

  private constructor(env: HintStoreEnv) {
    this.#env = env;
    env.telemetry.observedGauge(
      'armature_hints_bytes',
      'Bytes kept for owners that could not be reached.',
      () => this.#sizeBytes,
    );
    env.telemetry.observedGauge('armature_hints_oldest_seconds', 'Age of the oldest hint; 0 without any.', () => {
      const oldestMs = this.ages.oldestMs();
      return oldestMs === undefined ? 0 : Math.max(0, env.clock.nowMs() - oldestMs) / 1_000;
    });
  }

  /** Counts what an earlier life has left, and sees how old it is. */
  static async open(env: HintStoreEnv): Promise<HintStore> {
    const store = new HintStore(env);
    store.#sizeBytes = await store.#count();
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
    this.ages.kept(owner, this.ages.bornMs(owner, set, this.#env.clock.nowMs()));
    await this.#arrival(owner, (replica) => replica.merge(address, set, bucket, durability));
  }

  /**
   * Mints a put that no owner could take, and keeps it for `owner`. Errors: `overloaded` past the bound, and those of
   * `Replica.mint`.
   */
  async mint(owner: NodeId, request: MintRequest): Promise<MintResult> {
    this.#checkTaking();
    this.#makeRoom(request.address, request.value.length);
    this.ages.kept(owner, this.#env.clock.nowMs());
    return this.#arrival(owner, (replica) => replica.mint(request));
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

  /**
   * Those of the addresses under which anything is kept, for whomever. A hint that is damaged counts as kept, until it is
   * dropped: nobody knows what it says.
   */
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
  async *pages(owner: NodeId): AsyncGenerator<StoredPage> {
    let start: BinaryString | undefined = '' as BinaryString;
    while (start !== undefined) {
      const page: StoredPage = await this.#shelf(owner).replica.page({ start, ...COUNT_PAGE });
      yield page;
      start = page.next;
    }
  }

  /** Deletes a hint that has been delivered, unless more has been added to it meanwhile. Whether it was deleted. */
  async drop(owner: NodeId, address: Address, set: Uint8Array): Promise<boolean> {
    const { replica } = this.#shelf(owner);
    return replica.drop(address, set);
  }

  /** Drops hints that are damaged: what they said nobody knows any more. How many were dropped. */
  async dropDamaged(owner: NodeId, addresses: readonly Address[]): Promise<number> {
    const { replica } = this.#shelf(owner);
    let dropped = 0;
    for (const address of addresses) if (await replica.dropDamaged(address)) dropped++;
    return dropped;
  }

  /** Drops of a hint what was not minted in this life, for this owner or by one of the actors that are trusted besides. */
  async retain(owner: NodeId, address: Address, set: Uint8Array, isTrusted: (actor: string) => boolean): Promise<Retention> {
    const { replica, actor: standIn } = this.#shelf(owner);
    return retain(replica, address, set, (actor) => standIn.isOfThisLife(actor) || isTrusted(actor));
  }

  async #arrival<T>(owner: NodeId, write: (replica: Replica) => Promise<T>): Promise<T> {
    this.#arriving++;
    try {
      return await write(this.#shelf(owner).replica);
    } finally {
      this.#arriving--;
    }
  }

  /** Told in the turn of each change, so that two writes of one key at once are counted as what they leave. */
  get #observer(): WriteObserver {
    const changed = (address: Address, before: Uint8Array | undefined, after: Uint8Array | undefined): void => {
      this.#changes++;
      this.#sizeBytes += costOf(address, after) - costOf(address, before);
    };
    return {
      wrote: changed,
      dropped: (address, before) => changed(address, before, undefined),
      doubted: () => {
        this.#changes++;
        if (!this.#isRecounting) void this.#recount();
      },
    };
  }

  async #count(): Promise<number> {
    let sizeBytes = 0;
    for (const owner of await this.owners()) {
      for await (const page of this.pages(owner)) {
        for (const { address, set } of page.entries) {
          sizeBytes += costOf(address, set);
          this.ages.kept(owner, this.ages.bornMs(owner, set, this.#env.clock.nowMs()));
        }
      }
    }
    return sizeBytes;
  }

  /**
   * Until a count was not disturbed. One that fails is given up: a store that fails has more doubts to come, and one that was
   * closed none.
   */
  async #recount(): Promise<void> {
    const { clock, log } = this.#env;
    this.#isRecounting = true;
    try {
      for (;;) {
        await sleep(clock, RECOUNT_MS);
        const changes = this.#changes;
        const sizeBytes = await this.#count();
        if (changes !== this.#changes) continue;
        this.#sizeBytes = sizeBytes;
        return;
      }
    } catch (thrown) {
      log.debug({ err: toArmatureError(thrown) }, 'the hints could not be counted');
    } finally {
      this.#isRecounting = false;
    }
  }

  #shelf(owner: NodeId): Shelf {
    let shelf = this.#shelves.get(owner);
    if (shelf === undefined) {
      const { node, space, clock, random, log, telemetry, messageBytes, clocks } = this.#env;
      const actor = new StandInActor(random);
      const parts = {
        node,
        store: space.for(owner),
        epoch: actor,
        clock,
        log: log.child({ hintsFor: owner }),
        telemetry,
        ...(messageBytes === undefined ? {} : { messageBytes }),
        ...(clocks === undefined ? {} : { clocks }),
      };
      shelf = { replica: new Replica(parts), actor };
      shelf.replica.observe(this.#observer);
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

function costOf(address: Address, set: Uint8Array | undefined): number {
  return set === undefined ? 0 : address.length + set.length;
}

async function isHeld(replica: Replica, address: Address): Promise<boolean> {
  try {
    return (await replica.read(address)) !== undefined;
  } catch (thrown) {
    if (toArmatureError(thrown).code === 'storage-corrupt') return true;
    throw thrown;
  }
}
