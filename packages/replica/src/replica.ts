/**
 * A replica: the node's share of each key (paper, sections 4.4 and 4.5).
 *
 * Three things can happen to a key here. It is *read*. A version set from elsewhere is *merged* into what is held; merging is the
 * only way anything from outside gets in, be it a replicated put, a repair, a hint or a transfer, so that order,
 * duplication and lateness cannot lose data. Or a put is *minted*: this node makes the dot, from its own latest state and under its own
 * actor, one put per key at a time, and only then does the result leave the node.
 *
 * A mint hands out the new set before it is on disk, so that fan-out and fsync overlap: the put takes one commit, not two in a row. Should the
 * commit then fail, peers may know a dot that this store has forgotten. That is what actor epochs are for: a failed commit retires the actor, and
 * the forgotten dot stays the only one of its name.
 */
import { ArmatureError, HLC_ZERO, toArmatureError, type BinaryString, type Hlc, type NodeId } from '@armature/kernel';
import type { BucketProperties, Durability, Meta } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock, Counter, Logger, Telemetry } from '@armature/runtime';
import type { RangePage, RangeQuery, StorageOperation } from '@armature/storage';
import {
  checkSiblingCap,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  isAmnesiac,
  joinEncoded,
  mint,
  nextTimestamp,
  receiveTimestamps,
  resolve,
  tombstoneVersion,
  valueVersion,
  withDot,
  type ActorId,
  type CausalContext,
  type Dot,
  type OperationId,
  type VersionSet,
  type VersionVector,
} from '@armature/versioning';
import type { ActorEpoch } from './actor-epoch.js';
import { KeyLocks } from './key-locks.js';
import { openRecord, sealRecord } from './record.js';

/** The part of a store that a replica uses; keys are addresses. A plain value where nothing has to be waited for. */
export interface RecordStore {
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  write(operations: readonly StorageOperation[], durability: Durability): Promise<void>;
  range(query: RangeQuery): Promise<RangePage>;
}

export interface ReplicaEnv {
  readonly node: NodeId;
  readonly store: RecordStore;
  readonly epoch: ActorEpoch;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** A put as the minting replica sees it: checked, its context opened. */
export interface MintRequest {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly context: CausalContext;
  readonly operation: OperationId;
  readonly tombstone: boolean;
  readonly value: Uint8Array;
  readonly meta: Meta;
}

export interface MintResult {
  /** The key's new state, to be merged by the other replicas. */
  readonly set: VersionSet;
  /** The event of this put. */
  readonly dot: Dot;
  readonly encoded: Uint8Array;
  /** Resolves when the local copy is as durable as the bucket asks; rejects with a storage error. Always handled by the caller. */
  readonly committed: Promise<void>;
}

export interface HeldPage {
  readonly entries: readonly { readonly address: Address; readonly set: Uint8Array }[];
  readonly next: BinaryString | undefined;
}

export class Replica {
  readonly #env: ReplicaEnv;
  readonly #locks = new KeyLocks();
  readonly #merges: Counter;
  readonly #unchangedMerges: Counter;
  readonly #mints: Counter;
  readonly #damaged: Counter;
  #clock: Hlc = HLC_ZERO;

  constructor(env: ReplicaEnv) {
    this.#env = env;
    const { telemetry } = env;
    this.#merges = telemetry.counter('armature_replica_merges_total', 'Version sets merged.', { changed: 'yes' });
    this.#unchangedMerges = telemetry.counter('armature_replica_merges_total', 'Version sets merged.', { changed: 'no' });
    this.#mints = telemetry.counter('armature_replica_mints_total', 'Versions minted.');
    this.#damaged = telemetry.counter(
      'armature_replica_damaged_records_total',
      'Records that failed their checksum or could not be read.',
    );
  }

  /** The encoded version set held, or undefined. Error `storage-corrupt` where the record is damaged. */
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const stored = this.#env.store.read(address);
    return stored instanceof Promise ? stored.then((record) => this.#open(record)) : this.#open(stored);
  }

  /**
   * Joins `incoming` into what is held. Resolves when the result is as durable as asked. Errors: `invalid-argument` for bytes that are not a
   * version set, or, under last-write-wins, from too far in the future; storage errors.
   */
  async merge(address: Address, incoming: Uint8Array, bucket: BucketProperties, durability: Durability): Promise<void> {
    // The lock covers reading and handing over to the store, which from then on answers with the new state; it does not cover the commit.
    const accepted = this.#locks.run(address, () =>
      this.#withHeld(address, (held) => this.#mergeInto(held, address, incoming, bucket, durability)),
    );
    await (accepted instanceof Promise ? await accepted : accepted).committed;
  }

  /**
   * Makes the version of a put and stores it. Resolves as soon as the dot exists; see `MintResult.committed` for when it is stored. Errors:
   * `too-large` (sibling cap), `invalid-argument` (timestamps too far ahead), and the storage error that keeps a fresh actor from
   * being saved.
   */
  async mint(request: MintRequest): Promise<MintResult> {
    if (this.#env.epoch.current === undefined) await this.#env.epoch.renewed();
    return this.#locks.run(request.address, () => this.#withHeld(request.address, (held) => this.#mintOver(held, request)));
  }

  /** A page of what is held in an arc of the ring. Damaged records are left out (and counted): a peer has them whole. */
  async page(query: RangeQuery): Promise<HeldPage> {
    const page = await this.#env.store.range(query);
    const entries = [];
    for (const { key, value } of page.entries) {
      const set = openRecord(value);
      if (set === undefined) this.#noteDamage(key as string as Address);
      else entries.push({ address: key as string as Address, set });
    }
    return { entries, next: page.next };
  }

  /** Forgets nothing: a record that cannot be read retires the actor, whose events in it are now unknown here. */
  #withHeld<T>(address: Address, work: (held: Uint8Array | undefined) => T): T | Promise<T> {
    const usable = (record: Uint8Array | undefined): Uint8Array | undefined => {
      const set = record === undefined ? undefined : openRecord(record);
      if (record !== undefined && set === undefined) this.#noteDamage(address);
      return set;
    };
    const stored = this.#env.store.read(address);
    if (!(stored instanceof Promise)) return work(usable(stored));
    return stored
      .then(usable, (thrown: unknown) => {
        const error = toArmatureError(thrown);
        if (error.code !== 'storage-corrupt') throw error;
        this.#noteDamage(address);
        return undefined;
      })
      .then(work);
  }

  #mergeInto(
    held: Uint8Array | undefined,
    address: Address,
    incoming: Uint8Array,
    bucket: BucketProperties,
    durability: Durability,
  ): { committed: Promise<void> } {
    let joined = joinEncoded(held, incoming, bucket.resolver);
    if (!joined.ok && joined.error.side === 'local') {
      this.#noteDamage(address);
      joined = joinEncoded(undefined, incoming, bucket.resolver);
    }
    if (!joined.ok) throw malformedSet(joined.error.error);
    const { bytes, changed, incoming: set, localClock } = joined.value;
    this.#checkIncoming(set, localClock, bucket);
    (changed ? this.#merges : this.#unchangedMerges).add();
    // An unchanged set is written again all the same: what is held may still be on its way to the disk, and the sender is promised a durability.
    return { committed: this.#write(address, bytes, durability) };
  }

  /** What a set from elsewhere may tell about this node: that its store has forgotten writes, or that some clock is far off. */
  #checkIncoming(incoming: VersionSet, localClock: VersionVector, bucket: BucketProperties): void {
    const actor = this.#env.epoch.current;
    if (actor !== undefined && isAmnesiac({ clock: localClock }, actor, incoming.clock)) {
      this.#env.epoch.retire('a peer knows more of our writes than we do: this store has lost some');
    }
    if (bucket.resolver !== 'last-write-wins') return;
    const advanced = receiveTimestamps(this.#clock, incoming, this.#env.clock.nowMs());
    if (!advanced.ok) throw advanced.error;
    this.#clock = advanced.value;
  }

  #mintOver(held: Uint8Array | undefined, request: MintRequest): MintResult {
    const local = this.#decodeHeld(held, request.address);
    const { bucket, context, operation, value, meta } = request;
    const actor = this.#actorFor(local, context);
    const at = nextTimestamp(this.#clock, local, context, this.#env.clock.nowMs());
    if (!at.ok) throw at.error;
    const version = request.tombstone
      ? tombstoneVersion({ at: at.value, operation })
      : valueVersion({ value, at: at.value, operation, meta });
    const minted = mint(local, actor, context.clock, version, { own: context.own });
    const capped = checkSiblingCap(resolve(bucket.resolver, minted.set), bucket.maxSiblings);
    if (!capped.ok) throw capped.error;
    this.#clock = at.value;
    this.#mints.add();
    const encoded = encodeVersionSet(capped.value);
    const committed = this.#write(request.address, encoded, bucket.durability);
    return { set: capped.value, dot: minted.dot, encoded, committed };
  }

  /** The actor, unless the context shows that this store has forgotten some of its events: then the caller must wait for a fresh one. */
  #actorFor(local: VersionSet, context: CausalContext): ActorId {
    const actor = this.#env.epoch.current;
    const seen = context.own === undefined ? context.clock : withDot(context.clock, context.own);
    if (actor !== undefined && !isAmnesiac(local, actor, seen)) return actor;
    this.#env.epoch.retire('a client has read more of our writes than we hold: this store has lost some');
    throw new ArmatureError('unavailable', 'this node is taking a fresh actor', {
      remedy: 'Repeat the write; another replica can take it at once.',
    });
  }

  #decodeHeld(held: Uint8Array | undefined, address: Address): VersionSet {
    if (held === undefined) return emptyVersionSet;
    const decoded = decodeVersionSet(held);
    if (decoded.ok) return decoded.value;
    this.#noteDamage(address);
    return emptyVersionSet;
  }

  #write(address: Address, set: Uint8Array, durability: Durability): Promise<void> {
    return this.#env.store.write([{ kind: 'put', key: address, value: sealRecord(set) }], durability);
  }

  #noteDamage(address: Address): void {
    this.#damaged.add();
    this.#env.log.error({ bucket: bucketOfAddress(address) }, 'a stored record is damaged; its replicas elsewhere are needed');
    this.#env.epoch.retire('a stored record is damaged, and with it the count of our own writes to its key');
  }

  #open(record: Uint8Array | undefined): Uint8Array | undefined {
    if (record === undefined) return undefined;
    const set = openRecord(record);
    if (set !== undefined) return set;
    throw new ArmatureError('storage-corrupt', 'the record of a key failed its checksum', {
      remedy: 'The other replicas still serve the key and a repair restores it. Check the disk if this repeats.',
    });
  }
}

function malformedSet(cause: Error): ArmatureError {
  return new ArmatureError('invalid-argument', `not a version set: ${cause.message}`, {
    cause,
    remedy: 'Report this: a peer sent what it must not.',
  });
}
