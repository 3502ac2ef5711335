import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from './bytes.js';
import { pick, seededRandom, shuffle, type Random } from './random.js';

const draw = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.u32());
const seed = fc.oneof(fc.integer(), fc.string());

describe('seeded random', () => {
  test('one seed is one stream', () => {
    fc.assert(
      fc.property(seed, (s) => {
        expect(draw(seededRandom(s), 20)).toEqual(draw(seededRandom(s), 20));
      }),
    );
  });

  test('100,000 consecutive seeds give 100,000 streams', () => {
    const first = new Set<string>();
    for (let s = 0; s < 100_000; s++) first.add(toHex(seededRandom(s).bytes(8)));
    expect(first.size).toBe(100_000);
  });

  test('the stream is pinned: a seed from an old report still replays', () => {
    expect(draw(seededRandom(1), 4)).toEqual([2335719877, 3777884756, 1069924447, 237428469]);
  });

  test('a fork is a function of seed and label: drawing from the parent or from other forks does not shift it', () => {
    fc.assert(
      fc.property(seed, fc.string(), fc.string(), fc.nat(20), (s, label, other, drawn) => {
        const disturbed = seededRandom(s);
        draw(disturbed, drawn);
        draw(disturbed.fork(other), drawn);
        expect(draw(disturbed.fork(label), 8)).toEqual(draw(seededRandom(s).fork(label), 8));
      }),
    );
  });

  test('different paths of labels are different streams, slashes in them or not', () => {
    const label = fc.string({ unit: fc.constantFrom('a', 'b', '/', '%', '2', '5', 'F'), maxLength: 4 });
    const path = fc.array(label, { maxLength: 3 });
    const at = (labels: readonly string[]): Random => labels.reduce((random, one) => random.fork(one), seededRandom('root'));
    fc.assert(
      fc.property(path, path, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(draw(at(a), 4)).not.toEqual(draw(at(b), 4));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([2, 3, 10, 64, 1_000])('int(%i) is uniform and inside its bound', (bound) => {
    const random = seededRandom(`uniform ${bound}`);
    const draws = bound * 400;
    const counts = new Array<number>(bound).fill(0);
    for (let i = 0; i < draws; i++) {
      const value = random.int(bound);
      if (!(value >= 0 && value < bound && Number.isInteger(value))) throw new Error(`${value} is out of bounds`);
      counts[value] = (counts[value] as number) + 1;
    }
    // Pearson's statistic has mean bound - 1 and deviation sqrt(2 (bound - 1)); six deviations off is no accident.
    const chiSquared = counts.reduce((sum, count) => sum + (count - 400) ** 2 / 400, 0);
    expect(Math.abs(chiSquared - (bound - 1))).toBeLessThan(6 * Math.sqrt(2 * (bound - 1)) + 1);
  });

  test('int takes bounds up to 2^32', () => {
    const random = seededRandom('large');
    let top = 0;
    for (let i = 0; i < 1_000; i++) top = Math.max(top, random.int(2 ** 32));
    expect(top).toBeGreaterThan(0.99 * 2 ** 32);
    expect(random.int(1)).toBe(0);
  });

  test('floats lie in [0, 1), average one half, and use more than 32 bits', () => {
    const random = seededRandom('float');
    let sum = 0;
    let fine = 0;
    for (let i = 0; i < 20_000; i++) {
      const value = random.float();
      if (!(value >= 0 && value < 1)) throw new Error(`${value} is out of bounds`);
      sum += value;
      if (!Number.isInteger(value * 2 ** 32)) fine++;
    }
    expect(sum / 20_000).toBeCloseTo(0.5, 1.5);
    expect(fine).toBeGreaterThan(19_000);
  });

  test('each bit of bytes is set half of the time', () => {
    const bits = new Array<number>(8).fill(0);
    for (const byte of seededRandom('bits').bytes(20_000)) {
      for (let bit = 0; bit < 8; bit++) bits[bit] = (bits[bit] as number) + ((byte >> bit) & 1);
    }
    for (const count of bits) expect(Math.abs(count / 20_000 - 0.5)).toBeLessThan(0.02);
    expect(seededRandom(1).bytes(0)).toHaveLength(0);
  });
});

describe('lists', () => {
  test('shuffle keeps the elements and leaves its argument alone', () => {
    fc.assert(
      fc.property(seed, fc.array(fc.integer()), (s, list) => {
        const before = [...list];
        const shuffled = shuffle(seededRandom(s), list);
        expect(list).toEqual(before);
        expect(shuffled.toSorted((a, b) => a - b)).toEqual(before.toSorted((a, b) => a - b));
      }),
    );
  });

  test('shuffle gives each of the 24 orders of four its share', () => {
    const random = seededRandom('orders');
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = shuffle(random, ['a', 'b', 'c', 'd']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });

  test('pick reaches every element, and finds none in an empty list', () => {
    const random = seededRandom('pick');
    expect(new Set(Array.from({ length: 200 }, () => pick(random, ['a', 'b', 'c']))).size).toBe(3);
    expect(pick<string>(random, [])).toBeUndefined();
  });
});
