/**
 * Scenarios of partitions on the move: whoever becomes an owner has everything, whatever is written, damaged or killed meanwhile,
 * and then all is quiet.
 */
import { expect } from 'vitest';
import { pick, seededRandom, type NodeId } from '@armature/kernel';
import { ArmatureError } from '@armature/client';
import { scenario, type Cast, type Stage } from './stage.js';

const KEYS = 60;
const isPending = (stage: Stage): boolean =>
  [...stage.view.members.keys()].some((node) => stage.view.pendingFor(node).length > 0);

async function putAll(stage: Stage, count = KEYS): Promise<readonly Cast[]> {
  const casts = stage.casts(count);
  await stage.of(Promise.all(casts.map(({ key }) => stage.bucket().put(key, 'v', { w: 3 }))));
  return casts;
}

/** Every owner of now has these values, and a newcomer some of them. */
function expectEverywhere(stage: Stage, newcomer: NodeId | undefined, wanted: ReadonlyMap<string, readonly string[]>): void {
  let newcomers = 0;
  for (const [key, values] of wanted) {
    for (const owner of stage.ownersOf(key)) {
      expect(stage.held(owner, key), `${key} on ${owner}`).toEqual(values);
      if (owner === newcomer) newcomers++;
    }
  }
  if (newcomer !== undefined) expect(newcomers).toBeGreaterThan(0);
}

scenario('12: after a join every new owner has the same as the others, and former owners nothing', async (stage) => {
  const casts = await putAll(stage);
  const newcomer = await stage.join('n5');
  await stage.untilEqual();
  expectEverywhere(stage, newcomer, new Map(casts.map(({ key }) => [key, ['v']])));
});

scenario(
  '13: writes during a transfer reach the new owner, through whichever owner, and whatever it had copied by then',
  async (stage) => {
    const casts = await putAll(stage);
    const random = seededRandom(13);
    const newcomer = await stage.join('n5');
    const wanted = new Map(casts.map(({ key }) => [key, ['v']]));
    let during = 0;
    for (let i = 0; isPending(stage) || during === 0; i++, during++) {
      const { key, owners } = pick(random, casts) as Cast;
      await stage.put(key, `w${i}`, { at: pick(random, owners) as NodeId, context: await stage.contextOf(key) });
      wanted.set(key, [`w${i}`]);
    }
    expect(during).toBeGreaterThan(10);
    await stage.untilEqual();
    expectEverywhere(stage, newcomer, wanted);
  },
);

scenario(
  '19: a damaged record at one source does not get into a copy, nor end it: the record comes from another owner',
  async (stage) => {
    const casts = await putAll(stage);
    const damaged = casts.slice(0, 5);
    for (const { key, owners } of damaged) {
      await stage.stop(owners[0]);
      stage.damage(owners[0], key);
      await stage.start(owners[0]);
    }
    const newcomer = await stage.join('n5');
    await stage.until('nothing is pending', () => !isPending(stage));
    for (const { key } of casts) if (stage.ownersOf(key).includes(newcomer)) expect(stage.held(newcomer, key)).toEqual(['v']);
    for (const { key } of damaged) expect(await stage.get(key, { r: 3 })).toEqual(['v']);
    await stage.untilEqual();
  },
);

scenario('19: while the newcomer cannot read one of its own records it does not say that it is ready', async (stage) => {
  const casts = await putAll(stage);
  await stage.of(stage.cluster.startNode('n5' as NodeId));
  const { disk } = stage.cluster.member('n5' as NodeId);
  let refused = 0;
  disk.onRead = (key) => {
    if (!key.startsWith('d')) return;
    refused++;
    throw new ArmatureError('storage-failed', 'the device does not answer');
  };
  const newcomer = await stage.join('n5');
  await stage.pass(30_000);
  expect(refused).toBeGreaterThan(0);
  for (const { key } of casts) expect(await stage.get(key)).toEqual(['v']);
  expect(stage.view.pendingFor(newcomer).length).toBeGreaterThan(0);
  disk.onRead = () => undefined;
  await stage.untilEqual();
  expectEverywhere(stage, newcomer, new Map(casts.map(({ key }) => [key, ['v']])));
});

scenario(
  '24: a node that joins, leaves and joins again ends where it began, and no partition goes round in circles',
  async (stage) => {
    const casts = await putAll(stage);
    const wanted = new Map(casts.map(({ key }) => [key, ['v']]));
    const newcomer = await stage.join('n5');
    await stage.untilEqual();
    await stage.change({ kind: 'leave', node: newcomer });
    await stage.until('it has left', () => !stage.view.members.has(newcomer));
    await stage.untilEqual();
    for (const { key } of casts) expect(stage.held(newcomer, key)).toBeUndefined();
    await stage.change({ kind: 'join', node: newcomer, weight: 1, zone: stage.cluster.zoneOf('n5') });
    await stage.untilEqual();
    expectEverywhere(stage, newcomer, wanted);
    const [writes, ring] = [stage.diskWrites, stage.view.ringVersion];
    await stage.pass(10 * 60_000);
    expect(stage.diskWrites).toBe(writes);
    expect(stage.view.ringVersion).toBe(ring);
  },
);

scenario(
  '28: gets and puts while nodes come and go: each get finds the last put, from whichever node it is asked',
  async (stage) => {
    const casts = await putAll(stage, 20);
    const random = seededRandom(28);
    const last = new Map(casts.map(({ key }) => [key, 'v']));
    await stage.join('n5');
    await stage.join('n6');
    await stage.change({ kind: 'leave', node: 'n1' as NodeId });
    for (let i = 0; i < 400; i++) {
      const at = pick(random, [undefined, 'n1', 'n2', 'n3', 'n4', 'n5', 'n6']) as NodeId | undefined;
      const by = at === undefined || !stage.view.members.has(at) ? {} : { at };
      const { key } = pick(random, casts) as Cast;
      const reading = await stage.of(stage.bucket(by.at).read(key));
      expect(reading.entry?.values, `${key} by ${at}, step ${i}`).toEqual([last.get(key)]);
      await stage.put(key, `w${i}`, { ...by, context: reading.context });
      last.set(key, `w${i}`);
    }
    await stage.until('n1 has left', () => !stage.view.members.has('n1' as NodeId));
    await stage.untilEqual();
    expectEverywhere(stage, 'n6' as NodeId, new Map([...last].map(([key, value]) => [key, [value]])));
  },
);
