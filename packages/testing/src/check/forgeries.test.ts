import { expect, test } from 'vitest';
import type { Hlc, NodeId } from '@armature/kernel';
import { checkForgeries } from './forgeries.js';
import { OperationLog, type Operation } from './operation-log.js';

const N1 = 'n1' as NodeId;

function judge(told: Partial<Operation>, seenBy: readonly NodeId[] = [], forged = true): string[] {
  const log = new OperationLog();
  const operation = { id: 'a', key: 'k', kind: 'put', client: 'c', seen: [], beganMs: 0 } as const;
  Object.assign(log.begin(forged ? { ...operation, forged: 'raised' } : operation), told);
  return checkForgeries(log, {
    of: () => (seenBy.length === 0 ? undefined : { nodes: new Set(seenBy), at: 1 as Hlc, lastAt: 1 as Hlc }),
  });
}

test('a write with a forged context is refused as that, or fails where nobody is reached', () => {
  expect(judge({ outcome: 'refused', failure: 'invalid-context' })).toEqual([]);
  expect(judge({ outcome: 'unknown', failure: 'timeout' })).toEqual([]);
  expect(judge({ outcome: 'refused', failure: 'too-large' })).toHaveLength(1);
});

test('acknowledged, partial, or on any disk it must not be', () => {
  expect(judge({ outcome: 'acknowledged' })).toHaveLength(1);
  expect(judge({ outcome: 'unknown', failure: 'timeout' }, [N1])).toEqual([
    'forged: a put of k with a raised context (a) is at n1',
  ]);
  expect(judge({ outcome: 'unknown', failure: 'partial-write', partial: [N1] })).toHaveLength(1);
});

test('of honest writes it says nothing', () => {
  expect(judge({ outcome: 'acknowledged' }, [N1], false)).toEqual([]);
});
