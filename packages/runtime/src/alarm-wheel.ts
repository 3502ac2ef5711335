/**
 * Many timeouts, one timer. A request usually ends long before its deadline, so a timer of its own would be set and cleared a
 * hundred thousand times a second for nothing. The wheel keeps alarms in slots one tick wide and one timer for the earliest slot
 * that has any; an alarm rings up to one tick late, never early. Setting and cancelling are O(1).
 *
 * A cancelled alarm leaves the timer where it is: it wakes once for nothing, and is then set for what is left. So a stream of
 * requests that are answered costs one wake-up per timeout, and a process at rest none.
 */
import type { Clock, Timer } from './clock.js';

export interface Alarm {
  /** Idempotent. The task does not run after this returns. */
  cancel(): void;
}

interface Slot {
  /** In ticks from the wheel's origin. */
  readonly due: number;
  readonly entries: Entry[];
  /** Of the entries, those that have neither rung nor been cancelled. */
  live: number;
}

class Entry implements Alarm {
  task: (() => void) | undefined;
  readonly slot: Slot;
  readonly #wheel: AlarmWheel;

  constructor(wheel: AlarmWheel, slot: Slot, task: () => void) {
    this.#wheel = wheel;
    this.slot = slot;
    this.task = task;
  }

  cancel(): void {
    if (this.task === undefined) return;
    this.task = undefined;
    this.#wheel.forget(this.slot);
  }
}

export class AlarmWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #originMs: number;
  /** Those with a live alarm, by their due tick. */
  readonly #slots = new Map<number, Slot>();
  /** The last tick whose alarms have rung. */
  #rung = 0;
  #live = 0;
  #timer: Timer | undefined;
  #timerDue = Infinity;

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
    const due = Math.max(Math.ceil(this.#now() + Math.max(0, delayMs) / this.#tickMs), this.#rung + 1);
    let slot = this.#slots.get(due);
    if (slot === undefined) this.#slots.set(due, (slot = { due, entries: [], live: 0 }));
    const entry = new Entry(this, slot, task);
    slot.entries.push(entry);
    slot.live++;
    this.#live++;
    this.#wakeAt(due);
    return entry;
  }

  /** Bookkeeping of a cancelled entry. */
  forget(slot: Slot): void {
    this.#live--;
    slot.live--;
    if (slot.live === 0) this.#slots.delete(slot.due);
  }

  #now(): number {
    return (this.#clock.monotonicMs() - this.#originMs) / this.#tickMs;
  }

  #wakeAt(due: number): void {
    if (due >= this.#timerDue) return;
    this.#timer?.cancel();
    this.#timerDue = due;
    // Whole ms, or a timer that is a fraction early would be set again for that fraction.
    const delayMs = Math.ceil((due - this.#now()) * this.#tickMs);
    this.#timer = this.#clock.after(Math.max(0, delayMs), () => this.#ring());
  }

  /**
   * A task that throws is a bug, and must not silence the others: what the first threw is thrown after all have had their turn.
   */
  #ring(): void {
    this.#timer = undefined;
    this.#timerDue = Infinity;
    let threw = false;
    let thrown: unknown;
    for (const entry of this.#takeDue().flatMap((slot) => slot.entries)) {
      const { task } = entry;
      if (task === undefined) continue;
      entry.task = undefined;
      this.#live--;
      try {
        task();
      } catch (error) {
        if (!threw) thrown = error;
        threw = true;
      }
    }
    if (this.#slots.size > 0) this.#wakeAt(this.#earliest());
    if (threw) throw thrown;
  }

  /** All whose time has come, in the order of their ticks. */
  #takeDue(): Slot[] {
    const until = Math.floor(this.#now());
    const taken: Slot[] = [];
    for (let due = this.#earliest(); due <= until; due = this.#earliest()) {
      this.#rung = due;
      taken.push(this.#slots.get(due) as Slot);
      this.#slots.delete(due);
    }
    this.#rung = Math.max(this.#rung, until);
    return taken;
  }

  /** The earliest slot, infinite when there is none. It is usually near; where it is not, all of them are looked at once. */
  #earliest(): number {
    for (let due = this.#rung + 1; due <= this.#rung + this.#slots.size; due++) if (this.#slots.has(due)) return due;
    let earliest = Infinity;
    for (const due of this.#slots.keys()) if (due < earliest) earliest = due;
    return earliest;
  }
}
