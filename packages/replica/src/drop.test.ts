/**
 * What was dropped whole, tombstone and clock, and is written again: new dots, old contexts, and nothing that looks forgotten.
 */
import { utf8Encode, type BinaryString } from '@armature/kernel';
import { ManualClock } from '@armature/runtime';
import { MemoryDisk, spaceKey } from '@armature/storage';
import { encodeVersionSet, join, withDot, type CausalContext, type VersionSet } from '@armature/versioning';
import { expect, test } from 'vitest';
import { sealRecord } from './record.js';
import { addressFor, finish, TestNode } from './replica.test-support.js';

interface Reaped {
  readonly clock: ManualClock;
  readonly disk: MemoryDisk;
  readonly node: TestNode;
  readonly tombstone: VersionSet;
  /** Of a read before the delete. */
  readonly old: CausalContext;
}

/** A key that was written three times, deleted, and dropped here. */
async function reaped(): Promise<Reaped> {
  const clock = new ManualClock();
  const disk = new MemoryDisk();
  const node = await TestNode.open({ clock, disk });
  for (const value of ['one', 'two', 'three']) await node.put('k', value, { context: await node.contextOf('k') });
  const old = await node.contextOf('k');
  const { set: tombstone, encoded } = await node.put('k', '', { tombstone: true, context: old });
  expect(await finish(clock, node.replica.drop(addressFor('k'), encoded))).toBe(true);
  expect(await node.values('k')).toEqual([]);
  return { clock, disk, node, tombstone, old };
}

test('a put after the drop gets a dot of its own, and the tombstone does not subsume it, wherever it is left', async () => {
  const { node, tombstone } = await reaped();
  const { set, dot } = await node.put('k', 'again');
  expect(dot).toEqual({ actor: node.epoch.current, counter: 5 });
  expect(join(set, tombstone).siblings.map((one) => one.dot)).toEqual([dot]);
});

test('a context from before the drop neither fails, nor retires the actor, nor lets the tombstone win', async () => {
  const { node, tombstone, old } = await reaped();
  const actor = node.epoch.current;
  const { set, dot } = await node.put('k', 'again', { context: old });
  expect(node.epoch.current).toBe(actor);
  expect(dot!.counter).toBe(5);
  expect(join(tombstone, set).siblings.map((one) => one.dot)).toEqual([dot]);
});

test('a set that counts events up to the floor is merged without a doubt; one that counts more retires the actor', async () => {
  const { node, tombstone } = await reaped();
  const actor = node.epoch.current;
  await node.merge('k', encodeVersionSet(tombstone));
  expect(node.epoch.current).toBe(actor);
  const more = withDot(tombstone.clock, { actor: actor!, counter: 5 });
  await node.merge('k2', encodeVersionSet({ ...tombstone, clock: more }));
  expect(node.counted('armature_replica_actors_retired_total')).toBe(1);
});

test('the floor outlives a clean restart: no dot names two values', async () => {
  const { clock, disk, node } = await reaped();
  const actor = node.epoch.current;
  await node.close();
  const again = await TestNode.open({ clock, disk });
  expect(again.epoch.current).toBe(actor);
  expect((await again.put('k', 'again')).dot).toEqual({ actor, counter: 5 });
});

test('what is held in another state is not dropped, and leaves the floor alone', async () => {
  const clock = new ManualClock();
  const node = await TestNode.open({ clock });
  const { encoded } = await node.put('k', 'one');
  await node.put('k', 'two');
  expect(await finish(clock, node.replica.drop(addressFor('k'), encoded))).toBe(false);
  expect(node.epoch.floor).toBe(0);
  expect(await node.values('k')).toEqual(['one', 'two']);
});

test('a whole record that holds no version set can be dropped: nobody is left to try it for ever; the actor is retired, for its count is lost', async () => {
  const clock = new ManualClock();
  const node = await TestNode.open({ clock, disk: new MemoryDisk() });
  const actor = node.epoch.current;
  const unreadable = utf8Encode('of a format to come');
  const stored = node.store.write(
    [{ kind: 'put', key: spaceKey('data', addressFor('k')), value: sealRecord(unreadable) }],
    'fsync',
  );
  await finish(clock, stored);
  const { entries } = await node.replica.page({ start: '' as BinaryString, limit: 10 });
  expect(entries).toEqual([{ address: addressFor('k'), set: unreadable }]);
  expect(await finish(clock, node.replica.drop(addressFor('k'), unreadable))).toBe(true);
  expect((await node.replica.page({ start: '' as BinaryString, limit: 10 })).entries).toEqual([]);
  expect(node.epoch.current).not.toBe(actor);
});
