import type { BinaryString } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecordCache } from './record-cache.js';

const key = (text: string): BinaryString => text as BinaryString;

describe('record cache', () => {
  test('never yields anything but the value set last, never exceeds its bound, and accounts to zero', () => {
    const step = fc.record({
      kind: fc.constantFrom('set', 'set', 'get', 'delete'),
      key: fc.integer({ min: 0, max: 12 }).map(String),
      size: fc.nat(300),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 0, max: 6000 }), (steps, limitBytes) => {
        const cache = new RecordCache(limitBytes);
        const model = new Map<string, Uint8Array>();
        for (const { kind, key: k, size } of steps) {
          if (kind === 'set') {
            const value = new Uint8Array(size);
            cache.set(key(k), value);
            model.set(k, value);
          } else if (kind === 'delete') {
            cache.delete(key(k));
            model.delete(k);
          } else {
            const found = cache.get(key(k));
            if (found !== undefined) expect(found).toBe(model.get(k));
          }
          expect(cache.sizeBytes).toBeLessThanOrEqual(limitBytes);
        }
        for (let k = 0; k <= 12; k++) cache.delete(key(String(k)));
        expect(cache.sizeBytes).toBe(0);
      }),
    );
  });

  test('what is read again and again outlives a stream of records read once', () => {
    const cache = new RecordCache(100_000);
    cache.set(key('hot'), Uint8Array.of(1));
    for (let i = 0; i < 5000; i++) {
      cache.set(key(`cold${i}`), new Uint8Array(100));
      expect(cache.get(key('hot'))).toEqual(Uint8Array.of(1));
    }
    expect(cache.get(key('cold0'))).toBeUndefined();
    expect(cache.get(key('cold4999'))).toBeDefined();
  });

  test('a small value cut out of a large buffer does not keep the buffer alive', () => {
    const cache = new RecordCache(100_000);
    const frame = Buffer.alloc(1_000_000, 7);
    cache.set(key('k'), frame.subarray(10, 20));
    expect(cache.get(key('k'))).toEqual(Buffer.alloc(10, 7));
    expect(cache.get(key('k'))?.buffer.byteLength).toBeLessThan(20_000);
  });
});
