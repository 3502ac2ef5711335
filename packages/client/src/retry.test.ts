import { expect, test } from 'vitest';
import { ArmatureError, seededRandom, type ErrorCode } from '@armature/kernel';
import { ManualClock } from '@armature/runtime';
import { retrying } from './retry.js';

/**
 * Runs attempts that fail one after another with these codes, then succeed; resolves with the outcome and how many there were.
 */
async function outcomeOf(...codes: readonly ErrorCode[]): Promise<{ outcome: string; attempts: number }> {
  const clock = new ManualClock();
  let attempts = 0;
  let outcome: string | undefined;
  retrying({ clock, random: seededRandom(1) }, 10_000, () => {
    const code = codes[attempts++];
    return code === undefined ? Promise.resolve('done') : Promise.reject(new ArmatureError(code, `attempt ${attempts}`));
  }).then(
    (result) => (outcome = result),
    (error: unknown) => (outcome = (error as ArmatureError).code),
  );
  while (outcome === undefined) await clock.advance(10);
  return { outcome, attempts };
}

test('passing failures are tried again, four times in all; others are not', async () => {
  expect(await outcomeOf('overloaded', 'unreachable', 'unavailable')).toEqual({ outcome: 'done', attempts: 4 });
  expect(await outcomeOf('overloaded', 'overloaded', 'overloaded', 'overloaded')).toEqual({ outcome: 'overloaded', attempts: 4 });
  expect(await outcomeOf('partial-write')).toEqual({ outcome: 'partial-write', attempts: 1 });
  expect(await outcomeOf('too-large')).toEqual({ outcome: 'too-large', attempts: 1 });
});

test('attempts after one that may have happened are told so', async () => {
  const told: boolean[] = [];
  const codes: readonly ErrorCode[] = ['overloaded', 'unknown-outcome', 'unavailable'];
  const clock = new ManualClock();
  const done = retrying({ clock, random: seededRandom(1) }, 10_000, (_leftMs, isUnsure) => {
    told.push(isUnsure);
    const code = codes[told.length - 1];
    return code === undefined ? Promise.resolve() : Promise.reject(new ArmatureError(code, 'x'));
  });
  for (let i = 0; i < 100; i++) await clock.advance(10);
  await done;
  expect(told).toEqual([false, false, true, true]);
});

test('a write one attempt of which may have happened is unknown, however surely the later ones were refused', async () => {
  expect(await outcomeOf('unknown-outcome', 'overloaded')).toEqual({ outcome: 'done', attempts: 3 });
  const refused = await outcomeOf('unknown-outcome', 'overloaded', 'unavailable', 'bus-unavailable');
  expect(refused).toEqual({ outcome: 'unknown-outcome', attempts: 4 });
  expect(await outcomeOf('unknown-outcome', 'too-large')).toEqual({ outcome: 'unknown-outcome', attempts: 2 });
  expect(await outcomeOf('unknown-outcome', 'partial-write')).toEqual({ outcome: 'partial-write', attempts: 2 });
});
