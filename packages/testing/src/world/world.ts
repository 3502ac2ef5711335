/**
 * A world in virtual time: one agenda of everything that is to happen, run one event after the other. What an event sets going is
 * settled (`whenQuiescent`) before the next, so that a run is a function of its seed and nothing else.
 *
 * Each process of the world sees it through a clock of its own, with its own skew and drift, and may be paused (its events wait)
 * or dead (they never come). Randomness is drawn from streams by name, so that a fault more or less does not shift what the
 * others draw.
 */
import { seededRandom, toArmatureError, type Random } from '@armature/kernel';
import { whenQuiescent, type LogFields } from '@armature/runtime';
import { Agenda, type AgendaEntry } from './agenda.js';
import type { SimulatedProcess } from './process.js';
import { Trace } from './trace.js';

export interface WorldOptions {
  readonly seed: number | string;
  /** Keeps the readable lines of the trace; its hash is kept in any case. */
  readonly keepTrace?: boolean;
}

interface Event extends AgendaEntry {
  /** Undefined for the world's own events, which nothing delays. */
  readonly owner: SimulatedProcess | undefined;
}

/** So many events at one virtual time are a loop that never ends. */
const STANDSTILL_EVENTS = 500_000;

/** Virtual time begins here: some day in 2020. */
export const BEGINNING_MS = 1_600_000_000_000;

export class World {
  readonly seed: number | string;
  readonly trace: Trace;
  /** What must never happen and did: a task that threw, for one. A run with problems has failed. */
  readonly problems: string[] = [];
  /** Told of what processes log as a warning or an error. */
  onLog: (name: string, message: string, fields: LogFields) => void = () => undefined;
  readonly #random: Random;
  readonly #agenda = new Agenda<Event>();
  #nowMs = 0;
  #order = 0;
  #events = 0;
  /** Events since virtual time went on. */
  #eventsNow = 0;
  /** Over the time and owner of every event: two runs that differ anywhere differ here. */
  #fingerprint = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#random = seededRandom(options.seed);
    this.trace = new Trace(() => this.#nowMs, options.keepTrace ?? false);
  }

  /** Virtual ms since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  /** Equal for equal runs: of every event, and of everything that was noted. */
  get digest(): string {
    return `${(this.#fingerprint >>> 0).toString(16).padStart(8, '0')}-${this.#events}-${this.trace.digest}`;
  }

  /** A stream of randomness: the same for the same name, whatever the others draw. */
  random(stream: string): Random {
    return this.#random.fork(stream);
  }

  /** Runs `task` at a virtual time (now, if that is past). The result cancels it. */
  at(atMs: number, task: () => void, owner?: SimulatedProcess): () => void {
    const dueMs = Math.max(atMs, this.#nowMs);
    const event: Event = { atMs: dueMs, tie: owner?.tieAt(dueMs) ?? 0, order: this.#order++, task, owner };
    this.#agenda.enter(event);
    return () => {
      event.task = undefined;
    };
  }

  /** Lets the world run until `untilMs`, or until `isOver` says so after some event. */
  run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    return whenQuiescent(() => (!isOver() && this.#step(untilMs) ? 'more' : 'last'));
  }

  /** Lets the world run until the promise is settled; rejects if it does, or if it is not after `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    const startedMs = this.#nowMs;
    await this.run(startedMs + limitMs, () => isSettled);
    if (!isSettled) throw new Error(`still waiting after ${limitMs} ms of virtual time`);
    return promise;
  }

  /** Resolves when that much virtual time has passed; for those who act upon the world from outside any process. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(this.#nowMs + delayMs, resolve);
    });
  }

  /** Runs the next event. False when there is none until then. */
  #step(untilMs: number): boolean {
    for (;;) {
      const next = this.#agenda.next;
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#agenda.take();
      const { task } = next;
      if (task === undefined || this.#isPostponed(next)) continue;
      this.#countTo(next);
      this.#fingerprint = Math.imul(this.#fingerprint ^ next.tie ^ Math.floor(next.atMs * 4096), 0x01000193) + next.order;
      this.#perform(task, next.owner);
      return true;
    }
  }

  /** Throws where time stands still: the run would never end. */
  #countTo({ atMs, owner }: Event): void {
    this.#eventsNow = atMs > this.#nowMs ? 1 : this.#eventsNow + 1;
    this.#nowMs = atMs;
    this.#events++;
    if (this.#eventsNow < STANDSTILL_EVENTS) return;
    throw new Error(`${owner?.name ?? 'the world'}: time stands still at ${atMs} ms, a task enters itself again and again`);
  }

  #isPostponed(event: Event): boolean {
    const { owner } = event;
    if (owner === undefined) return false;
    if (!owner.isAlive) return true;
    if (owner.pausedUntilMs <= event.atMs) return false;
    const { order, task } = event;
    this.#agenda.enter({ atMs: owner.pausedUntilMs, tie: owner.tieAt(owner.pausedUntilMs), order, task, owner });
    return true;
  }

  #perform(task: () => void, owner: SimulatedProcess | undefined): void {
    try {
      task();
    } catch (thrown) {
      const problem = `${owner?.name ?? 'the world'}: a task threw: ${toArmatureError(thrown).stack ?? String(thrown)}`;
      this.problems.push(problem);
      this.trace.note('world', problem);
    }
  }
}
