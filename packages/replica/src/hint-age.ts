/**
 * How old hints are. A hint is as old as the newest version in it: what somebody still writes to is not given up. A version that
 * a wrong clock has stamped far ahead does not tell when it was written. A hint with such a one counts from when the first hint
 * of that kind for its owner was seen: else it would not grow old before its time has come, which may be never.
 *
 * Kept per owner is a lower bound, the time of the oldest hint: it is known cheaply whenever a hint comes in, and may be too low
 * once hints have gone or been added to. Whoever goes through all hints of an owner anyway surveys them, and puts it right. So
 * age costs nothing until something seems old.
 */
import { hlcToMs, isFarAhead, type NodeId } from '@armature/kernel';
import { decodeVersionSet, latestTimestamp } from '@armature/versioning';

interface Survey {
  oldestMs: number;
  hasUndated: boolean;
}

export class HintAges {
  readonly #oldest = new Map<NodeId, number>();
  readonly #surveys = new Map<NodeId, Survey>();
  /** Of each owner for whom hints are kept that do not tell their age: since when. */
  readonly #undated = new Map<NodeId, number>();

  /** When a hint was written, as far as it tells, ms since the Unix epoch; now for what is no version set. */
  bornMs(owner: NodeId, set: Uint8Array, nowMs: number): number {
    const decoded = decodeVersionSet(set);
    if (!decoded.ok || decoded.value.siblings.length === 0) return nowMs;
    const newest = latestTimestamp(decoded.value);
    if (!isFarAhead(newest, nowMs)) return hlcToMs(newest);
    const survey = this.#surveys.get(owner);
    if (survey !== undefined) survey.hasUndated = true;
    const sinceMs = Math.min(this.#undated.get(owner) ?? nowMs, nowMs);
    this.#undated.set(owner, sinceMs);
    return sinceMs;
  }

  /** A hint is kept, or found to be, that was written then. */
  kept(owner: NodeId, bornMs: number): void {
    this.#oldest.set(owner, Math.min(bornMs, this.#oldest.get(owner) ?? Infinity));
    const survey = this.#surveys.get(owner);
    if (survey !== undefined) survey.oldestMs = Math.min(bornMs, survey.oldestMs);
  }

  /** No hint for the owner, or of all owners, is older than this; undefined where there is none. */
  oldestMs(owner?: NodeId): number | undefined {
    if (owner !== undefined) return this.#oldest.get(owner);
    return this.#oldest.size === 0 ? undefined : Math.min(...this.#oldest.values());
  }

  /** From here on every hint of the owner that stays is told by `kept`, until `endSurvey`; one survey of an owner at a time. */
  beginSurvey(owner: NodeId): void {
    this.#surveys.set(owner, { oldestMs: Infinity, hasUndated: false });
  }

  /** `complete`: all of them were seen. Otherwise what was known before stands. */
  endSurvey(owner: NodeId, complete: boolean): void {
    const survey = this.#surveys.get(owner);
    this.#surveys.delete(owner);
    if (!complete || survey === undefined) return;
    if (!survey.hasUndated) this.#undated.delete(owner);
    if (survey.oldestMs === Infinity) this.#oldest.delete(owner);
    else this.#oldest.set(owner, survey.oldestMs);
  }
}
