import { describe, expect, test } from 'vitest';
import { DEFAULT_BUCKET_PROPERTIES } from '@armature/protocol';
import { simulate } from './simulate.js';

describe('one seed is one run', () => {
  test('the same, event for event and line for line, traced or not; another seed is another run', async () => {
    const [one, again, traced, other] = [
      await simulate({ seed: 7, durationMs: 20_000 }),
      await simulate({ seed: 7, durationMs: 20_000 }),
      await simulate({ seed: 7, durationMs: 20_000, keepTrace: true }),
      await simulate({ seed: 8, durationMs: 20_000 }),
    ];
    expect(again).toEqual(one);
    expect({ ...traced, trace: [] }).toEqual(one);
    expect(traced.trace.length).toBeGreaterThan(100);
    expect(other.digest).not.toBe(one.digest);
  });
});

test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  'seed %i: nothing is lost, nothing returns, all replicas become equal',
  async (seed) => {
    const report = await simulate({ seed, durationMs: 30_000 });
    expect(report.violations).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(20);
  },
);

test('seed 68: a write that no replica has confirmed is of unknown outcome, and not called partial', async () => {
  expect((await simulate({ seed: 68 })).violations).toEqual([]);
});

describe('membership that changes under load and faults', () => {
  const kinds = [
    'join',
    'leave',
    'remove',
    'replace',
    'weight',
    'wipe',
    'old-copy',
    'partition',
    'loss',
    'disorder',
    'kill',
    'power',
    'pause',
  ] as const;
  test.each([101, 102, 103, 104])('seed %i: nothing is lost, nothing returns, and nobody keeps what is others’', async (seed) => {
    const { violations, acknowledged, schedule } = await simulate({ seed, kinds, faultsEveryMs: 2_000, faultsLastMs: 4_000 });
    expect(violations).toEqual([]);
    expect(acknowledged).toBeGreaterThan(50);
    expect(schedule.length).toBeGreaterThan(5);
  });
});

test('tombstones are reaped between the faults: no deleted value returns, and what is written again stays', async () => {
  const load = {
    workloads: ['registers'],
    properties: DEFAULT_BUCKET_PROPERTIES,
    keys: 30,
    thinkMs: 2_000,
    deletes: 0.45,
    blind: 0.1,
  } as const;
  const kinds = ['partition', 'one-way', 'loss', 'disorder', 'kill', 'power', 'stop', 'pause', 'slow-disk'] as const;
  let dropped = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const report = await simulate({ seed, durationMs: 240_000, faultsEveryMs: 10_000, kinds, load });
    expect(report.violations).toEqual([]);
    dropped += report.dropped;
  }
  expect(dropped).toBeGreaterThan(50);
});
