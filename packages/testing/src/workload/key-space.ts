/**
 * The keys of a workload. Those in use are few, so that writes conflict, and they may change: keys come into use, fade and are
 * never touched again, as those of sessions, carts and days do. What went wrong with a key that is still in use, the next read
 * repairs; what went wrong with one that is not, only what looks after all that is stored.
 */
import type { Random } from '@armature/kernel';
import type { World } from '../world/world.js';

export interface KeySpaceOptions {
  /** In use at a time. */
  readonly keys: number;
  /** How long a key is in use, virtual ms; `Infinity`: to the end. */
  readonly fadeMs: number;
}

export class KeySpace {
  readonly #world: World;
  readonly #options: KeySpaceOptions;
  readonly #beganMs: number;

  constructor(world: World, options: KeySpaceOptions) {
    this.#world = world;
    this.#options = options;
    this.#beganMs = world.nowMs;
  }

  /** One of those in use now. */
  pick(random: Random): string {
    return named(this.#first + random.int(this.#options.keys));
  }

  /** All that have been in use. */
  get all(): readonly string[] {
    return Array.from({ length: this.#first + this.#options.keys }, (_, place) => named(place));
  }

  /** For a reader. */
  describe(): string {
    const { keys, fadeMs } = this.#options;
    return `${keys} keys${fadeMs === Infinity ? '' : `, each in use for ${(fadeMs / 1000).toFixed(1)} s`}`;
  }

  /** Place of the oldest key in use: one goes and one comes at a time. */
  get #first(): number {
    const { keys, fadeMs } = this.#options;
    return Math.floor(((this.#world.nowMs - this.#beganMs) * keys) / fadeMs);
  }
}

function named(place: number): string {
  return `k${place}`;
}
