/**
 * A clock that moves only when told to. Tasks run in the order of their due times, ties in the order in which they were
 * scheduled. Deferred tasks run at the current time, before time moves on.
 */
import type { Clock, Timer } from './clock.js';

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
  cancelled: boolean;
}

export class ManualClock implements Clock {
  #nowMs: number;
  #wallAheadMs = 0;
  #order = 0;
  #scheduled: Scheduled[] = [];

  constructor(startMs = 1_600_000_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#wallAheadMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** The wall clock is set: from now on it is so much ahead of what it would be. */
  setWallAhead(ms: number): void {
    this.#wallAheadMs = ms;
  }

  after(delayMs: number, task: () => void): Timer {
    const entry: Scheduled = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, task, cancelled: false };
    this.#scheduled.push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  defer(task: () => void): void {
    this.after(0, task);
  }

  /** Number of tasks that wait for their time. */
  get pending(): number {
    return this.#scheduled.filter((entry) => !entry.cancelled).length;
  }

  /** Moves time by `ms`, running what falls due; between tasks, promise reactions get to run. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settleMicrotasks();
      const next = this.#takeDue(untilMs);
      if (next === undefined) break;
      this.#nowMs = next.atMs;
      next.task();
    }
    this.#nowMs = untilMs;
  }

  #takeDue(untilMs: number): Scheduled | undefined {
    this.#scheduled = this.#scheduled.filter((entry) => !entry.cancelled);
    let best: Scheduled | undefined;
    for (const entry of this.#scheduled) {
      if (entry.atMs > untilMs) continue;
      if (best === undefined || entry.atMs < best.atMs || (entry.atMs === best.atMs && entry.order < best.order)) best = entry;
    }
    if (best !== undefined) this.#scheduled.splice(this.#scheduled.indexOf(best), 1);
    return best;
  }
}

/** Enough turns of the microtask queue for chains of awaits between two timer events. */
async function settleMicrotasks(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
