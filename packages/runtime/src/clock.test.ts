import { afterEach, expect, test, vi } from 'vitest';
import { AlarmWheel } from './alarm-wheel.js';
import { waitAtMost } from './clock.js';
import { ManualClock } from './manual-clock.js';
import { systemClock } from './system-clock.js';

afterEach(() => vi.useRealTimers());

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

const DAY_MS = 24 * 3_600_000;

/** The longest that `setTimeout` takes is 24.8 days; what is longer it would run after 1 ms. */
test.each([1, 24, 25, 31, 365])('systemClock: after %d days a task runs, once, and no sooner', async (days) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const ran: number[] = [];
  const startMs = systemClock.monotonicMs();
  systemClock.after(days * DAY_MS, () => ran.push(systemClock.monotonicMs() - startMs));
  const cancelled = systemClock.after(days * DAY_MS, () => ran.push(-1));
  await vi.advanceTimersByTimeAsync(days * DAY_MS - 1);
  expect(ran).toEqual([]);
  cancelled.cancel();
  await vi.advanceTimersByTimeAsync(400 * DAY_MS);
  expect(ran).toEqual([days * DAY_MS]);
});

test('AlarmWheel on the system clock: an alarm a year ahead rings then', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  let ringings = 0;
  new AlarmWheel(systemClock, 10).set(365 * DAY_MS, () => ringings++);
  await vi.advanceTimersByTimeAsync(364 * DAY_MS);
  expect(ringings).toBe(0);
  await vi.advanceTimersByTimeAsync(2 * DAY_MS);
  expect(ringings).toBe(1);
});
