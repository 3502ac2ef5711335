import { expect, test } from 'vitest';
import { ManualClock } from '@armature/runtime';
import { Rounds } from './rounds.js';

/** Rounds that end when the test says so. */
function staged(): { clock: ManualClock; rounds: Rounds; begun: () => number; end: (isDone: boolean) => Promise<void> } {
  const clock = new ManualClock();
  const ends: ((isDone: boolean) => void)[] = [];
  let begun = 0;
  const round = (): Promise<boolean> => {
    begun++;
    return new Promise((resolve) => ends.push(resolve));
  };
  const end = async (isDone: boolean): Promise<void> => {
    ends.shift()?.(isDone);
    await clock.advance(0);
  };
  return { clock, rounds: new Rounds({ clock, round, retryMs: 1_000 }), begun: () => begun, end };
}

test('rounds come one at a time, and once more when somebody spoke during one, however often', async () => {
  const { clock, rounds, begun, end } = staged();
  rounds.wake();
  rounds.wake();
  rounds.wake();
  expect(begun()).toBe(1);
  await end(true);
  expect(begun()).toBe(2);
  await end(true);
  await clock.advance(60_000);
  expect(begun()).toBe(2);
});

test('a round that has left something is repeated after a while, or at once when somebody speaks', async () => {
  const { clock, rounds, begun, end } = staged();
  rounds.wake();
  await end(false);
  await clock.advance(999);
  expect(begun()).toBe(1);
  await clock.advance(1);
  expect(begun()).toBe(2);
  await end(false);
  rounds.wake();
  expect(begun()).toBe(3);
  await end(true);
  await clock.advance(60_000);
  expect(begun()).toBe(3);
});

test('once stopped, no round begins any more', async () => {
  const { clock, rounds, begun, end } = staged();
  rounds.wake();
  rounds.wake();
  rounds.stop();
  await end(false);
  rounds.wake();
  await clock.advance(60_000);
  expect(begun()).toBe(1);
});
