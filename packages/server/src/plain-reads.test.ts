import { expect, test } from 'vitest';
import { ManualClock } from '@armature/runtime';
import { PlainReads } from './plain-reads.js';

/** Reads of values of this size, each of which takes 10 ms; how many are under way, and how many have been answered. */
function readsOf(sizeBytes: number, flush = (): Promise<void> => Promise.resolve()) {
  const clock = new ManualClock();
  const reads = new PlainReads({ flush }, clock);
  const seen = { underWay: 0, most: 0, done: 0, refused: [] as string[] };
  const start = (count: number, timeoutMs: number): void => {
    for (let i = 0; i < count; i++) {
      const read = reads.take(timeoutMs, async () => {
        seen.most = Math.max(seen.most, ++seen.underWay);
        await new Promise<void>((resolve) => void clock.after(10, resolve));
        seen.underWay--;
        seen.done++;
        return sizeBytes;
      });
      read.catch((thrown: unknown) => seen.refused.push((thrown as { code: string }).code));
    }
  };
  return { clock, seen, start };
}

test('of five hundred reads of 900 kB at once a few are under way; in the end all are answered', async () => {
  const { clock, seen, start } = readsOf(900_000);
  start(500, 60_000);
  await clock.advance(9);
  expect(seen.most).toBe(16);
  seen.most = 0;
  await clock.advance(10_000);
  expect(seen).toMatchObject({ done: 500, refused: [] });
  expect(seen.most).toBeLessThanOrEqual(Math.floor((16 * 1024 * 1024) / 900_000));
  seen.most = 0;
  start(500, 60_000);
  await clock.advance(10_000);
  expect(seen.most).toBe(Math.floor((16 * 1024 * 1024) / 900_000));
  expect(seen.done).toBe(1_000);
});

test('small answers are made by the hundred once they are known to be small', async () => {
  const { clock, seen, start } = readsOf(100);
  start(200, 60_000);
  await clock.advance(1_000);
  seen.most = 0;
  start(1_000, 60_000);
  await clock.advance(1_000);
  expect(seen).toMatchObject({ most: 256, done: 1_200 });
});

test('while the bus does not take what was answered nothing more is read, and what waits is refused in its time', async () => {
  const { clock, seen, start } = readsOf(900_000, () => new Promise(() => undefined));
  start(200, 1_000);
  await clock.advance(5_000);
  expect(seen.done).toBe(16);
  expect(seen.refused).toEqual(Array.from({ length: 184 }, () => 'overloaded'));
});
