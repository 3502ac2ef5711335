import { expect, test } from 'vitest';
import { utf8Encode, type BucketName, type Hlc, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { addressOf } from '@armature/ring';
import { EMPTY_VECTOR, emptyVersionSet, encodeVersionSet, mint, type ActorId, type OperationId } from '@armature/versioning';
import type { Operation } from '../audit/ledger.js';
import { evidenceOf } from './evidence.js';

test('what was asked of a key, with its times, and what each node holds of it; other keys are left out', () => {
  const version = {
    value: utf8Encode('["x"]'),
    tombstone: false,
    at: 1 as Hlc,
    operation: '00000000000000aa' as OperationId,
    repeated: false,
    meta: [],
  };
  const { set } = mint(emptyVersionSet, '0123456789abcdef' as ActorId, EMPTY_VECTOR, version);
  const of = (key: string) => [addressOf('default' as BucketName, utf8Encode(key)), encodeVersionSet(set)] as const;
  const inventory = {
    view: undefined as unknown as View, // of no interest here
    holdings: new Map([
      ['n1' as NodeId, new Map([of('k'), of('other')])],
      ['n2' as NodeId, new Map([of('other')])],
    ]),
  };
  const write = { id: '00000000000000aa', kind: 'set', action: 'write', saw: [], startedMs: 1_500, endedMs: 1_750 } as const;
  const operations: Operation[] = [
    { ...write, key: 'k', outcome: 'unknown', problem: 'timeout: silence' },
    { ...write, key: 'other', outcome: 'acknowledged', problem: '' },
  ];
  const [asked, held, ...more] = evidenceOf('k', operations, 1_000, inventory);
  expect(asked).toBe('0.500 to 0.750 s: write 00000000000000aa unknown timeout: silence');
  expect(held).toContain('n1 holds value 00000000000000aa as 0123456789abcdef:1, having seen');
  expect(more).toEqual([]);
});
