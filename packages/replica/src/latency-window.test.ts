import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BIN_RATIO, FIRST_BIN_MS, LatencyWindow } from './latency-window.js';

const PANES = 4;
const PANE_MS = 250;

/** The exact percentile of the samples in the panes that the window covers. */
function exact(samples: readonly { atMs: number; valueMs: number }[], nowMs: number, q: number): number | undefined {
  const pane = Math.floor(nowMs / PANE_MS);
  const covered = samples.filter(({ atMs }) => Math.floor(atMs / PANE_MS) > pane - PANES).map(({ valueMs }) => valueMs);
  const sorted = covered.sort((a, b) => a - b);
  return sorted[Math.max(1, Math.floor(q * sorted.length)) - 1];
}

test('latency window: any percentile of what the window covers, at most one bin above the exact one, never below', () => {
  const sample = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 100, noNaN: true }), fc.nat(3_000)),
    valueMs: fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.double({ min: 0, max: 100_000, noNaN: true })),
  });
  const start = fc.oneof(fc.constant(0), fc.constant(1_600_000_000_000), fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(start, fc.array(sample, { maxLength: 200 }), fc.constantFrom(0.5, 0.9, 0.99, 1), (startMs, plan, q) => {
      const window = new LatencyWindow(PANES, PANE_MS);
      const samples: { atMs: number; valueMs: number }[] = [];
      let nowMs = startMs;
      for (const { waitMs, valueMs } of plan) {
        nowMs += waitMs;
        window.record(valueMs, nowMs);
        samples.push({ atMs: nowMs, valueMs });
        const wanted = exact(samples, nowMs, q);
        const got = window.quantile(q, nowMs);
        expect(got).toBeGreaterThanOrEqual(wanted! * (1 - 1e-9));
        expect(got).toBeLessThanOrEqual(Math.max(FIRST_BIN_MS, wanted! * BIN_RATIO * (1 + 1e-9)));
      }
    }),
    { numRuns: 300 },
  );
});

test('latency window: after as long a silence as the window covers, nothing is left of the past', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 50 }), fc.nat(10_000), (waits, extraMs) => {
      const window = new LatencyWindow(PANES, PANE_MS);
      let nowMs = 0;
      for (const waitMs of waits) window.record(1, (nowMs += waitMs));
      nowMs += PANES * PANE_MS + extraMs;
      expect(window.count(nowMs)).toBe(0);
      expect(window.quantile(0.99, nowMs)).toBeUndefined();
      window.record(5, nowMs);
      expect(window.count(nowMs)).toBe(1);
    }),
  );
});

test('latency window: one slow answer of a quiet second is not its 99th percentile, two are', () => {
  const window = new LatencyWindow(PANES, PANE_MS);
  for (let i = 0; i < 20; i++) window.record(1, 0);
  window.record(500, 0);
  expect(window.quantile(0.99, 0)).toBeLessThan(1.1);
  window.record(500, 0);
  expect(window.quantile(0.99, 0)).toBeGreaterThanOrEqual(500);
});

test('latency window: beyond its range it counts at the ends', () => {
  const window = new LatencyWindow(PANES, PANE_MS);
  window.record(0, 0);
  expect(window.quantile(1, 0)).toBe(FIRST_BIN_MS);
  window.record(1e12, 0);
  expect(window.quantile(1, 0)).toBeGreaterThan(100_000);
});
