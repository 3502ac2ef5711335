import type { BinaryString } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { engineConformance } from './conformance.js';
import type { StorageOperation } from './engine.js';
import { MemoryDisk, memoryEngine } from './memory-engine.js';
import { SortedKeys } from './sorted-keys.js';

const key = (text: string): BinaryString => text as BinaryString;
const put = (at: string, value: number): StorageOperation => ({ kind: 'put', key: key(at), value: Uint8Array.of(value) });

for (const crashable of [true, false]) {
  engineConformance(`memory (crashable: ${crashable})`, async () => {
    const disk = new MemoryDisk({ crashable });
    let engine = disk.open();
    return {
      engine,
      async reopen() {
        await engine.close();
        engine = disk.open();
        return engine;
      },
      dispose: () => engine.close(),
    };
  });
}

describe('memory disk', () => {
  test('open: a second engine over one disk is refused until the first is closed', async () => {
    const disk = new MemoryDisk();
    const engine = disk.open();
    expect(() => disk.open()).toThrow(expect.objectContaining({ code: 'storage-locked' }));
    await engine.close();
    expect(() => disk.open()).not.toThrow();
  });

  test('crash: the open engine answers closed, and closing it later does not free the lock of its successor', async () => {
    const disk = new MemoryDisk();
    const before = disk.open();
    disk.crash();
    disk.open();
    await before.close();
    await expect(before.write([put('a', 1)], { sync: false })).rejects.toMatchObject({ code: 'closed' });
    expect(() => disk.open()).toThrow(expect.objectContaining({ code: 'storage-locked' }));
  });

  test('crash: synced batches survive whole, of the others exactly the first `keep`', async () => {
    const batch = fc.record({
      operations: fc.array(
        fc.record({
          key: fc.integer({ min: 0, max: 5 }),
          value: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
        }),
        { maxLength: 4 },
      ),
      sync: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 12 }), fc.nat(12), async (batches, keep) => {
        const disk = new MemoryDisk();
        const engine = disk.open();
        const model = new Map<string, number>();
        const states: Map<string, number>[] = [new Map<string, number>()];
        for (const { operations, sync } of batches) {
          await engine.write(
            operations.map(({ key: k, value }) =>
              value === undefined ? { kind: 'delete', key: key(`${k}`) } : put(`${k}`, value),
            ),
            { sync },
          );
          for (const { key: k, value } of operations) {
            if (value === undefined) model.delete(`${k}`);
            else model.set(`${k}`, value);
          }
          if (sync) states.length = 0;
          states.push(new Map(model));
        }
        disk.crash(keep);
        const page = await disk.open().range({ start: key(''), limit: 100 });
        const expected = states[Math.min(keep, states.length - 1)] as Map<string, number>;
        expect(page.entries.map((entry) => [entry.key, entry.value[0]])).toEqual([...expected].sort());
      }),
    );
  });

  test('memoryEngine: get answers with a plain value', async () => {
    const engine = memoryEngine();
    await engine.write([put('a', 7)], { sync: false });
    expect(engine.get(key('a'))).toEqual(Uint8Array.of(7));
  });
});

describe('sorted keys', () => {
  test('adds, deletes and walks like a sorted set, across many leaves', () => {
    const step = fc.record({
      kind: fc.constantFrom('add', 'add', 'delete'),
      from: fc.nat(3000),
      count: fc.integer({ min: 1, max: 900 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(3000), (steps, start) => {
        const keys = new SortedKeys();
        const model = new Set<string>();
        for (const { kind, from, count } of steps) {
          for (let i = from; i < from + count; i++) {
            const k = key(String((i * 7919) % 4000).padStart(4, '0'));
            if (kind === 'add') expect(keys.add(k)).toBe(!model.has(k));
            else expect(keys.delete(k)).toBe(model.has(k));
            if (kind === 'add') model.add(k);
            else model.delete(k);
          }
        }
        const first = String(start).padStart(4, '0');
        expect(keys.size).toBe(model.size);
        expect([...keys.from(key(first))]).toEqual([...model].filter((k) => k >= first).sort());
      }),
      { numRuns: 40 },
    );
  });
});
