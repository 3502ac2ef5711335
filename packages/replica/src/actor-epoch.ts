/**
 * The actor's epoch: under which name this node mints dots, and when that name must not be used any more.
 *
 * A dot names one write for ever. It would name two if a node minted from a state that is not the last one it gave out:
 * after a crash that lost unsynced writes, a write that failed locally though peers have it, a wiped or restored directory.
 * So an actor is used only while the store is provably the one it last wrote:
 *
 * - at open, the store must carry the mark of a clean close, and a recent one; otherwise a fresh actor is minted;
 * - the mark is removed, on stable storage, before the actor is used, and set again as the last write of a clean close;
 * - a commit that fails, a record found corrupt, or a peer that knows more of our events than we do retire the actor at once;
 * - a fresh actor is on stable storage before its first dot is minted, so a crash cannot bring a used one back.
 *
 * Why a recent one: a copy of a cleanly closed store carries the mark too. Put back after the original has gone on, it would mint
 * the original's dots again, and nothing in it could tell. Restarts take minutes; backups are older.
 *
 * An engine may know, when it is opened, that its store lacks writes that it had acknowledged (`StorageLoss`). Then the document
 * forgets all actors that the store has had, so that the node finds the store lost (below), and takes a fresh one.
 *
 * The document also names the actors that this store has had. The membership history tells which actor a node said last that its
 * store mints under; a store that never had that one is not the store that was here last (`docs/decisions/0006-lost-stores.md`).
 *
 * The price is one clock entry per unclean stop or long rest, in the keys written in that epoch. A store that retires one actor
 * after the other waits before it takes the next (renewal-pace.ts).
 *
 * What a store *drops*, because others have it or because it is a tombstone that nobody needs any more, it has not forgotten: the
 * count of its own events in what it dropped is kept as the *floor*. A key that is created again gets counters above it, so that
 * no dot of its former life names another value; and whoever remembers events up to the floor shows no loss. One number serves
 * all keys, since counters need only grow. It is kept in memory, and with the mark of a clean close; after any other stop there
 * is a fresh actor, whose floor is 0.
 */
import { ArmatureError, toArmatureError, utf8Decode, utf8Encode, type Random } from '@armature/kernel';
import type { Clock, Counter, Logger, Telemetry, Timer } from '@armature/runtime';
import type { StorageLoss } from '@armature/storage';
import { counterOf, mintActorId, parseActorId, type ActorId, type VersionVector } from '@armature/versioning';
import { RenewalPace } from './renewal-pace.js';

/** Where the epoch is kept: a small document that is on stable storage when `save` resolves. */
export interface EpochStore {
  load(): Promise<Uint8Array | undefined>;
  save(document: Uint8Array): Promise<void>;
}

/** Under which actor to mint, as a replica sees it. */
export interface Epoch {
  /** Undefined while a fresh one is on its way to stable storage. */
  readonly current: ActorId | undefined;
  /** The greatest counter of the current actor in any set that was dropped; 0 for none. */
  readonly floor: number;
  /** A set with this clock is about to be dropped: call it in the turn in which the store is told, before. */
  dropping(clock: VersionVector): void;
  /** Never mints under the current actor again. */
  retire(reason: string): void;
  /** The current actor, as soon as there is one. */
  renewed(): Promise<ActorId>;
}

export interface ActorEpochEnv {
  readonly store: EpochStore;
  /** What the engine found missing when it was opened. */
  readonly loss?: StorageLoss | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** As it is stored. */
export interface EpochDocument {
  readonly actor: ActorId;
  /** Wall-clock time of the clean close; undefined while in use. */
  readonly closedAtMs: number | undefined;
  /** At the time of the clean close. */
  readonly floor: number;
  /** All that this store has had, oldest first, the present one included; bounded, but the recorded ones are never left out. */
  readonly had: readonly ActorId[];
  /** Those that the membership history looks for in this store, as far as is known. */
  readonly recorded: readonly ActorId[];
}

/**
 * Actors remembered. A store has had more only after as many unclean stops, each of which is recorded within a minute of uptime.
 */
const MAX_HAD = 64;

/**
 * How long a cleanly closed store is taken for the one that was closed: a restart, an upgrade, a reboot that checks its disks.
 */
export const MAX_REST_MS = 10 * 60_000;

/** A fresh actor that is retired while it is being saved is replaced; so often in a row, something is wrong with the store. */
const MAX_RENEWALS = 3;

/**
 * How often a store that cannot save a fresh actor is asked again, besides by each mint: a node nobody writes to learns by it
 * that its disk works again.
 */
const RENEWAL_RETRY_MS = 2_000;

const SEVERAL_RETIRED = 'it has retired several actors in a row, and its log says why';

export class ActorEpoch implements Epoch {
  readonly #env: ActorEpochEnv;
  readonly #retired: Counter;
  #actor: ActorId | undefined;
  #floor = 0;
  #had: readonly ActorId[] = [];
  #recorded: readonly ActorId[] = [];
  /** Those that were taken since this process has the store. */
  readonly #taken = new Set<string>();
  readonly #pace = new RenewalPace();
  #saving: Promise<void> | undefined;
  #retry: Timer | undefined;
  #closed = false;

  private constructor(env: ActorEpochEnv) {
    this.#env = env;
    this.#retired = env.telemetry.counter(
      'armature_replica_actors_retired_total',
      'Actors retired because the store was not provably the last one written.',
    );
  }

  /** Takes up the store's actor or a fresh one. Errors: the store's own. */
  static async open(env: ActorEpochEnv): Promise<ActorEpoch> {
    const epoch = new ActorEpoch(env);
    if (env.loss !== undefined) {
      env.log.warn({ reason: env.loss.reason }, 'the store lacks writes that it had acknowledged: taking a fresh actor');
      await epoch.#takeFresh();
      await env.loss.recorded();
      return epoch;
    }
    const found = parseEpochDocument(await loaded(env.store));
    epoch.#had = found?.had ?? [];
    epoch.#recorded = found?.recorded ?? [];
    if (found !== undefined && isRecent(found.closedAtMs, env.clock.nowMs())) {
      epoch.#floor = found.floor;
      await epoch.#save(found.actor, undefined);
      epoch.#actor = found.actor;
      return epoch;
    }
    if (found !== undefined) {
      const reason = found.closedAtMs === undefined ? 'the store was not closed cleanly' : 'the store was closed too long ago';
      env.log.warn({ retired: found.actor }, `${reason}: taking a fresh actor`);
    }
    await epoch.#takeFresh();
    return epoch;
  }

  /** The actor to mint under, or undefined while a fresh one is on its way to stable storage (see `renewed`). */
  get current(): ActorId | undefined {
    return this.#closed ? undefined : this.#actor;
  }

  get floor(): number {
    return this.#floor;
  }

  /** Why this store mints nothing for a while, in words for an operator; undefined when it does. */
  get note(): string | undefined {
    const waitMs = this.#actor === undefined ? this.#pace.waitMs(this.#env.clock.monotonicMs()) : 0;
    return waitMs > 0 ? `this node leaves all writes to others for ${Math.ceil(waitMs / 1000)} s: ${SEVERAL_RETIRED}` : undefined;
  }

  /** Whether this store has ever had the actor. */
  has(actor: string): boolean {
    return (this.#had as readonly string[]).includes(actor);
  }

  /** Whether this process took it: then every event of it happened while this process ran. */
  isOfThisLife(actor: string): boolean {
    return this.#taken.has(actor);
  }

  /**
   * The membership history says of this node's store that it minted under these actors: they must not be forgotten, however many
   * follow. Those that the store never had are passed over. Resolves when it is on stable storage.
   */
  async recorded(actors: readonly string[]): Promise<void> {
    const known = this.#had.filter((one) => actors.includes(one));
    if (known.join() === this.#recorded.join()) return;
    this.#recorded = known;
    if (this.#actor !== undefined) await this.#save(this.#actor, undefined);
  }

  dropping(clock: VersionVector): void {
    if (this.#closed) throw closedError();
    if (this.#actor !== undefined) this.#floor = Math.max(this.#floor, counterOf(clock, this.#actor));
  }

  /** Never mints under the current actor again. Does nothing while there is none: the next one has not minted yet. */
  retire(reason: string): void {
    if (this.#actor === undefined) return;
    this.#env.log.warn({ retired: this.#actor, reason }, 'retiring the actor');
    this.#retired.add();
    this.#actor = undefined;
    if (this.#closed) return;
    this.#pace.retired(this.#env.clock.monotonicMs());
    this.#renewInBackground();
  }

  /**
   * The current actor once there is one. Rejects with the storage error when it cannot be made durable (the next call tries
   * again), with `unavailable` while too many have been retired in a row, and with `closed` after `close`.
   */
  async renewed(): Promise<ActorId> {
    for (let attempt = 0; attempt < MAX_RENEWALS; attempt++) {
      if (this.#closed) throw closedError();
      if (this.#actor !== undefined) return this.#actor;
      const waitMs = this.#pace.waitMs(this.#env.clock.monotonicMs());
      if (waitMs > 0) throw tooManyRetired(waitMs);
      this.#saving ??= this.#takeFresh().finally(() => (this.#saving = undefined));
      await this.#saving;
    }
    if (this.#actor !== undefined) return this.#actor;
    throw new ArmatureError('storage-failed', 'each fresh actor was retired while it was being saved', {
      remedy: 'See the log for what retires it.',
    });
  }

  /** From now on nothing is minted and nothing dropped. Idempotent. */
  end(): void {
    this.#closed = true;
    this.#retry?.cancel();
  }

  /**
   * The last write before the store is closed: vouches for everything written so far. Call it after `end`, when all that was
   * written before is on stable storage: what is minted after a sync may be in memory only, and its dot would be made again under
   * the mark. Without an actor, or with one that has been retired meanwhile, there is nothing to vouch for, and the next open
   * takes a fresh one.
   */
  async close(): Promise<void> {
    this.end();
    const actor = this.#actor;
    this.#actor = undefined;
    if (actor === undefined) return;
    await this.#save(actor, this.#env.clock.nowMs());
  }

  #renewInBackground(): void {
    this.renewed().catch(() => {
      if (this.#closed) return;
      this.#retry?.cancel();
      const waitMs = this.#pace.waitMs(this.#env.clock.monotonicMs());
      this.#retry = this.#env.clock.after(waitMs > 0 ? waitMs : RENEWAL_RETRY_MS, () => this.#renewInBackground());
    });
  }

  async #takeFresh(): Promise<void> {
    const actor = mintActorId(this.#env.random);
    this.#taken.add(actor);
    this.#floor = 0; // while there is no actor, nobody asks
    this.#had = [...this.#had, actor].filter((one, i, all) => all.length - i <= MAX_HAD || this.#recorded.includes(one));
    await this.#save(actor, undefined);
    if (this.#closed) return;
    this.#actor = actor;
    this.#pace.taken(this.#env.clock.monotonicMs());
    this.#env.log.info({ actor }, 'minting under a fresh actor');
  }

  #save(actor: ActorId, closedAtMs: number | undefined): Promise<void> {
    const document = { actor, closedAtMs, floor: this.#floor, had: this.#had, recorded: this.#recorded };
    return this.#env.store.save(formatEpochDocument(document));
  }
}

function closedError(): ArmatureError {
  return new ArmatureError('closed', 'the replica is closed', { remedy: 'Write to another node.' });
}

function tooManyRetired(waitMs: number): ArmatureError {
  return new ArmatureError('unavailable', 'this node takes no fresh actor yet: it has retired several in a row', {
    remedy:
      'Other replicas take the writes meanwhile. See the log for what retires the actors; mostly it is a disk that is full or fails.',
    details: { waitMs: Math.ceil(waitMs) },
  });
}

/** A document that cannot be read is as good as none. */
async function loaded(store: EpochStore): Promise<Uint8Array | undefined> {
  try {
    return await store.load();
  } catch (thrown) {
    const error = toArmatureError(thrown);
    if (error.code === 'storage-corrupt') return undefined;
    throw error;
  }
}

/** A close in the future means that the wall clock has jumped, and cannot say how long ago it was. */
function isRecent(closedAtMs: number | undefined, nowMs: number): boolean {
  return closedAtMs !== undefined && closedAtMs <= nowMs && nowMs - closedAtMs <= MAX_REST_MS;
}

export function formatEpochDocument(document: EpochDocument): Uint8Array {
  return utf8Encode(JSON.stringify(document));
}

/** Undefined for anything that is not exactly a document: then the epoch is unknown, and a fresh one is due. */
export function parseEpochDocument(bytes: Uint8Array | undefined): EpochDocument | undefined {
  if (bytes === undefined) return undefined;
  try {
    const document = JSON.parse(utf8Decode(bytes)) as Partial<Record<keyof EpochDocument, unknown>> | null;
    const actor = parseActorId(String(document?.actor));
    const closedAtMs = document?.closedAtMs;
    // A document of before there were floors has none, and its store had dropped nothing of its own.
    const floor = document?.floor ?? 0;
    if (!actor.ok || typeof floor !== 'number' || !Number.isSafeInteger(floor) || floor < 0) return undefined;
    // Likewise one of before there was a list: the actor in it is then the only one that is known.
    const had = [...new Set([...actorsOf(document?.had), actor.value])];
    const recorded = actorsOf(document?.recorded);
    return {
      actor: actor.value,
      closedAtMs: Number.isFinite(closedAtMs) ? (closedAtMs as number) : undefined,
      floor,
      had,
      recorded,
    };
  } catch {
    return undefined;
  }
}

function actorsOf(list: unknown): ActorId[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one) => {
    const parsed = parseActorId(String(one));
    return parsed.ok ? [parsed.value] : [];
  });
}
