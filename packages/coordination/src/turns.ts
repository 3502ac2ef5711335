/**
 * Turns: how many operations one process has under way at a time. Whoever starts thousands at once, be it an application that writes a list with `Promise.all` or
 * many clients of one router, would have each of them wait for all the others, and the deadline of all would pass before the first is done: work, and no
 * result. So only so many are under way, enough to keep all processes and disks busy, and the others wait in order. One whose time runs out in the queue, or is
 * too short for what operations take at present, has not happened, and says so.
 *
 * Whoever holds a turn may wait for somebody's turn elsewhere, and then for replicas, which take none: a client for a router or a node, a router for a node. Nodes take
 * a turn for what they coordinate themselves, never for what they pass on, so that nobody waits in a circle.
 */
import { ArmatureError } from '@armature/kernel';
import type { Clock, Telemetry, Timer } from '@armature/runtime';

export interface TurnLimits {
  /** Operations under way. */
  readonly atOnce: number;
  /** Operations that wait for a turn; more are refused as `overloaded`. */
  readonly waiting: number;
}

/** Of a client: some times what it takes to keep three nodes busy; and with a cluster across an ocean, 5,000 operations a second. */
export const CLIENT_TURNS: TurnLimits = { atOnce: 512, waiting: 65_536 };
/** Of a process that many clients ask. */
export const SERVER_TURNS: TurnLimits = { atOnce: 1_024, waiting: 65_536 };

/** Share of the latest operation in what operations usually take. */
const WEIGHT = 1 / 32;
/** Before somebody who was refused tries again. */
const LEAST_PAUSE_MS = 50;

interface Waiting {
  /** Takes the turn. */
  readonly begin: (leftMs: number) => void;
  readonly refuse: (why: string) => void;
  readonly deadlineMs: number;
  readonly timer: Timer;
  isOver: boolean;
}

/** Of a node or a router; metrics say how many operations are under way and wait. */
export function serverTurns(clock: Clock, telemetry: Telemetry): Turns {
  const turns = new Turns(clock, SERVER_TURNS);
  telemetry.observedGauge('armature_operations_under_way', 'Operations that this process coordinates now.', () => turns.underWay);
  telemetry.observedGauge(
    'armature_operations_waiting',
    'Operations that wait until this process has room.',
    () => turns.waiting,
  );
  return turns;
}

export class Turns {
  readonly #clock: Clock;
  readonly #limits: TurnLimits;
  /** In order, from `#next` on; among them some that are over. */
  #queue: Waiting[] = [];
  #next = 0;
  #waiting = 0;
  #underWay = 0;
  /** How long an operation takes once it has its turn, ms. */
  #usualMs = 0;

  constructor(clock: Clock, limits: TurnLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** As `work(leftMs)`, when its turn has come. Rejects with `overloaded`, and `work` was not called, when it has not come within `timeoutMs`, or too late, or too many wait already. */
  take<T>(timeoutMs: number, work: (leftMs: number) => Promise<T>): Promise<T> {
    if (this.#underWay < this.#limits.atOnce) return this.#begin(work(timeoutMs));
    if (this.#waiting >= this.#limits.waiting)
      return Promise.reject(this.#refused('too many operations wait for their turn already'));
    return new Promise<T>((resolve, reject) => {
      const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
      const one: Waiting = {
        begin: (leftMs) => void this.#begin(work(leftMs)).then(resolve, reject),
        refuse: (why) => reject(this.#refused(why)),
        deadlineMs,
        timer: this.#clock.after(timeoutMs, () => {
          one.isOver = true;
          this.#waiting--;
          one.refuse(`its turn had not come after ${timeoutMs} ms, behind other operations of this process`);
        }),
        isOver: false,
      };
      this.#waiting++;
      this.#queue.push(one);
    });
  }

  #begin<T>(work: Promise<T>): Promise<T> {
    this.#underWay++;
    const begunMs = this.#clock.monotonicMs();
    const ended = (): void => this.#ended(begunMs);
    work.then(ended, ended);
    return work;
  }

  #ended(begunMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#underWay--;
    this.#usualMs += (nowMs - begunMs - this.#usualMs) * WEIGHT;
    while (this.#underWay < this.#limits.atOnce && this.#next < this.#queue.length) {
      const one = this.#queue[this.#next++] as Waiting;
      if (one.isOver) continue;
      one.timer.cancel();
      this.#waiting--;
      const leftMs = one.deadlineMs - nowMs;
      if (leftMs > this.#usualMs) one.begin(leftMs);
      else
        one.refuse(
          `its turn came ${Math.round(leftMs)} ms before its time was up, and operations take ${Math.round(this.#usualMs)} ms now`,
        );
    }
    // What is behind us is let go of now and then, not each time.
    if (this.#next * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#next);
    this.#next = 0;
  }

  #refused(why: string): ArmatureError {
    return new ArmatureError('overloaded', why, {
      details: { executed: 'no', retryAfterMs: Math.max(LEAST_PAUSE_MS, Math.ceil(this.#usualMs)) },
      remedy: 'Start fewer operations at once, or give them more time.',
    });
  }
}
