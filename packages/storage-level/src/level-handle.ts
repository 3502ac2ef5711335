/**
 * The open database, and its recovery after a failed write.
 *
 * After a write error LevelDB is not to be trusted with further ones. If its log could not be synced or a table not be written,
 * it refuses every write until it is opened anew. If the log could not be appended to, it does accept more, behind a torn record,
 * and these would be dropped by the next recovery although they were acknowledged. So the first failed write makes the handle
 * suspect: reads go on over it, and before the next write the database is closed and opened again, which replays the log up to
 * the torn record.
 *
 * Opening needs room: the log is rewritten as a table. On a full device it would fail and take the reads with it, so it
 * is tried only once there is enough space again.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { closedError } from '@armature/storage';
import { Level } from 'level';
import { databasePath } from './data-directory.js';
import { checkDatabase } from './database-check.js';
import { fullError, levelError } from './level-errors.js';

export type Database = Level<Uint8Array, Uint8Array>;

export interface LevelHandleOptions {
  readonly directory: string;
  readonly writeBufferBytes: number;
  readonly blockCacheBytes: number;
}

/** A device that fails is asked again at most this often, however many writes arrive. */
const RECOVERY_INTERVAL_MS = 250;

/** A manifest and a new log, besides the tables that the logs become. */
const RECOVERY_SLACK_BYTES = 1024 * 1024;

export class LevelHandle {
  readonly #options: LevelHandleOptions;
  readonly #database: Database;
  /** `suspect`: readable, to be reopened before the next write. `down`: reopening failed, nothing works until it succeeds. */
  #state: 'open' | 'suspect' | 'reopening' | 'down' | 'closed' = 'open';
  #recovering: Promise<void> | undefined;
  #lastAttemptMs = -Infinity;
  #lastError: unknown;
  #users = 0;
  #whenIdle: (() => void) | undefined;

  private constructor(options: LevelHandleOptions) {
    this.#options = options;
    // 'buffer' for both, see level-engine.ts.
    this.#database = new Level<Uint8Array, Uint8Array>(databasePath(options.directory), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferSize: options.writeBufferBytes,
      cacheSize: options.blockCacheBytes,
    });
  }

  static async open(options: LevelHandleOptions): Promise<LevelHandle> {
    await checkDatabase(databasePath(options.directory));
    // Made only now: a new database opens itself at the end of the turn.
    const handle = new LevelHandle(options);
    await handle.#open({ createIfMissing: true });
    return handle;
  }

  /** The database if it can be read right now; else a promise to wait for, and then ask again. Throws `closed`. */
  readable(): Database | Promise<void> {
    switch (this.#state) {
      case 'open':
      case 'suspect':
        return this.#database;
      case 'reopening':
      case 'down':
        return this.#recover();
      case 'closed':
        throw closedError('level engine');
    }
  }

  /** Runs a read or write that takes time; the database is neither closed nor reopened under it. */
  async use<T>(kind: 'read' | 'write', work: (database: Database) => Promise<T>): Promise<T> {
    let database = this.#usable(kind);
    while (database instanceof Promise) {
      await database;
      database = this.#usable(kind);
    }
    this.#users++;
    try {
      return await work(database);
    } catch (thrown) {
      if (kind === 'write' && this.#state === 'open') this.#state = 'suspect';
      throw levelError(thrown, this.#options.directory);
    } finally {
      if (--this.#users === 0) this.#whenIdle?.();
    }
  }

  /** Waits for what is under way. Idempotent. */
  async close(): Promise<void> {
    await this.#recovering?.catch(() => undefined);
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#idle();
    await this.#database.close();
  }

  #usable(kind: 'read' | 'write'): Database | Promise<void> {
    return kind === 'write' && this.#state === 'suspect' ? this.#recover() : this.readable();
  }

  /** One attempt at a time, shared by all who need it. */
  #recover(): Promise<void> {
    this.#recovering ??= this.#reopen().finally(() => (this.#recovering = undefined));
    return this.#recovering;
  }

  async #reopen(): Promise<void> {
    const { directory } = this.#options;
    if (performance.now() - this.#lastAttemptMs < RECOVERY_INTERVAL_MS) throw this.#lastError;
    try {
      const space = await statfs(directory);
      const neededBytes = (await logBytes(databasePath(directory))) + RECOVERY_SLACK_BYTES;
      if (space.bavail * space.bsize < neededBytes) throw fullError(directory);
      this.#state = 'reopening';
      await this.#idle();
      await this.#database.close();
      await checkDatabase(databasePath(directory));
      // A database that has been removed is not to be made anew: the node would go on with an empty one.
      await this.#open({ createIfMissing: false });
      this.#state = 'open';
    } catch (thrown) {
      if (this.#state === 'reopening') this.#state = 'down';
      this.#lastAttemptMs = performance.now();
      this.#lastError = levelError(thrown, directory);
      throw this.#lastError;
    }
  }

  async #open(options: { readonly createIfMissing: boolean }): Promise<void> {
    try {
      await this.#database.open(options);
    } catch (thrown) {
      throw levelError(thrown, this.#options.directory);
    }
  }

  /** Resolves when no user is left. New ones wait for the recovery, or are refused by the close, that asks. */
  async #idle(): Promise<void> {
    while (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#whenIdle = undefined;
  }
}

/** Size of the logs that opening would rewrite. They stay as they are while the database takes no writes. */
async function logBytes(path: string): Promise<number> {
  const logs = (await readdir(path)).filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(path, name))).size));
  return sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
}
