import type { Sounding } from '@armature/membership';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALONE_AFTER_MS, sounded, UNASKED, type Confirmation } from './store-confirmation.js';

const rounds = fc.array(
  fc.record({
    sounding: fc.constantFrom<Sounding>('silent', 'silent', 'silent', 'refused', 'disconnected'),
    tookMs: fc.integer({ min: 0, max: 2_000 }),
  }),
  { maxLength: 60 },
);

test('a node is alone only when everybody has been silent for ten seconds without a break, and answers end the asking', () => {
  fc.assert(
    fc.property(rounds, (all) => {
      let found: Confirmation = UNASKED;
      let [nowMs, silentSinceMs] = [5_000, Infinity];
      for (const { sounding, tookMs } of all) {
        silentSinceMs = sounding === 'silent' ? Math.min(silentSinceMs, nowMs) : Infinity;
        found = sounded(found, sounding, nowMs, nowMs + tookMs);
        nowMs += tookMs;
        expect(found.state).toBe(nowMs - silentSinceMs >= ALONE_AFTER_MS ? 'alone' : 'asking');
        expect(sounded(found, 'answered', nowMs, nowMs).state).toBe('confirmed');
        expect(found.pauseMs).toBeLessThanOrEqual(2_000);
        nowMs += found.pauseMs;
      }
    }),
  );
});

test('where there is nobody to ask, nobody is waited for', () => {
  expect(sounded(UNASKED, 'nobody', 0, 500).state).toBe('confirmed');
});
