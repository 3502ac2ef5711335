/**
 * The engine's in-memory twin, for tests, simulations and clusters that keep nothing.
 *
 * A `MemoryDisk` plays the device: it outlives the engines opened over it one after another, refuses a second engine at
 * a time, and can crash. A crash loses what was not synced the way a journalling file system under a log does: some prefix
 * of the unsynced batches survives, never half a batch. For that the disk keeps, per unsynced batch, what it overwrote.
 */
import { ArmatureError, assert, type BinaryString } from '@armature/kernel';
import { keyAfter, type Engine, type RangePage, type RangeQuery, type StorageEntry, type StorageOperation } from './engine.js';
import { SortedKeys } from './sorted-keys.js';
import { closedError } from './storage-error.js';

/** Batches an operating system may still hold back; older ones count as written back by then. Bounds the undo log. */
const UNSYNCED_BATCHES_LIMIT = 10_000;

/** What a batch overwrote: enough to take it back. */
type Undo = readonly (readonly [BinaryString, Uint8Array | undefined])[];

export class MemoryDisk {
  readonly #values = new Map<BinaryString, Uint8Array>();
  readonly #keys = new SortedKeys();
  readonly #crashable: boolean;
  #unsynced: Undo[] = [];
  #engine: MemoryEngine | undefined;

  /** `crashable` keeps the undo log that `crash` needs, at about a third more per write. */
  constructor(options: { readonly crashable: boolean } = { crashable: true }) {
    this.#crashable = options.crashable;
  }

  /** Opens the one engine this disk can have at a time; `storage-locked` while another is open. */
  open(): Engine {
    if (this.#engine !== undefined) {
      throw new ArmatureError('storage-locked', 'the memory disk is in use', {
        remedy: 'Close the engine that is open over it.',
      });
    }
    const engine: MemoryEngine = new MemoryEngine(this, () => {
      if (this.#engine === engine) this.#engine = undefined;
    });
    this.#engine = engine;
    return engine;
  }

  /**
   * Cuts the power: the open engine answers `closed` from now on, and of the unsynced batches only the first `keep`
   * (none by default) are still there.
   */
  crash(keep = 0): void {
    assert(this.#crashable, 'crash() needs a crashable disk');
    this.#engine?.abandon();
    this.#engine = undefined;
    while (this.#unsynced.length > keep) {
      const undo = this.#unsynced.pop() as Undo;
      for (let i = undo.length - 1; i >= 0; i--) {
        const [key, value] = undo[i] as Undo[number];
        this.#set(key, value);
      }
    }
    this.#unsynced = [];
  }

  /** Batches that a crash may lose. */
  get unsyncedBatches(): number {
    return this.#unsynced.length;
  }

  /** A copy of all that is there, synced or not: a backup. */
  image(): ReadonlyMap<BinaryString, Uint8Array> {
    return new Map(this.#values);
  }

  /** Puts a backup back in place of what is there. No engine may be open. */
  restore(image: ReadonlyMap<BinaryString, Uint8Array>): void {
    assert(this.#engine === undefined, 'restore() needs a disk that nobody has open');
    for (const key of [...this.#values.keys()]) this.#set(key, undefined);
    for (const [key, value] of image) this.#set(key, value);
    this.#unsynced = [];
  }

  /** Bit rot: the value of a key is another from now on, without anybody having written it. */
  rot(key: BinaryString, value: Uint8Array): void {
    assert(this.#values.has(key), 'there is something to rot');
    this.#values.set(key, value);
  }

  get(key: BinaryString): Uint8Array | undefined {
    return this.#values.get(key);
  }

  apply(batch: readonly StorageOperation[], sync: boolean): void {
    if (!this.#crashable) {
      for (const operation of batch) this.#set(operation.key, operation.kind === 'put' ? operation.value : undefined);
      return;
    }
    const undo: [BinaryString, Uint8Array | undefined][] = [];
    for (const operation of batch) {
      undo.push([operation.key, this.#values.get(operation.key)]);
      this.#set(operation.key, operation.kind === 'put' ? operation.value : undefined);
    }
    this.#unsynced.push(undo);
    if (this.#unsynced.length > 2 * UNSYNCED_BATCHES_LIMIT) this.#unsynced.splice(0, UNSYNCED_BATCHES_LIMIT);
    if (sync) this.sync();
  }

  sync(): void {
    this.#unsynced = [];
  }

  page(query: RangeQuery): RangePage {
    const entries: StorageEntry[] = [];
    let pageBytes = 0;
    for (const key of this.#keys.from(query.start)) {
      if (query.end !== undefined && key >= query.end) break;
      const value = this.#values.get(key) as Uint8Array;
      entries.push({ key, value });
      pageBytes += key.length + value.length;
      if (entries.length >= query.limit || pageBytes >= (query.limitBytes ?? Infinity)) return { entries, next: keyAfter(key) };
    }
    return { entries, next: undefined };
  }

  sizeBytes(): number {
    let sizeBytes = 0;
    for (const [key, value] of this.#values) sizeBytes += key.length + value.length;
    return sizeBytes;
  }

  #set(key: BinaryString, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.#values.delete(key)) this.#keys.delete(key);
      return;
    }
    const sizeBefore = this.#values.size;
    this.#values.set(key, value);
    if (this.#values.size !== sizeBefore) this.#keys.add(key);
  }
}

class MemoryEngine implements Engine {
  readonly name = 'memory';
  readonly #disk: MemoryDisk;
  readonly #release: () => void;
  #closed = false;

  constructor(disk: MemoryDisk, release: () => void) {
    this.#disk = disk;
    this.#release = release;
  }

  get(key: BinaryString): Uint8Array | undefined {
    this.#assertOpen();
    return this.#disk.get(key);
  }

  async getMany(keys: readonly BinaryString[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    return keys.map((key) => this.#disk.get(key));
  }

  async write(batch: readonly StorageOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.#assertOpen();
    this.#disk.apply(batch, options.sync);
  }

  async range(query: RangeQuery): Promise<RangePage> {
    this.#assertOpen();
    assert(query.limit >= 1, 'a page holds at least one entry');
    return this.#disk.page(query);
  }

  async sync(): Promise<void> {
    this.#assertOpen();
    this.#disk.sync();
  }

  async sizeBytes(): Promise<number> {
    this.#assertOpen();
    return this.#disk.sizeBytes();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#disk.sync();
    this.#release();
  }

  /** Closes without syncing: the process is gone. */
  abandon(): void {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError('memory engine');
  }
}

/** An engine that keeps nothing beyond its own life. */
export function memoryEngine(): Engine {
  return new MemoryDisk({ crashable: false }).open();
}
