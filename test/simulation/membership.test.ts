/**
 * Scenarios of nodes that come, go, die and return in the middle of it.
 */
import { expect } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { scenario, type Cast, type Stage } from './stage.js';

const KEYS = 40;

async function putAll(stage: Stage): Promise<readonly Cast[]> {
  const casts = stage.casts(KEYS);
  await stage.of(Promise.all(casts.map(({ key }) => stage.bucket().put(key, 'v', { w: 3 }))));
  return casts;
}

async function expectAll(stage: Stage, casts: readonly Cast[], values: readonly string[] = ['v']): Promise<void> {
  await stage.untilEqual();
  for (const { key } of casts) {
    expect(await stage.get(key, { r: 3 })).toEqual(values);
    if (values.length > 0) for (const owner of stage.ownersOf(key)) expect(stage.held(owner, key)).toEqual(values);
  }
}

const isMember = (stage: Stage, node: NodeId): boolean => stage.view.members.has(node);
const [n1, n2, n4, n5] = ['n1', 'n2', 'n4', 'n5'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];

scenario('25: a node that is killed as it joins goes on when it is back', async (stage) => {
  const casts = await putAll(stage);
  await stage.join('n5');
  await stage.until('it has begun to copy', () => casts.some(({ key }) => stage.held(n5, key) !== undefined), 20_000);
  expect(stage.view.pendingFor(n5).length).toBeGreaterThan(0);
  stage.crash(n5);
  await stage.pass(60_000);
  expect(stage.view.pendingFor(n5).length).toBeGreaterThan(0);
  await stage.start(n5);
  await expectAll(stage, casts);
  expect(stage.view.holds(n5)).toBe(true);
});

scenario('25: a join, a leave and a node that is down at once: all are done when it is back', async (stage) => {
  const casts = await putAll(stage);
  stage.crash(n2);
  await stage.join('n5');
  await stage.change({ kind: 'leave', node: n1 });
  for (const { key } of casts) await stage.put(key, 'w', { context: await stage.contextOf(key), timeoutMs: 20_000 });
  await stage.start(n2);
  await stage.until('n1 has left', () => !isMember(stage, n1));
  await expectAll(stage, casts, ['w']);
  await stage.stop(n1);
});

scenario('25: a node that was removed while it was down, and comes back, brings nothing back', async (stage) => {
  const casts = await putAll(stage);
  stage.crash(n4);
  const suspecting = (): number =>
    stage.cluster.running.filter(({ participant }) => participant.monitor.suspects().includes(n4)).length;
  for (const { key } of casts) await stage.put(key, 'v', { context: await stage.contextOf(key), timeoutMs: 20_000 });
  expect(suspecting(), 'somebody has missed it').toBeGreaterThan(0);
  await stage.change({ kind: 'remove', node: n4 });
  await stage.until('its share is with others', () => casts.every(({ key }) => stage.ownersOf(key).length === 3));
  for (const { key } of casts) await stage.delete(key, { timeoutMs: 20_000 });
  expect(suspecting(), 'nobody goes on probing what is no member').toBe(0);
  await stage.of(stage.cluster.startNode(n4));
  await stage.pass(30_000);
  expect(casts.filter(({ key }) => stage.held(n4, key)?.includes('v')).length).toBeGreaterThan(0);
  for (const { key } of casts) expect(await stage.get(key)).toEqual([]);
  await stage.change({ kind: 'join', node: n4, weight: 1, zone: stage.cluster.zoneOf('n4') });
  await stage.until('it is an owner again', () => stage.view.holds(n4) && stage.view.pendingFor(n4).length === 0);
  await expectAll(stage, casts, []);
});

scenario(
  '30: a wiped node does not answer as its old self: no read with R = 1 comes back empty while it is filled again',
  async (stage) => {
    const casts = await putAll(stage);
    stage.crash(n2);
    stage.cluster.member(n2).disk.wipe();
    const { disk } = stage.cluster.member(n2);
    disk.faults.slowness = 50; // so that it takes its time
    const starting = stage.cluster.startNode(n2);
    let reads = 0;
    for (let round = 0; round < 6; round++) {
      for (const { key } of casts) {
        for (const asked of [stage.bucket(), stage.bucket(n2)]) {
          const reading = await stage.of(asked.get(key, { r: 1, timeoutMs: 500 }).then((entry) => entry?.values ?? [], String));
          if (typeof reading === 'string') continue; // nobody answered
          expect(reading, `${key} in round ${round}`).toEqual(['v']);
          reads++;
        }
      }
    }
    expect(reads).toBeGreaterThan(6 * KEYS);
    await stage.of(starting);
    disk.faults.slowness = 1;
    await expectAll(stage, casts);
  },
);

scenario(
  '30: nor does an old copy of a disk: what was overwritten since does not show, and what was deleted does not return',
  async (stage) => {
    const casts = await putAll(stage);
    const old = stage.imageOf(n2);
    stage.crash(n2);
    await stage.start(n2);
    await stage.pass(70_000); // its fresh actor is on record
    for (const { key } of casts) await stage.put(key, 'newer', { w: 3, context: await stage.contextOf(key) });
    stage.crash(n2);
    stage.putBack(n2, old);
    await stage.of(stage.cluster.startNode(n2));
    for (const { key } of casts) expect(await stage.get(key, { r: 1, timeoutMs: 20_000 })).toEqual(['newer']);
    await stage.of(stage.cluster.untilReady());
    await expectAll(stage, casts, ['newer']);
  },
);

scenario('30: a dead node is replaced during writes: its successor has just its share, and every write', async (stage) => {
  const casts = await putAll(stage);
  stage.crash(n2);
  await stage.of(stage.cluster.startNode(n5));
  await stage.change({ kind: 'replace', node: n2, by: { node: n5, weight: 1, zone: stage.cluster.zoneOf('n5') }, dead: true });
  let during = 0;
  for (const { key } of casts) {
    if (stage.view.pendingFor(n5).length > 0) during++;
    await stage.put(key, 'w', { context: await stage.contextOf(key, { timeoutMs: 20_000 }), timeoutMs: 20_000 });
  }
  expect(during).toBeGreaterThan(0);
  await expectAll(stage, casts, ['w']);
  for (const { key, owners } of casts)
    expect([...stage.ownersOf(key)].sort()).toEqual(owners.map((owner) => (owner === n2 ? n5 : owner)).sort());
});

scenario(
  '30: a node that is killed as it leaves has not left; it goes on when it is back, and nothing is lost',
  async (stage) => {
    const casts = await putAll(stage);
    await stage.change({ kind: 'leave', node: n4 });
    await stage.pass(200);
    stage.crash(n4);
    await stage.pass(60_000);
    expect(stage.view.members.get(n4)?.state).toBe('leaving');
    for (const { key } of casts) expect(await stage.get(key, { timeoutMs: 20_000 })).toEqual(['v']);
    await stage.of(stage.cluster.startNode(n4));
    await stage.until('it has left', () => !isMember(stage, n4));
    for (const { key } of casts) expect(stage.held(n4, key)).toBeUndefined();
    await expectAll(stage, casts);
  },
);
