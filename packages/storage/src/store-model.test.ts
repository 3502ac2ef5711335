/**
 * The store against a model, in virtual time: random interleavings of writes of every durability, reads, pages, commits
 * that fail before or after they took effect, slow ones, slices for flushes that come late or never, and at the end a power cut.
 *
 * Each write has a number of its own and writes it under one to three keys, so that a value tells who wrote it. The model is the
 * list of writes with their outcomes.
 */
import type { BinaryString } from '@armature/kernel';
import { ManualClock, sleep } from '@armature/runtime';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Durability } from './commit-queue.js';
import type { Engine, StorageOperation } from './engine.js';
import { faultyEngine, type Fault } from './faulty-engine.js';
import { MemoryDisk } from './memory-engine.js';
import { Store } from './store.js';

type Step =
  | { readonly kind: 'write'; readonly keys: readonly string[]; readonly deletes: boolean; readonly durability: Durability }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'plan'; readonly fault: 'none' | 'unapplied' | 'applied'; readonly delayMs: number }
  | { readonly kind: 'slices'; readonly delayMs: number | 'refused' }
  | { readonly kind: 'page'; readonly limit: number };

interface Write {
  readonly order: number;
  readonly keys: readonly string[];
  readonly deletes: boolean;
  readonly durability: Durability;
  /** `failed`: it may have been applied; `refused`: never. */
  outcome: 'accepted' | 'done' | 'failed' | 'refused';
}

const KEYS = ['a', 'b', 'c', 'd'];
const key = (text: string): BinaryString => text as BinaryString;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      keys: fc.subarray(KEYS, { minLength: 1, maxLength: 3 }),
      deletes: fc.boolean(),
      durability: fc.constantFrom<Durability>('fsync', 'os', 'memory', 'buffered', 'buffered'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 5, 30, 400) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('plan' as const),
      fault: fc.constantFrom('none' as const, 'none' as const, 'unapplied' as const, 'applied' as const),
      delayMs: fc.constantFrom(0, 0, 3, 10),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('slices' as const), delayMs: fc.constantFrom(0, 7, 200, 'refused' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('page' as const), limit: fc.integer({ min: 1, max: 5 }) }) },
);

const orderOf = (value: Uint8Array | undefined): number | undefined =>
  value === undefined ? undefined : Number(Buffer.from(value).toString());

class World {
  readonly clock = new ManualClock();
  readonly disk = new MemoryDisk();
  readonly writes: Write[] = [];
  readonly store: Store;
  plan: { fault: Fault | undefined; delayMs: number } = { fault: undefined, delayMs: 0 };
  slices: number | 'refused' = 0;

  constructor(cacheBytes: number) {
    const engine: Engine = faultyEngine(this.disk.open(), (call) => {
      if (call.kind !== 'write') return undefined;
      const { fault, delayMs } = this.plan;
      return delayMs === 0 ? fault : sleep(this.clock, delayMs).then(() => fault);
    });
    // Bounds so low that flushes start early, and some do not ask.
    this.store = new Store({ engine, clock: this.clock, cacheBytes, bufferLimit: 24, writeBehindMs: 4, bufferFlushMs: 40 });
    this.store.askBeforeFlush(() => (this.slices === 'refused' ? Promise.reject(new Error()) : sleep(this.clock, this.slices)));
  }

  write(keys: readonly string[], deletes: boolean, durability: Durability): void {
    const write: Write = { order: this.writes.length, keys, deletes, durability, outcome: 'accepted' };
    this.writes.push(write);
    const operations = keys.map((k): StorageOperation =>
      deletes ? { kind: 'delete', key: key(k) } : { kind: 'put', key: key(k), value: Buffer.from(String(write.order)) },
    );
    this.store.write(operations, durability).then(
      () => (write.outcome = 'done'),
      (error: unknown) => {
        const isRefused = durability === 'memory' || durability === 'buffered';
        expect(error).toMatchObject({ code: isRefused ? 'overloaded' : 'storage-failed' });
        write.outcome = isRefused ? 'refused' : 'failed';
      },
    );
  }

  /** The writes of a key, newest first. */
  of(k: string): Write[] {
    return this.writes.filter((write) => write.keys.includes(k)).reverse();
  }

  /**
   * Whether a value may be seen under a key: that of the newest write that did not fail, or of a later one that did but may
   * have been applied.
   */
  allows(k: string, value: Uint8Array | undefined): boolean {
    const seen = orderOf(value);
    for (const write of this.of(k)) {
      if (write.outcome === 'refused') continue;
      if (write.deletes ? seen === undefined : seen === write.order) return true;
      if (write.outcome !== 'failed') return false;
    }
    return seen === undefined;
  }

  checkReads(): void {
    for (const k of KEYS) {
      const value = this.store.read(key(k));
      if (value instanceof Promise) throw new Error('the memory engine answers at once');
      if (!this.allows(k, value)) throw new Error(`${k} reads ${orderOf(value)} after ${JSON.stringify(this.writes)}`);
    }
  }

  async checkPages(limit: number): Promise<void> {
    const found = new Map<string, Uint8Array>();
    let last = '';
    let next: BinaryString | undefined = key('');
    while (next !== undefined) {
      const page: Awaited<ReturnType<Store['range']>> = await this.store.range({ start: next, limit });
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      for (const entry of page.entries) {
        expect(entry.key > last).toBe(true);
        last = entry.key;
        found.set(entry.key, entry.value);
      }
      next = page.next;
    }
    for (const k of KEYS) expect(orderOf(found.get(k))).toBe(orderOf(this.store.read(key(k)) as Uint8Array | undefined));
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) {
      if (each.kind === 'write') this.write(each.keys, each.deletes, each.durability);
      else if (each.kind === 'slices') this.slices = each.delayMs;
      else if (each.kind === 'advance') await this.clock.advance(each.ms);
      else if (each.kind === 'page') await this.checkPages(each.limit);
      else if (each.fault === 'none') this.plan = { fault: undefined, delayMs: each.delayMs };
      else this.plan = { fault: { code: 'storage-failed', applied: each.fault === 'applied' }, delayMs: each.delayMs };
      await Promise.resolve().then(() => Promise.resolve()); // a refusal is known by now
      this.checkReads();
    }
  }
}

const history = fc.array(step, { minLength: 1, maxLength: 40 });
const cacheBytes = fc.constantFrom(0, 450, 100_000);

test('reads and pages show the newest accepted write at every moment, and all of it is stored at the end', async () => {
  await fc.assert(
    fc.asyncProperty(history, cacheBytes, async (steps, cache) => {
      const world = new World(cache);
      await world.run(steps);
      world.plan = { fault: undefined, delayMs: 0 };
      await world.clock.advance(20_000);
      world.checkReads();
      for (const write of world.writes) expect(write.outcome).not.toBe('accepted');
      expect(world.store.queueShare).toBe(0);
      const closed = world.store.close();
      await world.clock.advance(100);
      await closed;
      const engine = world.disk.open();
      for (const k of KEYS) expect(world.allows(k, await engine.get(key(k)))).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('after a crash every write acknowledged with fsync is there, or a later one; none is there in half', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.nat(6), async (steps, keep) => {
      const world = new World(100_000);
      await world.run(steps);
      world.disk.crash(keep);
      const engine = world.disk.open();
      const seen = new Map<string, number | undefined>();
      for (const k of KEYS) seen.set(k, orderOf(await engine.get(key(k))));
      // A key without a value shows nothing, or some delete of it: that is as good as any.
      const newestDelete = (k: string): number => world.of(k).find((write) => write.deletes)?.order ?? -1;
      const shown = (k: string): number => seen.get(k) ?? newestDelete(k);
      for (const write of world.writes) {
        for (const k of write.keys) {
          if (write.durability === 'fsync' && write.outcome === 'done') expect(shown(k)).toBeGreaterThanOrEqual(write.order);
          if (write.outcome !== 'failed' && write.outcome !== 'refused' && !write.deletes && seen.get(k) === write.order) {
            for (const other of write.keys) expect(shown(other)).toBeGreaterThanOrEqual(write.order);
          }
        }
      }
    }),
    { numRuns: 400 },
  );
});
