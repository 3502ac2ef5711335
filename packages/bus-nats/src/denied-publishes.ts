/**
 * Subjects that NATS has denied a message to. Whether it still would, only the next message tells, so a denial counts for a
 * minute. It does not make the process unfit to serve: whoever asks it a question chooses where the answer is to go, and
 * may choose a subject that is forbidden.
 */
import type { Clock } from '@armature/runtime';

const REMEMBERED_MS = 60_000;
/** The oldest is forgotten first. */
const MAX_SUBJECTS = 256;

export class DeniedPublishes {
  readonly #clock: Clock;
  readonly #deniedMs = new Map<string, number>();
  readonly #toldMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those denied in the last minute. */
  get recent(): readonly string[] {
    const sinceMs = this.#clock.monotonicMs() - REMEMBERED_MS;
    return [...this.#deniedMs].filter(([, atMs]) => atMs > sinceMs).map(([subject]) => subject);
  }

  add(subject: string): void {
    put(this.#deniedMs, subject, this.#clock.monotonicMs());
  }

  /** Whether to tell of it: yes, unless that was said in the last minute. */
  isToBeTold(subject: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#toldMs.get(subject) ?? -Infinity) < REMEMBERED_MS) return false;
    put(this.#toldMs, subject, nowMs);
    return true;
  }
}

function put(map: Map<string, number>, subject: string, nowMs: number): void {
  map.delete(subject);
  map.set(subject, nowMs);
  const oldest = map.keys().next().value;
  if (map.size > MAX_SUBJECTS && oldest !== undefined) map.delete(oldest);
}
