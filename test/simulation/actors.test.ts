/**
 * Scenarios of who mints: no dot ever names two values, whatever a store forgets, and what was acknowledged outlives it.
 */
import { expect } from 'vitest';
import { seededRandom, pick, type NodeId } from '@armature/kernel';
import { scenario, type Stage } from './stage.js';

scenario('01: a coordinator whose disk has forgotten a put does not give its dot to the next one', async (stage) => {
  const { key, owners } = stage.cast();
  const [a] = owners;
  const { context } = await stage.put(key, 'one', { at: a, w: 3 });
  const before = stage.imageOf(a);
  await stage.put(key, 'two', { at: a, w: 3, context });
  stage.crash(a);
  stage.putBack(a, before);
  await stage.start(a);
  expect(stage.held(a, key)).toEqual(['one']);
  await stage.put(key, 'three', { at: a, w: 3, context });
  expect(await stage.get(key, { r: 3 })).toEqual(['three', 'two']);
  await stage.untilEqual();
  for (const owner of owners) expect(stage.held(owner, key)).toEqual(['three', 'two']);
});

scenario('01: nor does one whose record is damaged, under the actor it had', async (stage) => {
  const { key, owners } = stage.cast();
  const [a] = owners;
  const { context } = await stage.put(key, 'one', { at: a, w: 3 });
  await stage.put(key, 'two', { at: a, w: 3, context });
  await stage.stop(a);
  stage.damage(a, key);
  await stage.start(a);
  await stage.put(key, 'three', { at: a, w: 3, context });
  expect(await stage.get(key, { r: 3 })).toEqual(['three', 'two']);
});

scenario(
  '02: a stale fallback brings an amnesiac coordinator part of its memory, which it does not take for all of it',
  async (stage) => {
    const { key, owners, fallbacks } = stage.cast();
    const [a, b] = owners;
    const fallback = fallbacks[0] as NodeId;
    const first = await stage.put(key, 'one', { at: a, w: 3 });
    const before = stage.imageOf(a);
    stage.isolate(a);
    await stage.pass(5_000);
    await stage.put(key, 'two', { at: b, w: 3, context: first.context });
    await stage.until('the fallback keeps it for the owner', () => stage.hintsOn(fallback, key).includes(a));
    stage.crash(fallback);
    stage.heal();
    await stage.pass(5_000);
    const context = await stage.contextOf(key, { r: 3 });
    const third = await stage.put(key, 'three', { at: a, w: 3, context });
    await stage.put(key, 'four', { at: a, w: 3, context: third.context });
    stage.crash(a);
    stage.putBack(a, before);
    await stage.start(a);
    stage.cut([a], [b, owners[2]]);
    await stage.start(fallback);
    await stage.until('the hint is home', () => stage.hintsOn(fallback, key).length === 0);
    expect(stage.held(a, key)).toEqual(['two']);
    await stage.put(key, 'five', { at: a, w: 1 });
    stage.heal();
    await stage.pass(15_000);
    expect(await stage.get(key, { r: 3 })).toEqual(['five', 'four']);
  },
);

scenario(
  '06: an actor belongs to one node and to one epoch of its store: clean restarts keep it, whatever else takes a fresh one',
  async (stage) => {
    const seen = new Map<string, NodeId>();
    const actorOf = async (node: NodeId): Promise<string> =>
      (await stage.of(stage.client.admin.member(node))).status?.actor as string;
    const nodes = [...stage.cluster.members.keys()];
    for (const node of nodes) {
      const first = await actorOf(node);
      await stage.restart(node);
      expect(await actorOf(node)).toBe(first);
      const copy = stage.imageOf(node);
      const lives = [first];
      for (const disaster of ['none', 'wiped', 'old copy'] as const) {
        stage.crash(node);
        if (disaster === 'wiped') stage.cluster.member(node).disk.wipe();
        if (disaster === 'old copy') stage.putBack(node, copy);
        await stage.start(node);
        lives.push(await actorOf(node));
      }
      for (const actor of lives) {
        expect(seen.has(actor), `${actor} of ${node}`).toBe(false);
        seen.set(actor, node);
      }
    }
  },
);

/** One key, three nodes: puts with contexts and blind, one node cut off now and then, another one that forgets. */
async function forgetfulHistory(stage: Stage, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const { key, owners } = stage.cast();
  const [a, b, c] = owners;
  const frontier = new Set<string>();
  let image = stage.imageOf(a);
  for (let step = 0; step < 12; step++) {
    const kind = pick(random, ['put', 'put', 'blind', 'blind', 'cut', 'copy', 'forget'] as const);
    if (kind === 'cut') {
      stage.heal();
      stage.isolate(pick(random, [b, c]) as NodeId);
    } else if (kind === 'copy') image = stage.imageOf(a);
    else if (kind === 'forget') {
      stage.heal();
      stage.crash(a);
      stage.putBack(a, image);
      await stage.start(a);
    } else {
      const seen = kind === 'blind' ? undefined : await stage.of(stage.bucket().read(key));
      const at = pick(random, [{ at: a }, {}]);
      await stage.put(key, `${seed}.${step}`, { ...at, context: seen?.context });
      for (const value of seen?.entry?.values ?? []) frontier.delete(value);
      frontier.add(`${seed}.${step}`);
    }
  }
  stage.heal();
  await stage.pass(30_000);
  expect(await stage.get(key, { r: 3 }), `seed ${seed}`).toEqual([...frontier].sort());
}

scenario(
  '07: get, put, replicate, forget against a model: what is left is the causal frontier of what was acknowledged',
  { nodes: ['n1', 'n2', 'n3'] },
  async (stage) => {
    for (let seed = 1; seed <= 20; seed++) await forgetfulHistory(stage, seed);
  },
);
