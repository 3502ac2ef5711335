import type { Address } from '@armature/ring';
import { EMPTY_VECTOR, versionSet, withDot, type ActorId, type OperationId, type VersionSet } from '@armature/versioning';
import { expect, test } from 'vitest';
import { changes } from './old-copy.js';

const KEY = 'a key' as Address;

function held(counter: number, tombstone = false): ReadonlyMap<Address, VersionSet> {
  const dot = { actor: '00000000000000aa' as ActorId, counter };
  const version = {
    ...{ value: new Uint8Array(tombstone ? 0 : 1), tombstone, at: 1 as never },
    ...{ operation: '0'.repeat(16) as OperationId, repeated: false, meta: [] },
  };
  return new Map([[KEY, versionSet(withDot(EMPTY_VECTOR, dot), [{ dot, version }])]]);
}
const NOTHING = new Map<Address, VersionSet>();

test('a value that is back, that is gone, or that is another one is a change', () => {
  expect(changes(NOTHING, held(1))).toEqual([KEY]);
  expect(changes(held(1), NOTHING)).toEqual([KEY]);
  expect(changes(held(1), held(2))).toEqual([KEY]);
  expect(changes(held(1, true), held(1))).toEqual([KEY]);
});

test('tombstones that come and go are none', () => {
  expect(changes(held(1), held(1))).toEqual([]);
  expect(changes(held(1, true), NOTHING)).toEqual([]);
  expect(changes(NOTHING, held(1, true))).toEqual([]);
});
