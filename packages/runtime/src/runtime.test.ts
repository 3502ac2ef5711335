import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { repeat } from './clock.js';
import { recordingLog } from './log.js';
import { ManualClock } from './manual-clock.js';
import { systemRandom } from './system-random.js';
import { memoryTelemetry, scopedTelemetry } from './telemetry.js';
import { prometheusTelemetry } from './prometheus-telemetry.js';

describe('manual clock', () => {
  test('tasks run in order of due time, ties in order of scheduling', async () => {
    const clock = new ManualClock(0);
    const ran: string[] = [];
    clock.after(20, () => ran.push(`b@${clock.nowMs()}`));
    clock.after(10, () => ran.push(`a@${clock.nowMs()}`));
    clock.after(20, () => ran.push(`c@${clock.nowMs()}`));
    await clock.advance(15);
    expect(ran).toEqual(['a@10']);
    await clock.advance(5);
    expect(ran).toEqual(['a@10', 'b@20', 'c@20']);
  });

  test('a cancelled task does not run', async () => {
    const clock = new ManualClock(0);
    let ran = false;
    clock.after(1, () => (ran = true)).cancel();
    await clock.advance(10);
    expect(ran).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('repeat: runs never overlap, and the interval counts from the end of the previous run', async () => {
    const clock = new ManualClock(0);
    const startedAt: number[] = [];
    const timer = repeat(clock, 10, () => {
      startedAt.push(clock.nowMs());
      return new Promise<void>((resolve) => clock.after(25, resolve));
    });
    await clock.advance(100);
    timer.cancel();
    expect(startedAt).toEqual([10, 45, 80]);
  });
});

describe('telemetry', () => {
  test.each(['memory', 'prometheus'] as const)('%s: counters add up per label set', async (kind) => {
    const registry = new Registry();
    const memory = memoryTelemetry();
    const telemetry = kind === 'memory' ? memory : prometheusTelemetry(registry);
    const a = telemetry.counter('requests_total', 'Requests.', { kind: 'get' });
    const b = telemetry.counter('requests_total', 'Requests.', { kind: 'put' });
    a.add();
    a.add(2);
    b.add();
    if (kind === 'memory') {
      expect(memory.value('requests_total{kind="get"}')).toBe(3);
    } else {
      expect(await registry.metrics()).toContain('requests_total{kind="get"} 3');
      a.add();
      expect(await registry.metrics()).toContain('requests_total{kind="get"} 4');
      expect(await registry.metrics()).toContain('requests_total{kind="put"} 1');
    }
  });

  test('prometheus: an observed gauge is read at each scrape', async () => {
    const registry = new Registry();
    let depth = 1;
    prometheusTelemetry(registry).observedGauge('depth', 'Depth.', () => depth, { queue: 'writes' });
    expect(await registry.metrics()).toContain('depth{queue="writes"} 1');
    depth = 7;
    expect(await registry.metrics()).toContain('depth{queue="writes"} 7');
  });

  test('prometheus: what a part of the process added is gone when it ends, and what is counted again and again grows nothing', async () => {
    const registry = new Registry();
    const telemetry = prometheusTelemetry(registry);
    telemetry.observedGauge('pending', 'Pending.', () => 5, { link: 'stays' });
    const page = async (part: number): Promise<string> => {
      const scope = scopedTelemetry(telemetry);
      scope.observedGauge('pending', 'Pending.', () => 1, { link: `c${part}` });
      scope.observedGauge('pending', 'Pending.', () => 2, { link: 'stays' });
      scope.counter('requests_total', 'Requests.', { kind: 'get' }).add();
      expect(await registry.metrics()).toContain(`pending{link="c${part}"} 1`);
      scope.close();
      scope.close();
      return registry.metrics();
    };
    const first = await page(1);
    expect(first).toContain('pending{link="stays"} 5');
    expect(first).not.toContain('c1');
    for (let part = 2; part < 20; part++) await page(part);
    expect(await page(20)).toBe(first.replace('requests_total{kind="get"} 1', 'requests_total{kind="get"} 20'));
  });

  test('memory: a gauge that is removed is read no more', () => {
    const telemetry = memoryTelemetry();
    const gauge = telemetry.observedGauge('depth', 'Depth.', () => 3);
    expect(telemetry.value('depth')).toBe(3);
    gauge.remove();
    expect(telemetry.value('depth')).toBe(0);
  });
});

test('log: a child carries its fields into every entry', () => {
  const { log, entries } = recordingLog();
  log.child({ node: 'n1' }).warn({ peer: 'n2' }, 'peer is down');
  expect(entries).toEqual([{ level: 'warn', message: 'peer is down', fields: { node: 'n1', peer: 'n2' } }]);
});

test('system randomness: integers stay inside their bound and bytes vary', () => {
  const random = systemRandom();
  for (let i = 0; i < 5000; i++) expect(random.int(7)).toBeLessThan(7);
  expect(random.bytes(16)).not.toEqual(random.bytes(16));
});
