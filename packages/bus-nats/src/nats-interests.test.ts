import { ManualClock } from '@armature/runtime';
import { expect, test } from 'vitest';
import { Interests, type Interest } from './nats-interests.js';

/** A server that denies the subjects in `denied`, and an interest in one subject that asks it. */
function setUp() {
  const clock = new ManualClock();
  const denied = new Set<string>();
  const told: string[] = [];
  const asked: number[] = [];
  let connected = true;
  const interests: Interests = new Interests({
    clock,
    flush: () => (connected ? Promise.resolve() : Promise.reject(new Error('disconnected'))),
    changed: (subject, state) => told.push(`${state} ${subject}`),
  });
  const interestIn = (subject: string): Interest => ({
    nameOf: (other) => (other === subject ? subject : undefined),
    renew: () => {
      asked.push(clock.monotonicMs());
      if (denied.has(subject)) interests.denied(subject);
      return Promise.resolve();
    },
  });
  return { clock, denied, told, asked, interests, interestIn, setConnected: (is: boolean) => (connected = is) };
}

test('a denied subscription is told once, asked for with growing pauses, and told once more when it is taken', async () => {
  const { clock, denied, told, asked, interests, interestIn } = setUp();
  interests.add(interestIn('s'));
  interests.add(interestIn('other'));
  denied.add('s');
  const startMs = clock.monotonicMs();
  interests.denied('s');
  await clock.advance(40_000);
  expect(asked.map((atMs) => atMs - startMs)).toEqual([1_000, 3_000, 7_000, 15_000, 30_000]);
  expect(told).toEqual(['denied s']);
  expect(interests.lacking).toEqual(['s']);
  denied.clear();
  await clock.advance(15_000);
  expect(told).toEqual(['denied s', 'granted s']);
  expect(interests.lacking).toEqual([]);
  await clock.advance(60_000);
  expect(asked).toHaveLength(6);
});

test('a reconnect asks at once, and a connection lost meanwhile decides nothing', async () => {
  const { clock, denied, told, asked, interests, interestIn, setConnected } = setUp();
  interests.add(interestIn('s'));
  interests.denied('s');
  setConnected(false);
  await clock.advance(1_000);
  expect(asked).toHaveLength(1);
  expect(interests.lacking).toEqual(['s']);
  setConnected(true);
  interests.reconnected();
  await clock.advance(0);
  expect(asked).toHaveLength(2);
  expect(told).toEqual(['denied s', 'granted s']);
  expect(denied.size).toBe(0);
});

test('what nobody wants any more is not asked for, and nothing is after the end', async () => {
  const { clock, asked, interests, interestIn } = setUp();
  const [one, two] = [interestIn('one'), interestIn('two')];
  for (const interest of [one, two]) interests.add(interest);
  for (const subject of ['one', 'two']) interests.denied(subject);
  interests.remove(one);
  expect(interests.lacking).toEqual(['two']);
  interests.stop();
  await clock.advance(60_000);
  expect(asked).toEqual([]);
});
