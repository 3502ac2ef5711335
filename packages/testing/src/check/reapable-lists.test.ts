import { hlcFromMs, utf8Encode, type BinaryString, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET } from '@armature/protocol';
import { sealRecord } from '@armature/replica';
import { addressOf } from '@armature/ring';
import { spaceKey } from '@armature/storage';
import {
  encodeVersionSet,
  tombstoneVersion,
  valueVersion,
  versionSet,
  versionVector,
  type ActorId,
  type OperationId,
} from '@armature/versioning';
import { expect, test } from 'vitest';
import { ReapableLists } from './reapable-lists.js';

const address = addressOf(DEFAULT_BUCKET, utf8Encode('k'));
const record = spaceKey('data', address);
const listed = spaceKey('reapable', address);
const recordOf = (tombstone: boolean): Uint8Array => {
  const dot = { actor: `${'0'.repeat(15)}1` as ActorId, counter: 1 };
  const common = { at: hlcFromMs(1_000), operation: '1'.repeat(16) as OperationId };
  const version = tombstone ? tombstoneVersion(common) : valueVersion({ ...common, value: utf8Encode('v') });
  return sealRecord(encodeVersionSet(versionSet(versionVector([dot]), [{ dot, version }])));
};

const violationsOf = (image: ReadonlyMap<BinaryString, Uint8Array>): readonly string[] => {
  const lists = new ReapableLists();
  lists.changed('n1' as NodeId, [...image.keys()], (stored) => image.get(stored));
  return lists.violations;
};

test('a tombstone that is not in the list is told; a value need not be there, and may', () => {
  const nothing = new Uint8Array(0);
  expect(violationsOf(new Map([[record, recordOf(true)]]))).toHaveLength(1);
  expect(
    violationsOf(
      new Map([
        [record, recordOf(true)],
        [listed, nothing],
      ]),
    ),
  ).toEqual([]);
  expect(violationsOf(new Map([[record, recordOf(false)]]))).toEqual([]);
  expect(
    violationsOf(
      new Map([
        [record, recordOf(false)],
        [listed, nothing],
      ]),
    ),
  ).toEqual([]);
});
