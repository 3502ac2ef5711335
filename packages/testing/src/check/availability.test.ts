import { expect, test } from 'vitest';
import { ArmatureError, type NodeId } from '@armature/kernel';
import { World } from '../world/world.js';
import { Attempts, checkAvailability, unavailableMs, type Attempt } from './availability.js';

const attempt = (client: string, beganMs: number, endedMs: number, failure?: Attempt['failure']): Attempt => ({
  ...{ kind: 'write', client, beganMs, endedMs },
  failure,
});

test('an attempt that fails although nothing has been wrong for long is a violation, an earlier one is not', () => {
  const attempts = [attempt('c', 50, 90, 'timeout'), attempt('c', 99, 120, 'unavailable'), attempt('c', 100, 130)];
  expect(checkAvailability(attempts, 100)).toEqual([]);
  expect(checkAvailability([...attempts, attempt('c', 100, 140, 'unavailable')], 100)).toHaveLength(1);
});

test('unavailable is from the beginning of a failure to the end of the next success, client by client', () => {
  const failures = [attempt('c1', 10, 20, 'timeout'), attempt('c1', 30, 40, 'unavailable')];
  expect(unavailableMs([...failures, attempt('c1', 50, 60), attempt('c1', 70, 80), attempt('c2', 0, 100)])).toBe(50);
});

test('a request that cannot be granted was answered; every other error is a failure', async () => {
  const attempts = new Attempts(new World({ seed: 1 }));
  const failing = (code: 'too-large' | 'timeout'): Promise<never> => Promise.reject(new ArmatureError(code, 'no'));
  await expect(attempts.during('write', 'c', failing('too-large'))).rejects.toThrow('no');
  await expect(attempts.during('write', 'c', failing('timeout'))).rejects.toThrow('no');
  await attempts.during('read', 'c', Promise.resolve());
  const cause = new ArmatureError('too-large', 'no');
  const unknown = Promise.reject(new ArmatureError('unknown-outcome', 'perhaps', { cause }));
  await expect(attempts.during('write', 'c', unknown)).rejects.toThrow('perhaps');
  expect(attempts.all.map(({ failure }) => failure)).toEqual([undefined, 'timeout', undefined, undefined]);
});

test('a write that failed although enough nodes were there is a violation at any time; who they are is asked of failed writes only', async () => {
  const despite = ['n1', 'n2'] as NodeId[];
  const asked: string[] = [];
  const attempts = new Attempts(new World({ seed: 1 }), ({ key }) => {
    asked.push(key);
    return key === 'possible' ? despite : undefined;
  });
  const failing = (): Promise<never> => Promise.reject(new ArmatureError('timeout', 'no'));
  for (const key of ['possible', 'impossible']) await attempts.during('write', 'c', failing(), key).catch(() => undefined);
  await attempts.during('write', 'c', Promise.resolve(), 'possible');
  await attempts.during('read', 'c', failing()).catch(() => undefined);
  expect(asked).toEqual(['possible', 'impossible']);
  expect(checkAvailability(attempts.all, Infinity)).toEqual([
    'unavailable: a write of c at 0.000 s failed (timeout), though n1 n2 had long been well and within reach',
  ]);
});
