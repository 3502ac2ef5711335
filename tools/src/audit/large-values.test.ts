import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAMAGED, largeIds } from './large-values.js';

const SIZES = { leastBytes: 1_000, mostBytes: 20_000 };
const codec = largeIds(SIZES);
const hexId = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const idLists = fc.array(hexId, { minLength: 1, maxLength: 20 });

test('ids come back from a value of a size between the two, which depends on the last id', () => {
  const seen = new Set<number>();
  fc.assert(
    fc.property(idLists, (ids) => {
      const value = codec.encode(ids);
      expect(codec.decode(value)).toEqual(ids);
      expect(value.length).toBeGreaterThanOrEqual(SIZES.leastBytes);
      expect(value.length).toBeLessThanOrEqual(SIZES.mostBytes);
      seen.add(value.length);
    }),
  );
  expect(seen.size).toBeGreaterThan(50);
});

test('as many values are below the geometric mean of the bounds as above it', () => {
  const values = Array.from({ length: 400 }, (_, i) => codec.encode([String(i)]).length);
  const below = values.filter((size) => size < Math.sqrt(SIZES.leastBytes * SIZES.mostBytes)).length;
  expect(below).toBeGreaterThan(150);
  expect(below).toBeLessThan(250);
});

test('a value with a byte changed, cut off, or with the end of another is not taken for what was written', () => {
  fc.assert(
    fc.property(idLists, idLists, fc.nat(), (ids, others, at) => {
      const value = codec.encode(ids);
      const changed = Uint8Array.from(value);
      changed[at % value.length] = (value[at % value.length] as number) ^ 1;
      const cut = value.subarray(0, at % value.length);
      for (const bad of [changed, cut]) expect(codec.decode(bad)).not.toEqual(ids);
      fc.pre(ids.at(-1) !== others.at(-1));
      const mixed = Buffer.concat([value.subarray(0, 500), codec.encode(others).subarray(500)]);
      expect(codec.decode(mixed)).toEqual([DAMAGED]);
    }),
  );
});
