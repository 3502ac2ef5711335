/**
 * A process of the simulated world, from its start to its end: the clock, the randomness, the log and the connection to the bus
 * that its code is handed. It can be paused, as by SIGSTOP or a long garbage collection; its machine can be suspended, which its
 * monotonic clock does not count; and it can be killed: then none of its timers fires and nothing reaches it any more, and
 * whatever it was waiting for stays unanswered.
 */
import type { Random } from '@armature/kernel';
import type {
  Bus,
  BusHandler,
  BusService,
  BusSubscription,
  InProcessConnection,
  PublishOptions,
  RunningService,
} from '@armature/bus';
import type { Clock, LogFields, Logger, Timer } from '@armature/runtime';
import { BEGINNING_MS, type World } from './world.js';

export interface ProcessOptions {
  readonly name: string;
  readonly connection: InProcessConnection;
  /** Of its wall clock against the world's, ms. */
  readonly skewMs?: number;
  /** How fast its clocks run: 1.0001 gains 0.1 ms a second. */
  readonly rate?: number;
  /** What somebody has set its wall clock ahead by, ms. */
  readonly setAheadMs?: number;
}

/**
 * What sums of virtual times may be off by. No timer is shorter: one that ran a rounding error too soon, and was set again for
 * the rest, would run at the same virtual time for ever.
 */
const ROUNDING_MS = 1e-3;

export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly bus: Bus;
  /** Virtual ms. */
  readonly startedMs: number;
  readonly #world: World;
  readonly #connection: InProcessConnection;
  readonly #salt: number;
  #alive = true;
  #pausedUntilMs = 0;
  #setAheadMs: number;
  /** When its machine was suspended last, and until when, and for how long in all before that, virtual ms. */
  #asleep = { sinceMs: 0, untilMs: 0, beforeMs: 0 };

  constructor(world: World, options: ProcessOptions, incarnation: number) {
    const { name, connection, skewMs = 0, rate = 1 } = options;
    this.name = name;
    this.#world = world;
    this.startedMs = world.nowMs;
    this.#setAheadMs = options.setAheadMs ?? 0;
    this.#connection = connection;
    this.random = world.random(`process ${name} ${incarnation}`);
    this.#salt = this.random.u32();
    this.clock = {
      nowMs: () => Math.floor(BEGINNING_MS + skewMs + this.#setAheadMs + world.nowMs * rate),
      monotonicMs: () => this.#awakeMs() * rate,
      after: (delayMs, task) => this.#afterAwake(delayMs > 0 ? Math.max(ROUNDING_MS, delayMs / rate) : 0, task),
      defer: (task) => void this.#after(0, task),
    };
    this.log = this.#logger({});
    this.bus = this.#guarded(connection);
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Stands still until then: everything that would happen to it waits. */
  pauseUntil(atMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, atMs);
  }

  /** Its machine is suspended until then: it stands still, and only its wall clock goes on. */
  suspendUntil(atMs: number): void {
    const { nowMs } = this.#world;
    this.pauseUntil(atMs);
    const { sinceMs, untilMs, beforeMs } = this.#asleep;
    if (untilMs > nowMs) this.#asleep = { sinceMs, untilMs: Math.max(untilMs, atMs), beforeMs };
    else this.#asleep = { sinceMs: nowMs, untilMs: atMs, beforeMs: beforeMs + untilMs - sinceMs };
  }

  /** Its wall clock jumps: from now on it is so much ahead of what it would be, ms. */
  setClock(aheadMs: number): void {
    this.#setAheadMs = aheadMs;
  }

  /** Ends without a word. */
  kill(): void {
    this.#alive = false;
    this.#connection.sever();
  }

  /** The same for all of its events at one time, and nothing anybody could guess. */
  tieAt(atMs: number): number {
    let h = this.#salt ^ Math.imul(Math.floor(atMs * 1024) | 0, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
    return (h ^ (h >>> 13)) >>> 0;
  }

  /** Of the virtual time since then, how much its machine was awake, ms; of suspensions, the last one counts. */
  awakeMsSince(fromMs: number): number {
    const { nowMs } = this.#world;
    const { sinceMs, untilMs } = this.#asleep;
    const sleptMs = Math.max(0, Math.min(untilMs, nowMs) - Math.max(sinceMs, fromMs));
    return nowMs - fromMs - sleptMs;
  }

  /** Virtual time in which its machine was awake, ms. */
  #awakeMs(): number {
    const { sinceMs, untilMs, beforeMs } = this.#asleep;
    const { nowMs } = this.#world;
    return (nowMs < untilMs ? sinceMs : nowMs - (untilMs - sinceMs)) - beforeMs;
  }

  /** Timers go by the monotonic clock, so that one that was set before the machine slept comes later by that. */
  #afterAwake(delayMs: number, task: () => void): Timer {
    const dueMs = this.#awakeMs() + delayMs;
    let timer: Timer;
    const run = (): void => {
      const restMs = dueMs - this.#awakeMs();
      if (restMs > ROUNDING_MS) timer = this.#after(restMs, run);
      else task();
    };
    timer = this.#after(delayMs, run);
    return { cancel: () => timer.cancel() };
  }

  #after(delayMs: number, task: () => void): Timer {
    const cancel = this.#world.at(this.#world.nowMs + delayMs, task, this);
    return { cancel };
  }

  /** The connection, whose deliveries wait while the process is paused and end with it. */
  #guarded(connection: InProcessConnection): Bus {
    const guard = (handler: BusHandler): BusHandler => {
      return (message) => {
        if (!this.#alive) return;
        // At the very moment of waking, what has waited comes first.
        if (this.#pausedUntilMs < this.#world.nowMs) handler(message);
        else this.#after(0, () => handler(message));
      };
    };
    return {
      name: connection.name,
      denials: connection.denials,
      get connected() {
        return connection.connected;
      },
      get maxPayloadBytes() {
        return connection.maxPayloadBytes;
      },
      publish: (subject: string, payload: Uint8Array, options?: PublishOptions) => connection.publish(subject, payload, options),
      subscribe: (subject, handler, options): BusSubscription => connection.subscribe(subject, guard(handler), options),
      serve: (service: BusService): Promise<RunningService> =>
        connection.serve({
          ...service,
          endpoints: service.endpoints.map((endpoint) => ({
            ...endpoint,
            handler: guard((message) => endpoint.handler(message)),
          })),
        }),
      onEvent: (listener) =>
        connection.onEvent((event) => {
          if (this.#alive) this.#after(0, () => listener(event));
        }),
      flush: () => connection.flush(),
      drain: () => connection.drain(),
    };
  }

  #logger(base: LogFields): Logger {
    const note =
      (level: string) =>
      (fields: LogFields, message: string): void =>
        this.#world.trace.note(this.name, `${level} ${message}${described({ ...base, ...fields })}`);
    const heard =
      (level: string) =>
      (fields: LogFields, message: string): void => {
        note(level)(fields, message);
        this.#world.onLog(this.name, message, fields);
      };
    return {
      debug: (fields, message) =>
        this.#world.trace.aside(this.name, () => `debug ${message}${described({ ...base, ...fields })}`),
      info: note('info'),
      warn: heard('warn'),
      error: heard('error'),
      child: (fields) => this.#logger({ ...base, ...fields }),
    };
  }
}

function described(fields: LogFields): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${worded(value)}`);
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

function worded(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
}
