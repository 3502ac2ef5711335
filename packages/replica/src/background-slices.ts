/**
 * Hands out slices of time to background tasks, at the rate that the admission controller allows (paper, section 6.5).
 *
 * A bucket of tokens fills at that rate; a slice takes one. Tasks that find none wait in line, one line per kind of work, and the
 * lines are served in turn, so that ten thousand hints do not keep a new owner from filling its partitions. Four times a second
 * the foreground is looked at and the rate adjusted.
 */
import { ArmatureError } from '@armature/kernel';
import { repeat, type Clock, type Counter, type Telemetry, type Timer } from '@armature/runtime';
import {
  admit,
  SLICE_KINDS,
  startAdmission,
  THROTTLE_REASONS,
  TICK_MS,
  type AdmissionSettings,
  type AdmissionState,
  type ForegroundSigns,
  type SliceDemand,
  type SliceKind,
  type TakeSlice,
  type ThrottleReason,
} from './admission-controller.js';

export interface BackgroundSlicesEnv {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The foreground since the last call; called once per tick. */
  readonly look: (nowMs: number) => ForegroundSigns;
  readonly settings?: AdmissionSettings | undefined;
}

/** Unused tokens are kept for so long: a task between two slices does not lose its turn, and a burst stays short. */
const BURST_MS = 250;
/** A task waits for one slice at a time, so more in one line are tasks started without end. */
const MAX_WAITING = 1_024;

const GRANTED = Promise.resolve();

interface Waiter {
  readonly grant: () => void;
  readonly refuse: (error: ArmatureError) => void;
}

interface Line {
  readonly kind: SliceKind;
  readonly waiters: Waiter[];
  readonly granted: Counter;
}

export class BackgroundSlices {
  readonly #env: BackgroundSlicesEnv;
  readonly #lines: readonly Line[];
  readonly #throttled: ReadonlyMap<ThrottleReason, Counter>;
  readonly #ticking: Timer;
  #state: AdmissionState;
  #tokens = 1;
  #filledAtMs: number;
  #demand: SliceDemand = 'none';
  /** Index of the line that is served next. */
  #turn = 0;
  #wakeUp: Timer | undefined;
  #stopped = false;

  constructor(env: BackgroundSlicesEnv) {
    this.#env = env;
    const { clock, telemetry } = env;
    this.#filledAtMs = clock.monotonicMs();
    this.#state = startAdmission(this.#filledAtMs);
    this.#lines = SLICE_KINDS.map((kind) => ({
      kind,
      waiters: [],
      granted: telemetry.counter('armature_background_slices_total', 'Slices of time given to background tasks.', { kind }),
    }));
    const help = 'Seconds during which background tasks had to give way, by the sign that was above its limit.';
    this.#throttled = new Map(
      THROTTLE_REASONS.map((reason) => [
        reason,
        telemetry.counter('armature_background_throttled_seconds_total', help, { reason }),
      ]),
    );
    for (const { kind, waiters } of this.#lines) {
      telemetry.observedGauge('armature_background_waiting', 'Background tasks that wait for a slice.', () => waiters.length, {
        kind,
      });
    }
    telemetry.observedGauge(
      'armature_background_slices_per_second',
      'Slices that background tasks may take per second now.',
      () => this.#state.rate,
    );
    this.#ticking = repeat(clock, TICK_MS, () => this.#tick());
  }

  /** What the controller made of the last tick. */
  get state(): AdmissionState {
    return this.#state;
  }

  /**
   * Resolves when the caller may do one bounded piece of work. Rejects with `closed` once stopped, and with `overloaded` when a
   * thousand wait already. Bound to its object: it is what tasks are handed.
   */
  readonly slice: TakeSlice = (kind) => {
    if (this.#stopped) return Promise.reject(stoppedError());
    const line = this.#lines.find((one) => one.kind === kind) as Line;
    this.#fill();
    if (this.#tokens >= 1 && this.#wakeUp === undefined) {
      this.#tokens--;
      line.granted.add();
      if (this.#demand === 'none') this.#demand = 'met';
      return GRANTED;
    }
    if (line.waiters.length >= MAX_WAITING) {
      return Promise.reject(
        new ArmatureError('overloaded', `${MAX_WAITING} background tasks wait for a slice`, { remedy: 'Start fewer at a time.' }),
      );
    }
    this.#demand = 'unmet';
    return new Promise((grant, refuse) => {
      line.waiters.push({ grant, refuse });
      this.#schedule();
    });
  };

  /** Nothing is granted from here on; who waits is told. */
  stop(): void {
    this.#stopped = true;
    this.#ticking.cancel();
    this.#wakeUp?.cancel();
    for (const { waiters } of this.#lines) for (const waiter of waiters.splice(0)) waiter.refuse(stoppedError());
  }

  #tick(): void {
    const nowMs = this.#env.clock.monotonicMs();
    this.#fill();
    const isWaiting = this.#lines.some(({ waiters }) => waiters.length > 0);
    const demand = isWaiting ? 'unmet' : this.#demand;
    this.#demand = 'none';
    this.#state = admit(this.#state, this.#env.look(nowMs), demand, nowMs, this.#env.settings);
    if (demand === 'unmet') for (const reason of this.#state.reasons) this.#throttled.get(reason)?.add(TICK_MS / 1000);
    this.#tokens = Math.min(this.#tokens, this.#burst);
    this.#wakeUp?.cancel();
    this.#serve();
  }

  /** At least one, or a trickle would never have a whole token. */
  get #burst(): number {
    return Math.max(1, (this.#state.rate * BURST_MS) / 1000);
  }

  #fill(): void {
    const nowMs = this.#env.clock.monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledAtMs) * this.#state.rate) / 1000);
    this.#filledAtMs = nowMs;
  }

  /** To whoever waits, while there are tokens, a slice per line in turn. */
  #serve(): void {
    this.#wakeUp = undefined;
    this.#fill();
    while (this.#tokens >= 1) {
      const line = this.#nextLine();
      if (line === undefined) return;
      this.#tokens--;
      line.granted.add();
      line.waiters.shift()?.grant();
    }
    if (this.#lines.some(({ waiters }) => waiters.length > 0)) this.#schedule();
  }

  #nextLine(): Line | undefined {
    for (let step = 0; step < this.#lines.length; step++) {
      const at = (this.#turn + step) % this.#lines.length;
      const line = this.#lines[at] as Line;
      if (line.waiters.length === 0) continue;
      this.#turn = at + 1;
      return line;
    }
    return undefined;
  }

  #schedule(): void {
    const untilMs = ((1 - this.#tokens) * 1000) / this.#state.rate;
    this.#wakeUp ??= this.#env.clock.after(Math.max(1, Math.ceil(untilMs)), () => this.#serve());
  }
}

function stoppedError(): ArmatureError {
  return new ArmatureError('closed', 'background work has ended with its node');
}
