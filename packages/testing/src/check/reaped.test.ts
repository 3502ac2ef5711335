import { expect, test } from 'vitest';
import { utf8Encode, type BucketName, type NodeId } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { emptyVersionSet, versionVector, type ActorId, type VersionSet } from '@armature/versioning';
import { unreaped } from './reaped.js';

const N1 = 'n1' as NodeId;
const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(16) as ActorId) as [ActorId, ActorId, ActorId];

function held(actors: readonly ActorId[], alive: readonly ActorId[], tombstone = false) {
  const template = {
    value: new Uint8Array(0),
    tombstone,
    operation: 'op',
  } as unknown as VersionSet['siblings'][number]['version'];
  const set: VersionSet = {
    ...emptyVersionSet,
    clock: versionVector(actors.map((actor) => ({ actor, counter: 1 }))),
    siblings: alive.map((actor) => ({ dot: { actor, counter: 1 }, version: template })),
  };
  return { address: addressOf('b' as BucketName, utf8Encode('k')), hintFor: undefined, bytes: new Uint8Array(0), set };
}

test('a clock with an entry of no version is too long, and one with its versions only is not', () => {
  expect(unreaped(N1, [held([A, B, C], [A])], 1)).toHaveLength(1);
  expect(unreaped(N1, [held([A, B], [A, B]), held([A], [A])], 1)).toEqual([]);
});

test('a tombstone is left over', () => {
  expect(unreaped(N1, [held([A], [A], true)], 1)).toHaveLength(1);
});
