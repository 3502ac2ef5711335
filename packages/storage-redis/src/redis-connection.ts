/**
 * One connection to Redis, and what has to hold before a command may use it.
 *
 * ioredis reconnects by itself, with pauses up to two seconds. What it cannot know is whether the server that came back is
 * the one that went. Restarted without its last writes, it would let this node go on as if nothing had happened, and mint
 * dots that it has used before. So each time the connection returns, commands stay refused until the lease has been renewed:
 * the script that does it refuses where the data is not what this engine last wrote (scripts.ts). Then the engine is lost for
 * good, and the node must open anew, with a new epoch.
 */
import { ArmatureError } from '@armature/kernel';
import type { Logger } from '@armature/runtime';
import { closedError } from '@armature/storage';
import { Command, Redis } from 'ioredis';
import { redisError } from './redis-errors.js';
import { parseRedisUrl } from './redis-url.js';
import type { Script } from './scripts.js';

/** What of the server's configuration matters to us. */
export interface ServerFacts {
  /**
   * Every write is on stable storage before it is answered, also while the server rewrites its log. False where CONFIG is not
   * permitted.
   */
  readonly syncsAlways: boolean;
  /** Undefined where CONFIG is not permitted. */
  readonly evictionPolicy: string | undefined;
}

/**
 * What a server must be configured with for `syncsAlways`. With `no-appendfsync-on-rewrite yes` it skips syncs, sometimes for
 * minutes, and does not say so.
 */
const SYNCS_ALWAYS: ReadonlyMap<string, string> = new Map([
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['no-appendfsync-on-rewrite', 'no'],
]);

/** The same for people. */
export const SYNC_SETTINGS = [...SYNCS_ALWAYS].map((pair) => pair.join(' ')).join(', ');

type Argument = string | number | Buffer;

export interface RedisConnectionOptions {
  readonly url: string;
  /** Longest wait for one answer, and for a connection, ms. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Called once, when this process can use the server no more. */
  readonly onLost: (error: ArmatureError) => void;
}

/** Pauses between attempts to reconnect, ms. */
const FIRST_RECONNECT_MS = 50;
const LAST_RECONNECT_MS = 2_000;

export class RedisConnection {
  readonly where: string;
  readonly #redis: Redis;
  readonly #log: Logger;
  readonly #onLost: (error: ArmatureError) => void;
  #state: 'opening' | 'up' | 'away' | 'closed' = 'opening';
  #lost: ArmatureError | undefined;
  #lastError: unknown;
  #isConfigDenied = false;
  #onReturn: () => Promise<void> = async () => undefined;

  /** Throws `invalid-config` for a URL that is none. */
  constructor(options: RedisConnectionOptions, prefix: string) {
    this.#log = options.log;
    this.#onLost = options.onLost;
    const { url, shown } = parseRedisUrl(options.url);
    this.where = `${shown} prefix ${prefix}`;
    this.#redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: options.timeoutMs,
      commandTimeout: options.timeoutMs,
      // Commands fail at once while there is no connection, and are never sent a second time behind our back.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) =>
        this.#state === 'opening' || this.#state === 'closed'
          ? null
          : Math.min(FIRST_RECONNECT_MS * 2 ** (times - 1), LAST_RECONNECT_MS),
    });
    // Without a listener ioredis prints to the console. What matters is told to the callers of the commands that fail.
    this.#redis.on('error', (error) => (this.#lastError = error));
    this.#redis.on('close', () => this.#went());
    this.#redis.on('ready', () => void this.#returned());
  }

  /** Connects once, without retrying: at start a wrong address should be said, not waited for. */
  async connect(): Promise<void> {
    try {
      await this.#redis.connect();
    } catch (thrown) {
      this.close();
      throw redisError(this.#lastError ?? thrown, this.where);
    }
  }

  /** Opening is done: commands are let through, and `onReturn` must succeed before they are again after an interruption. */
  established(onReturn: () => Promise<void>): void {
    this.#onReturn = onReturn;
    this.#state = this.#redis.status === 'ready' ? 'up' : 'away';
  }

  /** The engine cannot go on with this server; every later command fails with `error`. */
  lose(error: ArmatureError): void {
    if (this.#lost !== undefined || this.#state === 'closed') return;
    this.#lost = error;
    this.#onLost(error);
    this.#log.error(
      { code: error.code, error: error.message, remedy: error.remedy },
      'the Redis storage is lost to this process',
    );
  }

  /** Throws unless a command may be sent. */
  assertUp(): void {
    if (this.#state === 'up' && this.#lost === undefined) return;
    if (this.#state === 'closed') throw closedError('redis engine');
    throw this.#lost ?? redisError(new Error('Redis cannot be reached'), this.where);
  }

  /** A command with a binary reply, for use while `up`. */
  async send(name: string, args: Argument[]): Promise<unknown> {
    this.assertUp();
    return this.sendAnyway(name, args);
  }

  /** A command that establishes or ends what the others need. */
  async sendAnyway(name: string, args: Argument[]): Promise<unknown> {
    try {
      return await this.#redis.sendCommand(new Command(name, args, { replyEncoding: null }));
    } catch (thrown) {
      if (this.#state === 'closed') throw closedError('redis engine');
      throw redisError(thrown, this.where);
    }
  }

  /** Runs a script by its hash; the server is told the source once. */
  async run(script: Script, keys: readonly string[], args: readonly Argument[], anyway = false): Promise<unknown> {
    if (!anyway) this.assertUp();
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.sendAnyway('EVALSHA', [script.sha, ...rest]);
    } catch (thrown) {
      if (!(thrown instanceof ArmatureError && thrown.cause instanceof Error && thrown.cause.message.startsWith('NOSCRIPT')))
        throw thrown;
      return await this.sendAnyway('EVAL', [script.source, ...rest]);
    }
  }

  async facts(): Promise<ServerFacts> {
    const config = await this.#config();
    return {
      syncsAlways: [...SYNCS_ALWAYS].every(([name, value]) => config.get(name) === value),
      evictionPolicy: config.get('maxmemory-policy'),
    };
  }

  close(): void {
    this.#state = 'closed';
    this.#redis.disconnect();
  }

  /** Managed services forbid CONFIG: then nothing is known, and nothing is assumed. */
  async #config(): Promise<Map<string, string>> {
    try {
      const reply = await this.sendAnyway('CONFIG', ['GET', ...SYNCS_ALWAYS.keys(), 'maxmemory-policy']);
      const flat = (reply as Buffer[]).map(String);
      return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : [])));
    } catch (thrown) {
      if (!(thrown instanceof ArmatureError && /NOPERM|unknown command/i.test(thrown.message))) throw thrown;
      if (!this.#isConfigDenied)
        this.#log.warn({ where: this.where }, 'CONFIG is not permitted, so that how durable this Redis is cannot be checked');
      this.#isConfigDenied = true;
      return new Map();
    }
  }

  #went(): void {
    if (this.#state !== 'up') return;
    this.#state = 'away';
    this.#log.warn({ where: this.where }, 'the connection to Redis is lost');
  }

  async #returned(): Promise<void> {
    if (this.#state !== 'away') return;
    try {
      await this.#onReturn();
      if (this.#state !== 'away') return;
      this.#state = 'up';
      this.#log.info({ where: this.where }, 'the connection to Redis is restored');
    } catch (thrown) {
      const error = redisError(thrown, this.where);
      if (this.#lost !== undefined || this.#state !== 'away') return;
      this.#log.warn({ where: this.where, error: error.message }, 'Redis is back, but cannot be used yet');
      this.#redis.disconnect(true);
    }
  }
}
