import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '@armature/kernel';
import { CHAOS_KINDS, drawSchedule, faultText, NATS, type ChaosFault } from './schedule.js';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
const OPTIONS = { durationMs: 600_000, everyMs: 8_000, nodes: NODES, routers: ['r1'], workers: ['a1'] };
const drawn = (seed: number, options: Partial<typeof OPTIONS> = {}): ChaosFault[] =>
  drawSchedule(seededRandom(seed), { ...OPTIONS, ...options });

test('one seed is one schedule, another is another', () => {
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn(7)).not.toEqual(drawn(8));
});

test('ten minutes have faults of every kind, at nodes, at the router, at the worker and at nats-server', () => {
  const faults = drawn(1);
  expect(faults.length).toBeGreaterThan(30);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(CHAOS_KINDS));
  expect(faults.map(({ target }) => target)).toEqual(expect.arrayContaining(['r1', 'a1', NATS]));
});

const schedules = fc
  .record({ seed: fc.nat(), count: fc.integer({ min: 3, max: 7 }), everyMs: fc.integer({ min: 1_000, max: 10_000 }) })
  .map(({ seed, count, everyMs }) => ({ nodes: Array.from({ length: count }, (_, i) => `n${i + 1}`), seed, everyMs }))
  .map((chosen) => ({ ...chosen, faults: drawn(chosen.seed, { ...chosen, durationMs: 120_000 }) }));

test('faults come in order of time, are lifted before the end, and never befall a process that is down with another', () => {
  fc.assert(
    fc.property(schedules, ({ faults }) => {
      const freeAtMs = new Map<string, number>();
      let lastMs = 0;
      for (const fault of faults) {
        expect(fault.atMs).toBeGreaterThanOrEqual(lastMs);
        expect(fault.atMs + fault.lastMs).toBeLessThanOrEqual(120_000);
        expect(fault.atMs).toBeGreaterThan(freeAtMs.get(fault.target) ?? -1);
        freeAtMs.set(fault.target, fault.atMs + fault.lastMs);
        lastMs = fault.atMs;
      }
    }),
  );
});

test('nobody is hurt who is not there: before joining, or after leaving; and there are always nodes enough for three replicas', () => {
  fc.assert(
    fc.property(schedules, ({ faults, nodes }) => {
      const present = new Set([...nodes, 'r1', 'a1', NATS]);
      for (const { kind, target } of faults) {
        expect(present.has(target)).toBe(kind !== 'join');
        if (kind === 'join') present.add(target);
        if (kind === 'leave') present.delete(target);
        expect([...present].filter((name) => /^n\d/.test(name)).length).toBeGreaterThanOrEqual(3);
      }
    }),
  );
});

test('one clock is wrong at a time, by an hour at least, both ways', () => {
  const jumps = Array.from({ length: 20 }, (_, seed) => drawn(seed)).flatMap((faults) => {
    const clocks = faults.filter(({ kind }) => kind === 'clock');
    for (const [place, { atMs, lastMs }] of clocks.entries())
      expect(clocks[place + 1]?.atMs ?? Infinity).toBeGreaterThan(atMs + lastMs);
    return clocks.map(({ aheadMs }) => aheadMs as number);
  });
  expect(Math.min(...jumps.map(Math.abs))).toBe(3_600_000);
  expect(Math.max(...jumps)).toBeGreaterThan(300 * 24 * 3_600_000);
  expect(Math.min(...jumps)).toBe(-Math.max(...jumps));
});

test('second processes find empty directories and copied ones, and NATS is left alone while they find out', () => {
  const faults = Array.from({ length: 20 }, (_, seed) => drawn(seed));
  const clashes = faults.flat().filter(({ kind }) => kind === 'name-clash');
  expect(new Set(clashes.map(({ data }) => data))).toEqual(new Set(['empty', 'copied']));
  for (const one of faults)
    for (const clash of one.filter(({ kind }) => kind === 'name-clash'))
      for (const restart of one.filter(({ kind }) => kind === 'nats-restart'))
        expect(restart.atMs + restart.lastMs < clash.atMs || restart.atMs > clash.atMs + 10_000).toBe(true);
});

test('faults have names that people read', () => {
  expect(faultText({ kind: 'kill', target: 'n2' })).toBe('kill -9 n2');
  expect(faultText({ kind: 'join', target: 'n6' })).toBe('n6 joins');
  expect(faultText({ kind: 'clock', target: 'n1', aheadMs: -24 * 3_600_000 })).toBe('clock of n1 -24 h');
  expect(faultText({ kind: 'clock', target: 'n1', aheadMs: 20 * 365 * 24 * 3_600_000 })).toBe('clock of n1 +20 a');
  expect(faultText({ kind: 'name-clash', target: 'n2', data: 'copied' })).toBe('second n2, copied data');
});
