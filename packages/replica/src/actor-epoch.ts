/**
 * The actor's epoch: under which name this node mints dots, and when that name must not be used any more.
 *
 * A dot names one write for ever. It would name two if a node minted from a state that is not the last one it gave out:
 * after a crash that lost unsynced writes, a write that failed locally though peers have it, a wiped or restored directory.
 * So an actor is used only while the store is provably the one it last wrote:
 *
 * - at open, the store must carry the mark of a clean close; otherwise a fresh actor is minted;
 * - the mark is removed, on stable storage, before the actor is used, and set again as the last write of a clean close;
 * - a commit that fails, a record found corrupt, or a peer that knows more of our events than we do retire the actor at once;
 * - a fresh actor is on stable storage before its first dot is minted, so a crash cannot bring a used one back.
 *
 * The price is one clock entry per unclean stop, in the keys written in that epoch.
 */
import { ArmatureError, utf8Decode, utf8Encode, type Random } from '@armature/kernel';
import type { Counter, Logger, Telemetry } from '@armature/runtime';
import { mintActorId, parseActorId, type ActorId } from '@armature/versioning';

/** Where the epoch is kept: a small document that is on stable storage when `save` resolves. */
export interface EpochStore {
  load(): Promise<Uint8Array | undefined>;
  save(document: Uint8Array): Promise<void>;
}

export interface ActorEpochEnv {
  readonly store: EpochStore;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

interface EpochDocument {
  readonly actor: ActorId;
  readonly clean: boolean;
}

export class ActorEpoch {
  readonly #env: ActorEpochEnv;
  readonly #retired: Counter;
  #actor: ActorId | undefined;
  #saving: Promise<void> | undefined;

  private constructor(env: ActorEpochEnv) {
    this.#env = env;
    this.#retired = env.telemetry.counter(
      'armature_replica_actors_retired_total',
      'Actors retired because the store was not provably the last one written.',
    );
  }

  static async open(env: ActorEpochEnv): Promise<ActorEpoch> {
    const epoch = new ActorEpoch(env);
    const found = parseDocument(await env.store.load());
    if (found?.clean === true) {
      await env.store.save(formatDocument({ actor: found.actor, clean: false }));
      epoch.#actor = found.actor;
    } else {
      if (found !== undefined) env.log.warn({ retired: found.actor }, 'the store was not closed cleanly: taking a fresh actor');
      await epoch.#takeFresh();
    }
    return epoch;
  }

  /** The actor to mint under, or undefined while a fresh one is on its way to stable storage (see `renewed`). */
  get current(): ActorId | undefined {
    return this.#actor;
  }

  /** Never mints under the current actor again. Idempotent while a fresh one is being saved. */
  retire(reason: string): void {
    if (this.#saving !== undefined) return;
    this.#env.log.warn({ retired: this.#actor, reason }, 'retiring the actor');
    this.#retired.add();
    this.#actor = undefined;
    void this.renewed().catch(() => undefined); // a failure shows at the next mint, which tries again
  }

  /** The current actor once there is one. Rejects with the storage error when it cannot be made durable; the next call tries again. */
  async renewed(): Promise<ActorId> {
    if (this.#actor === undefined) {
      this.#saving ??= this.#takeFresh().finally(() => (this.#saving = undefined));
      await this.#saving;
    }
    if (this.#actor === undefined)
      throw new ArmatureError('storage-failed', 'the actor was retired again while it was being renewed');
    return this.#actor;
  }

  /** The last write before the store is closed: vouches for everything written so far. */
  async close(): Promise<void> {
    const actor = this.#actor;
    if (actor === undefined) return;
    this.#actor = undefined;
    await this.#env.store.save(formatDocument({ actor, clean: true }));
  }

  async #takeFresh(): Promise<void> {
    const actor = mintActorId(this.#env.random);
    await this.#env.store.save(formatDocument({ actor, clean: false }));
    this.#actor = actor;
    this.#env.log.info({ actor }, 'minting under a fresh actor');
  }
}

function formatDocument(document: EpochDocument): Uint8Array {
  return utf8Encode(JSON.stringify(document));
}

/** Undefined for anything that is not exactly a document: then the epoch is unknown, and a fresh one is due. */
function parseDocument(bytes: Uint8Array | undefined): EpochDocument | undefined {
  if (bytes === undefined) return undefined;
  try {
    const document = JSON.parse(utf8Decode(bytes)) as Partial<Record<'actor' | 'clean', unknown>> | null;
    const actor = parseActorId(String(document?.actor));
    return actor.ok ? { actor: actor.value, clean: document?.clean === true } : undefined;
  } catch {
    return undefined;
  }
}
