import { ArmatureError, toArmatureError } from '@armature/kernel';
import { ManualClock, memoryTelemetry, sleep } from '@armature/runtime';
import { expect, test } from 'vitest';
import { SourceGate } from './source-gate.js';

function gateWith(slice: () => Promise<void>) {
  const clock = new ManualClock();
  const telemetry = memoryTelemetry();
  return { clock, telemetry, gate: new SourceGate(slice, clock, telemetry) };
}
const problemOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (thrown: unknown) => toArmatureError(thrown).code,
  );

test('eight at a time, and the ninth is told that there is no room', async () => {
  const { clock, telemetry, gate } = gateWith(() => Promise.resolve());
  let done = 0;
  const work = async (): Promise<number> => {
    await sleep(clock, 100);
    return ++done;
  };
  const passed = Array.from({ length: 9 }, () => problemOf(gate.pass(work, () => 1)));
  await clock.advance(50);
  expect(telemetry.value('armature_transfer_served')).toBe(8);
  await clock.advance(100);
  const problems = await Promise.all(passed);
  expect(problems.filter((code) => code === 'overloaded')).toHaveLength(1);
  expect(done).toBe(8);
  expect(telemetry.value('armature_transfer_served')).toBe(0);
  expect(telemetry.value('armature_transfer_refused_total')).toBe(1);
});

test('without a slice in time: refused after two seconds; the late slice is not lost, and room is there again', async () => {
  const waiting: (() => void)[] = [];
  const { clock, telemetry, gate } = gateWith(() => new Promise((resolve) => waiting.push(resolve)));
  const late = problemOf(
    gate.pass(
      () => 1,
      () => 1,
    ),
  );
  await clock.advance(1_999);
  expect(telemetry.value('armature_transfer_refused_total')).toBe(0);
  await clock.advance(1);
  expect(await late).toBe('overloaded');
  expect(telemetry.value('armature_transfer_served')).toBe(1);
  waiting.shift()!();
  await clock.advance(0);
  expect(telemetry.value('armature_transfer_served')).toBe(0);
  expect(
    await gate.pass(
      () => 5,
      () => 1,
    ),
  ).toBe(5);
  expect(waiting).toEqual([]);
});

test('work that fails, and slices that come to an end, leave no room taken', async () => {
  const { telemetry, gate } = gateWith(() => Promise.resolve());
  const failing = (): never => {
    throw new ArmatureError('storage-failed', 'no');
  };
  for (let i = 0; i < 20; i++) expect(await problemOf(gate.pass(failing, () => 1))).toBe('storage-failed');
  expect(telemetry.value('armature_transfer_served')).toBe(0);
  const closed = gateWith(() => Promise.reject(new ArmatureError('closed', 'ended')));
  for (let i = 0; i < 20; i++)
    expect(
      await problemOf(
        closed.gate.pass(
          () => 1,
          () => 1,
        ),
      ),
    ).toBe('closed');
  expect(closed.telemetry.value('armature_transfer_served')).toBe(0);
});
