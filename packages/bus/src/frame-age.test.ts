import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockWord, FrameAge } from './frame-age.js';

const HOUR_MS = 3_600_000;

/** Frames sent at `sentMs` (true time) that wait for `delayMs`; sender and receiver have clocks of their own. */
function ages(
  frames: readonly {
    readonly sentMs: number;
    readonly delayMs: number;
    readonly suspendedMs?: number;
    readonly setMs?: number;
  }[],
  { offsetMs = 0, drift = 0 } = {},
): number[] {
  const age = new FrameAge();
  return frames.map(({ sentMs, delayMs, suspendedMs = 0, setMs = 0 }) => {
    const theirs = offsetMs + sentMs * (1 + drift);
    const sent = { monotonic: clockWord(theirs - suspendedMs), wall: clockWord(theirs + setMs + 1e12) };
    const nowMs = sentMs + delayMs;
    return age.of(sent, nowMs, nowMs + 1.6e12);
  });
}

test('a frame that waited while its receiver stood still is as old as it is, however far the clocks are apart', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -100 * HOUR_MS, max: 100 * HOUR_MS }),
      fc.double({ min: -2e-4, max: 2e-4, noNaN: true }),
      fc.integer({ min: 0, max: 20 * 60_000 }),
      (offsetMs, drift, waitedMs) => {
        const before = Array.from({ length: 50 }, (_, i) => ({ sentMs: 1_000 * i, delayMs: 1 + (i % 7) }));
        const found = ages([...before, { sentMs: 50_000, delayMs: waitedMs }], { offsetMs, drift });
        for (const age of found.slice(0, 50)) expect(age).toBeLessThan(30);
        expect(found.at(-1)).toBeLessThan(waitedMs + 30 + waitedMs / 4_000);
        expect(found.at(-1)).toBeGreaterThan(waitedMs - 60 - waitedMs / 1_000);
      },
    ),
  );
});

test('a backlog tells itself from what came before the pause, and what is sent after it is young', () => {
  const steady = Array.from({ length: 20 }, (_, i) => ({ sentMs: 100 * i, delayMs: 1 }));
  const backlog = Array.from({ length: 80 }, (_, i) => ({ sentMs: 2_000 + 100 * i, delayMs: 8_000 - 100 * i + 1 }));
  const found = ages([...steady, ...backlog, { sentMs: 10_050, delayMs: 1 }]);
  expect(Math.abs((found[20] as number) - 8_000)).toBeLessThan(20);
  expect(Math.abs((found[60] as number) - 4_000)).toBeLessThan(20);
  expect(found.at(-1)).toBe(0);
});

test('a pause of an hour is told by what came before it, and the whole backlog is as old as it is', () => {
  const steady = Array.from({ length: 20 }, (_, i) => ({ sentMs: 100 * i, delayMs: 1 }));
  const backlog = Array.from({ length: 360 }, (_, i) => ({ sentMs: 2_000 + 10_000 * i, delayMs: HOUR_MS - 10_000 * i }));
  const found = ages([...steady, ...backlog]).slice(20);
  for (const [i, age] of found.entries()) expect(Math.abs(age - (HOUR_MS - 10_000 * i))).toBeLessThan(2_000);
});

test('a peer heard again after a day is not taken for slow, though the clocks have drifted', () => {
  expect(
    ages(
      [
        { sentMs: 0, delayMs: 1 },
        { sentMs: 24 * HOUR_MS, delayMs: 1 },
      ],
      { drift: -1e-4 },
    ).at(-1),
  ).toBe(0);
});

test('a clock that jumps makes no frame old: neither the suspension of the sender nor a wall clock that was set', () => {
  const steady = Array.from({ length: 20 }, (_, i) => ({ sentMs: 100 * i, delayMs: 1 }));
  expect(ages([...steady, { sentMs: 5_000, delayMs: 1, suspendedMs: HOUR_MS }]).at(-1)).toBe(0);
  expect(ages([...steady, { sentMs: 5_000, delayMs: 1, setMs: -HOUR_MS }]).at(-1)).toBe(0);
});

test('clocks that wrap around 2^32 ms change nothing', () => {
  const found = ages(
    Array.from({ length: 100 }, (_, i) => ({ sentMs: 100 * i, delayMs: i === 99 ? 5_000 : 1 })),
    { offsetMs: 2 ** 32 - 5_000 },
  );
  expect(Math.max(...found.slice(0, 99))).toBeLessThan(3);
  expect(Math.abs((found[99] as number) - 4_999)).toBeLessThan(20);
});

test('a way that has become slower for good is the new measure after two windows', () => {
  const found = ages(Array.from({ length: 400 }, (_, i) => ({ sentMs: 1_000 * i, delayMs: i < 100 ? 1 : 501 })));
  expect(found[150]).toBeGreaterThan(400);
  expect(found[399]).toBe(0);
});
