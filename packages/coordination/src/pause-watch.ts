/**
 * Noticing that we ourselves stood still. A long garbage collection, a stopped process (SIGSTOP), a suspended machine, a busy
 * event loop: afterwards all timeouts are due at once, and whoever believes them takes every peer for failed. Then hints are
 * written for all of them, and the storm of those is the next pause. So a process that was paused suspects itself first.
 *
 * A tick comes again and again; how late it comes is how long the event loop did nothing for us. A wall clock that ran ahead of
 * the monotonic one means that the machine slept, which the monotonic clock of some systems does not count.
 *
 * After a pause, timeouts may be dealt with before the tick is. So whoever is about to draw a conclusion from one calls `check`
 * first.
 */
import type { Clock, Histogram, Logger, Telemetry, Timer } from '@armature/runtime';

export interface PauseWatchEnv {
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /**
   * Told of each pause as soon as it is noticed, at its end, and how much of it the machine slept, as far as the wall clock
   * tells.
   */
  readonly onPause: (pausedMs: number, sleptMs: number) => void;
}

const TICK_MS = 100;
/** A lateness of this much is a pause: many times what a healthy event loop is late, a fraction of any request's deadline. */
const PAUSE_MS = 250;
/** A pause that users notice. */
const LONG_PAUSE_MS = 1_000;
/** After a pause of this much, what the process had in hand before it is older than any request's deadline would have it. */
const STALL_MS = 5_000;
/** Weight of the latest tick in the average delay: the last half second decides. */
const GAIN = 1 / 4;

const PAUSE_BUCKETS_S: readonly number[] = [0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];

export class PauseWatch {
  readonly #env: PauseWatchEnv;
  readonly #pauses: Histogram;
  #timer: Timer | undefined;
  #dueMs = 0;
  /** Wall clock minus monotonic clock when the tick was set. */
  #wallAheadMs = 0;
  #delayMs = 0;
  #stalledAtMs = Number.NEGATIVE_INFINITY;

  constructor(env: PauseWatchEnv) {
    this.#env = env;
    const { telemetry } = env;
    this.#pauses = telemetry.histogram(
      'armature_process_pause_seconds',
      'Times during which this process stood still.',
      PAUSE_BUCKETS_S,
    );
    telemetry.observedGauge(
      'armature_process_event_loop_delay_seconds',
      'How late timers have been of late.',
      () => this.#delayMs / 1000,
    );
  }

  /** How late timers are, on average over the last half second, ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Ms since this process last woke from standing still for five seconds or more; infinite when it never did. */
  get steadyForMs(): number {
    this.check();
    return this.#env.clock.monotonicMs() - this.#stalledAtMs;
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Notices a pause that has just ended, if there was one. Costs two clock readings. */
  check(): void {
    if (this.#timer === undefined) return;
    const pausedMs = Math.max(this.#lateMs(), this.#sleptMs());
    if (pausedMs < PAUSE_MS) return;
    this.#timer.cancel();
    this.#tick();
  }

  #tick(): void {
    const lateMs = Math.max(0, this.#lateMs());
    const sleptMs = this.#sleptMs();
    const pausedMs = Math.max(lateMs, sleptMs);
    this.#delayMs += (lateMs - this.#delayMs) * GAIN;
    this.#schedule();
    if (pausedMs < PAUSE_MS) return;
    if (pausedMs >= STALL_MS) this.#stalledAtMs = this.#env.clock.monotonicMs();
    this.#pauses.observe(pausedMs / 1000);
    const say = pausedMs < LONG_PAUSE_MS ? 'debug' : 'warn';
    this.#env.log[say](
      { pausedMs: Math.round(pausedMs) },
      'this process stood still; timeouts that fell into it are not held against peers',
    );
    this.#env.onPause(pausedMs, sleptMs);
  }

  #schedule(): void {
    const { clock } = this.#env;
    this.#dueMs = clock.monotonicMs() + TICK_MS;
    this.#wallAheadMs = clock.nowMs() - clock.monotonicMs();
    this.#timer = clock.after(TICK_MS, () => this.#tick());
  }

  #lateMs(): number {
    return this.#env.clock.monotonicMs() - this.#dueMs;
  }

  /**
   * How far the wall clock ran ahead meanwhile. One that is set forward looks the same; forgiving a few timeouts then does no
   * harm.
   */
  #sleptMs(): number {
    const { clock } = this.#env;
    return clock.nowMs() - clock.monotonicMs() - this.#wallAheadMs;
  }
}
