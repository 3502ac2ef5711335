import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SleepGauge } from './sleep-gauge.js';

test('what a machine slept is counted once, however often it is looked at, and drifting clocks are no sleep', () => {
  const spans = fc.array(
    fc.record({ awakeMs: fc.integer({ min: 1, max: 60_000 }), sleptMs: fc.constantFrom(0, 0, 300, 8_000, 3_600_000) }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(spans, fc.double({ min: -5e-4, max: 5e-4, noNaN: true }), (all, drift) => {
      const gauge = new SleepGauge();
      let [monotonicMs, wallMs, sleptMs] = [1_000, 1.6e12, 0];
      gauge.sleptMs(monotonicMs, wallMs);
      for (const span of all) {
        monotonicMs += span.awakeMs;
        wallMs += span.awakeMs * (1 + drift) + span.sleptMs;
        sleptMs += span.sleptMs;
        expect(Math.abs(gauge.sleptMs(monotonicMs, wallMs) - sleptMs)).toBeLessThanOrEqual(all.length * 31);
        expect(gauge.sleptMs(monotonicMs, wallMs)).toBe(gauge.sleptMs(monotonicMs, wallMs));
      }
    }),
  );
});

test('a wall clock that is set back takes nothing back', () => {
  const gauge = new SleepGauge();
  gauge.sleptMs(0, 1_000_000);
  expect(gauge.sleptMs(10, 1_008_010)).toBe(8_000);
  expect(gauge.sleptMs(20, 500_000)).toBe(8_000);
  expect(gauge.sleptMs(30, 500_010)).toBe(8_000);
});
