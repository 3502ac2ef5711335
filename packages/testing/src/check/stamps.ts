/**
 * Whether a wrong clock stamps what others will have to live with. Each version that comes to a disk for the first time is held
 * against the true time.
 *
 *   from the future   a version stamped further ahead than clocks may differ, though all that could stamp it knew better, or had
 *                     been right for long
 *
 * One that goes behind another of its key is none: it has to be later than that. And nothing is said of moments at which nobody
 * could know who is wrong: see `Conditions.areClocksKnown`.
 */
import { DEFAULT_MAX_DRIFT_MS, hlcToMs, type Hlc } from '@armature/kernel';
import { BEGINNING_MS } from '../world/world.js';
import { nameOf, type Held } from './replica-contents.js';

/** What clocks may differ by, with what they are off from the beginning, and what one gains on another in a run. */
const FAR_MS = DEFAULT_MAX_DRIFT_MS + 3_000;
/** A version that goes behind one from the future may come to a disk without it; others may have gone between the two. */
const BEHIND_MS = 5;

export interface StampsEnv {
  /** Virtual ms. */
  readonly nowMs: () => number;
  /** Whether all along a node with a wrong clock could know it. */
  readonly areClocksKnown: () => boolean;
}

export class Stamps {
  readonly violations: string[] = [];
  readonly #env: StampsEnv;
  readonly #operations = new Set<string>();
  /** Of each key, the stamps of all such versions. */
  readonly #future = new Map<string, Hlc[]>();

  constructor(env: StampsEnv) {
    this.#env = env;
  }

  /** What is about to come to a disk. */
  see({ address, set }: Pick<Held, 'address' | 'set'>): void {
    for (const { version } of set.siblings) {
      const { at, operation } = version;
      if (this.#operations.has(operation)) continue;
      this.#operations.add(operation);
      const aheadMs = hlcToMs(at) - BEGINNING_MS - this.#env.nowMs();
      if (aheadMs <= FAR_MS) continue;
      const name = nameOf(address);
      const before = this.#future.get(name) ?? [];
      const isBehind = before.some((other) => Math.abs(hlcToMs(at) - hlcToMs(other)) <= BEHIND_MS);
      this.#future.set(name, [...before, at]);
      if (isBehind || !this.#env.areClocksKnown()) continue;
      const when = `${(this.#env.nowMs() / 1_000).toFixed(3)} s`;
      this.violations.push(
        `from the future: ${operation} in ${name}, at ${when}, is stamped ${(aheadMs / 1_000).toFixed(0)} s ahead`,
      );
    }
  }
}
