/**
 * The storage engine over LevelDB (package `level`): a log-structured merge tree in a directory of its own.
 *
 * Encodings, by measurement (100 B values, 32 B keys, batches of 64, one of two cores; thousand per second):
 *
 *     keys      array batch   chained batch   chained, synced   getSync
 *     utf8         64              323              155           123
 *     buffer       76              345              139           110
 *     view         64              286               -            110
 *
 * The chained batch is what counts: it hands over one operation at a time instead of building and picking apart an object
 * for each. Between the key encodings there is nothing to choose by speed, so keys are bytes: `utf8` would store half of
 * all byte values in two bytes each, and its getSync cuts off a key that ends in such a character exactly at the end of a
 * reused buffer, and then answers with another key's value.
 *
 * Write buffer, a million random keys through the store with 64 in flight: the rate hardly depends on it, the tail does,
 * because each full buffer starts a compaction that competes for the CPU and the device.
 *
 *     MiB    not synced/s    p99.9     synced/s     p99.9      opening after a crash
 *      4      177-208k      10-15 ms    98-100k    14-35 ms        20-50 ms
 *     16      139-175k      24-32 ms    65-77k     19-54 ms        40-70 ms
 *     64      170-178k       4-7 ms     58-108k    12-37 ms       400-700 ms
 *
 * Reads are synchronous: 3-9 us from memory or the page cache, less than the hop to the thread pool and back costs.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, type ArmatureError, toBinaryString, toHex, type BinaryString } from '@armature/kernel';
import {
  keyAfter,
  type Engine,
  type RangePage,
  type RangeQuery,
  type StorageEntry,
  type StorageIdentity,
  type StorageOperation,
  type WriteOptions,
} from '@armature/storage';
import { databasePath, foreignFiles, inspectDirectory, stampDirectory, syncDirectory } from './data-directory.js';
import { MARK_KEY } from './durability-mark.js';
import { corruptError, ignoreMissing, isDamage, levelError } from './level-errors.js';
import { LevelHandle, type Database } from './level-handle.js';
import { displacedError, Place } from './place.js';
import { seal, unseal } from './sealed-value.js';

export interface LevelEngineOptions {
  /** Created if missing. Must be empty, or stamped with the same identity. */
  readonly directory: string;
  readonly identity: StorageIdentity;
  /** Memory for what is not yet in a table, 64 MiB by default; up to two of these exist. */
  readonly writeBufferBytes?: number;
  /** Memory for uncompressed blocks, 32 MiB by default. */
  readonly blockCacheBytes?: number;
}

const MIB = 1024 * 1024;

/** The smallest key that anything is stored under. */
const FIRST_KEY = '\0' as BinaryString;

/** What one visit to the thread pool may bring back of a range. */
const SCAN_CHUNK_BYTES = MIB;

/**
 * Opens, or creates, the database of a node. Fails with `storage-locked` (another process has it), `storage-foreign`,
 * `storage-corrupt`, `storage-full`, or `storage-failed` (e.g. a directory that cannot be written).
 */
export async function openLevelEngine(options: LevelEngineOptions): Promise<Engine> {
  const { directory, identity } = options;
  const { stamped } = await inspectDirectory(directory, identity);
  const handle = await LevelHandle.open({
    directory,
    writeBufferBytes: options.writeBufferBytes ?? 64 * MIB,
    blockCacheBytes: options.blockCacheBytes ?? 32 * MIB,
  });
  const engine = new LevelEngine(directory, handle, await Place.of(databasePath(directory)));
  if (stamped) return engine;
  try {
    const anything = await engine.range({ start: '' as BinaryString, limit: 1 });
    if (anything.entries.length > 0) throw foreignFiles(directory, 'its database has no stamp and is not empty');
    await stampDirectory(directory, identity);
  } catch (thrown) {
    await engine.close();
    throw thrown;
  }
  return engine;
}

class LevelEngine implements Engine {
  readonly name = 'level';
  readonly #directory: string;
  readonly #handle: LevelHandle;
  /** Writes go one after the other: nothing is appended behind a record that failed, and the store groups them anyway. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  readonly #place: Place;
  /** Why nothing is written: the database is not where it was. */
  #displaced: ArmatureError | undefined;
  /** Whether all that was written is on stable storage, which the next batch says (`durability-mark.ts`). */
  #isDurable = false;

  constructor(directory: string, handle: LevelHandle, place: Place) {
    this.#directory = directory;
    this.#handle = handle;
    this.#place = place;
  }

  get(key: BinaryString): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const database = this.#handle.readable();
    return database instanceof Promise ? database.then(() => this.get(key)) : this.#read(database, key);
  }

  async getMany(keys: readonly BinaryString[]): Promise<(Uint8Array | undefined)[]> {
    const stored = await this.#handle.use('read', (database) => database.getMany(keys.map(toBytes)));
    return stored.map((sealed, index) =>
      sealed === undefined ? undefined : this.#unsealed(keys[index] as BinaryString, sealed),
    );
  }

  write(batch: readonly StorageOperation[], options: WriteOptions): Promise<void> {
    const written = this.#lastWrite.then(() => this.#write(batch, options));
    this.#lastWrite = written.catch(() => undefined);
    return written;
  }

  async range(query: RangeQuery): Promise<RangePage> {
    assert(query.limit >= 1, 'a page holds at least one entry');
    return this.#handle.use('read', (database) => this.#page(database, query));
  }

  /**
   * Not by a synced write: that syncs the newest log only, and the tail of the previous one may be in neither a table nor on
   * disk. Every log is synced; one that vanishes meanwhile has become a table, which LevelDB syncs itself.
   */
  async sync(): Promise<void> {
    const lastWrite = this.#lastWrite;
    await lastWrite;
    await this.#handle.use('read', async () => {
      const path = databasePath(this.#directory);
      const logs = (await readdir(path)).filter((name) => name.endsWith('.log'));
      if (logs.length === 0) throw displacedError(path);
      for (const name of logs) await syncFile(join(path, name));
      await syncDirectory(path);
    });
    if (lastWrite === this.#lastWrite) this.#isDurable = true;
  }

  async sizeBytes(): Promise<number> {
    return this.#handle.use('read', async () => {
      const path = databasePath(this.#directory);
      const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
      return sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
    });
  }

  async probe(): Promise<void> {
    try {
      await this.#place.check();
      this.#displaced = undefined;
    } catch (thrown) {
      this.#displaced = levelError(thrown, this.#directory);
      throw this.#displaced;
    }
  }

  async close(): Promise<void> {
    await this.#lastWrite;
    await this.#handle.close();
  }

  #read(database: Database, key: BinaryString): Uint8Array | undefined {
    let sealed: Uint8Array | undefined;
    try {
      sealed = database.getSync(toBytes(key));
    } catch (thrown) {
      throw levelError(thrown, this.#directory);
    }
    return sealed === undefined ? undefined : this.#unsealed(key, sealed);
  }

  async #write(batch: readonly StorageOperation[], options: WriteOptions): Promise<void> {
    if (this.#displaced !== undefined) throw this.#displaced;
    await this.#handle.use('write', async (database) => {
      const chained = database.batch();
      if (this.#isDurable) chained.del(MARK_KEY);
      this.#isDurable = false;
      for (const operation of batch) {
        if (operation.kind === 'put') chained.put(toBytes(operation.key), seal(operation.value));
        else chained.del(toBytes(operation.key));
      }
      await chained.write(options);
      // LevelDB is not told of an empty batch.
      this.#isDurable = options.sync && batch.length > 0;
    });
  }

  /**
   * LevelDB's iterators pass over blocks that they cannot read, and say so only at the end of the range, in place of the last
   * entries. These are then fetched one by one. The keys in such a block nobody knows: `get` says `storage-corrupt` for each of
   * them.
   */
  async #page(database: Database, query: RangeQuery): Promise<RangePage> {
    try {
      return await this.#pageInSteps(database, query, query.limit);
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown;
      return this.#pageInSteps(database, query, 1);
    }
  }

  /** In steps of one entry, an unreadable block is taken for the end: there is nothing behind it that was not read. */
  async #pageInSteps(database: Database, query: RangeQuery, step: number): Promise<RangePage> {
    const limitBytes = query.limitBytes ?? Infinity;
    const iterator = database.iterator({
      // The empty key is the mark's.
      gte: toBytes(query.start === '' ? FIRST_KEY : query.start),
      ...(query.end === undefined ? {} : { lt: toBytes(query.end) }),
      limit: query.limit,
      highWaterMarkBytes: Math.min(limitBytes, SCAN_CHUNK_BYTES),
    });
    const entries: StorageEntry[] = [];
    let pageBytes = 0;
    try {
      for (;;) {
        const chunk = await iterator.nextv(step).catch((thrown: unknown) => {
          if (step === 1 && isDamage(thrown)) return [];
          throw thrown;
        });
        if (chunk.length === 0) break;
        for (const [rawKey, sealed] of chunk) {
          const key = toBinaryString(rawKey);
          const value = unseal(sealed);
          if (value === undefined) {
            if (entries.length > 0) return { entries, next: key };
            throw this.#corrupt(key);
          }
          entries.push({ key, value });
          pageBytes += key.length + value.length;
          if (entries.length >= query.limit || pageBytes >= limitBytes) return { entries, next: keyAfter(key) };
        }
      }
      return { entries, next: undefined };
    } finally {
      await iterator.close();
    }
  }

  #unsealed(key: BinaryString, sealed: Uint8Array): Uint8Array {
    const value = unseal(sealed);
    if (value === undefined) throw this.#corrupt(key);
    return value;
  }

  #corrupt(key: BinaryString): Error {
    return corruptError(`a value in ${this.#directory} does not match its checksum`, { resumeAt: toHex(toBytes(keyAfter(key))) });
  }
}

function toBytes(key: BinaryString): Buffer {
  return Buffer.from(key, 'latin1');
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+').catch(ignoreMissing);
  if (file === undefined) return;
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(ignoreMissing))?.size ?? 0;
}
