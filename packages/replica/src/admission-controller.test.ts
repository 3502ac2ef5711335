import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  admit,
  COOLDOWN_MS,
  INCREASE,
  INITIAL_RATE,
  MAX_RATE,
  MIN_RATE,
  startAdmission,
  TICK_MS,
  type AdmissionState,
  type ForegroundSigns,
  type SliceDemand,
} from './admission-controller.js';

const WELL: ForegroundSigns = {
  requests: { secondMs: 2, minuteMs: 3 },
  storageReads: { secondMs: 0.1, minuteMs: 0.2 },
  oldestMs: 1,
  storeQueueShare: 0.01,
  eventLoopDelayMs: 1,
  failureShare: 0,
};
const SLOW: ForegroundSigns = { ...WELL, requests: { secondMs: 80, minuteMs: 60 } };

/** So many ticks of the same signs. */
function run(state: AdmissionState, ticks: number, signs: ForegroundSigns, demand: SliceDemand, fromMs: number): AdmissionState {
  let next = state;
  for (let tick = 1; tick <= ticks; tick++) next = admit(next, signs, demand, fromMs + tick * TICK_MS);
  return next;
}

const latency = fc.record({
  secondMs: fc.option(fc.nat(200), { nil: undefined }),
  minuteMs: fc.option(fc.nat(200), { nil: undefined }),
});
const share = fc.double({ min: 0, max: 1, noNaN: true });
const anySigns = fc.record({
  requests: latency,
  storageReads: latency,
  oldestMs: fc.nat(1_000),
  storeQueueShare: share,
  eventLoopDelayMs: fc.nat(100),
  failureShare: share,
});
const anyDemand = fc.constantFrom<SliceDemand>('none', 'met', 'unmet');

describe('laws, for any foreground', () => {
  test('the rate stays between the trickle and the maximum, grows by the increase at most, and falls to a half at least', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anySigns, anyDemand), { maxLength: 200 }), (ticks) => {
        let state = startAdmission(0);
        ticks.forEach(([signs, demand], i) => {
          const next = admit(state, signs, demand, (i + 1) * TICK_MS);
          expect(next.rate).toBeGreaterThanOrEqual(MIN_RATE);
          expect(next.rate).toBeLessThanOrEqual(MAX_RATE);
          expect(next.rate - state.rate).toBeLessThanOrEqual(INCREASE);
          // Either halved, or, long unused, back at the start.
          expect(next.rate).toBeGreaterThanOrEqual(Math.min(state.rate / 2, INITIAL_RATE));
          state = next;
        });
      }),
    );
  });

  test('it grows only when somebody waited and nothing is above its limit; it yields exactly when something is', () => {
    fc.assert(
      fc.property(anySigns, anyDemand, fc.integer({ min: MIN_RATE, max: MAX_RATE }), (signs, demand, rate) => {
        const next = admit({ ...startAdmission(0), rate }, signs, demand, TICK_MS);
        expect(next.mood === 'yielding').toBe(next.reasons.length > 0);
        if (next.rate > rate) {
          expect(demand).toBe('unmet');
          expect(signs.requests.secondMs ?? 0).toBeLessThanOrEqual(50);
          expect(signs.requests.minuteMs ?? 0).toBeLessThanOrEqual(50);
        }
      }),
    );
  });

  test('whatever came before, a slow foreground brings any rate to the trickle within five seconds', () => {
    fc.assert(
      fc.property(fc.double({ min: MIN_RATE, max: MAX_RATE, noNaN: true }), (rate) => {
        expect(run({ ...startAdmission(0), rate }, 20, SLOW, 'unmet', 0).rate).toBe(MIN_RATE);
      }),
    );
  });
});

describe('each sign by itself', () => {
  const cases: readonly [string, Partial<ForegroundSigns>][] = [
    ['request-latency', { requests: { secondMs: 51, minuteMs: undefined } }],
    ['request-latency', { oldestMs: 201 }],
    ['storage-latency', { storageReads: { secondMs: 51, minuteMs: 1 } }],
    ['store-queue', { storeQueueShare: 0.51 }],
    ['event-loop', { eventLoopDelayMs: 26 }],
    ['failures', { failureShare: 0.02 }],
  ];
  test.each(cases)('%s above its limit halves the rate and is named: %o', (reason, sign) => {
    const next = admit({ ...startAdmission(0), rate: 400 }, { ...WELL, ...sign }, 'unmet', TICK_MS);
    expect(next).toMatchObject({ rate: 200, mood: 'yielding', reasons: [reason] });
  });

  test('near its limit a sign stops growth and cuts nothing', () => {
    const next = admit({ ...startAdmission(0), rate: 400 }, { ...WELL, storeQueueShare: 0.45 }, 'unmet', TICK_MS);
    expect(next).toMatchObject({ rate: 400, mood: 'steady', reasons: [] });
  });

  test('too few samples to tell is no reason to yield', () => {
    const unknown = { secondMs: undefined, minuteMs: undefined };
    const next = admit(startAdmission(0), { ...WELL, requests: unknown, storageReads: unknown }, 'unmet', TICK_MS);
    expect(next.mood).toBe('growing');
  });
});

test('a foreground that is well: from the trickle to 400 slices per second in five seconds', () => {
  const start = { ...startAdmission(0), rate: MIN_RATE };
  expect(run(start, 20, WELL, 'unmet', 0).rate).toBeGreaterThanOrEqual(400);
});

test('cuts are a cooldown apart: the second that is looked back over is held against the rate no more than twice', () => {
  const start = { ...startAdmission(0), rate: 1_600 };
  const perSecond = 1_000 / TICK_MS;
  expect(run(start, perSecond, SLOW, 'unmet', 0).rate).toBe(1_600 / 2 ** (1_000 / COOLDOWN_MS));
});

test('a second that is well after a bad minute holds the rate, until the minute is well too', () => {
  const held = run({ ...startAdmission(0), rate: 30 }, 40, { ...WELL, requests: { secondMs: 2, minuteMs: 70 } }, 'unmet', 0);
  expect(held).toMatchObject({ rate: 30, mood: 'steady' });
  expect(run(held, 1, WELL, 'unmet', 10_000)).toMatchObject({ rate: 30 + INCREASE, mood: 'growing' });
});

test('a rate that nobody used for ten seconds goes back to where it started; one in use stays', () => {
  const start = { ...startAdmission(0), rate: 1_000 };
  expect(run(start, 39, WELL, 'none', 0).rate).toBe(1_000);
  expect(run(start, 40, WELL, 'none', 0).rate).toBe(INITIAL_RATE);
  expect(run(start, 100, WELL, 'met', 0).rate).toBe(1_000);
});
