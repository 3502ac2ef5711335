import * as fc from 'fast-check';
import { ManualClock, memoryTelemetry } from '@armature/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { INITIAL_RATE, MIN_RATE, SLICE_KINDS, type ForegroundSigns, type SliceKind } from './admission-controller.js';
import { BackgroundSlices } from './background-slices.js';

const WELL: ForegroundSigns = {
  requests: { secondMs: 2, minuteMs: 3 },
  storageReads: { secondMs: 0.1, minuteMs: 0.2 },
  oldestMs: 1,
  storeQueueShare: 0.01,
  eventLoopDelayMs: 1,
  failureShare: 0,
};

class World {
  readonly clock = new ManualClock();
  readonly telemetry = memoryTelemetry();
  signs = WELL;
  readonly slices = new BackgroundSlices({ clock: this.clock, telemetry: this.telemetry, look: () => this.signs });
  readonly granted = new Map<SliceKind, number>();

  constructor() {
    onTestFinished(() => this.slices.stop());
  }

  /** A task that always wants the next slice, and takes `workMs` for each. */
  run(kind: SliceKind, workMs = 0): void {
    const step = (): void => {
      this.slices.slice(kind).then(
        () => {
          this.granted.set(kind, this.of(kind) + 1);
          this.clock.after(workMs, step);
        },
        () => undefined,
      );
    };
    step();
  }

  of(kind: SliceKind): number {
    return this.granted.get(kind) ?? 0;
  }

  /** Slices granted of all kinds during the next `ms`. */
  async during(ms: number): Promise<number> {
    const sum = (): number => SLICE_KINDS.reduce((total, kind) => total + this.of(kind), 0);
    const before = sum();
    await this.clock.advance(ms);
    return sum() - before;
  }
}

test('a foreground that is well: a hungry task gets ever more', async () => {
  const world = new World();
  world.run('fill');
  const first = await world.during(1_000);
  expect(first).toBeGreaterThanOrEqual(INITIAL_RATE);
  await world.during(4_000);
  expect(await world.during(1_000)).toBeGreaterThan(first * 3);
});

test('a foreground that suffers: the trickle is left, and it is never less', async () => {
  const world = new World();
  world.run('fill');
  await world.during(5_000);
  world.signs = { ...WELL, requests: { secondMs: 120, minuteMs: 60 } };
  await world.during(4_000);
  expect(await world.during(10_000)).toBeGreaterThanOrEqual(MIN_RATE * 10 - 1);
  expect(await world.during(10_000)).toBeLessThanOrEqual(MIN_RATE * 10 + 1);
  expect(world.telemetry.value('armature_background_throttled_seconds_total{reason="request-latency"}')).toBeCloseTo(24, 0);
  world.signs = WELL;
  await world.during(3_000);
  expect(await world.during(1_000)).toBeGreaterThan(100);
});

test('within two seconds of trouble no more than a quarter is taken, within half a second half', async () => {
  const world = new World();
  world.run('fill');
  await world.during(10_000);
  const before = await world.during(1_000);
  world.signs = { ...WELL, storeQueueShare: 0.9 };
  await world.during(500);
  expect(await world.during(250)).toBeLessThanOrEqual((before / 4) * 0.55);
  await world.during(750);
  expect(await world.during(250)).toBeLessThanOrEqual((before / 4) * 0.15);
});

test('fair: kinds that are always hungry get equal shares, however many tasks of each there are', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.record({ kind: fc.constantFrom(...SLICE_KINDS), tasks: fc.integer({ min: 1, max: 20 }) }), {
        minLength: 2,
        selector: ({ kind }) => kind,
      }),
      async (hungry) => {
        const world = new World();
        world.signs = { ...WELL, requests: { secondMs: 45, minuteMs: 45 } }; // steady
        for (const { kind, tasks } of hungry) for (let i = 0; i < tasks; i++) world.run(kind);
        await world.during(4_000);
        const shares = hungry.map(({ kind }) => world.of(kind));
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1 + 20);
        expect(Math.min(...shares)).toBeGreaterThan(20);
        world.slices.stop();
      },
    ),
    { numRuns: 15 },
  );
});

test('a task that takes its time leaves the rest to others', async () => {
  const world = new World();
  world.run('fill', 100);
  world.run('hints');
  await world.during(4_000);
  expect(world.of('fill')).toBeGreaterThan(30);
  expect(world.of('hints')).toBeGreaterThan(world.of('fill') * 3);
});

test('an idle node: the first slice is granted at once, and slices saved up are a quarter of a second at most', async () => {
  const world = new World();
  await world.clock.advance(60_000);
  let granted = 0;
  for (let i = 0; i < 500; i++)
    void world.slices.slice('repair').then(
      () => granted++,
      () => undefined,
    );
  await world.clock.advance(0);
  expect(granted).toBeGreaterThanOrEqual(1);
  expect(granted).toBeLessThanOrEqual(INITIAL_RATE / 4);
});

test('stopped: who waits is told, and so is who comes later', async () => {
  const world = new World();
  const waiting = Array.from({ length: 20 }, () =>
    world.slices.slice('tree').then(
      () => 'granted',
      (error: unknown) => error,
    ),
  );
  world.slices.stop();
  const outcomes = await Promise.all(waiting);
  expect(outcomes[0]).toBe('granted');
  expect(outcomes.at(-1)).toMatchObject({ code: 'closed' });
  await expect(world.slices.slice('tree')).rejects.toMatchObject({ code: 'closed' });
  expect(world.clock.pending).toBe(0);
});

test('a line is bounded: the task too many is refused', async () => {
  const world = new World();
  const outcomes: unknown[] = [];
  for (let i = 0; i < 1_100; i++) void world.slices.slice('hints').catch((error: unknown) => outcomes.push(error));
  await world.clock.advance(0);
  expect(outcomes.length).toBeGreaterThan(50);
  expect(outcomes[0]).toMatchObject({ code: 'overloaded' });
  expect(world.telemetry.value('armature_background_waiting{kind="hints"}')).toBeLessThanOrEqual(1_024);
});

test('telemetry: the rate, and the slices of each kind', async () => {
  const world = new World();
  world.run('flush');
  await world.during(2_000);
  expect(world.telemetry.value('armature_background_slices_total{kind="flush"}')).toBe(world.of('flush'));
  expect(world.telemetry.value('armature_background_slices_per_second')).toBe(world.slices.state.rate);
});
