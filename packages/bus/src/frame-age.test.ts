import { SleepGauge } from '@armature/runtime';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockWord, HELD_TOO_LONG_MS, isInTime, longestAgeMs } from './frame-age.js';

const HOUR_MS = 3_600_000;

interface Story {
  /** Of the receiver's stamp to the sender, and of the frame back, in true time. */
  readonly thereMs: number;
  readonly backMs: number;
  /** Between the two the sender held the stamp. */
  readonly heldMs: number;
  /** Of the receiver's monotonic clock against true time, and how the clocks run. */
  readonly offsetMs: number;
  readonly receiverDrift: number;
  readonly senderDrift: number;
}

const story: fc.Arbitrary<Story> = fc.record({
  thereMs: fc.integer({ min: 0, max: 20_000 }),
  backMs: fc.integer({ min: 0, max: 20 * 60_000 }),
  heldMs: fc.integer({ min: 0, max: 2 * HOUR_MS }),
  offsetMs: fc.integer({ min: 0, max: 2 ** 33 }),
  receiverDrift: fc.double({ min: -2e-4, max: 2e-4, noNaN: true }),
  senderDrift: fc.double({ min: -2e-4, max: 2e-4, noNaN: true }),
});

/** What the receiver finds. `asleepMs`: for the last part of the story its monotonic clock stood still. */
function found(
  { thereMs, backMs, heldMs, offsetMs, receiverDrift, senderDrift }: Story,
  asleepMs = 0,
  sleptMs = asleepMs,
): number {
  const stamp = clockWord(offsetMs);
  const passedMs = (thereMs + heldMs + backMs - asleepMs) * (1 + receiverDrift) + sleptMs;
  return longestAgeMs({ stamp, heldMs: Math.floor(heldMs * (1 + senderDrift)) }, clockWord(offsetMs + passedMs));
}

test('no frame is ever older than the receiver takes it for, whatever the clocks show and however they drift', () => {
  fc.assert(
    fc.property(story, (told) => {
      expect(found(told)).toBeGreaterThanOrEqual(told.backMs * (1 - 2e-4) - 1);
    }),
  );
});

test('a frame that did not wait is taken for hardly older than its round trip', () => {
  fc.assert(
    fc.property(story, (told) => {
      const { thereMs, backMs, heldMs } = told;
      expect(found(told)).toBeLessThanOrEqual((thereMs + backMs) * (1 + 2e-4) + heldMs * 1e-3 + 3);
    }),
  );
});

test('a frame that waited while the machine of its receiver was suspended is as old as it is', () => {
  const gauge = new SleepGauge();
  gauge.sleptMs(1_000, 1_000_000);
  // 8 s of sleep, which the monotonic clock does not count.
  const sleptMs = gauge.sleptMs(1_001, 1_008_001);
  const told: Story = { thereMs: 1, heldMs: 0, backMs: 8_001, offsetMs: 1_000, receiverDrift: 0, senderDrift: 0 };
  expect(found(told, 8_000, sleptMs)).toBeGreaterThan(8_000);
  expect(isInTime(found(told, 8_000, sleptMs), 2_000)).toBe(false);
});

test('where the clock of the receiver stood still and nothing told it, a frame that was sent meanwhile is of unknown age', () => {
  const told: Story = { thereMs: 1, heldMs: 3_000, backMs: 5_000, offsetMs: 1_000, receiverDrift: 0, senderDrift: 0 };
  expect(found(told, 8_000, 0)).toBe(Infinity);
});

test('an echo that was held for a day says nothing', () => {
  const day: Story = { thereMs: 1, heldMs: HELD_TOO_LONG_MS, backMs: 1, offsetMs: 0, receiverDrift: 0, senderDrift: 0 };
  expect(found(day)).toBe(Infinity);
});

test('a request may be a second late, and no more', () => {
  expect([2_000, 2_999, 3_000, 3_001, Infinity].map((oldestMs) => isInTime(oldestMs, 2_000))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});
