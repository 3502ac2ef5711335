import { expect, test } from 'vitest';
import { ArmatureError, type Hlc, type NodeId } from '@armature/kernel';
import { OperationLog, outcomeOf, partialOf, type Operation } from './operation-log.js';
import { checkOutcomes, doubtRefusals } from './outcomes.js';

const [n1, n2] = ['n1', 'n2'] as NodeId[] as [NodeId, NodeId];
function judge(told: Partial<Operation>, seenBy: readonly NodeId[], durability: 'fsync' | 'memory' = 'fsync'): string[] {
  const log = new OperationLog();
  Object.assign(log.begin({ id: 'a', key: 'k', kind: 'put', client: 'c', seen: [], beganMs: 0 }), told);
  const of = () => (seenBy.length === 0 ? undefined : { nodes: new Set(seenBy), at: 1 as Hlc, lastAt: 1 as Hlc });
  return checkOutcomes(log, { of }, durability).map((found) => found.split(':')[0] as string);
}

test('a refused write is on no disk, and never was', () => {
  expect(judge({ outcome: 'refused' }, [])).toEqual([]);
  expect(judge({ outcome: 'refused' }, [n1])).toEqual(['happened']);
});

test('a write that one of two processes of a name refused may have been carried out by the other', () => {
  for (const [isNamesakeAtWork, outcome] of [
    [true, 'unknown'],
    [false, 'refused'],
  ] as const) {
    const log = new OperationLog();
    const told = Object.assign(log.begin({ id: 'a', key: 'k', kind: 'put', client: 'c', seen: [], beganMs: 0 }), {
      outcome: 'refused',
    });
    const of = () => ({ nodes: new Set([n1]), at: 1 as Hlc, lastAt: 1 as Hlc });
    doubtRefusals(log, { of, isNamesakeAtWork: () => isNamesakeAtWork });
    expect(told.outcome).toBe(outcome);
  }
});

test('a partial write was at one replica at least', () => {
  expect(judge({ outcome: 'unknown', partial: [n1] }, [n1])).toEqual([]);
  expect(judge({ outcome: 'unknown', partial: [n1, n2] }, [])).toEqual(['nowhere']);
  expect(judge({ outcome: 'unknown', partial: [] }, [n1])).toEqual(['nowhere']);
  expect(judge({ outcome: 'unknown', partial: [n1] }, [], 'memory')).toEqual([]);
});

test('an acknowledged write was on some disk, unless replicas answer from memory', () => {
  expect(judge({ outcome: 'acknowledged' }, [n1])).toEqual([]);
  expect(judge({ outcome: 'acknowledged' }, [])).toEqual(['nowhere']);
  expect(judge({ outcome: 'acknowledged' }, [], 'memory')).toEqual([]);
});

test('what an error says of a write', () => {
  const replicas = [
    { node: n1, role: 'primary', outcome: 'durable' },
    { node: n2, role: 'primary', outcome: 'timeout' },
  ];
  const partial = new ArmatureError('partial-write', 'written to 1 replica(s)', { details: { replicas } });
  expect(partialOf(partial)).toEqual([n1]);
  expect(outcomeOf(partial)).toBe('unknown');
  expect(partialOf(new ArmatureError('timeout', 'late'))).toBeUndefined();
  expect(outcomeOf(new ArmatureError('unavailable', 'nobody there'))).toBe('unknown');
  expect(outcomeOf(new ArmatureError('invalid-context', 'forged'))).toBe('refused');
});
