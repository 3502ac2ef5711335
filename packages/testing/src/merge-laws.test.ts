import { describe, expect, test } from 'vitest';
import { pick, type Random } from '@armature/kernel';
import { assertMerge, checkMerge, type MergeFunction } from './merge-laws.js';

const numbers = (random: Random): number => random.int(1_000);
const sets = (random: Random): readonly string[] => ['a', 'b', 'c', 'd'].filter(() => random.int(2) === 1);
const union: MergeFunction<readonly string[]> = (values) => [...new Set(values.flat())].sort();

describe('merges that are sound', () => {
  test('the greatest, the union, the latest by time and name', () => {
    expect(checkMerge((values: readonly number[]) => Math.max(...values), { values: numbers })).toBeUndefined();
    expect(checkMerge(union, { values: sets })).toBeUndefined();
    const latest: MergeFunction<{ at: number; name: string }> = (values) =>
      values.reduce((a, b) => (a.at > b.at || (a.at === b.at && a.name >= b.name) ? a : b));
    const values = (random: Random): { at: number; name: string } => ({
      at: random.int(3),
      name: pick(random, ['x', 'y']) as string,
    });
    expect(checkMerge(latest, { values })).toBeUndefined();
  });

  test('by an equality of the application', () => {
    const unsorted: MergeFunction<readonly string[]> = (values) => [...new Set(values.flat())];
    expect(checkMerge(unsorted, { values: sets })?.law).toBe('order');
    const equals = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join() === [...b].sort().join();
    expect(checkMerge(unsorted, { values: sets, equals })).toBeUndefined();
  });
});

describe('each law that is broken is named, with the smallest values that show it', () => {
  test('order', () => {
    const flaw = checkMerge((values: readonly number[]) => values[0] ?? 0, { values: numbers });
    expect(flaw).toMatchObject({ law: 'order', values: [0, 1] });
    expect(flaw?.message).toBe(
      [
        'the merge function depends on the order of its values:',
        '  merge([ 0, 1 ]) is 0',
        '  merge([ 1, 0 ]) is 1',
        'Two clients that read the same siblings would see different values.',
      ].join('\n'),
    );
  });

  test('repetition: a sum', () => {
    const flaw = checkMerge((values: readonly number[]) => values.reduce((a, b) => a + b), { values: numbers });
    expect(flaw).toMatchObject({ law: 'repetition', values: [1] });
    expect(flaw?.message).toContain('merge([ 1, 1 ]) is 2');
  });

  test('grouping: a mean', () => {
    const mean: MergeFunction<number> = (values) => {
      const distinct = [...new Set(values)];
      return distinct.reduce((a, b) => a + b, 0) / distinct.length;
    };
    const flaw = checkMerge(mean, { values: (random) => random.int(16), equals: (a, b) => Math.abs(a - b) < 1e-9 });
    expect(flaw?.law).toBe('grouping');
    expect(flaw?.values).toHaveLength(3);
  });

  test('single: something is added', () => {
    expect(checkMerge((values: readonly number[]) => Math.max(...values, 10), { values: numbers })).toMatchObject({
      law: 'single',
      values: [0],
    });
  });

  test('inputs: the first value is built upon', () => {
    const careless: MergeFunction<Set<string>> = (values) => {
      const [first = new Set<string>(), ...rest] = values;
      for (const value of rest.flatMap((one) => [...one])) first.add(value);
      return first;
    };
    const flaw = checkMerge(careless, { values: (random) => new Set(sets(random)) });
    expect(flaw?.law).toBe('inputs');
    expect(flaw?.values.map((value) => value.size)).toEqual([0, 1]);
  });

  test('answers: two of a kind', () => {
    const strict: MergeFunction<number> = (values) => {
      if (values.length > 1 && values.some((value) => value > 100)) throw new Error('too many');
      return Math.max(...values);
    };
    const flaw = checkMerge(strict, { values: numbers });
    expect(flaw?.law).toBe('answers');
    expect(flaw?.message).toContain('throws Error: too many');
  });
});

test('examples will do for a generator, and the simplest of them is found', () => {
  const examples = ['', 'a', 'b', 'ab', 'abc'];
  const flaw = checkMerge((values: readonly string[]) => values.join(''), { values: examples });
  expect(flaw?.values.join().length).toBeLessThanOrEqual(3);
  expect(() => checkMerge(union, { values: [] })).toThrow(/no values/);
});

test('the same seed finds the same; assertMerge throws what was found', () => {
  const first: MergeFunction<number> = (values) => values.at(-1) ?? 0;
  expect(checkMerge(first, { values: numbers, seed: 7 })).toEqual(checkMerge(first, { values: numbers, seed: 7 }));
  expect(() => assertMerge(first, { values: numbers })).toThrow(/depends on the order/);
  expect(() => assertMerge(union, { values: sets })).not.toThrow();
});
