/**
 * A simulated disk: the memory engine, with the time that a device takes and the ways in which it fails. It outlives the process
 * that has it open. A crash of the machine loses what was not synced, from some point on; a crash of the process only, nothing
 * that was written.
 */
import { ArmatureError, type BinaryString, type Random } from '@armature/kernel';
import {
  MemoryDisk,
  parseSpaceKey,
  type Engine,
  type RangeQuery,
  type StorageLoss,
  type StorageOperation,
  type WriteOptions,
} from '@armature/storage';
import type { SimulatedProcess } from './process.js';
import type { World } from './world.js';

export interface DiskFaults {
  /** Nothing more can be written. */
  full: boolean;
  /** Share of writes and syncs that fail, 0 to 1; half of those writes have taken place all the same. */
  failing: number;
  /** How many times slower than usual. */
  slowness: number;
}

export interface DiskTimes {
  readonly writeMs: number;
  readonly syncMs: number;
  readonly rangeMs: number;
  /** Of one record, by an engine that has to wait for it; undefined: it answers at once. */
  readonly readMs?: number | undefined;
}

/** Of an engine that has to wait for a record, as one behind a socket has. */
const USUAL_READ_MS = 0.3;

const USUAL_TIMES: DiskTimes = { writeMs: 0.05, syncMs: 1, rangeMs: 0.2 };

export type DiskReads = 'at-once' | 'waiting';

export type DiskImage = ReadonlyMap<BinaryString, Uint8Array>;

/**
 * What may have cost a disk some of what had been acknowledged: `kill`, what was in the memory of the process; `power`, what was
 * not synced; `rot`, these stored keys; `replaced`, everything: another device, an old copy of this one, its node was removed for
 * good, or another process took what was for it; `removed`, what was given to it by those who had not heard that its node is
 * removed.
 */
export interface Mishap {
  readonly kind: 'kill' | 'power' | 'rot' | 'replaced' | 'removed';
  /** Virtual ms. */
  readonly atMs: number;
  /** When it was over, virtual ms: mostly the same. */
  readonly endedMs: number;
  /** Of `rot`. */
  readonly keys: readonly BinaryString[];
}

export class SimulatedDisk {
  /** Told of everything that is about to be written. */
  onWrite: (batch: readonly StorageOperation[]) => void = () => undefined;
  /** Told of everything that is about to be read, key by key; what it throws is what the device says. */
  onRead: (key: BinaryString) => void = () => undefined;
  /** Told of everything that is on stable storage from now on. */
  onSync: (batch: readonly StorageOperation[]) => void = () => undefined;
  /** Told of what was written, when it is there; and of nothing when everything may be another. */
  onChange: (keys?: readonly BinaryString[]) => void = () => undefined;
  /**
   * Done once, when something begins to be written next: what it is about has left for other nodes by then, and is not safe here
   * yet.
   */
  atNextWrite: (() => void) | undefined;
  readonly faults: DiskFaults = { full: false, failing: 0, slowness: 1 };
  /** So far, in order. */
  readonly mishaps: Mishap[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #times: DiskTimes;
  #memory = new MemoryDisk();
  /** What the next engine reports as missing. */
  #loss: StorageLoss | undefined;
  /** Written since the last sync. */
  #unsynced: StorageOperation[] = [];

  /** `reads`: whether the engine answers at once, or only later, when other things have happened to the key. */
  constructor(world: World, name: string, reads: DiskReads = 'at-once') {
    this.#world = world;
    this.#random = world.random(`disk ${name}`);
    this.#times = reads === 'at-once' ? USUAL_TIMES : { ...USUAL_TIMES, readMs: USUAL_READ_MS };
  }

  /** The engine of a process; there is one at a time. */
  open(life: SimulatedProcess): Engine {
    const engine = this.#memory.open();
    const { clock } = life;
    const after = (usualMs: number): Promise<void> =>
      new Promise((resolve) => {
        clock.after(usualMs * this.faults.slowness * (0.5 + this.#random.float()), resolve);
      });
    const { readMs } = this.#times;
    return {
      name: engine.name,
      loss: this.#loss,
      get: (key) => {
        this.onRead(key);
        return readMs === undefined ? engine.get(key) : after(readMs).then(() => engine.get(key));
      },
      getMany: async (keys) => {
        for (const key of keys) this.onRead(key);
        if (readMs !== undefined) await after(readMs);
        return engine.getMany(keys);
      },
      range: async (query: RangeQuery) => {
        await after(this.#times.rangeMs);
        const page = await engine.range(query);
        for (const { key } of page.entries) this.onRead(key);
        return page;
      },
      write: (batch: readonly StorageOperation[], options: WriteOptions) => this.#write(engine, batch, options, after),
      sync: async () => {
        await after(this.#times.syncMs);
        if (this.#fails()) throw injected('storage-failed', 'the simulated disk did not sync');
        await this.#sync(engine);
      },
      sizeBytes: () => engine.sizeBytes(),
      close: () => engine.close(),
    };
  }

  /** The power goes: of what was not synced, a part drawn from the seed is still there. */
  crash(): void {
    this.suffered('power');
    this.#unsynced = [];
    const { unsyncedBatches } = this.#memory;
    this.#memory.crash(this.#random.int(unsyncedBatches + 1));
    this.onChange();
  }

  /** The process goes and the machine stays: what was written is there. In good order: what it had still to write as well. */
  release(how: 'in good order' | 'killed'): void {
    if (how === 'killed') this.suffered('kill');
    this.#memory.crash(this.#memory.unsyncedBatches);
  }

  /** A new device. */
  wipe(): void {
    this.suffered('replaced');
    this.#memory = new MemoryDisk();
    this.#loss = undefined;
    this.onChange();
  }

  /** What lies under a stored key. */
  at(key: BinaryString): Uint8Array | undefined {
    return this.#memory.get(key);
  }

  image(): DiskImage {
    return this.#memory.image();
  }

  restore(image: DiskImage): void {
    this.suffered('replaced');
    this.#memory.restore(image);
    this.onChange();
  }

  /**
   * It lacks what was acknowledged since the image was taken, and knows it: as a server does whose standby, which lagged, has
   * taken over.
   */
  failOver(image: DiskImage): void {
    this.restore(image);
    this.#loss = {
      reason: 'the simulated storage has gone back to an older state',
      recorded: () => {
        this.#loss = undefined;
        return Promise.resolve();
      },
    };
  }

  /** Flips one bit of up to `count` records or hints. How many it was. */
  rot(count: number): number {
    const spaces = new Set<string | undefined>(['data', 'hints']);
    const keys = [...this.#memory.image().keys()].filter((key) => spaces.has(parseSpaceKey(key)?.space));
    const rotten: BinaryString[] = [];
    for (let i = 0; i < count && keys.length > 0; i++) {
      const [key] = keys.splice(this.#random.int(keys.length), 1);
      const value = key === undefined ? undefined : this.#memory.get(key);
      if (key === undefined || value === undefined || value.length === 0) continue;
      const bad = Uint8Array.from(value);
      const place = this.#random.int(bad.length);
      bad[place] = (bad[place] as number) ^ (1 << this.#random.int(8));
      this.#memory.rot(key, bad);
      rotten.push(key);
    }
    this.suffered('rot', rotten);
    this.onChange(rotten);
    return rotten.length;
  }

  /** Notes what has befallen it. */
  suffered(kind: Mishap['kind'], keys: readonly BinaryString[] = []): void {
    const { nowMs } = this.#world;
    this.mishaps.push({ kind, atMs: nowMs, endedMs: nowMs, keys });
  }

  /** From now on somebody else takes what is for it. The result ends that. */
  bypass(): () => void {
    return this.#suffersFromNow('replaced');
  }

  /** Its node has been removed, and not all know: what they give it is on no member's disk. The result ends that. */
  removed(): () => void {
    return this.#suffersFromNow('removed');
  }

  #suffersFromNow(kind: Mishap['kind']): () => void {
    const { nowMs } = this.#world;
    const mishap = { kind, atMs: nowMs, endedMs: Infinity, keys: [] } satisfies Mishap;
    this.mishaps.push(mishap);
    return () => {
      mishap.endedMs = this.#world.nowMs;
    };
  }

  #fails(): boolean {
    const { failing } = this.faults;
    return failing > 0 && this.#random.float() < failing;
  }

  async #sync(engine: Engine): Promise<void> {
    const batch = this.#unsynced.splice(0);
    await engine.sync();
    this.onSync(batch);
  }

  async #write(
    engine: Engine,
    batch: readonly StorageOperation[],
    { sync }: WriteOptions,
    after: (usualMs: number) => Promise<void>,
  ): Promise<void> {
    const { full } = this.faults;
    this.onWrite(batch);
    const interrupt = this.atNextWrite;
    this.atNextWrite = undefined;
    interrupt?.();
    await after(this.#times.writeMs);
    if (full) throw injected('storage-full', 'the simulated disk is full');
    const fails = this.#fails();
    if (fails && this.#random.int(2) === 0) throw injected('storage-failed', 'the simulated disk did not write');
    await engine.write(batch, { sync: false });
    this.#unsynced.push(...batch);
    this.onChange(batch.map(({ key }) => key));
    if (sync) {
      await after(this.#times.syncMs);
      if (!fails) await this.#sync(engine);
    }
    if (fails) throw injected('storage-failed', 'the simulated disk did not answer');
  }
}

function injected(code: 'storage-full' | 'storage-failed', message: string): ArmatureError {
  return new ArmatureError(code, message, { remedy: 'None: a simulation asked for this.' });
}
