/**
 * Scenarios of healing: what a disk has lost comes back, by reads, by comparing replicas or by a refill, and once all is well
 * nothing is written.
 */
import { expect } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { spaceKey } from '@armature/storage';
import { addressOfKey, scenario, type Cast, type Stage } from './stage.js';

const KEYS = 40;
const QUIET_MS = 120_000;

async function putAll(stage: Stage): Promise<readonly Cast[]> {
  const casts = stage.casts(KEYS);
  await stage.of(Promise.all(casts.map(({ key }) => stage.bucket().put(key, 'v', { w: 3 }))));
  return casts;
}

async function expectQuiet(stage: Stage): Promise<void> {
  const { diskWrites } = stage;
  await stage.pass(QUIET_MS);
  expect(stage.diskWrites).toBe(diskWrites);
}

scenario('15: a wiped disk is filled again whole, without a read, an administrator or a worker', async (stage) => {
  const casts = await putAll(stage);
  const b = 'n2' as NodeId;
  stage.crash(b);
  stage.cluster.member(b).disk.wipe();
  await stage.start(b);
  await stage.untilEqual();
  for (const { key, owners } of casts) if (owners.includes(b)) expect(stage.held(b, key)).toEqual(['v']);
  expect(stage.view.orphans).toEqual([]);
});

scenario(
  '16: anti-entropy repairs records that are lost and records that are old, without any read, and then is quiet',
  { workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    const casts = await putAll(stage);
    const [lost, old] = [casts.slice(0, 10), casts.slice(10, 20)];
    const b = 'n2' as NodeId;
    await stage.stop(b);
    const image = new Map(stage.imageOf(b));
    await stage.start(b);
    for (const { key } of old) await stage.put(key, 'newer', { w: 3, context: await stage.contextOf(key) });
    await stage.stop(b);
    const partial = new Map(stage.imageOf(b));
    for (const { key } of lost) partial.delete(spaceKey('data', addressOfKey(key)));
    for (const { key, owners } of old)
      if (owners.includes(b))
        partial.set(spaceKey('data', addressOfKey(key)), image.get(spaceKey('data', addressOfKey(key))) as Uint8Array);
    stage.putBack(b, partial);
    await stage.start(b);
    expect(stage.differences.length).toBeGreaterThan(10);
    await stage.untilEqual();
    for (const { key, owners } of [...lost, ...old])
      if (owners.includes(b)) expect(stage.held(b, key)).toEqual([old.some((one) => one.key === key) ? 'newer' : 'v']);
    await expectQuiet(stage);
  },
);

scenario(
  'a node that is cut off without a word does not keep the others from being compared',
  { nodes: ['n1', 'n2', 'n3', 'n4'], workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    const casts = await putAll(stage);
    const b = 'n2' as NodeId;
    await stage.stop(b);
    const partial = new Map(stage.imageOf(b));
    for (const { key } of casts) partial.delete(spaceKey('data', addressOfKey(key)));
    stage.putBack(b, partial);
    await stage.start(b);
    const lost = casts.filter(({ owners }) => owners.includes(b));
    stage.isolate('n4');
    await stage.pass(30_000);
    for (const { key } of lost) expect(stage.held(b, key)).toEqual(['v']);
  },
);

scenario(
  '17: hash trees after a crash are of what is on the disk, not of what was in memory',
  { workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    const casts = await putAll(stage);
    await stage.pass(20_000); // trees are built, and replicas compared
    const b = 'n2' as NodeId;
    const before = stage.imageOf(b);
    const writes = casts.map(({ key }) => stage.bucket().put(key, 'sibling', { w: 3 }));
    await stage.of(Promise.all(writes));
    stage.cluster.crashNode(b, 'machine');
    stage.putBack(b, before); // of the last writes nothing had reached the device
    await stage.start(b);
    await stage.untilEqual();
    for (const { key, owners } of casts) for (const owner of owners) expect(stage.held(owner, key)).toEqual(['sibling', 'v']);
    await expectQuiet(stage);
  },
);

scenario('18: 100 reads of converged data cause 0 writes', async (stage) => {
  const casts = await putAll(stage);
  await stage.untilEqual();
  const { diskWrites } = stage;
  expect(diskWrites).toBeGreaterThanOrEqual(3 * KEYS);
  for (let i = 0; i < 100; i++) {
    const { key, owners } = casts[i % KEYS] as Cast;
    expect(await stage.get(key, { ...(i % 2 === 0 ? {} : { at: owners[i % 3] as NodeId }), r: 1 + (i % 3) })).toEqual(['v']);
  }
  await stage.pass(QUIET_MS);
  expect(stage.diskWrites).toBe(diskWrites);
});

scenario(
  '27: read repair mends a missing key, and a replica that has seen one side of a diamond, or only its top',
  async (stage) => {
    const { key, owners } = stage.cast();
    const [a, b, c] = owners;
    const top = await stage.put(key, 'top', { w: 3 });
    const images = [stage.imageOf(c)];
    await stage.put(key, 'left', { at: a, w: 3, context: top.context });
    images.push(stage.imageOf(c));
    await stage.put(key, 'right', { at: b, w: 3, context: top.context });
    images.push(new Map([...stage.imageOf(c)].filter(([stored]) => stored !== spaceKey('data', addressOfKey(key)))));
    expect(stage.held(c, key)).toEqual(['left', 'right']);
    await stage.put(key, 'bottom', { w: 3, context: await stage.contextOf(key) });
    for (const [i, image] of images.entries()) {
      await stage.stop(c);
      stage.putBack(c, image);
      await stage.start(c);
      expect(stage.held(c, key)).toEqual([['top'], ['left'], undefined][i]);
      expect(await stage.get(key, { r: 3 })).toEqual(['bottom']);
      await stage.until('the replica is mended', () => stage.held(c, key)?.join() === 'bottom', 10_000);
    }
  },
);
