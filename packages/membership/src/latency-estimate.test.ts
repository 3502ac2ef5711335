import { seededRandom } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LatencyEstimate } from './latency-estimate.js';

describe('latency estimate', () => {
  test('p99: within one bin (19 %) above the true percentile of the samples', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const estimate = new LatencyEstimate();
        const samples = Array.from({ length: 1_024 }, () => Math.exp(random.float() * 6)).map(
          (ms, i) => (estimate.sample(ms, i), ms),
        );
        const sorted = samples.sort((a, b) => a - b);
        const true99 = sorted[Math.floor(samples.length * 0.99)] as number;
        expect(estimate.p99Ms).toBeGreaterThanOrEqual(true99 * 0.95);
        expect(estimate.p99Ms).toBeLessThanOrEqual(true99 * 1.25);
      }),
      { numRuns: 20 },
    );
  });

  test('too few samples: no percentile', () => {
    const estimate = new LatencyEstimate();
    for (let i = 0; i < 31; i++) estimate.sample(1, i);
    expect(estimate.p99Ms).toBeUndefined();
    estimate.sample(1, 31);
    expect(estimate.p99Ms).toBeGreaterThanOrEqual(1);
  });

  test('the past fades: a peer that became fast has a fast percentile after a few thousand answers', () => {
    const estimate = new LatencyEstimate();
    for (let i = 0; i < 5_000; i++) estimate.sample(100, i);
    for (let i = 0; i < 10_000; i++) estimate.sample(1, i);
    expect(estimate.p99Ms).toBeLessThan(2);
  });

  test('the average follows the samples', () => {
    const estimate = new LatencyEstimate();
    for (let i = 0; i < 100; i++) estimate.sample(20, i);
    expect(estimate.averageMs(100)).toBeCloseTo(20);
    for (let i = 0; i < 30; i++) estimate.sample(5, 100 + i);
    expect(estimate.averageMs(130)).toBeLessThan(6);
  });

  test('silence: slowness is forgotten by half every 30 s', () => {
    const estimate = new LatencyEstimate();
    estimate.sample(80, 0);
    expect(estimate.averageMs(30_000)).toBeCloseTo(40);
    expect(estimate.averageMs(600_000)).toBeLessThan(0.001);
  });

  test('zero, huge and odd latencies are counted somewhere', () => {
    const estimate = new LatencyEstimate();
    for (let i = 0; i < 100; i++) for (const ms of [0, 1e9, 0.05]) estimate.sample(ms, i);
    expect(estimate.p99Ms).toBeGreaterThan(10_000);
  });
});
