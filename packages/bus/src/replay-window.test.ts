import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.js';

const start = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 2 ** 32 - 100, max: 2 ** 40 }));
const offsets = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 * REPLAY_WINDOW })), {
  maxLength: 200,
});

test('no number is taken twice; one that is within the window of the highest is taken once', () => {
  fc.assert(
    fc.property(start, offsets, (first, steps) => {
      const window = new ReplayWindow();
      const taken = new Set<number>();
      let highest = 0;
      for (const step of steps) {
        const sequence = first + step;
        const accepted = window.accept(sequence);
        if (taken.has(sequence)) expect(accepted).toBe(false);
        else if (sequence > highest - REPLAY_WINDOW) expect(accepted).toBe(true);
        if (accepted) taken.add(sequence);
        highest = Math.max(highest, sequence);
        expect(window.highest).toBe(highest);
      }
    }),
  );
});

test('a number that is older than the window is refused, seen or not', () => {
  const window = new ReplayWindow();
  expect(window.accept(10_000)).toBe(true);
  expect(window.accept(10_000 - 2 * REPLAY_WINDOW)).toBe(false);
  expect(window.accept(0)).toBe(false);
});

test('a new count begins from nothing', () => {
  const window = new ReplayWindow();
  window.accept(70);
  window.reset();
  expect([window.highest, window.accept(70), window.accept(70)]).toEqual([0, true, false]);
});
