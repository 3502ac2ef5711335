import { ArmatureError, type ErrorCode } from '@armature/kernel';
import { ManualClock, memoryTelemetry, sleep } from '@armature/runtime';
import { beforeEach, expect, test } from 'vitest';
import type { ForegroundSigns } from './admission-controller.js';
import { ForegroundWatch } from './foreground-watch.js';

let clock: ManualClock;
let watch: ForegroundWatch;
const telemetry = memoryTelemetry();

beforeEach(() => {
  clock = new ManualClock();
  watch = new ForegroundWatch(clock, telemetry);
});

const look = (): ForegroundSigns => watch.look(clock.monotonicMs(), { storeQueueShare: 0.25, eventLoopDelayMs: 3 });
const failing = (code: ErrorCode) => async (): Promise<never> => {
  await sleep(clock, 1);
  throw new ArmatureError(code, 'no');
};

test('requests that wait: their 99th percentile over the last second and the last minute', async () => {
  for (let i = 0; i < 20; i++) void watch.request(() => sleep(clock, 80));
  await clock.advance(100);
  const signs = look();
  expect(signs.requests.secondMs).toBeGreaterThanOrEqual(80);
  expect(signs.requests.secondMs).toBeLessThan(88);
  expect(telemetry.value('armature_foreground_p99_seconds{of="request",window="1s"}')).toBeCloseTo(0.08, 1);
  await clock.advance(2_000);
  expect(look().requests).toEqual({ secondMs: undefined, minuteMs: signs.requests.minuteMs });
  await clock.advance(60_000);
  expect(look().requests).toEqual({ secondMs: undefined, minuteMs: undefined });
});

test('answers that take no time count as such, and are passed on', () => {
  for (let i = 0; i < 10; i++) expect(watch.request(() => i)).toBe(i);
  expect(look().requests.secondMs).toBe(0.01);
});

test('a handful of samples is no percentile', () => {
  for (let i = 0; i < 7; i++) void watch.request(() => i);
  expect(look().requests.secondMs).toBeUndefined();
});

test('a request that hangs is seen while it hangs, and not after', async () => {
  void watch.request(() => sleep(clock, 5_000));
  await clock.advance(1_200);
  expect(look().oldestMs).toBe(1_200);
  await clock.advance(4_000);
  expect(look().oldestMs).toBe(0);
});

test('more requests hanging than there are slots: the rest is served unobserved', async () => {
  const served = Array.from({ length: 200 }, () => Promise.resolve(watch.request(() => sleep(clock, 1_000))));
  await clock.advance(500);
  expect(look().oldestMs).toBe(500);
  await clock.advance(600);
  await Promise.all(served);
  for (let i = 0; i < 64; i++) void watch.request(() => i); // all slots are free again
  expect(look().oldestMs).toBe(0);
});

test('failures for want of room or storage count, others say nothing of this node; thrown or rejected, they are passed on', async () => {
  const outcomes = [
    watch.request(failing('overloaded')),
    watch.request(failing('storage-failed')),
    watch.request(failing('stale-ring')),
    watch.request(() => 'fine'),
  ];
  const settled = Promise.allSettled(outcomes.map((served) => Promise.resolve(served)));
  await clock.advance(10);
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled']);
  expect(look().failureShare).toBe(0.5);
  expect(() =>
    watch.request(() => {
      throw new ArmatureError('storage-full', 'no');
    }),
  ).toThrow('no');
  expect(look().failureShare).toBe(1);
  expect(look().failureShare).toBe(0);
});

test('storage reads have a latency of their own', async () => {
  const startedMs = clock.monotonicMs();
  await clock.advance(30);
  for (let i = 0; i < 20; i++) watch.readEnded(startedMs);
  const { storageReads, requests } = look();
  expect(storageReads.secondMs).toBeGreaterThanOrEqual(30);
  expect(requests.secondMs).toBeUndefined();
});

test('of few requests all are observed, of many about one in eight', () => {
  const due = (count: number): number => Array.from({ length: count }, () => watch.isRequestDue()).filter(Boolean).length;
  expect(due(32)).toBe(32);
  expect(due(8_000)).toBe(1_000);
  look();
  expect(due(10)).toBe(10);
});

test('what others measure is passed on', () => {
  expect(look()).toMatchObject({ storeQueueShare: 0.25, eventLoopDelayMs: 3 });
});
