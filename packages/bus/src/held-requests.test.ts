import { expect, test } from 'vitest';
import { at, LinkBench, note, textOf, watch, type Note, type NoteEndpoint } from './link.test-support.js';
import type { LinkLimits } from './link-limits.js';

const SECOND = 1_000;
const LARGE: Note = { bytes: new Uint8Array(900_000) };

/** Whoever asks for `get` is answered with 900 kB, others with what they say. */
function server(bench: LinkBench, limits: Partial<LinkLimits> = {}): { b: NoteEndpoint; reads: () => number } {
  const b = bench.open('b', limits);
  let reads = 0;
  b.serve(
    (message) => {
      if (textOf(message) !== 'get') return message;
      reads++;
      return LARGE;
    },
    { mayHaveLargeAnswer: (message) => textOf(message) === 'get' },
  );
  return { b, reads: () => reads };
}

test('of hundreds of large answers asked for at once so many are read as are soon on their way; in the end all have come', async () => {
  const bench = new LinkBench();
  const a = bench.open('a');
  const { b, reads } = server(bench);
  await bench.introduce(a, b);
  bench.broker.network.shape(() => 5);
  const seen = Array.from({ length: 500 }, () => watch(a.request(at('b'), note('get'), 60 * SECOND)));
  await bench.clock.advance(7);
  expect(reads()).toBeLessThanOrEqual(12);
  expect(b.stats.held).toBe(500 - reads());
  await bench.clock.advance(55 * SECOND);
  expect(seen.map(({ value }) => value?.bytes.length)).toEqual(Array.from({ length: 500 }, () => 900_000));
  expect([b.stats.executing, reads()]).toEqual([0, 500]);
});

test('what has no large answer does not wait behind those that do, nor do others who ask', async () => {
  const bench = new LinkBench();
  const [a, c] = [bench.open('a'), bench.open('c')];
  server(bench);
  bench.broker.network.shape(() => 5);
  const large = Array.from({ length: 100 }, () => watch(a.request(at('b'), note('get'), 60 * SECOND)));
  const [ping, other] = [watch(a.request(at('b'), note('ping'), SECOND)), watch(c.request(at('b'), note('get'), SECOND))];
  await bench.clock.advance(100);
  expect(ping.value && textOf(ping.value)).toBe('ping');
  expect(other.value?.bytes.length).toBe(900_000);
  expect(large.filter(({ value }) => value === undefined).length).toBeGreaterThan(50);
});

test('what nobody waits for any more is not read, and where the asker is gone nothing is kept', async () => {
  const bench = new LinkBench();
  const a = bench.open('a');
  const { b, reads } = server(bench);
  bench.broker.network.shape((source) => (source === 'b' ? 'lost' : 5));
  const seen = Array.from({ length: 100 }, () => watch(a.request(at('b'), note('get'), SECOND)));
  await bench.clock.advance(120 * SECOND);
  expect(new Set(seen.map(({ code }) => code))).toEqual(new Set(['timeout']));
  expect(reads()).toBeLessThan(30);
  expect(b.stats.executing).toBe(0);
});

test('all peers together have a bound, within which each has one answer under way', async () => {
  const bench = new LinkBench();
  const { reads } = server(bench, { backlogBytes: 1_000_000, fragmentWindowBytes: 1 });
  bench.broker.network.shape(() => 5);
  const askers = Array.from({ length: 5 }, (_, i) => bench.open(`a${i}`));
  const seen = askers.flatMap((a) => Array.from({ length: 10 }, () => watch(a.request(at('b'), note('get'), 60 * SECOND))));
  await bench.clock.advance(7);
  expect(reads()).toBeLessThanOrEqual(6);
  await bench.clock.advance(50 * SECOND);
  expect(seen.every(({ value }) => value !== undefined)).toBe(true);
});

test('where answers take time to make, those that are being made count: a few at first, then as many as their size allows', async () => {
  const bench = new LinkBench();
  const a = bench.open('a');
  const b = bench.open('b');
  let [making, most] = [0, 0];
  const mostSoFar: number[] = [];
  b.serve(
    async (message) => {
      if (textOf(message) !== 'get') return message;
      most = Math.max(most, ++making);
      await new Promise<void>((resolve) => void bench.clock.after(20, resolve));
      making--;
      return LARGE;
    },
    { mayHaveLargeAnswer: (message) => textOf(message) === 'get' },
  );
  await bench.introduce(a, b);
  bench.broker.network.shape(() => 1);
  const seen = Array.from({ length: 500 }, () => watch(a.request(at('b'), note('get'), 60 * SECOND)));
  for (let round = 0; round < 3; round++) {
    await bench.clock.advance(30);
    mostSoFar.push(most);
    most = 0;
  }
  expect(mostSoFar[0]).toBe(32);
  expect(Math.max(...mostSoFar.slice(1))).toBeLessThanOrEqual(10);
  await bench.clock.advance(50 * SECOND);
  expect(seen.map(({ value }) => value?.bytes.length)).toEqual(Array.from({ length: 500 }, () => 900_000));
  expect([b.stats.executing, making]).toEqual([0, 0]);
});

test('small answers that take time to make are made at once by the hundred, once they are known to be small', async () => {
  const bench = new LinkBench();
  const [a, b] = [bench.open('a'), bench.open('b')];
  let [making, most] = [0, 0];
  b.serve(
    async (message) => {
      most = Math.max(most, ++making);
      await new Promise<void>((resolve) => void bench.clock.after(5, resolve));
      making--;
      return message;
    },
    { mayHaveLargeAnswer: () => true },
  );
  await bench.introduce(a, b);
  const seen = Array.from({ length: 1_000 }, (_, i) => watch(a.request(at('b'), note(String(i)), 10 * SECOND)));
  await bench.clock.advance(5 * SECOND);
  expect(seen.every(({ value }, i) => value !== undefined && textOf(value) === String(i))).toBe(true);
  expect(most).toBeGreaterThanOrEqual(128);
});
