/**
 * A process of the simulated world, from its start to its end: the clock, the randomness, the log and the connection to the bus that
 * its code is handed. It can be paused, as by SIGSTOP or a long garbage collection, and it can be killed: then none of its timers
 * fires and nothing reaches it any more, and whatever it was waiting for stays unanswered.
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

export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly bus: Bus;
  readonly #world: World;
  readonly #connection: InProcessConnection;
  readonly #salt: number;
  #alive = true;
  #pausedUntilMs = 0;
  #setAheadMs: number;

  constructor(world: World, options: ProcessOptions, incarnation: number) {
    const { name, connection, skewMs = 0, rate = 1 } = options;
    this.name = name;
    this.#world = world;
    this.#setAheadMs = options.setAheadMs ?? 0;
    this.#connection = connection;
    this.random = world.random(`process ${name} ${incarnation}`);
    this.#salt = this.random.u32();
    this.clock = {
      nowMs: () => Math.floor(BEGINNING_MS + skewMs + this.#setAheadMs + world.nowMs * rate),
      monotonicMs: () => world.nowMs * rate,
      after: (delayMs, task) => this.#after(Math.max(0, delayMs) / rate, task),
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
