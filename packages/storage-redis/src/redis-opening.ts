/**
 * One opening of a prefix: whether the server still holds what this engine last wrote, and whether it may be trusted with more.
 *
 * A server may go back to an older state while the engine is open: a failover promotes a replica that lagged, a backup is
 * restored, the log loses its end. Each batch increments a counter on the server, each opening increments the fence, and each
 * write and renewal of the lease says which numbers it knows of. A server with smaller ones refuses, and the engine is lost to
 * this process: what is in the node's memory no longer follows from what is stored. Where the server had promised to sync each
 * write, the loss is marked on it, and the next opening reports it (`StorageLoss`). A server that made no such promise was never
 * trusted with its last writes: a fresh epoch is all that it takes.
 *
 * The configuration is read again with each renewal, since administrators change it while servers run.
 */
import { ArmatureError } from '@armature/kernel';
import type { Logger } from '@armature/runtime';
import type { StorageLoss } from '@armature/storage';
import { SYNC_SETTINGS, type RedisConnection, type ServerFacts } from './redis-connection.js';
import { redisError } from './redis-errors.js';
import type { Acquired, KeyNames } from './redis-lease.js';
import { BEHIND, FENCED, MARK_BEHIND, RELEASE, RENEW, VANISHED, type Script } from './scripts.js';

/** Replies after which this process can use the prefix no more. */
const FINAL = [FENCED, VANISHED, BEHIND];

export interface RedisOpeningOptions {
  readonly connection: RedisConnection;
  readonly names: KeyNames;
  /** Who holds the lease. */
  readonly token: string;
  readonly leaseMs: number;
  readonly acquired: Acquired;
  readonly facts: ServerFacts;
  /** Whether a server that does not sync each write may be asked for synced ones. */
  readonly acceptsUnsynced: boolean;
  readonly log: Logger;
}

export class RedisOpening {
  readonly loss: StorageLoss | undefined;
  readonly #options: RedisOpeningOptions;
  #syncsAlways: boolean | undefined;
  /** The greatest count of batches that the server has acknowledged. */
  #acknowledgedBatches: number;
  #renewal: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RedisOpeningOptions) {
    this.#options = options;
    const { connection, acquired, facts } = options;
    this.#acknowledgedBatches = acquired.batches;
    this.loss = acquired.behind === undefined ? undefined : { reason: acquired.behind, recorded: () => this.#unmark() };
    this.#look(facts);
    connection.established(() => this.#resume());
    this.#scheduleRenewal();
  }

  /** Runs the script that writes a batch. `keys` and `args` are those beyond fence and count. */
  async write(script: Script, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<void> {
    const batches = await this.#checked(script, keys, args);
    this.#acknowledgedBatches = Math.max(this.#acknowledgedBatches, Number(batches));
  }

  /** Throws `storage-failed` where a synced write cannot be promised. */
  assertSyncs(): void {
    if (this.#syncsAlways === true || this.#options.acceptsUnsynced) return;
    const { where } = this.#options.connection;
    throw new ArmatureError('storage-failed', `${where}: the server does not sync each write, so none can be promised to be`, {
      remedy: `Set ${SYNC_SETTINGS} in Redis, or write with durability 'os', or accept the server's durability.`,
    });
  }

  /** Gives the lease back; one that cannot be given back expires. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#renewal);
    const { connection, names } = this.#options;
    await connection.run(RELEASE, [names.fence, names.count, names.lease], this.#known()).catch(() => undefined);
  }

  /** What this process knows of the server's state: the scripts refuse an older one. */
  #known(): [fence: number, batches: number] {
    return [this.#options.acquired.fence, this.#acknowledgedBatches];
  }

  #scheduleRenewal(): void {
    this.#renewal = setTimeout(() => void this.#renew(), this.#options.leaseMs / 3);
    this.#renewal.unref();
  }

  /** A failure is of no account by itself: the next renewal, or the return of the connection, makes up for it. */
  async #renew(): Promise<void> {
    try {
      await this.#takeLease(false);
      this.#look(await this.#options.connection.facts());
    } catch {
      // The connection knows what to tell the callers of commands.
    }
    if (!this.#isClosed) this.#scheduleRenewal();
  }

  /** The connection is back: is it the same data? */
  async #resume(): Promise<void> {
    const { connection } = this.#options;
    const facts = await connection.facts();
    refuseEviction(facts, connection.where);
    await this.#takeLease(true);
    this.#look(facts);
  }

  async #takeLease(evenIfAway: boolean): Promise<void> {
    const { names, token, leaseMs } = this.#options;
    await this.#checked(RENEW, [names.lease], [token, leaseMs], evenIfAway);
  }

  async #checked(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
    evenIfAway = false,
  ): Promise<unknown> {
    const { connection, names } = this.#options;
    try {
      return await connection.run(script, [names.fence, names.count, ...keys], [...this.#known(), ...args], evenIfAway);
    } catch (thrown) {
      const error = redisError(thrown, connection.where);
      const reply = error.cause instanceof Error ? error.cause.message : '';
      if (reply.startsWith(BEHIND) && this.#syncsAlways === true) await this.#markBehind(reply);
      if (FINAL.some((code) => reply.startsWith(code))) connection.lose(error);
      throw error;
    }
  }

  /** Should this fail, the engine is not given up yet: the next use of the server is refused likewise, and marks it. */
  async #markBehind(reply: string): Promise<void> {
    const { connection, names } = this.#options;
    const [fence, batches] = this.#known();
    const reason = `Redis had acknowledged batch ${batches} of opening ${fence}, and ${reply.slice(BEHIND.length + 1)}`;
    await connection.run(MARK_BEHIND, [names.fence, names.behind], [fence, reason], true);
  }

  async #unmark(): Promise<void> {
    const { connection, names } = this.#options;
    await connection.send('DEL', [names.behind]);
  }

  #look({ syncsAlways }: ServerFacts): void {
    if (syncsAlways === this.#syncsAlways) return;
    const { connection, log } = this.#options;
    const { where } = connection;
    if (!syncsAlways) log.warn({ where }, `this Redis does not sync each write (it would with ${SYNC_SETTINGS})`);
    else if (this.#syncsAlways !== undefined) log.info({ where }, 'this Redis syncs each write again');
    this.#syncsAlways = syncsAlways;
  }
}

/** The `allkeys-` policies would throw out what was stored; the `volatile-` ones only touch the lease, which may go. */
export function refuseEviction(facts: ServerFacts, where: string): void {
  if (facts.evictionPolicy?.startsWith('allkeys') !== true) return;
  throw new ArmatureError('storage-failed', `${where}: Redis evicts data (maxmemory-policy ${facts.evictionPolicy})`, {
    remedy: 'Set maxmemory-policy noeviction.',
  });
}
