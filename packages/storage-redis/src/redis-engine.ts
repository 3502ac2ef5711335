/**
 * The storage engine over Redis: for clusters whose operators run Redis already, and for nodes without a disk.
 *
 * Values live in one hash, the keys besides in a sorted set for their order; both are changed by one script, so a batch is
 * atomic. A lease, renewed by a timer, keeps a second node from opening the same prefix; the lease can expire under a node
 * that was paused, so it is not what protects the data: each opening increments a fence, and each write carries the fence
 * it was opened with. The server refuses writes of all but the last.
 *
 * What `sync` means is Redis's business. With `appendonly yes`, `appendfsync always` and `no-appendfsync-on-rewrite no` the
 * server syncs its log before it answers, so every write is on stable storage, asked for or not. With anything else nothing
 * can be promised (WAITAOF, which could, came with 7.2), and synced writes are refused, unless the operator accepts the
 * server's own durability. A server that goes back to an older state is found out (redis-opening.ts).
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ArmatureError, asBuffer, assert, quoted, toBinaryString, type BinaryString } from '@armature/kernel';
import { silentLog, type Logger } from '@armature/runtime';
import {
  closedError,
  keyAfter,
  verifyStamp,
  type Engine,
  type RangePage,
  type RangeQuery,
  type StorageEntry,
  type StorageIdentity,
  type StorageLoss,
  type StorageOperation,
  type WriteOptions,
} from '@armature/storage';
import { RedisConnection } from './redis-connection.js';
import { redisError } from './redis-errors.js';
import { acquire, keyNames, type KeyNames } from './redis-lease.js';
import { RedisOpening, refuseEviction } from './redis-opening.js';
import { RANGE, WRITE } from './scripts.js';

export interface RedisEngineOptions {
  /** `redis://[user:password@]host:port/db`, or `rediss://` for TLS. */
  readonly url: string;
  /** Under which all keys of this node are; each node has its own. Letters, digits, `.`, `_`, `:` and `-`. */
  readonly prefix: string;
  readonly identity: StorageIdentity;
  /** What to do with a write that asks for stable storage when the server does not sync each: `refuse` by default. */
  readonly unsyncedServer?: 'refuse' | 'accept';
  /** How long a dead node's prefix stays locked, ms; 15,000 by default. Renewed three times as often. */
  readonly leaseMs?: number;
  /** Longest wait for one answer of the server, ms; 5,000 by default. */
  readonly timeoutMs?: number;
  /**
   * Called once when this process can use the storage no more: another one has opened it, or the server lacks what it had
   * acknowledged. The node has to be started anew.
   */
  readonly onLost?: (error: ArmatureError) => void;
  readonly log?: Logger;
}

/** A page is one visit to a server that does nothing else meanwhile. */
const PAGE_LIMIT = 1000;
const PAGE_LIMIT_BYTES = 4 * 1024 * 1024;

/** Fields per HMGET, for the same reason. */
const MANY_LIMIT = 1000;

/**
 * Opens, or creates, a node's storage under a prefix. Fails with `storage-locked` (the lease is another's), `storage-foreign`
 * (the stamp, or what lies there, is), or `storage-failed` (not reachable, no access, a server that evicts keys).
 */
export async function openRedisEngine(options: RedisEngineOptions): Promise<Engine> {
  const { prefix, identity } = options;
  if (!/^[\w.:-]{1,200}$/.test(prefix)) {
    throw new ArmatureError('invalid-config', `${quoted(prefix)} is not a valid prefix`, {
      remedy: 'Use 1 to 200 letters, digits, ".", "_", ":" or "-".',
    });
  }
  const timeoutMs = options.timeoutMs ?? 5_000;
  const leaseMs = options.leaseMs ?? 15_000;
  const log = options.log ?? silentLog;
  const names = keyNames(prefix);
  const connection = new RedisConnection(
    { url: options.url, timeoutMs, log, onLost: options.onLost ?? (() => undefined) },
    prefix,
  );
  await connection.connect();
  try {
    const facts = await connection.facts();
    refuseEviction(facts, connection.where);
    const stamp = await connection.sendAnyway('GET', [names.stamp]);
    if (stamp !== null) verifyStamp((stamp as Buffer).toString(), identity, connection.where);
    const token = `${hostname()}:${process.pid}:${randomUUID()}`;
    const acquired = await acquire(connection, names, token, leaseMs, identity);
    const acceptsUnsynced = options.unsyncedServer === 'accept';
    const opening = new RedisOpening({ connection, names, token, leaseMs, acquired, facts, acceptsUnsynced, log });
    return new RedisEngine(connection, names, opening);
  } catch (thrown) {
    connection.close();
    throw redisError(thrown, connection.where);
  }
}

class RedisEngine implements Engine {
  readonly name = 'redis';
  readonly #connection: RedisConnection;
  readonly #names: KeyNames;
  readonly #opening: RedisOpening;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(connection: RedisConnection, names: KeyNames, opening: RedisOpening) {
    this.#connection = connection;
    this.#names = names;
    this.#opening = opening;
  }

  get loss(): StorageLoss | undefined {
    return this.#opening.loss;
  }

  get(key: BinaryString): Promise<Uint8Array | undefined> {
    return this.#track(async () => {
      const value = await this.#connection.send('HGET', [this.#names.values, toBytes(key)]);
      return value === null ? undefined : (value as Buffer);
    });
  }

  getMany(keys: readonly BinaryString[]): Promise<(Uint8Array | undefined)[]> {
    return this.#track(async () => {
      const values: (Uint8Array | undefined)[] = [];
      for (let from = 0; from < keys.length; from += MANY_LIMIT) {
        const part = keys.slice(from, from + MANY_LIMIT).map(toBytes);
        const reply = (await this.#connection.send('HMGET', [this.#names.values, ...part])) as (Buffer | null)[];
        for (const value of reply) values.push(value ?? undefined);
      }
      return values;
    });
  }

  write(batch: readonly StorageOperation[], options: WriteOptions): Promise<void> {
    return this.#track(async () => {
      if (options.sync) this.#opening.assertSyncs();
      if (batch.length === 0) {
        this.#connection.assertUp();
        return;
      }
      const latest = new Map<BinaryString, StorageOperation>();
      for (const operation of batch) latest.set(operation.key, operation);
      const puts: Buffer[] = [];
      const deletes: Buffer[] = [];
      for (const operation of latest.values()) {
        if (operation.kind === 'put') puts.push(toBytes(operation.key), asBuffer(operation.value));
        else deletes.push(toBytes(operation.key));
      }
      const { values, keys } = this.#names;
      await this.#opening.write(WRITE, [values, keys], [puts.length / 2, ...puts, ...deletes]);
    });
  }

  range(query: RangeQuery): Promise<RangePage> {
    return this.#track(async () => {
      assert(query.limit >= 1, 'a page holds at least one entry');
      const from = Buffer.from(`[${query.start}`, 'latin1');
      const to = Buffer.from(query.end === undefined ? '+' : `(${query.end}`, 'latin1');
      const limit = Math.min(query.limit, PAGE_LIMIT);
      const limitBytes = Math.min(query.limitBytes ?? Infinity, PAGE_LIMIT_BYTES);
      const [more, ...flat] = (await this.#connection.run(
        RANGE,
        [this.#names.keys, this.#names.values],
        [from, to, limit, limitBytes],
      )) as [number, ...(Buffer | null)[]];
      const entries: StorageEntry[] = [];
      for (let i = 0; i < flat.length; i += 2) {
        const key = toBinaryString(flat[i] as Buffer);
        const value = flat[i + 1];
        if (value === null || value === undefined) throw this.#inconsistent();
        entries.push({ key, value });
      }
      const last = entries.at(-1);
      return { entries, next: more === 1 && last !== undefined ? keyAfter(last.key) : undefined };
    });
  }

  sync(): Promise<void> {
    return this.#track(async () => {
      this.#opening.assertSyncs();
      // On one connection replies come in order, so this one comes after those of all writes before it.
      await this.#connection.send('PING', []);
    });
  }

  sizeBytes(): Promise<number> {
    return this.#track(async () => {
      const sizes = [this.#names.values, this.#names.keys].map((name) =>
        this.#connection.send('MEMORY', ['USAGE', name, 'SAMPLES', 100]),
      );
      return (await Promise.all(sizes)).reduce<number>((sum, sizeBytes) => sum + ((sizeBytes as number | null) ?? 0), 0);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.#opening.close();
    this.#connection.close();
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedError('redis engine');
    const promise = work();
    this.#underWay.add(promise);
    try {
      return await promise;
    } finally {
      this.#underWay.delete(promise);
    }
  }

  #inconsistent(): ArmatureError {
    return new ArmatureError('storage-corrupt', `${this.#connection.where}: a key has no value; something else writes there`, {
      remedy: 'Keep others away from this prefix; then restart the node as a replacement of itself.',
    });
  }
}

function toBytes(key: BinaryString): Buffer {
  return Buffer.from(key, 'latin1');
}
