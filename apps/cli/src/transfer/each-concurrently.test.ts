import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachConcurrently } from './each-concurrently.js';

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

test('every item is worked on once, no more than the limit at a time, and those of one key one by one in order', async () => {
  const item = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), turns: fc.nat(20) });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), async (items, concurrency) => {
      const done: { key: string; index: number }[] = [];
      const busy = new Set<string>();
      let working = 0;
      await eachConcurrently(streamOf(items.map((one, index) => ({ ...one, index }))), {
        concurrency,
        keyOf: ({ key }) => key,
        shouldStop: () => false,
        async work(one) {
          expect(busy.has(one.key)).toBe(false);
          busy.add(one.key);
          expect(++working).toBeLessThanOrEqual(concurrency);
          await turns(one.turns);
          working--;
          busy.delete(one.key);
          done.push(one);
        },
      });
      expect(done.map(({ index }) => index).sort((a, b) => a - b)).toEqual(items.map((_, index) => index));
      for (const key of ['a', 'b', 'c', 'd']) {
        const indices = done.filter((one) => one.key === key).map(({ index }) => index);
        expect(indices).toEqual([...indices].sort((a, b) => a - b));
      }
    }),
  );
});

test('asked to stop: takes no more, and finishes what is in hand', async () => {
  let started = 0;
  let finished = 0;
  await eachConcurrently(streamOf(Array.from({ length: 100 }, (_, i) => i)), {
    concurrency: 4,
    keyOf: String,
    shouldStop: () => started >= 10,
    async work() {
      started++;
      await turns(50);
      finished++;
    },
  });
  expect(started).toBe(10);
  expect(finished).toBe(started);
});

test('an input that breaks: what was taken is finished before the error is told', async () => {
  async function* breaking(): AsyncGenerator<number> {
    yield 1;
    yield await Promise.resolve(2);
    throw new Error('torn');
  }
  const finished: number[] = [];
  const running = eachConcurrently(breaking(), {
    concurrency: 4,
    keyOf: String,
    shouldStop: () => false,
    async work(item) {
      await turns(100);
      finished.push(item);
    },
  });
  await expect(running).rejects.toThrow('torn');
  expect(finished).toEqual([1, 2]);
});
