import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toArmatureError } from '@armature/kernel';
import { ManualClock, sleep } from '@armature/runtime';
import { Pace } from './pace.js';
import { Turns } from './turns.js';

const outcomeOf = (doing: Promise<unknown>): Promise<string> =>
  doing.then(
    () => 'done',
    (thrown: unknown) => toArmatureError(thrown).code,
  );

test('so many are under way at a time, the others begin in order, and each ends as its work does', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.record({ ms: fc.integer({ min: 1, max: 50 }), fails: fc.boolean() }), { maxLength: 40 }),
      async (atOnce, works) => {
        const clock = new ManualClock();
        const turns = new Turns(clock, { atOnce, waiting: 100 });
        const begun: number[] = [];
        let underWay = 0;
        const outcomes = works.map(({ ms, fails }, place) =>
          outcomeOf(
            turns.take(1e9, async () => {
              begun.push(place);
              expect(++underWay).toBeLessThanOrEqual(atOnce);
              await sleep(clock, ms);
              underWay--;
              if (fails) throw new Error('on purpose');
            }),
          ),
        );
        await clock.advance(50 * works.length);
        expect(await Promise.all(outcomes)).toEqual(works.map(({ fails }) => (fails ? 'internal' : 'done')));
        expect(begun).toEqual(works.map((_, place) => place));
        expect([turns.underWay, turns.waiting]).toEqual([0, 0]);
      },
    ),
  );
});

test('a burst that takes longer than its deadline allows: what can be done is done, the rest has not happened, and says so', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock, { atOnce: 10, waiting: 10_000 });
  let begun = 0;
  const work = async (): Promise<void> => {
    begun++;
    await sleep(clock, 100);
  };
  const outcomes = Array.from({ length: 1_000 }, () => outcomeOf(turns.take(1_000, work)));
  await clock.advance(2_000);
  const done = (await Promise.all(outcomes)).filter((outcome) => outcome === 'done').length;
  expect(done).toBeGreaterThanOrEqual(90);
  expect(begun, 'nothing was begun that could not be ended in time').toBe(done);
  const first = (await Promise.all(outcomes)).slice(0, done);
  expect(new Set(first)).toEqual(new Set(['done']));
  expect(new Set((await Promise.all(outcomes)).slice(done))).toEqual(new Set(['overloaded']));
  expect(turns.waiting).toBe(0);
});

test('more than may wait are refused at once, with a pause to make', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock, { atOnce: 1, waiting: 2 });
  const work = (): Promise<void> => sleep(clock, 10);
  const [, , , fourth] = Array.from({ length: 4 }, () =>
    turns.take(1_000, work).catch((thrown: unknown) => toArmatureError(thrown)),
  );
  expect(await fourth).toMatchObject({ code: 'overloaded', details: { executed: 'no', retryAfterMs: 50 } });
  await clock.advance(30);
  expect(turns.underWay).toBe(0);
});

test('a turn that comes when little time is left is taken with what is left', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock, { atOnce: 1, waiting: 2 });
  const first = turns.take(1_000, () => sleep(clock, 700));
  const left: number[] = [];
  const second = turns.take(1_000, async (leftMs) => void left.push(leftMs));
  await clock.advance(700);
  await Promise.all([first, second]);
  expect(left).toEqual([300]);
});

test('of large values so many bytes are under way at a time, one that is larger goes alone, and small operations pass by', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, { atOnce: 1_000, waiting: 1_000 }, { atOnce: 100_000, waiting: 10_000_000 });
  let [bytes, most, small] = [0, 0, 0];
  const large = (sizeBytes: number): Promise<string> =>
    outcomeOf(
      pace.take(
        1e9,
        async () => {
          most = Math.max(most, (bytes += sizeBytes));
          expect(sizeBytes > 100_000 ? bytes === sizeBytes : bytes <= 100_000, 'alone, or within the bound').toBe(true);
          await sleep(clock, 100);
          bytes -= sizeBytes;
        },
        sizeBytes,
      ),
    );
  const outcomes = Array.from({ length: 40 }, (_, i) => large(20_000 + i * 1_000)).concat(large(300_000), large(20_000));
  void pace.take(50, () => Promise.resolve(++small), 100);
  await clock.advance(1);
  expect([small, most]).toEqual([1, 86_000]);
  await clock.advance(10_000);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['done']));
  expect([most, pace.bytes.underWay, pace.bytes.waiting]).toEqual([300_000, 0, 0]);
});

test('what has no room among the bytes that wait is refused at once, and has not happened', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, { atOnce: 10, waiting: 10 }, { atOnce: 20_000, waiting: 40_000 });
  const work = (): Promise<void> => sleep(clock, 1);
  const outcomes = [1, 2, 3, 4].map(() => outcomeOf(pace.take(1_000, work, 20_000)));
  await clock.advance(10);
  expect(await Promise.all(outcomes)).toEqual(['done', 'done', 'done', 'overloaded']);
});
