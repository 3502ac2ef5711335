/**
 * A replica: the node's share of each key (paper, sections 4.4 and 4.5).
 *
 * Three things can happen to a key here. It is *read*. A version set from elsewhere is *merged* into what is held; merging is the
 * only way anything from outside gets in, be it a replicated put, a repair, a hint or a transfer, so that order, duplication and
 * lateness cannot lose data. Or a put is *minted*: this node makes the dot, from its own latest state and under its own actor,
 * one put per key at a time, and only then does the result leave the node.
 *
 * A mint hands out the new set before it is on disk, so that fan-out and fsync overlap: the put takes one commit, not two in a
 * row. Should the commit then fail, peers may know a dot that this store has forgotten. That is what actor epochs are for: a
 * failed commit retires the actor, and the forgotten dot stays the only one of its name.
 */
import { ArmatureError, HLC_ZERO, bytesEqual, toArmatureError, type Hlc } from '@armature/kernel';
import type { BucketProperties, Durability } from '@armature/protocol';
import { bucketOfAddress, verifyAddress, type Address } from '@armature/ring';
import type { RangeQuery } from '@armature/storage';
import {
  emptyVersionSet,
  encodeVersionSet,
  joinEncoded,
  mint,
  nextTimestamp,
  pruneClock,
  receiveTimestamps,
  resolve,
  tombstoneVersion,
  valueVersion,
  type VersionSet,
} from '@armature/versioning';
import { actorFor, checkMemory } from './amnesia.js';
import { KeyLocks } from './key-locks.js';
import { LargeRecords } from './large-records.js';
import {
  checkRoom,
  checkStillValid,
  refused,
  tooLate,
  type MintRequest,
  type MintResult,
  type StillValid,
} from './mint-request.js';
import { damagedRecord, malformedSet } from './record-errors.js';
import type { ReplicaEnv, StoredPage } from './replica-env.js';
import { replicaCounters, type ReplicaCounters } from './replica-counters.js';
import { DAMAGED, decodeHeld, isAccepted, isDropped, readHeld, type Held } from './record-store.js';
import { ReapableRecords } from './reapable-records.js';
import { openRecord, sealRecord } from './record.js';
import type { WriteObserver } from './write-observer.js';

/**
 * A mint that finds its actor retired under it starts again; a second retirement in its own short life is an accident, a third is
 * trouble.
 */
const MAX_MINT_ATTEMPTS = 3;
const LOST = 'a damaged record was dropped: no owner of its key holds anything of it, so what it held is lost';

export class Replica {
  /** What reaping has to look at. */
  readonly reapable: ReapableRecords;
  readonly #env: ReplicaEnv;
  readonly #locks = new KeyLocks();
  readonly #large = new LargeRecords();
  readonly #count: ReplicaCounters;
  #clock: Hlc = HLC_ZERO;
  #observer: WriteObserver | undefined;

  constructor(env: ReplicaEnv) {
    this.#env = env;
    const { store, pruneAbove, telemetry } = env;
    this.reapable = new ReapableRecords({ store, pruneAbove, change: (address, work) => this.#change(address, work) });
    this.#count = replicaCounters(telemetry);
  }

  /** From now on `observer`, and nobody else, is told of every change of what is held. */
  observe(observer: WriteObserver): void {
    this.#observer = observer;
  }

  /** The encoded version set held, or undefined. Error `storage-corrupt` where the record is damaged. */
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    let stored: Uint8Array | undefined | Promise<Uint8Array | undefined>;
    try {
      stored = this.#env.store.read(address);
    } catch (thrown) {
      throw this.#unreadable(address, thrown);
    }
    if (!(stored instanceof Promise)) return this.#open(address, stored);
    return stored.then(
      (record) => this.#open(address, record),
      (thrown: unknown) => {
        throw this.#unreadable(address, thrown);
      },
    );
  }

  /**
   * Joins `incoming` into what is held. Resolves when the result is as durable as asked. An empty set takes a damaged record
   * away: its sender has found that no owner holds anything of the key. Errors: `invalid-argument` for bytes that are not a
   * version set; `stale-ring` (see `StillValid`); storage errors.
   */
  async merge(
    address: Address,
    incoming: Uint8Array,
    bucket: BucketProperties,
    durability: Durability,
    stillValid?: StillValid,
  ): Promise<void> {
    // The lock covers reading and handing over to the store, which from then on answers with the new state; it does not cover the
    // commit.
    const accepted = this.#change(address, (held) => {
      checkStillValid(stillValid);
      return this.#mergeInto(held, address, incoming, bucket, durability);
    });
    await (accepted instanceof Promise ? await accepted : accepted).committed;
  }

  /**
   * Makes the version of a put and stores it. Resolves as soon as the dot exists and the store has accepted it; see
   * `MintResult.committed` for when it is stored. Nothing was minted when it rejects. Errors: `too-large` (the key has too many
   * siblings, or too many bytes of them), `stale-ring`, `unavailable` (past its deadline, or the clock is wrong), `overloaded`
   * and other storage errors, among them the one that keeps a fresh actor from being saved.
   */
  mint(request: MintRequest): Promise<MintResult> {
    const { foreground } = this.#env;
    const minted = this.#mint(request);
    if (foreground?.isRequestDue() === true) {
      const stored = foreground.request(() => minted.then(({ committed }) => committed));
      void Promise.resolve(stored).catch(() => undefined); // whoever asked for the put deals with it
    }
    return minted;
  }

  async #mint(request: MintRequest): Promise<MintResult> {
    const { epoch, checkStore } = this.#env;
    let damageKnown = false;
    for (let attempt = 0; attempt < MAX_MINT_ATTEMPTS; attempt++) {
      checkStore?.();
      if (epoch.current === undefined) await epoch.renewed();
      const minted = await this.#change(request.address, (held) => {
        const local = decodeHeld(held);
        // Once the actor whose events a damaged record counted is retired, the next one may write over it: it has none there.
        if ((held.damaged || local === undefined) && !damageKnown) {
          damageKnown = true;
          this.#retireForDamage(request.address);
        }
        return this.#mintOver(local ?? emptyVersionSet, local === undefined ? DAMAGED : held, request);
      });
      if (minted !== undefined) return minted;
    }
    throw new ArmatureError('unavailable', 'this node is taking a fresh actor', {
      remedy: 'Repeat the write; another replica can take it at once.',
    });
  }

  /**
   * Drops the key, if it still holds exactly `set`. For what others provably have, or nobody needs any more. The count of our own
   * events in it is kept as the epoch's floor. Whether it was dropped; rejects with storage errors.
   */
  drop(address: Address, set: Uint8Array): Promise<boolean> {
    return this.#whileHolding(address, set, (held, local) => {
      // A whole record that holds no version set (of a newer format, say) hides how many of our own events it counts, as a
      // damaged one does.
      if (local === undefined) this.#retireForDamage(address);
      else this.#env.epoch.dropping(local.clock);
      const reapable = this.reapable.listing(local, emptyVersionSet);
      const committed = this.#env.store.write([{ kind: 'delete', key: address, reapable }], 'os');
      if (isDropped(this.#env.store, address)) this.#tellDropped(address, held, committed);
      return committed;
    });
  }

  /**
   * Prunes the clock of the key (`pruneClock`), if it still holds exactly `set`. For entries that nobody needs any more. The
   * count of our own events among them is kept as the epoch's floor, as in `drop`. Whether it was pruned; rejects with storage
   * errors.
   */
  prune(address: Address, set: Uint8Array): Promise<boolean> {
    return this.#whileHolding(address, set, (held, local) => {
      if (local === undefined) return undefined;
      const { set: after, dropped } = pruneClock(local);
      if (after === local) return undefined;
      this.#env.epoch.dropping(dropped);
      return this.#replace(address, held, local, after);
    });
  }

  /** Puts `after` in the place of `set`, if the key still holds exactly that. Whether it did; rejects with storage errors. */
  reduce(address: Address, set: Uint8Array, after: VersionSet): Promise<boolean> {
    return this.#whileHolding(address, set, (held, local) => this.#replace(address, held, local, after));
  }

  /** Drops a record that is damaged, if it still is. Whether it was dropped; rejects with storage errors. */
  async dropDamaged(address: Address): Promise<boolean> {
    const dropped = await this.#change(address, (held) => {
      if (!held.damaged) return undefined;
      this.#retireForDamage(address);
      return { committed: this.#deleteDamaged(address, 'os') };
    });
    await dropped?.committed;
    return dropped !== undefined;
  }

  /**
   * A page of what is held in an arc of the ring. Damaged records are left out (and counted): a peer has them whole. One that
   * memory still has whole is no damage to anybody who reads, and is written anew.
   */
  async page(query: RangeQuery): Promise<StoredPage> {
    const page = await this.#env.store.range(query);
    const entries = [];
    const damaged: Address[] = [];
    for (const { key, value } of page.entries) {
      const address = key as string as Address;
      // A flipped bit in a key makes a key that nobody ever wrote, with a record that is whole: an address says for itself
      // whether it is one.
      const set = verifyAddress(address).ok ? (openRecord(value) ?? this.#savedFromMemory(address)) : undefined;
      if (set !== undefined) entries.push({ address, set });
      else {
        this.#noteDamage(address);
        damaged.push(address);
      }
    }
    return { entries, damaged, next: page.next };
  }

  /** Runs `work` on what is held, with the key to itself: no promise is made where none is needed. */
  #change<T>(address: Address, work: (held: Held) => T | Promise<T>): T | Promise<T> {
    return this.#locks.run(address, () => {
      const held = readHeld(this.#env.store, address);
      return held instanceof Promise ? held.then(work) : work(held);
    });
  }

  /** Has `work` change the key if it still holds exactly `set`. Whether it did; resolves when that is committed. */
  async #whileHolding(
    address: Address,
    set: Uint8Array,
    work: (held: Uint8Array, local: VersionSet | undefined) => Promise<void> | undefined,
  ): Promise<boolean> {
    const changed = this.#change(address, (held) => {
      if (held.set === undefined || !bytesEqual(held.set, set)) return undefined;
      const committed = work(held.set, decodeHeld(held));
      return committed === undefined ? undefined : { committed };
    });
    const change = changed instanceof Promise ? await changed : changed;
    await change?.committed;
    return change !== undefined;
  }

  #mergeInto(
    held: Held,
    address: Address,
    incoming: Uint8Array,
    bucket: BucketProperties,
    durability: Durability,
  ): { committed: Promise<void> } {
    const joined = joinEncoded(held.set, incoming, bucket.resolver);
    if (!joined.ok && joined.error.side === 'local') return this.#mergeInto(DAMAGED, address, incoming, bucket, durability);
    if (!joined.ok) throw malformedSet(joined.error.error);
    const { bytes, changed, incoming: set, local, joined: after } = joined.value;
    if (bucket.resolver === 'last-write-wins') this.#clock = receiveTimestamps(this.#clock, set, this.#env.clock.nowMs());
    if (held.damaged) this.#retireForDamage(address);
    if (held.damaged && after.clock.length === 0) {
      this.#env.log.error({ bucket: bucketOfAddress(address) }, LOST);
      return { committed: this.#deleteDamaged(address, durability) };
    }
    checkMemory(this.#env.epoch, set, local.clock);
    (changed ? this.#count.merges : this.#count.unchangedMerges).add();
    const repeated = changed ? undefined : this.#large.commitOf(held.set, durability);
    if (repeated !== undefined) return { committed: repeated };
    // Another unchanged set is written again all the same: what is held may still be on its way to the disk, and the sender is
    // promised a durability.
    const record = sealRecord(bytes);
    const committed = this.#write(address, record, durability, this.reapable.listing(held.damaged ? undefined : local, after));
    this.#large.note(record, durability, committed);
    if ((changed || held.damaged) && isAccepted(this.#env.store, address, record)) this.#tell(address, held, bytes, committed);
    return { committed };
  }

  /** Undefined when there is no actor to mint under any more: a fresh one has to be waited for. */
  #mintOver(local: VersionSet, held: Held, request: MintRequest): MintResult | undefined | Promise<MintResult> {
    const { bucket, context, operation, repeated, value, meta, deadlineMs = Infinity } = request;
    checkStillValid(request.stillValid);
    const { epoch, clock, clocks, checkStore } = this.#env;
    checkStore?.(); // again: the key's lock, and its record, may have been waited for
    const monotonicMs = clock.monotonicMs();
    if (monotonicMs >= deadlineMs) throw tooLate();
    const nowMs = clock.nowMs();
    clocks?.check(nowMs, monotonicMs);
    const actor = actorFor(epoch, local, context);
    if (actor === undefined) return undefined;
    const { at, last } = nextTimestamp(this.#clock, local, context, nowMs);
    const version = request.tombstone
      ? tombstoneVersion({ at, operation, repeated })
      : valueVersion({ value, at, operation, repeated, meta });
    const minted = mint(local, actor, context.clock, version, { own: context.own, floor: epoch.floor });
    const set = resolve(bucket.resolver, minted.set);
    const pending = set === local ? this.#large.commitOf(held.set, bucket.durability) : undefined;
    if (pending !== undefined && held.set !== undefined) return { set, dot: minted.dot, encoded: held.set, committed: pending };
    const encoded = encodeVersionSet(set);
    // A repetition adds nothing, and must not be told that there is no room for what is there already.
    if (minted.set !== local) checkRoom({ set: local, encoded: held.set }, { set, encoded }, bucket, this.#env.messageBytes);
    const record = sealRecord(encoded);
    const reapable = this.reapable.listing(held.damaged ? undefined : local, set);
    const committed = this.#write(request.address, record, bucket.durability, reapable);
    this.#large.note(record, bucket.durability, committed);
    // A dot that the store has not taken in must not leave this node: the next put of the key would make the same one.
    if (!isAccepted(this.#env.store, request.address, record)) return refused(committed);
    this.#tell(request.address, held, encoded, committed);
    this.#clock = last;
    this.#count.mints.add();
    return { set, dot: minted.dot, encoded, committed };
  }

  #replace(address: Address, held: Uint8Array, local: VersionSet | undefined, after: VersionSet): Promise<void> {
    const encoded = encodeVersionSet(after);
    const record = sealRecord(encoded);
    const committed = this.#write(address, record, 'os', this.reapable.listing(local, after));
    if (isAccepted(this.#env.store, address, record)) this.#tell(address, { set: held, damaged: false }, encoded, committed);
    return committed;
  }

  #write(address: Address, record: Uint8Array, durability: Durability, reapable: boolean | undefined): Promise<void> {
    return this.#env.store.write([{ kind: 'put', key: address, value: record, reapable }], durability);
  }

  /** Of a change that the store has taken in. */
  #tell(address: Address, held: Held, set: Uint8Array, committed: Promise<void>): void {
    const observer = this.#observer;
    if (observer === undefined) return;
    if (held.damaged) observer.doubted(address);
    else observer.wrote(address, held.set, set);
    committed.catch(() => observer.doubted(address));
  }

  #tellDropped(address: Address, before: Uint8Array, committed: Promise<void>): void {
    this.#observer?.dropped(address, before);
    committed.catch(() => this.#observer?.doubted(address));
  }

  #deleteDamaged(address: Address, durability: Durability): Promise<void> {
    const reapable = this.reapable.listing(undefined, emptyVersionSet);
    const committed = this.#env.store.write([{ kind: 'delete', key: address, reapable }], durability);
    this.#observer?.doubted(address);
    return committed;
  }

  /** For whoever reads: the next merge or mint of the key deals with it. */
  #noteDamage(address: Address): void {
    this.#count.damaged.add();
    this.#env.log.error({ bucket: bucketOfAddress(address) }, 'a stored record is damaged; its replicas elsewhere are needed');
  }

  /** What reads still find although the disk has it damaged; written anew. Undefined where they find the damage, too. */
  #savedFromMemory(address: Address): Uint8Array | undefined {
    const held = readHeld(this.#env.store, address);
    if (held instanceof Promise) {
      held.catch(() => undefined); // not in memory
      return undefined;
    }
    if (held.set === undefined) return undefined;
    this.#noteDamage(address);
    this.#write(address, sealRecord(held.set), 'os', true).catch(() => undefined); // a failed commit is told and dealt with by the store
    return held.set;
  }

  /** For whoever is about to write over it: with the record, the count of our own writes to its key is lost. */
  #retireForDamage(address: Address): void {
    this.#noteDamage(address);
    this.#env.epoch.retire('a stored record is damaged, and with it the count of our own writes to its key');
  }

  /** Damage that the engine found first counts like our own finding. */
  #unreadable(address: Address, thrown: unknown): ArmatureError {
    const error = toArmatureError(thrown);
    if (error.code === 'storage-corrupt') this.#noteDamage(address);
    return error;
  }

  #open(address: Address, record: Uint8Array | undefined): Uint8Array | undefined {
    if (record === undefined) return undefined;
    const set = openRecord(record);
    if (set !== undefined) return set;
    this.#noteDamage(address);
    throw damagedRecord();
  }
}
