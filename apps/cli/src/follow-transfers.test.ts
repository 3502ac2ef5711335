import { ArmatureError } from '@armature/kernel';
import type { Admin } from '@armature/client';
import type { View } from '@armature/membership';
import { ManualClock } from '@armature/runtime';
import { expect, test } from 'vitest';
import { followTransfers } from './follow-transfers.js';

const away = new ArmatureError('unreachable', 'no node of this cluster answers on the bus');
/** Nobody is a member, so nothing is on the move, and yet not settled: nobody has said so. */
const VIEW = { cluster: {}, members: new Map(), ringVersion: 1, fingerprint: 'f' } as unknown as View;

/** Follows with answers of this admin, one for each poll, and virtual time between. */
async function follow(answers: (poll: number) => View | Error, interrupted = new AbortController()) {
  const clock = new ManualClock();
  let polls = 0;
  const admin = {
    view: () => {
      const answer = answers(++polls);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } as unknown as Admin;
  let isDone = false;
  const ending = followTransfers(admin, clock, interrupted.signal, () => undefined).finally(() => (isDone = true));
  ending.catch(() => undefined);
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
  }
  return { ending, polls: () => polls, elapsedMs: clock.monotonicMs() };
}

test('a node that does not answer for a moment is borne', async () => {
  const interrupted = new AbortController();
  const { ending, polls } = await follow((poll) => {
    if (poll === 8) interrupted.abort();
    return poll > 1 && poll < 8 ? away : VIEW;
  }, interrupted);
  expect((await ending).settled).toBe(false);
  expect(polls()).toBe(8);
});

test('after half a minute without an answer it gives up, with the reason', async () => {
  const { ending, elapsedMs } = await follow((poll) => (poll === 1 ? VIEW : away));
  await expect(ending).rejects.toBe(away);
  expect(elapsedMs - new ManualClock().monotonicMs()).toBeGreaterThan(30_000);
});

test('at first, and for what will not pass by itself, it gives up at once', async () => {
  expect((await follow(() => away)).polls()).toBe(1);
  const lasting = new ArmatureError('wrong-cluster', 'not ours');
  expect((await follow((poll) => (poll === 1 ? VIEW : lasting))).polls()).toBe(2);
});
