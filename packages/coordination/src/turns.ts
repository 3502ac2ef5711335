/**
 * Turns: how many operations one process has under way at a time. Whoever starts thousands at once, be it an application that
 * writes a list with `Promise.all` or many clients of one router, would have each of them wait for all the others, and the
 * deadline of all would pass before the first is done: work, and no result. So only so many are under way, enough to keep all
 * processes and disks busy, and the others wait in order. One whose time runs out in the queue, or is too short for what
 * operations take at present, has not happened, and says so.
 *
 * Large values have turns in bytes besides (`Pace`): a few of them take the time, the memory and the connections of thousands of
 * small ones. Small operations do not wait for these, so that they pass between the large ones.
 *
 * Whoever holds a turn may wait for somebody's turn elsewhere, and then for replicas, which take none: a client for a router or a
 * node, a router for a node. Nodes take a turn for what they coordinate themselves, never for what they pass on, so that nobody
 * waits in a circle.
 */
import { ArmatureError } from '@armature/kernel';
import type { Clock, Timer } from '@armature/runtime';

export interface TurnLimits {
  /** Operations under way, or their bytes. One that is larger by itself is under way alone. */
  readonly atOnce: number;
  /** What may wait for a turn, likewise; more is refused as `overloaded`. */
  readonly waiting: number;
}

/**
 * Of a client: some times what it takes to keep three nodes busy; and with a cluster across an ocean, 5,000 operations a second.
 */
export const CLIENT_TURNS: TurnLimits = { atOnce: 512, waiting: 65_536 };
/** Of a process that many clients ask. */
export const SERVER_TURNS: TurnLimits = { atOnce: 1_024, waiting: 65_536 };

const MIB = 1024 * 1024;
/** Bytes of large values of a client: less than a link has without an answer from one peer. */
export const CLIENT_BYTES: TurnLimits = { atOnce: 16 * MIB, waiting: 1024 * MIB };
/**
 * Of a node or a router. A node merges as much again from each of N - 1 others, and all of it has room in its store (64 MiB on
 * their way).
 */
export const SERVER_BYTES: TurnLimits = { atOnce: 16 * MIB, waiting: 256 * MIB };

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
  readonly weight: number;
  isOver: boolean;
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

  /**
   * As `work(leftMs)`, when its turn has come. Rejects with `overloaded`, and `work` was not called, when it has not come within
   * `timeoutMs`, or too late, or too many wait already.
   */
  take<T>(timeoutMs: number, work: (leftMs: number) => Promise<T>, weight = 1): Promise<T> {
    if (this.#waiting === 0 && this.#hasRoom(weight)) return this.#begin(work(timeoutMs), weight);
    if (this.#waiting + weight > this.#limits.waiting)
      return Promise.reject(this.#refused('too many operations wait for their turn already'));
    return new Promise<T>((resolve, reject) => {
      const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
      const one: Waiting = {
        begin: (leftMs) => void this.#begin(work(leftMs), weight).then(resolve, reject),
        refuse: (why) => reject(this.#refused(why)),
        deadlineMs,
        timer: this.#clock.after(timeoutMs, () => {
          one.isOver = true;
          this.#waiting -= weight;
          one.refuse(`its turn had not come after ${Math.round(timeoutMs)} ms, behind other operations of this process`);
        }),
        weight,
        isOver: false,
      };
      this.#waiting += weight;
      this.#queue.push(one);
    });
  }

  #hasRoom(weight: number): boolean {
    return this.#underWay === 0 || this.#underWay + weight <= this.#limits.atOnce;
  }

  #begin<T>(work: Promise<T>, weight: number): Promise<T> {
    this.#underWay += weight;
    const begunMs = this.#clock.monotonicMs();
    const ended = (): void => this.#ended(begunMs, weight);
    work.then(ended, ended);
    return work;
  }

  #ended(begunMs: number, weight: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#underWay -= weight;
    this.#usualMs += (nowMs - begunMs - this.#usualMs) * WEIGHT;
    while (this.#next < this.#queue.length) {
      const one = this.#queue[this.#next] as Waiting;
      if (!one.isOver && !this.#hasRoom(one.weight)) break;
      this.#next++;
      if (one.isOver) continue;
      one.timer.cancel();
      this.#waiting -= one.weight;
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
