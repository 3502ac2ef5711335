/**
 * Scenarios of sizes: whatever clients put, and on however many sides of a cut, a key fits into a message. So it can be read,
 * replaced, deleted, repaired and moved. One that does not fit all the same can be replaced and deleted, and is in nobody's way.
 *
 * Messages are small here, so that few puts fill them: of a bucket of three replicas, puts may make 10,000 bytes of a key on each
 * side.
 */
import { expect } from 'vitest';
import { headerValue, type BusMessage } from '@armature/bus';
import { toArmatureError, utf8Decode, type NodeId } from '@armature/kernel';
import type { ArmatureNode } from '@armature/server';
import { spaceKey } from '@armature/storage';
import { addressOfKey, scenario, type Stage } from './stage.js';

const SMALL_MESSAGES = { nodeOptions: { messageBytes: 60_000 } };
const VALUE_BYTES = 3_000;

/** Puts blindly at this node until it is refused; the values written. */
async function storm(stage: Stage, key: string, at: NodeId): Promise<string[]> {
  const written: string[] = [];
  for (;;) {
    const value = `${at} ${written.length} `.padEnd(VALUE_BYTES, 'x');
    const refusal = await stage.of(
      stage
        .bucket(at, 'large')
        .put(key, value, { w: 1 })
        .then(() => undefined, toArmatureError),
    );
    if (refusal !== undefined) {
      expect(refusal).toMatchObject({ code: 'too-large', details: { maxSetBytes: 10_000 } });
      expect(refusal.remedy).toContain('merge');
      return written;
    }
    written.push(value);
  }
}

scenario(
  '22: blind puts of large values stop before the key is too large; it can be read, replaced and deleted',
  SMALL_MESSAGES,
  async (stage) => {
    await stage.makeBucket('large', { maxValueBytes: 4_000 });
    const { key, owners } = stage.cast(undefined, 'large');
    const written = await storm(stage, key, owners[0]);
    expect(written).toHaveLength(3);
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(written);
    for (const at of owners) expect(await stage.get(key, { at, bucket: 'large', r: 3 })).toEqual(written);
    const context = await stage.contextOf(key, { bucket: 'large' });
    await stage.put(key, 'merged', { bucket: 'large', context });
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(['merged']);
    await storm(stage, key, owners[1]);
    await stage.delete(key, { bucket: 'large' });
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual([]);
  },
);

scenario(
  '22: a key that has grown on three sides of a cut, by as much as each of them allows, is repaired, read, moved, replaced and deleted',
  SMALL_MESSAGES,
  async (stage) => {
    await stage.makeBucket('large', { maxValueBytes: 4_000 });
    const { key, owners } = stage.cast(undefined, 'large');
    const nodes = [...stage.view.members.keys()];
    for (const owner of owners)
      stage.cut(
        [owner],
        nodes.filter((node) => node !== owner),
      );
    const written: string[] = [];
    for (const owner of owners) written.push(...(await storm(stage, key, owner)));
    expect(written).toHaveLength(9);
    stage.heal();
    await stage.untilEqual();
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(written.sort());
    for (const at of owners) expect(await stage.get(key, { at, bucket: 'large', r: 3 })).toEqual(written);
    expect(await stage.failureOf(stage.bucket(owners[2], 'large').put(key, 'more'))).toMatchObject({ code: 'too-large' });

    for (const name of ['n6', 'n7', 'n8']) await stage.join(name);
    await stage.untilEqual();
    await stage.change({ kind: 'leave', node: owners[0] });
    await stage.untilEqual();
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(written.sort());

    // What leaves less is taken, though it is still more than a put may add to.
    const half = await stage.contextOf(key, { bucket: 'large' });
    await stage.put(key, 'one', { bucket: 'large', context: half, w: 3 });
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(['one']);
    await stage.delete(key, { bucket: 'large' });
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual([]);
  },
);

/** Values that many minters have written beside one another, more together than a message can carry. */
const OVERSIZED = Array.from({ length: 20 }, (_, i) => ({
  value: `${i} `.padEnd(VALUE_BYTES, 'x'),
  minter: (i + 1).toString(16).padStart(16, '0'),
}));

async function oversize(stage: Stage, key: string, nodes: readonly NodeId[]): Promise<void> {
  for (const { value, minter } of OVERSIZED) for (const node of nodes) await stage.give(node, key, value, minter, 'large');
}

function plainGet(stage: Stage, key: string): Promise<BusMessage> {
  const { bus } = stage.cluster.stranger('plain');
  return stage.of(
    new Promise((resolve) => {
      bus.subscribe('_INBOX.plain', resolve);
      bus.publish(`armature.simulated.api.get.large.${key}`, new Uint8Array(0), { reply: '_INBOX.plain' });
    }),
  );
}

scenario(
  'a key that no message can carry says so, gives its sizes and a context, and can be replaced and deleted, whoever coordinates',
  { ...SMALL_MESSAGES, routers: ['r1'] },
  async (stage) => {
    await stage.makeBucket('large', { maxValueBytes: 4_000 });
    const { key, owners, fallbacks } = stage.cast(undefined, 'large');
    // The last one has three of the values: what it sends is whole, and what the others send is not.
    await oversize(stage, key, owners.slice(0, 2));
    for (const { value, minter } of OVERSIZED.slice(0, 3)) await stage.give(owners[2], key, value, minter, 'large');
    for (const at of [undefined, ...owners, ...fallbacks]) {
      const bucket = stage.bucket(at, 'large');
      for (const r of [2, 3]) {
        const refusal = await stage.failureOf(bucket.get(key, { r }));
        expect(refusal).toMatchObject({ code: 'too-large', details: { bucket: 'large', key, siblings: OVERSIZED.length } });
        expect(refusal.remedy).toContain('delete the key');
      }
      const { siblings } = await stage.of(bucket.outline(key, { r: 2 }));
      expect(siblings.map(({ sizeBytes }) => sizeBytes)).toEqual(OVERSIZED.map(() => VALUE_BYTES));
    }
    const plain = await plainGet(stage, key);
    expect(headerValue(plain.headers, 'Armature-Error')).toBe('too-large');
    expect(headerValue(plain.headers, 'Armature-Sibling-Sizes')).toBe(OVERSIZED.map(() => VALUE_BYTES).join());
    const { context } = await stage.of(stage.bucket(fallbacks[0], 'large').outline(key));
    expect(headerValue(plain.headers, 'Armature-Context')?.length).toBe(context?.toString().length);
    await stage.put(key, 'merged', { bucket: 'large', context, w: 3 });
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(['merged']);

    const { key: other, owners: itsOwners } = stage.cast(undefined, 'large');
    await oversize(stage, other, itsOwners);
    expect(await stage.delete(other, { bucket: 'large' })).toBe(true);
    expect(await stage.get(other, { bucket: 'large', r: 3 })).toEqual([]);
  },
);

scenario(
  'a key that no message can carry keeps no other from being listed, repaired, copied or handed over, and is named until it is replaced',
  { ...SMALL_MESSAGES, partitionCount: 4, workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    await stage.makeBucket('large', { maxValueBytes: 4_000 });
    const { key, owners, fallbacks } = stage.cast(undefined, 'large');
    await oversize(stage, key, owners);
    const casts = stage.casts(40, undefined, 'large');
    const others = casts.map((cast) => cast.key);
    for (const other of others) await stage.put(other, 'v', { bucket: 'large', w: 3 });

    const listed: string[] = [];
    const listing = async (): Promise<void> => {
      for await (const one of stage.bucket(owners[0], 'large').keys()) listed.push(utf8Decode(one));
    };
    await stage.of(listing());
    expect(listed.sort()).toEqual([key, ...others].sort());
    const values = async (): Promise<void> => {
      for await (const _ of stage.bucket(owners[0], 'large').entries());
    };
    expect(await stage.failureOf(values())).toMatchObject({ code: 'too-large', details: { key } });

    // An owner loses all that it has of the partition: it is repaired but for the one key.
    await stage.stop(owners[1]);
    const image = new Map(stage.imageOf(owners[1]));
    for (const one of [key, ...others]) image.delete(spaceKey('data', addressOfKey(one, 'large')));
    stage.putBack(owners[1], image);
    await stage.start(owners[1]);
    const lost = casts.filter((cast) => cast.owners.includes(owners[1]));
    await stage.until('all others are repaired', () =>
      lost.every((cast) => stage.held(owners[1], cast.key, 'large') !== undefined),
    );
    expect(stage.setOn(owners[1], key, 'large')).toBeUndefined();

    // A node is told to leave, and others copy what it has.
    await stage.change({ kind: 'leave', node: owners[0] });
    const [successor] = fallbacks as [NodeId];
    await stage.pass(30_000);
    expect(stage.view.pendingFor(successor)).toHaveLength(1);
    for (const other of others) expect(stage.held(successor, other, 'large'), other).toEqual(['v']);
    const status = await stage.of((stage.cluster.member(successor).node as ArmatureNode).status());
    expect(status.transfers?.lastProblem).toContain(JSON.stringify(key));
    expect(status.transfers?.lastProblem).toContain('delete the key');

    const { context } = await stage.of(stage.bucket(undefined, 'large').outline(key, { r: 2 }));
    await stage.put(key, 'merged', { bucket: 'large', context });
    await stage.untilEqual();
    expect(await stage.get(key, { bucket: 'large', r: 3 })).toEqual(['merged']);
  },
);
