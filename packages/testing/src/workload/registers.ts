/**
 * Registers: clients that read keys and write them, with the context of the read or blindly, and delete them now and then. Every value is the id
 * of the operation that wrote it, so that what is read tells what was seen.
 */
import { toArmatureError, toHex, type ErrorCode, type Random } from '@armature/kernel';
import type { Bucket, Client, ReadContext } from '@armature/client';
import { utf8 } from '@armature/client';
import type { OperationLog, Outcome } from '../check/operation-log.js';
import type { World } from '../world/world.js';

export interface RegistersOptions {
  readonly bucket: string;
  /** Few keys make many conflicts. */
  readonly keys: number;
  /** Mean time between two steps of one client, ms. */
  readonly thinkMs: number;
  /** Of the steps, how many delete, and how many write without having read; each 0 to 1. */
  readonly deletes: number;
  readonly blind: number;
}

/** Said before anything was minted: nothing has happened. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['too-large', 'invalid-context', 'invalid-argument', 'unknown-bucket']);

export class RegisterClient {
  readonly #world: World;
  readonly #log: OperationLog;
  readonly #options: RegistersOptions;
  readonly #name: string;
  readonly #random: Random;
  readonly #bucket: Bucket<string>;
  #stopped = false;
  reads = 0;
  failedReads = 0;

  constructor(world: World, log: OperationLog, name: string, client: Client, options: RegistersOptions) {
    this.#world = world;
    this.#log = log;
    this.#options = options;
    this.#name = name;
    this.#random = world.random(`client ${name}`);
    this.#bucket = client.bucket(options.bucket, { codec: utf8 });
  }

  /** Steps until `stop`. Resolves after the last one. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#world.sleep(this.#options.thinkMs * 2 * this.#random.float());
      await this.#step();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #step(): Promise<void> {
    const { keys, blind, deletes } = this.#options;
    const key = `k${this.#random.int(keys)}`;
    const isBlind = this.#random.float() < blind;
    const isDelete = this.#random.float() < deletes;
    if (isBlind) {
      await this.#write(key, 'put', [], undefined);
      return;
    }
    try {
      const { entry, context } = await this.#bucket.read(key, { timeoutMs: 2_000 });
      this.reads++;
      if (isDelete && entry === undefined) return;
      await this.#write(key, isDelete ? 'delete' : 'put', entry?.values ?? [], context);
    } catch {
      this.failedReads++;
    }
  }

  async #write(key: string, kind: 'put' | 'delete', seen: readonly string[], context: ReadContext | undefined): Promise<void> {
    const id = toHex(this.#random.bytes(8));
    const operation = this.#log.begin({ id, key, kind, client: this.#name, seen, beganMs: this.#world.nowMs });
    const options = { context, operation: id, timeoutMs: 2_000 };
    operation.outcome = await (kind === 'put' ? this.#bucket.put(key, id, options) : this.#bucket.delete(key, options)).then(
      (): Outcome => 'acknowledged',
      (thrown: unknown): Outcome => (REFUSALS.has(toArmatureError(thrown).code) ? 'refused' : 'unknown'),
    );
    operation.endedMs = this.#world.nowMs;
    this.#world.trace.note(this.#name, `${kind} ${key} ${id} over [${seen.join(' ')}]: ${operation.outcome}`);
  }
}
