import { expect, test } from 'vitest';
import type { BucketName, Hlc, NodeId } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { versionSet, versionVector, type ActorId, type OperationId } from '@armature/versioning';
import { Handovers } from './handovers.js';

const ADDRESS = addressOf('b' as BucketName, Buffer.from('k'));
const ACTOR = 'aaaaaaaaaaaaaaaa' as ActorId;
const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const holding = (counter: number) => {
  const dot = { actor: ACTOR, counter };
  const version = {
    value: new Uint8Array(0),
    tombstone: false,
    meta: [],
    operation: `o${counter}` as OperationId,
    at: 1 as Hlc,
    repeated: false,
  };
  return versionSet(versionVector([dot]), [{ dot, version }]);
};
const record = (counter: number) => ({ address: ADDRESS, hintFor: undefined, set: holding(counter) });

test('what is dropped is on stable storage at every owner, or something later is', () => {
  const handovers = new Handovers();
  handovers.synced(N1, record(2));
  handovers.dropped('n9' as NodeId, ADDRESS, holding(1), [N1], 0);
  expect(handovers.violations).toEqual([]);
  handovers.dropped('n9' as NodeId, ADDRESS, holding(1), [N1, N2], 0);
  expect(handovers.violations).toEqual([expect.stringContaining('n2, which owns it')]);
});

test('neither a hint nor what an owner had before is enough', () => {
  const handovers = new Handovers();
  handovers.synced(N1, { ...record(1), hintFor: 'n3' });
  handovers.synced(N2, record(1));
  handovers.dropped('n9' as NodeId, ADDRESS, holding(2), [N1, N2], 0);
  expect(handovers.violations).toHaveLength(2);
});

test('of disks that were replaced nothing is claimed', () => {
  const handovers = new Handovers();
  handovers.replaced(N1);
  handovers.dropped('n9' as NodeId, ADDRESS, holding(1), [N1], 0);
  handovers.dropped(N1, ADDRESS, holding(1), [N2], 0);
  expect(handovers.violations).toEqual([]);
});
