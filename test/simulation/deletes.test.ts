/**
 * Scenarios of deletes: what was deleted stays deleted, and only that.
 */
import { expect } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { DELETED, scenario } from './stage.js';

scenario("04: a fallback's tombstone that comes home late leaves a newer value alone", async (stage) => {
  const { key, owners, fallbacks } = stage.cast();
  const fallback = fallbacks[0] as NodeId;
  const { context } = await stage.put(key, 'old', { w: 3 });
  stage.crash(...owners);
  await stage.delete(key, { context, w: 1, timeoutMs: 20_000 });
  expect(stage.hintsOn(fallback, key)).not.toEqual([]);
  stage.crash(fallback);
  await stage.start(...owners);
  await stage.put(key, 'new', { context, w: 3 });
  await stage.start(fallback);
  await stage.untilEqual();
  for (const owner of owners) expect(stage.held(owner, key)).toEqual([DELETED, 'new']);
  expect(await stage.get(key, { r: 3 })).toEqual(['new']);
});

scenario(
  '05: of a delete that only a crashed primary has: its value returns to nobody who has seen the delete, newer writes survive',
  async (stage) => {
    const gone = stage.cast();
    const rewritten = stage.cast(({ owners }) => owners[0] === gone.owners[0]);
    const [a] = gone.owners;
    const contexts = [await stage.put(gone.key, 'old', { w: 3 }), await stage.put(rewritten.key, 'old', { w: 3 })];
    stage.isolate(a, 'c2');
    for (const [i, { key }] of [gone, rewritten].entries())
      await stage.delete(key, { at: a, w: 1, context: contexts[i]?.context, timeoutMs: 20_000 });
    stage.crash(a);
    stage.heal();
    await stage.put(rewritten.key, 'newer', { context: contexts[1]?.context, timeoutMs: 20_000 });
    await stage.start(a);
    await stage.pass(15_000);
    expect(await stage.get(gone.key, { r: 3 })).toEqual([]);
    expect(await stage.get(rewritten.key, { r: 3 })).toEqual(['newer']);
    for (const owner of gone.owners) expect(await stage.get(gone.key, { at: owner, r: 1 })).toEqual([]);
  },
);

scenario(
  '29: a tombstone is reaped only when no disk has what it deleted, and then nothing comes back, from old copies neither',
  { workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    const { key, owners } = stage.cast();
    const [, , c] = owners;
    const old = await stage.put(key, 'old', { w: 3 });
    stage.crash(c);
    await stage.delete(key, { context: old.context, timeoutMs: 20_000 });
    await stage.pass(120_000);
    expect(stage.held(owners[0], key)).toEqual([DELETED]);
    expect(stage.held(c, key)).toEqual(['old']);
    const copy = stage.imageOf(c);
    await stage.start(c);
    await stage.until('the tombstone is gone from all disks', () =>
      owners.every((owner) => stage.held(owner, key) === undefined),
    );
    stage.crash(c);
    await stage.start(c); // a fresh actor is on record now: the copy can be told from the store
    await stage.pass(70_000);
    stage.crash(c);
    stage.putBack(c, copy);
    await stage.start(c);
    await stage.untilEqual();
    expect(await stage.get(key, { r: 3 })).toEqual([]);
    await stage.put(key, 'again', { w: 3, context: old.context });
    await stage.untilEqual();
    expect(await stage.get(key, { r: 3 })).toEqual(['again']);
  },
);

scenario(
  '29: an old copy of a disk from before a reap is told by its count of clearings, though its node has run on without a break',
  { nodes: ['n1', 'n2', 'n3', 'n4', 'n5'], workers: ['a1'], cycleMs: 5_000 },
  async (stage) => {
    const [gone, overwritten] = stage.casts(2, ({ owners }) => owners[0] === 'n1');
    if (gone === undefined || overwritten === undefined) throw new Error('n1 owns less than two of the keys');
    for (const { key } of [gone, overwritten]) await stage.put(key, 'old', { w: 3 });
    await stage.pass(5_000);
    const [a, ...others] = gone.owners;
    const copy = stage.imageOf(a);
    await stage.delete(gone.key, { context: await stage.contextOf(gone.key) });
    await stage.put(overwritten.key, 'new', { context: await stage.contextOf(overwritten.key), w: 3 });
    await stage.until('the tombstone is gone from all disks', () =>
      gone.owners.every((owner) => stage.held(owner, gone.key) === undefined),
    );
    // Whoever answers knows: when the copy starts, only those are there who own neither the key nor its tombstone.
    stage.crash(a, ...others);
    stage.putBack(a, copy);
    await stage.start(a);
    await stage.pass(3_000);
    await stage.start(...others);
    await stage.untilEqual();
    expect(await stage.get(gone.key, { r: 3 })).toEqual([]);
    expect(await stage.get(overwritten.key, { r: 3 })).toEqual(['new']);
    const { view } = stage.cluster.running[0]!.participant.membership;
    expect(view.members.get(a)?.loss).toBeDefined();
  },
);

scenario('29: with PR + PW > N a reader never goes back, while owners are cut off and killed in turn', async (stage) => {
  const { key, owners } = stage.cast();
  for (let i = 1; i <= 60; i++) {
    const away = owners[i % 3] as NodeId;
    if (i % 10 === 1) stage.isolate(away);
    if (i % 10 === 6) {
      stage.heal();
      await stage.pass(5_000); // until it is known to be back
      stage.crash(away);
    }
    if (i % 10 === 0) {
      stage.heal();
      for (const owner of owners) if (stage.cluster.member(owner).node === undefined) await stage.start(owner);
      await stage.pass(5_000);
    }
    const context = await stage.contextOf(key, { pr: 2, timeoutMs: 8_000 });
    await stage.put(key, `${i}`, { context, pw: 2, timeoutMs: 8_000 });
    for (const r of [1, 2]) expect(await stage.get(key, { r, pr: 2, timeoutMs: 8_000 })).toEqual([`${i}`]);
  }
});

scenario(
  'a put that waited in a paused owner, while its client wrote it elsewhere and deleted it, is not carried out when the owner wakes',
  async (stage) => {
    const { key, owners } = stage.cast();
    const [a] = owners;
    await stage.put(key, 'before', { at: a });
    const before = await stage.contextOf(key);
    const operation = '00112233445566aa';
    stage.pause(a, 30_000);
    const given = stage.failureOf(stage.bucket(a).put(key, 'again', { context: before, operation, timeoutMs: 2_000 }));
    expect((await given).code).toBe('timeout');
    const { context } = await stage.put(key, 'again', { context: before, operation, timeoutMs: 20_000 });
    await stage.delete(key, { context });
    await stage.pass(60_000);
    await stage.untilEqual();
    for (const owner of owners) expect(stage.held(owner, key)).toEqual([DELETED]);
  },
);
