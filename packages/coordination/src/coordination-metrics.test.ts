import { ArmatureError, type NodeId } from '@armature/kernel';
import { ManualClock, memoryTelemetry, sleep, type Telemetry } from '@armature/runtime';
import { beforeEach, expect, test } from 'vitest';
import { CoordinationMetrics } from './coordination-metrics.js';

let clock: ManualClock;
let telemetry: ReturnType<typeof memoryTelemetry>;
/** What each histogram was shown, in seconds. */
let observed: Map<string, number[]>;
let metrics: CoordinationMetrics;

beforeEach(() => {
  clock = new ManualClock();
  telemetry = memoryTelemetry();
  observed = new Map();
  const recording: Telemetry = {
    ...telemetry,
    histogram(name, _help, _buckets, labels = {}) {
      const values: number[] = [];
      observed.set(`${name} ${Object.values(labels).join(' ')}`, values);
      return { observe: (value) => void values.push(value) };
    },
  };
  metrics = new CoordinationMetrics(clock, recording);
});

test('each request is timed, failed ones included, and passed on', async () => {
  const got = metrics.observed('get', async () => {
    await sleep(clock, 20);
    return 'value';
  });
  const put = metrics.observed('put', async () => {
    await sleep(clock, 500);
    throw new ArmatureError('partial-write', 'no');
  });
  const settled = Promise.allSettled([got, put]);
  await clock.advance(1_000);
  expect(await settled).toMatchObject([{ value: 'value' }, { reason: { code: 'partial-write' } }]);
  expect(observed.get('armature_coordination_seconds get')).toEqual([0.02]);
  expect(observed.get('armature_coordination_seconds put')).toEqual([0.5]);
  expect(observed.get('armature_coordination_seconds scan')).toEqual([]);
});

test('failures are counted by operation and code; what is no ArmatureError is a bug, and counted as one', async () => {
  const fail = (operation: 'get' | 'put', thrown: Error): Promise<unknown> =>
    metrics.observed(operation, () => Promise.reject(thrown)).catch(() => undefined);
  for (let i = 0; i < 3; i++) await fail('get', new ArmatureError('unavailable', 'no'));
  await fail('put', new ArmatureError('unavailable', 'no'));
  await fail('put', new TypeError('undefined is not a function'));
  const count = (operation: string, code: string): number =>
    telemetry.value(`armature_coordination_failures_total{operation="${operation}",code="${code}"}`);
  expect(count('get', 'unavailable')).toBe(3);
  expect(count('put', 'unavailable')).toBe(1);
  expect(count('put', 'internal')).toBe(1);
});

test('fallbacks count where they have the version, not where they were asked', () => {
  const replica = (role: 'primary' | 'fallback', outcome: 'ok' | 'durable' | 'waiting' | 'timeout') => ({
    node: 'n1' as NodeId,
    role,
    outcome,
  });
  metrics.tookPart('put', {
    coordinator: 'n1' as NodeId,
    replicas: [
      replica('primary', 'durable'),
      replica('fallback', 'durable'),
      replica('fallback', 'ok'),
      replica('fallback', 'waiting'),
      replica('fallback', 'timeout'),
    ],
  });
  expect(telemetry.value('armature_coordination_fallbacks_total{operation="put"}')).toBe(2);
  expect(telemetry.value('armature_coordination_fallbacks_total{operation="get"}')).toBe(0);
});
