import type { ErrorCode } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ANSWERED,
  DEFAULT_DETECTOR_SETTINGS,
  forgive,
  HEALTHY,
  observe,
  probeDelayMs,
  probedInVain,
  type Health,
  type Outcome,
  type Suspect,
} from './failure-detector.js';

const settings = DEFAULT_DETECTOR_SETTINGS;
const failed = (code: ErrorCode): Outcome => ({ kind: 'failed', code });

function after(outcomes: readonly (readonly [atMs: number, Outcome])[], start: Health = HEALTHY): Health {
  return outcomes.reduce((health, [atMs, outcome]) => observe(health, outcome, atMs, settings), start);
}

const codes: readonly ErrorCode[] = [
  'timeout',
  'unreachable',
  'overloaded',
  'stale-ring',
  'storage-failed',
  'bus-unavailable',
  'closed',
  'internal',
];
const outcome = fc.oneof(fc.constant(ANSWERED), fc.constantFrom(...codes).map(failed));
const timeline = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 4_000 }), outcome), { maxLength: 40 })
  .map((steps) =>
    steps.reduce<(readonly [number, Outcome])[]>((all, [gapMs, one]) => [...all, [(all.at(-1)?.[0] ?? 0) + gapMs, one]], []),
  );

describe('failure detector', () => {
  test('unreachable: suspect at once', () => {
    expect(after([[5, failed('unreachable')]])).toEqual({ state: 'suspect', reason: 'unreachable', sinceMs: 5, probes: 0 });
  });

  test('three timeouts in a row within the window: suspect; two are not enough', () => {
    const two = after([
      [0, failed('timeout')],
      [1, failed('timeout')],
    ]);
    expect(two.state).toBe('healthy');
    expect(after([[2, failed('timeout')]], two)).toMatchObject({ state: 'suspect', reason: 'timeout', sinceMs: 2 });
  });

  test('an answer between timeouts starts the row afresh', () => {
    expect(
      after([
        [0, failed('timeout')],
        [1, failed('timeout')],
        [2, ANSWERED],
        [3, failed('timeout')],
        [4, failed('timeout')],
      ]).state,
    ).toBe('healthy');
  });

  test('timeouts further apart than the window do not add up', () => {
    expect(after([0, 6, 12, 18, 24].map((s) => [s * 1_000, failed('timeout')] as const)).state).toBe('healthy');
  });

  test('an error from the peer is an answer', () => {
    expect(
      after([
        [0, failed('unreachable')],
        [1, failed('storage-failed')],
      ]),
    ).toBe(HEALTHY);
  });

  test('trouble of our own changes nothing', () => {
    fc.assert(
      fc.property(timeline, fc.constantFrom<ErrorCode>('bus-unavailable', 'closed', 'overloaded', 'internal'), (steps, code) => {
        const health = after(steps);
        expect(observe(health, failed(code), 1e9, settings)).toBe(health);
      }),
    );
  });

  test('whatever happened, one answer makes healthy', () => {
    fc.assert(
      fc.property(timeline, (steps) => {
        expect(after([...steps, [1e9, ANSWERED]])).toBe(HEALTHY);
      }),
    );
  });

  test('nobody is suspected without an unreachable or three timeouts since the last answer', () => {
    fc.assert(
      fc.property(timeline, (steps) => {
        const lastAnswer = steps.findLastIndex(
          ([, one]) => one.kind === 'answered' || one.code === 'stale-ring' || one.code === 'storage-failed',
        );
        const since = steps.slice(lastAnswer + 1).map(([, one]) => (one.kind === 'failed' ? one.code : undefined));
        const evidence = since.includes('unreachable') || since.filter((code) => code === 'timeout').length >= 3;
        if (after(steps).state === 'suspect') expect(evidence).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('our own pause: timeouts and suspicions from within it are forgiven, older ones stand', () => {
    const inside = after([
      [100, failed('timeout')],
      [101, failed('timeout')],
    ]);
    expect(forgive(inside, 50)).toBe(HEALTHY);
    expect(forgive(inside, 101)).toBe(inside);
    const suspect = after([[102, failed('timeout')]], inside);
    expect(forgive(suspect, 50)).toBe(HEALTHY);
    expect(forgive(suspect, 103)).toBe(suspect);
  });

  test('our own pause: that nobody listens at the peer is no less true for it', () => {
    const suspect = after([[100, failed('unreachable')]]);
    expect(forgive(suspect, 50)).toBe(suspect);
  });

  test('probes: at least half a backoff that doubles, never beyond the maximum', () => {
    const first = after([[0, failed('unreachable')]]) as Suspect;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (probes, jitter) => {
        const fullMs = Math.min(settings.maxProbeMs, settings.firstProbeMs * 2 ** Math.min(probes, 60));
        const delayMs = probeDelayMs({ ...first, probes }, jitter, settings);
        expect(delayMs).toBeGreaterThanOrEqual(fullMs / 2);
        expect(delayMs).toBeLessThanOrEqual(fullMs);
      }),
    );
    expect(probedInVain(probedInVain(first)).probes).toBe(2);
  });
});
