import * as fc from 'fast-check';
import { ArmatureError, seededRandom, type NodeId } from '@armature/kernel';
import { FailureMonitor, type Transition } from '@armature/membership';
import { ManualClock, memoryTelemetry, recordingLog, silentLog, type Clock } from '@armature/runtime';
import { beforeEach, expect, test } from 'vitest';
import { PauseWatch } from './pause-watch.js';

/** A manual clock on a machine that can stand still: time passes, and nothing runs. */
class StallingClock implements Clock {
  readonly manual = new ManualClock();
  #stoppedMs = 0;
  #sleptMs = 0;

  nowMs(): number {
    return this.manual.nowMs() + this.#stoppedMs + this.#sleptMs;
  }

  monotonicMs(): number {
    return this.manual.monotonicMs() + this.#stoppedMs;
  }

  after(delayMs: number, task: () => void): ReturnType<Clock['after']> {
    return this.manual.after(delayMs, task);
  }

  defer(task: () => void): void {
    this.manual.defer(task);
  }

  /** The process is stopped, or busy: both clocks go on. */
  stall(ms: number): void {
    this.#stoppedMs += ms;
  }

  /** The machine sleeps: only the wall clock goes on. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
  }
}

let clock: StallingClock;
let pauses: number[];
let watch: PauseWatch;
const telemetry = memoryTelemetry();
const log = recordingLog();

beforeEach(() => {
  clock = new StallingClock();
  pauses = [];
  watch = new PauseWatch({ clock, log: log.log, telemetry, onPause: (pausedMs) => void pauses.push(pausedMs) });
  watch.start();
});

test('a process that stands still is told so once, with how long, whenever it happens between two ticks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(500), fc.integer({ min: 400, max: 100_000 }), async (beforeMs, stallMs) => {
      pauses = [];
      await clock.manual.advance(beforeMs);
      clock.stall(stallMs);
      await clock.manual.advance(1_000);
      expect(pauses).toHaveLength(1);
      // The part of the pause that falls before the tick was due is not counted.
      expect(pauses[0]).toBeGreaterThan(stallMs - 101);
      expect(pauses[0]).toBeLessThanOrEqual(stallMs);
    }),
    { numRuns: 50 },
  );
});

test('an event loop that is a little late is not paused, and its delay is known', async () => {
  for (let i = 0; i < 40; i++) {
    clock.stall(60);
    await clock.manual.advance(100);
  }
  expect(pauses).toEqual([]);
  expect(watch.delayMs).toBeGreaterThan(30);
  expect(watch.delayMs).toBeLessThanOrEqual(60);
  expect(telemetry.value('armature_process_event_loop_delay_seconds')).toBe(watch.delayMs / 1000);
  await clock.manual.advance(3_000);
  expect(watch.delayMs).toBeLessThan(1);
});

test('a machine that slept, by its wall clock; a wall clock that is set back says nothing', async () => {
  clock.sleep(3_600_000);
  await clock.manual.advance(100);
  expect(pauses).toEqual([3_600_000]);
  clock.sleep(-3_600_000);
  await clock.manual.advance(1_000);
  expect(pauses).toHaveLength(1);
  expect(watch.delayMs).toBe(0);
});

test('check: notices a pause before the tick does, and the tick does not tell it again', async () => {
  watch.check();
  expect(pauses).toEqual([]);
  clock.stall(5_000);
  watch.check();
  watch.check();
  expect(pauses).toHaveLength(1);
  await clock.manual.advance(1_000);
  expect(pauses).toHaveLength(1);
  expect(clock.manual.pending).toBe(1);
});

test('long pauses are logged for operators, and all are counted', async () => {
  const before = telemetry.value('armature_process_pause_seconds');
  const logged = log.entries.length;
  clock.stall(400);
  await clock.manual.advance(200);
  clock.stall(4_000);
  await clock.manual.advance(200);
  expect(telemetry.value('armature_process_pause_seconds') - before).toBe(2);
  expect(log.entries.slice(logged).map(({ level }) => level)).toEqual(['debug', 'warn']);
});

test('stopped, it watches no more', async () => {
  watch.stop();
  clock.stall(5_000);
  watch.check();
  await clock.manual.advance(1_000);
  expect(pauses).toEqual([]);
  expect(clock.manual.pending).toBe(0);
});

test('all requests in flight time out together after a pause: no peer is taken for failed, not even for a moment', async () => {
  const peers = ['n1', 'n2', 'n3'] as NodeId[];
  const monitor = new FailureMonitor({
    self: undefined,
    ping: () => Promise.reject(new ArmatureError('timeout', 'silent')),
    clock,
    random: seededRandom('pause'),
    log: silentLog,
    telemetry,
  });
  const transitions: Transition[] = [];
  monitor.onTransition((transition) => void transitions.push(transition));
  const watched = new PauseWatch({ clock, log: silentLog, telemetry, onPause: (pausedMs) => monitor.paused(pausedMs) });
  watched.start();
  // The order of things after a SIGCONT: timers in the order in which they were due, and so deadlines before the tick.
  clock.after(50, () => {
    for (let i = 0; i < 30; i++) {
      watched.check();
      monitor.failed(peers[i % 3]!, 'timeout');
    }
  });
  clock.stall(3_000);
  await clock.manual.advance(200);
  expect(transitions).toEqual([]);
  expect(monitor.suspects()).toEqual([]);
  watched.stop();
  monitor.stop();
});

test('how long it has been steady: noticed before any tick, whether the process or the machine stood still; short pauses do not count', async () => {
  expect(watch.steadyForMs).toBe(Number.POSITIVE_INFINITY);
  clock.stall(4_000);
  await clock.manual.advance(1_000);
  expect(watch.steadyForMs).toBe(Number.POSITIVE_INFINITY);
  clock.stall(6_000);
  expect(watch.steadyForMs).toBe(0);
  await clock.manual.advance(2_000);
  expect(watch.steadyForMs).toBe(2_000);
  clock.sleep(600_000);
  expect(watch.steadyForMs).toBe(0);
});
