/**
 * Scenarios of hinted handoff: what could not be given to its owner goes home, whoever restarts meanwhile; and what cannot be
 * read is not written over.
 */
import { expect } from 'vitest';
import { ArmatureError, type NodeId } from '@armature/kernel';
import { scenario } from './stage.js';

scenario('03: a hint for an owner whose own read fails stays where it is, and writes over nothing', async (stage) => {
  const { key, owners, fallbacks } = stage.cast();
  const [, b] = owners;
  const fallback = fallbacks[0] as NodeId;
  await stage.put(key, 'held', { w: 3 });
  await stage.stop(b);
  await stage.put(key, 'hinted', { w: 3, timeoutMs: 20_000 });
  const readable = stage.unreadable(b, key, new ArmatureError('storage-failed', 'the device does not answer'));
  await stage.start(b);
  await stage.pass(30_000);
  expect(stage.held(b, key)).toEqual(['held']);
  expect(stage.hintsOn(fallback, key)).toEqual([b]);
  readable();
  await stage.untilEqual();
  expect(stage.held(b, key)).toEqual(['held', 'hinted']);
});

scenario('14: hints go home after whoever keeps them was killed and has started again', async (stage) => {
  const { key, owners, fallbacks } = stage.cast();
  const [a, b] = owners;
  const fallback = fallbacks[0] as NodeId;
  stage.crash(b);
  await stage.put(key, 'v', { w: 3, timeoutMs: 20_000 });
  expect(stage.hintsOn(fallback, key)).toEqual([b]);
  for (let i = 0; i < 2; i++) {
    stage.crash(fallback);
    await stage.start(fallback);
  }
  expect(stage.hintsOn(fallback, key)).toEqual([b]);
  await stage.start(b);
  await stage.untilEqual();
  expect(stage.held(b, key)).toEqual(['v']);
  expect(stage.held(a, key)).toEqual(['v']);
});

scenario(
  '14: a hint is given up only when its owner has it on its disk: the owner loses its power as it comes home',
  async (stage) => {
    const { key, owners, fallbacks } = stage.cast();
    const [, b] = owners;
    const fallback = fallbacks[0] as NodeId;
    stage.crash(b);
    await stage.put(key, 'v', { w: 3, timeoutMs: 20_000 });
    const { disk } = stage.cluster.member(b);
    disk.faults.slowness = 300;
    await stage.of(stage.cluster.startNode(b));
    let arriving = false;
    disk.onWrite = () => (arriving ||= stage.held(b, key) === undefined && stage.hintsOn(fallback, key).length === 1);
    await stage.until('the hint is on its way to the disk', () => arriving);
    stage.cluster.crashNode(b, 'machine');
    disk.faults.slowness = 1;
    expect(stage.held(b, key) ?? stage.hintsOn(fallback, key)).not.toEqual([]);
    await stage.start(b);
    await stage.untilEqual();
    expect(stage.held(b, key)).toEqual(['v']);
  },
);

scenario('26: an owner that is late for a put whose quorum was met long since gets it as a hint', async (stage) => {
  const { key, owners, fallbacks } = stage.cast();
  const [a, , c] = owners;
  stage.isolate(c);
  const began = stage.world.nowMs;
  await stage.put(key, 'v', { at: a });
  expect(stage.world.nowMs - began).toBeLessThan(100);
  await stage.until('somebody keeps a hint', () => stage.hintsOn(fallbacks[0] as NodeId, key).includes(c));
  stage.heal();
  await stage.untilEqual();
  expect(stage.held(c, key)).toEqual(['v']);
});

scenario('26: of a put that nobody could take there is no hint, nor anything else, anywhere', async (stage) => {
  const { key, owners } = stage.cast();
  const disks = [...stage.cluster.members.values()].map(({ disk }) => disk);
  for (const disk of disks) disk.faults.full = true;
  const { code } = await stage.failureOf(stage.bucket().put(key, 'v', { timeoutMs: 5_000 }));
  expect(['unavailable', 'partial-write', 'storage-full', 'unknown-outcome']).toContain(code);
  for (const disk of disks) disk.faults.full = false;
  await stage.pass(30_000);
  expect(stage.hintCount).toBe(0);
  for (const owner of owners) expect(stage.held(owner, key)).toBeUndefined();
});
