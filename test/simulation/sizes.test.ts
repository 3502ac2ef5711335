/**
 * Scenarios of sizes: whatever clients put, and on however many sides of a cut, a key fits into a message. So it can be read, replaced, deleted, repaired and moved.
 *
 * Messages are small here, so that few puts fill them: of a bucket of three replicas, puts may make 10,000 bytes of a key on each side.
 */
import { expect } from 'vitest';
import { toArmatureError, type NodeId } from '@armature/kernel';
import { scenario, type Stage } from './stage.js';

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
    const { key, owners } = stage.cast();
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
    const { key, owners } = stage.cast();
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
