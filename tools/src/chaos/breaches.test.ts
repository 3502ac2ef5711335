import { expect, test } from 'vitest';
import type { ChangeRecord } from '@armature/protocol';
import { settle, type Operation } from '../audit/ledger.js';
import { breachesOf, lossesOf } from './breaches.js';

const write = (id: string, more: Partial<Operation> = {}): Operation => ({
  ...{ id, kind: 'set', action: 'write', key: 'k', saw: [], outcome: 'acknowledged', problem: '', startedMs: 0, endedMs: 1 },
  ...more,
});
const breaches = (operations: readonly Operation[], present: readonly string[]): string[] =>
  breachesOf(settle(operations, new Map([['k', present]]), { startedMs: 0, endedMs: 10 }));

test('a write that was acknowledged and is not there is a breach; one that is there, or is of unknown outcome, is none', () => {
  expect(breaches([write('a'), write('b')], ['a', 'b'])).toEqual([]);
  expect(breaches([write('a'), write('b', { outcome: 'unknown' })], ['a'])).toEqual([]);
  expect(breaches([write('a'), write('b')], ['a'])).toEqual(['lost: the acknowledged write b of k']);
});

test('so are a deleted value that is back, and a refused one that is there', () => {
  const deletion = write('d', { kind: 'deletion', action: 'delete', saw: ['a'] });
  expect(breaches([write('a', { kind: 'deletion' }), deletion], ['a'])).toEqual(['returned: what was deleted of k']);
  expect(breaches([write('a'), write('b', { outcome: 'refused' })], ['a', 'b'])).toEqual(['refused, and there: k: b']);
});

test('a run in which nothing was acknowledged shows nothing, and is not good', () => {
  expect(breaches([write('a', { outcome: 'unknown' })], [])).toHaveLength(1);
});

test('so is a store that its node has stated as lost, since nothing here destroys a disk', () => {
  const record = (change: unknown): ChangeRecord => ({ id: '0123456789abcdef', at: 1, by: 'n2', change }) as ChangeRecord;
  const lost = record({ kind: 'lost', node: 'n2', actor: 'aaaaaaaaaaaaaaaa' });
  expect(lossesOf([record({ kind: 'leave', node: 'n1' }), lost])).toEqual(['n2 stated that its store was lost']);
});
