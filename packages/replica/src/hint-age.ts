/**
 * How old hints are. A hint is as old as the newest version in it: what somebody still writes to is not given up.
 *
 * Kept per owner is a lower bound, the time of the oldest hint: it is known cheaply whenever a hint comes in, and may be too low once hints have gone or
 * been added to. Whoever goes through all hints of an owner anyway surveys them, and puts it right. So age costs nothing until something seems old.
 */
import { hlcToMs, type NodeId } from '@armature/kernel';
import { decodeVersionSet } from '@armature/versioning';

/** When the newest version of an encoded set was written, ms since the Unix epoch; undefined for none, or for what is no version set. */
export function newestMs(set: Uint8Array): number | undefined {
  const decoded = decodeVersionSet(set);
  if (!decoded.ok || decoded.value.siblings.length === 0) return undefined;
  return Math.max(...decoded.value.siblings.map(({ version }) => hlcToMs(version.at)));
}

export class HintAges {
  readonly #oldest = new Map<NodeId, number>();
  readonly #surveys = new Map<NodeId, number>();

  /** A hint is kept, or found to be. */
  kept(owner: NodeId, ms: number): void {
    this.#oldest.set(owner, Math.min(ms, this.#oldest.get(owner) ?? Infinity));
    const surveyed = this.#surveys.get(owner);
    if (surveyed !== undefined) this.#surveys.set(owner, Math.min(ms, surveyed));
  }

  /** No hint for the owner, or of all owners, is older than this; undefined where there is none. */
  oldestMs(owner?: NodeId): number | undefined {
    if (owner !== undefined) return this.#oldest.get(owner);
    return this.#oldest.size === 0 ? undefined : Math.min(...this.#oldest.values());
  }

  /** From here on every hint of the owner that stays is told by `kept`, until `endSurvey`; one survey of an owner at a time. */
  beginSurvey(owner: NodeId): void {
    this.#surveys.set(owner, Infinity);
  }

  /** `complete`: all of them were seen. Otherwise what was known before stands. */
  endSurvey(owner: NodeId, complete: boolean): void {
    const surveyed = this.#surveys.get(owner) ?? Infinity;
    this.#surveys.delete(owner);
    if (!complete) return;
    if (surveyed === Infinity) this.#oldest.delete(owner);
    else this.#oldest.set(owner, surveyed);
  }
}
