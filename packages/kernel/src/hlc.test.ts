import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DEFAULT_MAX_DRIFT_MS,
  HLC_ZERO,
  LATEST_WALL_MS,
  hlcAfter,
  hlcFromMs,
  hlcReceive,
  hlcTick,
  hlcToMs,
  isFarAhead,
  type Hlc,
} from './hlc.js';

/** From the epoch to the year 2200: what a clock may say. */
const ms = fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) });
const hlc = fc.integer({ min: 0, max: hlcFromMs(Date.UTC(2200, 0, 1)) }).map((n) => n as Hlc);

describe('tick', () => {
  test('is strictly greater than the last, whatever the wall clock does', () => {
    fc.assert(fc.property(hlc, ms, (last, nowMs) => hlcTick(last, nowMs) > last));
    fc.assert(
      fc.property(fc.array(ms, { maxLength: 50 }), (walls) => {
        let last = HLC_ZERO;
        for (const nowMs of walls) {
          const next = hlcTick(last, nowMs);
          expect(next).toBeGreaterThan(last);
          expect(hlcToMs(next)).toBeGreaterThanOrEqual(Math.floor(nowMs));
          last = next;
        }
      }),
    );
  });

  test('is the wall clock when that is ahead, and runs ahead of it by one count per event otherwise', () => {
    expect(hlcTick(hlcFromMs(5), 7.9)).toBe(hlcFromMs(7));
    let at = hlcFromMs(7);
    for (let i = 0; i < 2_048; i++) at = hlcTick(at, 7);
    expect(hlcToMs(at)).toBe(9); // a full logical count carries into the milliseconds
  });

  test('is a safe integer whatever the wall clock says', () => {
    fc.assert(fc.property(hlc, fc.double({ noNaN: true }), (last, nowMs) => Number.isSafeInteger(hlcTick(last, nowMs))));
    expect(hlcTick(HLC_ZERO, Date.UTC(9999, 0, 1))).toBe(hlcFromMs(LATEST_WALL_MS));
    expect(hlcTick(HLC_ZERO, Date.UTC(1950, 0, 1))).toBe(1);
  });
});

describe('receive', () => {
  test('never goes back, and not behind what was received, unless that is far ahead of the wall clock', () => {
    fc.assert(
      fc.property(hlc, hlc, ms, (last, remote, nowMs) => {
        const received = hlcReceive(last, remote, nowMs);
        expect(received).toBe(isFarAhead(remote, nowMs) ? last : Math.max(last, remote));
      }),
    );
  });

  test('ignores exactly what is more than the drift ahead of the wall clock', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Date.UTC(2199, 0, 1) }),
        fc.integer({ min: 1, max: 120_000 }),
        fc.integer({ min: 0, max: 100_000 }),
        (nowMs, aheadMs, maxDriftMs) => {
          const remote = hlcFromMs(nowMs + aheadMs);
          expect(hlcReceive(HLC_ZERO, remote, nowMs, maxDriftMs)).toBe(aheadMs <= maxDriftMs ? remote : HLC_ZERO);
        },
      ),
    );
    expect(hlcReceive(HLC_ZERO, hlcAfter(hlcFromMs(1_000 + DEFAULT_MAX_DRIFT_MS)), 1_000)).toBe(HLC_ZERO);
  });

  test('two clocks that exchange messages order cause before effect, skewed as they may be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ from: fc.boolean(), passedMs: fc.nat(5) }), { maxLength: 40 }),
        fc.integer({ min: -30_000, max: 30_000 }),
        (exchanges, skewMs) => {
          let wallMs = 1_000_000;
          const clocks: [Hlc, Hlc] = [HLC_ZERO, HLC_ZERO];
          for (const { from, passedMs } of exchanges) {
            wallMs += passedMs;
            const [source, target] = from ? ([0, 1] as const) : ([1, 0] as const);
            const wall = (who: 0 | 1): number => wallMs + (who === 1 ? skewMs : 0);
            const sent = hlcTick(clocks[source], wall(source));
            clocks[source] = sent;
            clocks[target] = hlcTick(hlcReceive(clocks[target], sent, wall(target)), wall(target));
            expect(clocks[target]).toBeGreaterThan(sent);
          }
        },
      ),
    );
  });
});
