/**
 * Many timeouts, one timer. A request usually ends long before its deadline, so a timer of its own would be set and cleared a
 * hundred thousand times a second for nothing. The wheel keeps alarms in slots one tick wide and runs a single timer while any
 * alarm is set; an alarm rings up to one tick late, never early. Setting and cancelling are O(1).
 */
import type { Clock } from './clock.js';

export interface Alarm {
  /** Idempotent. The task does not run after this returns. */
  cancel(): void;
}

class Entry implements Alarm {
  task: (() => void) | undefined;
  /** Ticks from the wheel's origin. */
  readonly due: number;
  readonly #wheel: AlarmWheel;

  constructor(wheel: AlarmWheel, due: number, task: () => void) {
    this.#wheel = wheel;
    this.due = due;
    this.task = task;
  }

  cancel(): void {
    if (this.task === undefined) return;
    this.task = undefined;
    this.#wheel.forget();
  }
}

export class AlarmWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #originMs: number;
  readonly #slots = new Map<number, Entry[]>();
  /** The last tick whose alarms have rung. */
  #rung = 0;
  #live = 0;
  #ticking = false;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#originMs = clock.monotonicMs();
  }

  /** Alarms set and neither rung nor cancelled. */
  get pending(): number {
    return this.#live;
  }

  /** Runs `task` between `delayMs` and about `delayMs` plus one tick from now. */
  set(delayMs: number, task: () => void): Alarm {
    const now = this.#now();
    if (!this.#ticking) this.#rung = Math.floor(now);
    const due = Math.max(Math.ceil(now + Math.max(0, delayMs) / this.#tickMs), this.#rung + 1);
    const entry = new Entry(this, due, task);
    const slot = this.#slots.get(due);
    if (slot === undefined) this.#slots.set(due, [entry]);
    else slot.push(entry);
    this.#live++;
    if (!this.#ticking) {
      this.#ticking = true;
      this.#schedule();
    }
    return entry;
  }

  /** Bookkeeping of a cancelled entry. */
  forget(): void {
    this.#live--;
  }

  #now(): number {
    return (this.#clock.monotonicMs() - this.#originMs) / this.#tickMs;
  }

  #schedule(): void {
    this.#clock.after(this.#tickMs, () => {
      try {
        this.#ring();
      } finally {
        this.#goOn(); // a task that throws is a bug, and must not silence the other alarms
      }
    });
  }

  #ring(): void {
    const until = Math.floor(this.#now());
    // After a long stall there may be more ticks to catch up with than slots.
    const dueSlots =
      until - this.#rung > this.#slots.size
        ? [...this.#slots.keys()].filter((due) => due <= until).sort((a, b) => a - b)
        : range(this.#rung + 1, until);
    this.#rung = Math.max(this.#rung, until);
    for (const due of dueSlots) {
      const slot = this.#slots.get(due);
      if (slot === undefined) continue;
      this.#slots.delete(due);
      for (const entry of slot) {
        const task = entry.task;
        if (task === undefined) continue;
        entry.task = undefined;
        this.#live--;
        task();
      }
    }
  }

  #goOn(): void {
    if (this.#slots.size > 0) this.#schedule();
    else this.#ticking = false;
  }
}

function range(first: number, last: number): number[] {
  const out: number[] = [];
  for (let i = first; i <= last; i++) out.push(i);
  return out;
}
