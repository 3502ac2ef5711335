/**
 * A bucket as the application sees it: typed values under keys, read and written with contexts (paper, section 4.1).
 *
 * Concurrent writes are never dropped: `get` returns all of them, and the bucket's merge function makes one of them. `update` is
 * the loop that most applications want: read, merge, change, write with the context of the read.
 */
import { toHex, unwrap, parseBucketName, type BinaryString, type BucketName, type Random } from '@armature/kernel';
import {
  transferTimeMs,
  type FetchedSibling,
  type Meta,
  type QuorumWord,
  type Receipt,
  type ScanReply,
  type WriteOptions,
} from '@armature/protocol';
import { keyOfAddress } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import { outlinedBytes } from '@armature/versioning';
import { applying, type Codec } from './codec.js';
import { Entry, type Sibling } from './entry.js';
import { addressOfKey, metaWith, type Key } from './key.js';
import type { Outline } from './outline.js';
import { ReadContext } from './read-context.js';
import { retrying } from './retry.js';
import type { ClientScan, Fetched, Routing } from './routing.js';

export interface BucketOptions<T> {
  readonly codec: Codec<T>;
  /**
   * Makes one value of several concurrent ones. Must not depend on their order, and merging twice must change nothing: the
   * same siblings may be merged by several clients at once.
   */
  readonly merge?: ((values: readonly T[]) => T) | undefined;
  /**
   * For each operation as a whole, retries included. By default 5,000 ms, and of a put what its bytes may take in addition (a
   * second for each MiB).
   */
  readonly timeoutMs?: number | undefined;
}

export interface ReadOptions {
  readonly r?: QuorumWord;
  readonly pr?: QuorumWord;
  readonly timeoutMs?: number;
}

export interface PutOptions {
  /** Of the read whose values this write replaces. Without it the write is blind, and concurrent with whatever is there. */
  readonly context?: ReadContext | undefined;
  readonly w?: QuorumWord;
  readonly pw?: QuorumWord;
  readonly dw?: QuorumWord;
  readonly timeoutMs?: number;
  readonly meta?: Readonly<Record<string, string>>;
  /** 16 hex characters: the same for each repetition of one write, e.g. after an `unknown-outcome`. */
  readonly operation?: string;
  /**
   * An earlier call with this `operation` had an unknown outcome: look for what became of it before writing again. Costs a read.
   */
  readonly repeated?: boolean;
}

export interface Written {
  /**
   * For your next write of the key: covers this write and what it replaced, and no sibling that you have not read. Covers nothing
   * where the key's clock names more actors than a context holds (1,024): the write was done, and the next one is blind.
   */
  readonly context: ReadContext;
  readonly receipt: Receipt;
}

/** What a key holds. */
export interface Reading<T> {
  /** Undefined when the key was never written or is deleted. */
  readonly entry: Entry<T> | undefined;
  /**
   * Of all that was read. A deleted key has one too, for the write that comes after the delete; undefined when nothing was read.
   */
  readonly context: ReadContext | undefined;
  /** Who took part, also where nothing was found. */
  readonly receipt: Receipt;
}

export interface BucketEnv {
  readonly routing: Routing;
  readonly clock: Clock;
  readonly random: Random;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const SCAN_PAGE = 500;

export class Bucket<T> {
  readonly name: BucketName;
  readonly #env: BucketEnv;
  readonly #options: BucketOptions<T>;

  constructor(env: BucketEnv, name: string, options: BucketOptions<T>) {
    this.#env = env;
    this.name = unwrap(parseBucketName(name));
    this.#options = options;
  }

  /**
   * The key's values, or undefined when it was never written or is deleted. Error `too-large` where they do not fit into a
   * message: see `outline`.
   */
  async get(key: Key, options: ReadOptions = {}): Promise<Entry<T> | undefined> {
    return (await this.read(key, options)).entry;
  }

  /** `get`, with the context even where there is no value: for writers that replace whatever is there. */
  async read(key: Key, options: ReadOptions = {}): Promise<Reading<T>> {
    const fetched = await this.#fetch(key, options);
    const { receipt } = fetched;
    if (fetched.siblings.length === 0) return { entry: undefined, context: undefined, receipt };
    const live = fetched.siblings.filter(({ tombstone }) => !tombstone).map((sibling) => this.#decode(sibling));
    const entry = live.length === 0 ? undefined : new Entry(live, fetched.context, receipt, this.#options.merge);
    return { entry, context: fetched.context, receipt };
  }

  /**
   * How many concurrent values the key has, their sizes, and the context to replace or delete them: for keys whose values are too
   * large to be read together (`too-large`). Metadata is left out too.
   */
  async outline(key: Key, options: ReadOptions = {}): Promise<Outline> {
    const { siblings, context, receipt } = await this.#fetch(key, options, true);
    const live = siblings.filter(({ tombstone }) => !tombstone);
    return {
      siblings: live.map((one) => ({ sizeBytes: outlinedBytes(one), writtenAt: writtenAt(one) })),
      context: siblings.length === 0 ? undefined : context,
      receipt,
    };
  }

  /**
   * Writes a value. With the context of a read it replaces what that read returned; without, it becomes a sibling of what is
   * there.
   */
  put(key: Key, value: T, options: PutOptions = {}): Promise<Written> {
    const { codec } = this.#options;
    const meta = metaWith(codec.contentType, options.meta);
    return this.#write(key, { tombstone: false, value: applying('the codec', () => codec.encode(value)), meta }, options);
  }

  /**
   * Deletes what a read returned, or, without a context, what is there now. A write concurrent with the delete survives it. False
   * when there was nothing to delete.
   */
  async delete(key: Key, options: PutOptions = {}): Promise<boolean> {
    let { context } = options;
    if (context === undefined) {
      // Without the values: what is too large to be read, or what no codec understands, can be deleted too.
      const found = await this.#fetch(key, options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }, true);
      if (found.siblings.every(({ tombstone }) => tombstone)) return false;
      context = found.context;
    }
    await this.#write(key, { tombstone: true, value: new Uint8Array(0), meta: [] }, { ...options, context });
    return true;
  }

  /**
   * Reads, merges, applies `change`, and writes the result with the context of the read. `change` gets undefined for an absent
   * key, and deletes by returning it. Two updates at once both survive, as siblings, until the next read merges them.
   */
  async update(
    key: Key,
    change: (current: T | undefined) => T | undefined,
    options: Omit<PutOptions, 'context'> = {},
  ): Promise<T | undefined> {
    const { entry, context } = await this.read(key, options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs });
    const current = entry === undefined ? undefined : applying('the merge function', () => entry.value);
    const next = applying('the update function', () => change(current));
    if (next !== undefined) await this.put(key, next, { ...options, context });
    else if (entry !== undefined) await this.delete(key, { ...options, context });
    return next;
  }

  /** All live keys, in ring order, with their values. A listing, not a snapshot. */
  async *entries(): AsyncGenerator<readonly [key: Uint8Array, values: readonly T[]]> {
    for await (const { key, siblings } of this.listing()) yield [key, siblings.map(({ value }) => value)];
  }

  /** `entries`, with what is known of each value. */
  async *listing(): AsyncGenerator<{ readonly key: Uint8Array; readonly siblings: readonly Sibling<T>[] }> {
    for await (const { key, siblings } of this.#scan(true)) yield { key, siblings: siblings.map((one) => this.#decode(one)) };
  }

  /** All live keys, in ring order. */
  async *keys(): AsyncGenerator<Uint8Array> {
    for await (const { key } of this.#scan(false)) yield key;
  }

  #fetch(key: Key, options: ReadOptions, outline = false): Promise<Fetched> {
    const address = addressOfKey(this.name, key);
    const asked = { r: options.r ?? 'default', pr: options.pr ?? 'default', ...(outline ? { outline } : {}) } as const;
    return retrying(this.#env, this.#timeoutMs(options.timeoutMs), (leftMs) => this.#env.routing.fetch(address, asked, leftMs));
  }

  async *#scan(withValues: boolean): AsyncGenerator<{ key: Uint8Array; siblings: readonly FetchedSibling[] }> {
    let cursor: BinaryString | undefined = '' as BinaryString;
    while (cursor !== undefined) {
      const request: ClientScan = { bucket: this.name, cursor, limit: SCAN_PAGE, withValues };
      const page: ScanReply = await retrying(this.#env, this.#timeoutMs(undefined) * 2, (leftMs) =>
        this.#env.routing.scan(request, leftMs),
      );
      for (const { address, siblings } of page.items) yield { key: keyOfAddress(address), siblings };
      cursor = page.next;
    }
  }

  async #write(key: Key, version: { tombstone: boolean; value: Uint8Array; meta: Meta }, options: PutOptions): Promise<Written> {
    const quorum: WriteOptions = {
      w: options.w ?? 'default',
      pw: options.pw ?? 'default',
      dw: options.dw ?? 'default',
      returnContext: true,
    };
    const operation = options.operation ?? toHex(this.#env.random.bytes(8));
    const write = { ...version, address: addressOfKey(this.name, key), context: options.context, operation, options: quorum };
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS + transferTimeMs(version.value.length);
    const reply = await retrying(this.#env, timeoutMs, (leftMs, isUnsure) =>
      this.#env.routing.write({ ...write, repeated: options.repeated === true || isUnsure }, leftMs),
    );
    return { context: ReadContext.fromBytes(reply.context), receipt: reply.receipt };
  }

  #decode(sibling: FetchedSibling): Sibling<T> {
    const value = applying('the codec', () => this.#options.codec.decode(sibling.value));
    return { value, writtenAt: writtenAt(sibling), meta: sibling.meta };
  }

  #timeoutMs(own: number | undefined): number {
    return own ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }
}

function writtenAt({ at }: FetchedSibling): Date {
  return new Date(at / 1024);
}
