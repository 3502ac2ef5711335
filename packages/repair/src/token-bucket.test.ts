import { ManualClock } from '@armature/runtime';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fullBucket, rateLimit, spent, TransferPace, waitMs } from './token-bucket.js';

test('whoever waits as told: in any stretch of time no more than it earned, the burst, and one answer', () => {
  const step = fc.record({ idleMs: fc.nat(3_000), bytes: fc.nat(2_000_000) });
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 10_000_000 }), fc.array(step, { maxLength: 40 }), (bytesPerSecond, steps) => {
      const limit = rateLimit(bytesPerSecond);
      let nowMs = 0;
      let bucket = fullBucket(limit, nowMs);
      const moved: { readonly atMs: number; readonly bytes: number }[] = [];
      for (const { idleMs, bytes } of steps) {
        nowMs += idleMs;
        nowMs += waitMs(bucket, limit, nowMs);
        expect(waitMs(bucket, limit, nowMs)).toBe(0);
        bucket = spent(bucket, limit, bytes, nowMs);
        moved.push({ atMs: nowMs, bytes });
      }
      for (let first = 0; first < moved.length; first++) {
        let sum = 0;
        for (const { atMs, bytes } of moved.slice(first)) {
          const seconds = (atMs - moved[first]!.atMs) / 1_000;
          expect(sum).toBeLessThanOrEqual(limit.burstBytes + seconds * bytesPerSecond + 2_000_000);
          sum += bytes;
        }
      }
    }),
  );
});

test('nobody waits longer than his debt takes to be earned: the rate is used', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 10_000_000 }), fc.array(fc.nat(1_000_000)), (bytesPerSecond, pages) => {
      const limit = rateLimit(bytesPerSecond);
      let nowMs = 0;
      let bucket = fullBucket(limit, nowMs);
      for (const bytes of pages) {
        nowMs += waitMs(bucket, limit, nowMs);
        bucket = spent(bucket, limit, bytes, nowMs);
      }
      const total = pages.reduce((sum, bytes) => sum + bytes, 0);
      // Two milliseconds per wait are lost by rounding.
      expect(nowMs).toBeLessThanOrEqual((total * 1_000) / bytesPerSecond + pages.length * 2);
    }),
  );
});

test('a clock that stands still or goes back earns nothing and loses nothing', () => {
  const limit = rateLimit(1_000);
  const bucket = spent(fullBucket(limit, 5_000), limit, 1_250, 5_000);
  expect(bucket).toEqual({ tokens: -1_000, atMs: 5_000 });
  expect(waitMs(bucket, limit, 4_000)).toBe(waitMs(bucket, limit, 5_000));
});

test('the pace: no limit never waits; with one, two that share it move together what one may; stopped, it lets go', async () => {
  const clock = new ManualClock();
  const free = new TransferPace(clock, undefined);
  free.spend(1e12);
  await free.ready();
  expect(free.recordsAtOnce(1e9)).toBe(128);

  const pace = new TransferPace(clock, 100_000);
  expect(pace.recordsAtOnce(1_000)).toBe(25);
  expect(pace.recordsAtOnce(1e9)).toBe(1);
  let moved = 0;
  const move = async (): Promise<void> => {
    for (let i = 0; i < 1_000; i++) {
      await pace.ready();
      moved += 10_000;
      pace.spend(10_000);
    }
  };
  const moving = Promise.all([move(), move()]);
  await clock.advance(10_000);
  expect(moved).toBeGreaterThan(900_000);
  expect(moved).toBeLessThan(1_100_000);
  pace.stop();
  await clock.advance(1_000);
  await moving;
});
