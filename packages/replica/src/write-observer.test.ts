import { seededRandom, toArmatureError, type NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import { ManualClock, silentLog, noTelemetry } from '@armature/runtime';
import { expect, test } from 'vitest';
import { Replica } from './replica.js';
import { recordStoreOn } from './stored-records.js';
import { addressFor, BUCKET, finish, TestNode } from './replica.test-support.js';

/** A replica beside that of a test node, over the same store, and what its observer was told. */
async function observed(options: { overlayLimitBytes?: number } = {}) {
  const clock = new ManualClock();
  const node = await TestNode.open({ clock, ...options });
  const told: string[] = [];
  const held = new Map<Address, Uint8Array>();
  const replica = new Replica({
    node: 'n1' as NodeId,
    store: recordStoreOn(node.store),
    epoch: node.epoch,
    clock,
    log: silentLog,
    telemetry: noTelemetry,
  });
  replica.observe({
    wrote(address, before, after) {
      // Each change begins where the last one ended, or a tree kept by them would drift.
      expect(before === undefined ? undefined : [...before]).toEqual(held.has(address) ? [...held.get(address)!] : undefined);
      expect([...(replica.read(address) as Uint8Array)]).toEqual([...after]);
      held.set(address, Uint8Array.from(after));
      told.push('wrote');
    },
    dropped(address, before) {
      expect([...before]).toEqual([...held.get(address)!]);
      expect(replica.read(address)).toBeUndefined();
      held.delete(address);
      told.push('dropped');
    },
    doubted: () => void told.push('doubted'),
  });
  const put = async (key: string, value: string): Promise<Uint8Array> => {
    const minted = await finish(clock, replica.mint(node.request(key, value)));
    await finish(clock, minted.committed);
    return minted.encoded;
  };
  return { clock, node, replica, told, put };
}

/** What another node has made of a key. */
async function foreignSet(clock: ManualClock, key: string): Promise<Uint8Array> {
  const other = await TestNode.open({ clock, random: seededRandom('another node') });
  const { encoded } = await other.put(key, 'theirs');
  await other.close();
  return encoded;
}

test('every change is told once, in its own turn, from the state before to the one that reads find', async () => {
  const { clock, node, replica, told, put } = await observed();
  await put('a', 'one');
  await put('a', 'two');
  const foreign = await foreignSet(clock, 'a');
  await finish(clock, replica.merge(addressFor('a'), foreign, BUCKET, 'fsync'));
  expect(told).toEqual(['wrote', 'wrote', 'wrote']);
  await finish(clock, replica.merge(addressFor('a'), foreign, BUCKET, 'fsync'));
  expect(told).toHaveLength(3);
  await node.close();
});

test('a change whose commit fails is doubted, for a put and for a merge', async () => {
  const { clock, node, replica, told, put } = await observed();
  await put('a', 'one');
  const encoded = await foreignSet(clock, 'c');
  node.plan.fault = { code: 'storage-failed', applied: false };
  const minted = await finish(clock, replica.mint(node.request('b', 'two')));
  const problem = await finish(
    clock,
    minted.committed.then(() => undefined, toArmatureError),
  );
  expect(problem?.code).toBe('storage-failed');
  expect(told).toEqual(['wrote', 'wrote', 'doubted']);
  const merged = replica.merge(addressFor('c'), encoded, BUCKET, 'fsync').then(() => undefined, toArmatureError);
  expect((await finish(clock, merged))?.code).toBe('storage-failed');
  expect(told.slice(3)).toEqual(['wrote', 'doubted']);
});

test('a write that the store does not take in is not told at all', async () => {
  const { clock, node, replica, told } = await observed({ overlayLimitBytes: 1 });
  const encoded = await foreignSet(clock, 'b');
  node.plan.delayMs = 50;
  const onItsWay = replica.merge(addressFor('b'), encoded, BUCKET, 'fsync');
  await clock.advance(1);
  expect(told).toEqual(['wrote']);
  const refused = replica.merge(addressFor('c'), encoded, BUCKET, 'fsync').then(() => undefined, toArmatureError);
  expect((await finish(clock, refused))?.code).toBe('overloaded');
  await finish(clock, onItsWay);
  expect(told).toEqual(['wrote']);
});

test('writing over a damaged record is doubted: nobody knows what the tree has counted for it', async () => {
  const { clock, node, replica, told, put } = await observed();
  const encoded = await put('a', 'one');
  await node.damage('a');
  await finish(clock, replica.merge(addressFor('a'), encoded, BUCKET, 'fsync'));
  expect(told).toEqual(['wrote', 'doubted']);
});

test('a drop is told, from the state that was dropped; of what is held in another state, or not at all, nothing is', async () => {
  const { clock, node, replica, told, put } = await observed();
  const first = await put('a', 'one');
  const second = await put('a', 'two');
  expect(await finish(clock, replica.drop(addressFor('a'), first))).toBe(false);
  expect(told).toEqual(['wrote', 'wrote']);
  expect(await finish(clock, replica.drop(addressFor('a'), second))).toBe(true);
  expect(await finish(clock, replica.drop(addressFor('a'), second))).toBe(false);
  expect(told).toEqual(['wrote', 'wrote', 'dropped']);
  await node.close();
});

test('a drop whose commit fails is doubted', async () => {
  const { clock, node, replica, told, put } = await observed();
  const encoded = await put('a', 'one');
  node.plan.fault = { code: 'storage-failed', applied: false };
  const problem = await finish(
    clock,
    replica.drop(addressFor('a'), encoded).then(() => undefined, toArmatureError),
  );
  expect(problem?.code).toBe('storage-failed');
  expect(told).toEqual(['wrote', 'dropped', 'doubted']);
});
