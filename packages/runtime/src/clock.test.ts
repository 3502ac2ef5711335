import { expect, test } from 'vitest';
import { ManualClock, waitAtMost } from './index.js';

test('waitAtMost: true for what is done in time, and the timer is gone', async () => {
  const clock = new ManualClock();
  await expect(waitAtMost(clock, 1_000, Promise.resolve('x'))).resolves.toBe(true);
  expect(clock.pending).toBe(0);
});

test("waitAtMost: false once the time is up, and a later failure is nobody's", async () => {
  const clock = new ManualClock();
  let fail!: (error: Error) => void;
  const waiting = waitAtMost(clock, 1_000, new Promise((_, reject) => (fail = reject)));
  await clock.advance(1_000);
  await expect(waiting).resolves.toBe(false);
  fail(new Error('late'));
});

test('waitAtMost: rejects as the work does', async () => {
  const clock = new ManualClock();
  await expect(waitAtMost(clock, 1_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(clock.pending).toBe(0);
});
