import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlarmWheel, type Alarm } from './alarm-wheel.js';
import type { Clock } from './clock.js';
import { ManualClock } from './manual-clock.js';

test('alarm wheel: every alarm rings once, never early, at most two ticks late, cancelled ones never', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ atMs: fc.nat(500), delayMs: fc.nat(300), cancelAfterMs: fc.option(fc.nat(300), { nil: undefined }) }),
        { maxLength: 40 },
      ),
      async (plans) => {
        const clock = new ManualClock(0);
        const wheel = new AlarmWheel(clock, 10);
        const rung = new Map<number, number>();
        const cancelled = new Map<number, number>();
        plans.forEach((plan, i) => {
          clock.after(plan.atMs, () => {
            const alarm: Alarm = wheel.set(plan.delayMs, () => {
              expect(rung.has(i)).toBe(false);
              rung.set(i, clock.nowMs());
            });
            if (plan.cancelAfterMs !== undefined) {
              clock.after(plan.cancelAfterMs, () => {
                alarm.cancel();
                alarm.cancel();
                cancelled.set(i, clock.nowMs());
              });
            }
          });
        });
        await clock.advance(1000);
        plans.forEach((plan, i) => {
          const dueMs = plan.atMs + plan.delayMs;
          const rungMs = rung.get(i);
          if (rungMs !== undefined) {
            expect(rungMs).toBeGreaterThanOrEqual(dueMs);
            expect(rungMs).toBeLessThanOrEqual(dueMs + 20);
            expect(cancelled.get(i) ?? Infinity).toBeGreaterThanOrEqual(rungMs);
          } else {
            expect(cancelled.get(i)).toBeLessThanOrEqual(dueMs + 20);
          }
        });
        expect(wheel.pending).toBe(0);
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});

test('alarm wheel: after a stall of many ticks, alarms ring in order of their due times', async () => {
  const clock = new ManualClock(0);
  const wheel = new AlarmWheel(clock, 1);
  const rung: number[] = [];
  for (const delayMs of [900, 30, 500]) wheel.set(delayMs, () => rung.push(delayMs));
  clock.after(0, () => undefined);
  await clock.advance(2000);
  expect(rung).toEqual([30, 500, 900]);
});

test('alarm wheel: a stream of alarms that are cancelled in time wakes it once per timeout, and a wheel with none not at all', async () => {
  const clock = new ManualClock(0);
  let wakeUps = 0;
  const counting = {
    ...clockOf(clock),
    after: (delayMs: number, task: () => void) =>
      clock.after(delayMs, () => {
        wakeUps++;
        task();
      }),
  };
  const wheel = new AlarmWheel(counting, 5);
  for (let i = 0; i < 1_000; i++) {
    const alarm = wheel.set(1_000, () => undefined);
    await clock.advance(10);
    alarm.cancel();
  }
  expect(wakeUps).toBeLessThanOrEqual(11);
  await clock.advance(2_000);
  expect(clock.pending).toBe(0);
  const seen = wakeUps;
  await clock.advance(100_000);
  expect(wakeUps).toBe(seen);
});

test('alarm wheel: a shorter alarm rings in its time although a longer one was set first', async () => {
  const clock = new ManualClock(0);
  const wheel = new AlarmWheel(clock, 10);
  const rung: number[] = [];
  wheel.set(5_000, () => rung.push(clock.nowMs()));
  wheel.set(50, () => rung.push(clock.nowMs()));
  await clock.advance(6_000);
  expect(rung).toEqual([50, 5_000]);
});

test('alarm wheel: a task that throws keeps no other alarm from ringing', async () => {
  const clock = new ManualClock(0);
  const wheel = new AlarmWheel(clock, 10);
  const rung: string[] = [];
  wheel.set(50, () => {
    throw new Error('on purpose');
  });
  wheel.set(50, () => rung.push('same tick'));
  wheel.set(500, () => rung.push('later'));
  await expect(clock.advance(100)).rejects.toThrow('on purpose');
  await clock.advance(1_000);
  expect(rung).toEqual(['same tick', 'later']);
});

function clockOf(clock: ManualClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => clock.after(delayMs, task),
    defer: (task) => clock.defer(task),
  };
}
