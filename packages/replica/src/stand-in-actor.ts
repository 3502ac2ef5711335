/**
 * The actor under which a node mints for others: puts that it takes as a fallback, because no owner of the key can be reached.
 *
 * What a fallback keeps of a key is a hint, and hints are deleted when they have been delivered. A dot must not be minted over a
 * state that lacks earlier dots of the same actor: its clock would cover them, and replicas that hold them would take them for
 * superseded. So the actor lives in memory only (a restart means a fresh one), serves the hints of one owner only, and is retired
 * whenever one of these is deleted: as long as an actor is in use, everything it ever minted is still in the one place that it
 * mints over.
 */
import type { Random } from '@armature/kernel';
import { mintActorId, type ActorId } from '@armature/versioning';
import type { Epoch } from './actor-epoch.js';

/** Most were never minted under. */
const MAX_FORMER = 4_096;

export class StandInActor implements Epoch {
  /** What is dropped retires the actor, so nothing of the current one ever was. */
  readonly floor = 0;
  readonly #random: Random;
  readonly #former = new Set<string>();
  #actor: ActorId;

  constructor(random: Random) {
    this.#random = random;
    this.#actor = mintActorId(random);
  }

  get current(): ActorId {
    return this.#actor;
  }

  /** Whether this process has minted under it, as far as it remembers. */
  isOfThisLife(actor: string): boolean {
    return actor === this.#actor || this.#former.has(actor);
  }

  dropping(): void {
    this.retire();
  }

  retire(): void {
    this.#former.add(this.#actor);
    for (const oldest of this.#former) {
      if (this.#former.size <= MAX_FORMER) break;
      this.#former.delete(oldest);
    }
    this.#actor = mintActorId(this.#random);
  }

  renewed(): Promise<ActorId> {
    return Promise.resolve(this.#actor);
  }
}
