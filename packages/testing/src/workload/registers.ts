/**
 * Registers: clients that read keys and write them, with the context of the read or blindly, and delete them now and then. Every value is the id
 * of the operation that wrote it, so that what is read tells what was seen.
 */
import { toHex, type Random } from '@armature/kernel';
import type { Bucket, ReadContext } from '@armature/client';
import type { Attempts } from '../check/availability.js';
import { outcomeOf, partialOf, type OperationLog } from '../check/operation-log.js';
import type { KeySpace } from './key-space.js';
import type { World } from '../world/world.js';
import { SteppingClient } from './workload.js';

export interface RegistersOptions {
  readonly keys: KeySpace;
  /** Mean time between two steps of one client, ms. */
  readonly thinkMs: number;
  /** Of the steps, how many delete, and how many write without having read; each 0 to 1. */
  readonly deletes: number;
  readonly blind: number;
}

/** What of a read a later write may be made with. */
export interface Seen {
  readonly values: readonly string[];
  /** The writer's own puts since. */
  readonly own: readonly string[];
  readonly context: ReadContext | undefined;
}

const TIMEOUT_MS = 2_000;
const NOTHING: Seen = { values: [], own: [], context: undefined };

/** One client's way to a bucket of registers: whatever it does is in the log, and in the list of attempts. */
export class LoggedRegisters {
  readonly #world: World;
  readonly #log: OperationLog;
  readonly #attempts: Attempts;
  readonly #name: string;
  readonly #random: Random;
  readonly #bucket: Bucket<string>;

  constructor(env: {
    world: World;
    log: OperationLog;
    attempts: Attempts;
    name: string;
    random: Random;
    bucket: Bucket<string>;
  }) {
    this.#world = env.world;
    this.#log = env.log;
    this.#attempts = env.attempts;
    this.#name = env.name;
    this.#random = env.random;
    this.#bucket = env.bucket;
  }

  /** Undefined when it failed. */
  async read(key: string): Promise<Seen | undefined> {
    const beganMs = this.#world.nowMs;
    const reading = await this.#attempts
      .during('read', this.#name, this.#bucket.read(key, { timeoutMs: TIMEOUT_MS }))
      .catch(() => undefined);
    if (reading === undefined) return undefined;
    const { entry, context, receipt } = reading;
    const values = entry?.values ?? [];
    this.#log.reads.push({ key, client: this.#name, values, receipt, beganMs, endedMs: this.#world.nowMs });
    return { values, own: [], context };
  }

  /** What the writer has seen afterwards: undefined for a delete, and for a put that was not acknowledged. */
  async write(kind: 'put' | 'delete', key: string, { values, own, context }: Seen = NOTHING): Promise<Seen | undefined> {
    const id = toHex(this.#random.bytes(8));
    const operation = this.#log.begin({ id, key, kind, client: this.#name, seen: values, own, beganMs: this.#world.nowMs });
    const options = { context, operation: id, timeoutMs: TIMEOUT_MS };
    const doing = kind === 'put' ? this.#bucket.put(key, id, options) : this.#bucket.delete(key, options).then(() => undefined);
    let seen: Seen | undefined;
    try {
      const written = await this.#attempts.during('write', this.#name, doing);
      operation.outcome = 'acknowledged';
      operation.receipt = written?.receipt;
      if (written !== undefined) seen = { values, own: [...own, id], context: written.context };
    } catch (thrown) {
      operation.outcome = outcomeOf(thrown);
      operation.partial = partialOf(thrown);
    }
    operation.endedMs = this.#world.nowMs;
    this.#world.trace.note(this.#name, `${kind} ${key} ${id} over [${[...values, ...own].join(' ')}]: ${operation.outcome}`);
    return seen;
  }
}

/** Reads keys and writes them, with the context of the read or blindly, and deletes them now and then. */
export class RegisterClient extends SteppingClient {
  readonly #options: RegistersOptions;
  readonly #registers: LoggedRegisters;

  constructor(world: World, random: Random, registers: LoggedRegisters, options: RegistersOptions) {
    super(world, random, options.thinkMs);
    this.#options = options;
    this.#registers = registers;
  }

  protected override async step(): Promise<void> {
    const { keys, blind, deletes } = this.#options;
    const key = keys.pick(this.random);
    const isBlind = this.random.float() < blind;
    const isDelete = this.random.float() < deletes;
    if (isBlind) {
      await this.#registers.write('put', key);
      return;
    }
    const seen = await this.#registers.read(key);
    if (seen === undefined || (isDelete && seen.values.length === 0)) return;
    await this.#registers.write(isDelete ? 'delete' : 'put', key, seen);
  }
}
