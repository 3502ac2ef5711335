/**
 * Registers: clients that read keys and write them, with the context of the read or blindly, and delete them now and then. Every
 * value is the id of the operation that wrote it, so that what is read tells what was seen.
 */
import { toArmatureError, toHex, type Random } from '@armature/kernel';
import type { Bucket, ReadContext } from '@armature/client';
import type { Attempts } from '../check/availability.js';
import { outcomeOf, partialOf, type Operation, type OperationLog } from '../check/operation-log.js';
import type { KeySpace } from './key-space.js';
import type { World } from '../world/world.js';
import type { Forger, ForgeryKind } from './forgery.js';
import { SteppingClient } from './workload.js';

export interface RegistersOptions {
  readonly keys: KeySpace;
  /** Mean time between two steps of one client, ms. */
  readonly thinkMs: number;
  /** Of the steps, how many delete, and how many write without having read; each 0 to 1. */
  readonly deletes: number;
  readonly blind: number;
  /** Of the writes over what was read, how many are made with a forged context, 0 to 1. */
  readonly forged: number;
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
  readonly #forger: Forger;
  readonly #acknowledged: (operation: Operation) => void;

  constructor(env: {
    world: World;
    log: OperationLog;
    attempts: Attempts;
    name: string;
    random: Random;
    bucket: Bucket<string>;
    forger: Forger;
    acknowledged: (operation: Operation) => void;
  }) {
    this.#world = env.world;
    this.#log = env.log;
    this.#attempts = env.attempts;
    this.#name = env.name;
    this.#random = env.random;
    this.#bucket = env.bucket;
    this.#forger = env.forger;
    this.#acknowledged = env.acknowledged;
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
    if (context !== undefined) this.#forger.note(this.#bucket.name, key, context);
    return { values, own: [], context };
  }

  /** What the writer has seen afterwards: undefined for a delete, and for a put that was not acknowledged. */
  async write(kind: 'put' | 'delete', key: string, seen: Seen = NOTHING): Promise<Seen | undefined> {
    return this.#write(kind, key, seen);
  }

  /** A write with a context that was made of that of a read, or is not of that key. Nothing is tried where none can be made. */
  async forge(kind: 'put' | 'delete', key: string, { context }: Seen): Promise<void> {
    const forgery = context === undefined ? undefined : this.#forger.forge(this.#random, this.#bucket.name, key, context);
    if (forgery !== undefined) await this.#write(kind, key, { ...NOTHING, context: forgery.context }, forgery.kind);
  }

  async #write(
    kind: 'put' | 'delete',
    key: string,
    { values, own, context }: Seen,
    forged?: ForgeryKind,
  ): Promise<Seen | undefined> {
    const id = toHex(this.#random.bytes(8));
    const operation = this.#log.begin({
      ...{ id, key, kind, client: this.#name, seen: values, own, beganMs: this.#world.nowMs },
      ...(forged === undefined ? {} : { forged }),
    });
    const options = { context, operation: id, timeoutMs: TIMEOUT_MS };
    const doing = kind === 'put' ? this.#bucket.put(key, id, options) : this.#bucket.delete(key, options).then(() => undefined);
    let seen: Seen | undefined;
    try {
      const written = await this.#attempts.during('write', this.#name, doing, key);
      operation.outcome = 'acknowledged';
      operation.receipt = written?.receipt;
      if (written !== undefined) seen = { values, own: [...own, id], context: written.context };
    } catch (thrown) {
      operation.failure = toArmatureError(thrown).code;
      operation.outcome = outcomeOf(thrown);
      operation.partial = partialOf(thrown);
    }
    operation.endedMs = this.#world.nowMs;
    if (operation.outcome === 'acknowledged') this.#acknowledged(operation);
    this.#world.trace.note(
      this.#name,
      `${kind} ${key} ${id} over [${forged ?? [...values, ...own].join(' ')}]: ${operation.outcome}`,
    );
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
    const { keys, blind, deletes, forged } = this.#options;
    const key = keys.pick(this.random);
    const isBlind = this.random.float() < blind;
    const isDelete = this.random.float() < deletes;
    if (isBlind) {
      await this.#registers.write('put', key);
      return;
    }
    const seen = await this.#registers.read(key);
    if (seen === undefined || (isDelete && seen.values.length === 0)) return;
    const kind = isDelete ? 'delete' : 'put';
    if (this.random.float() < forged) await this.#registers.forge(kind, key, seen);
    else await this.#registers.write(kind, key, seen);
  }
}
