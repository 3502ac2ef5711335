/**
 * Scenarios of wrong clocks: whoever knows that its clock is wrong stamps nothing, what was stamped nevertheless goes everywhere
 * and wins over nothing that was written by somebody who had read it, and no other key is stamped by it.
 */
import { expect } from 'vitest';
import { hlcFromMs, type NodeId } from '@armature/kernel';
import { BEGINNING_MS } from '@armature/testing';
import { latestTimestamp } from '@armature/versioning';
import { scenario, type Stage } from './stage.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const LWW = 'sessions';
/** All of them own every key. */
const THREE = { nodes: ['n1', 'n2', 'n3'] };

/** How far ahead of the true time the latest version of a key is stamped, on a node's disk, ms. */
function stampedAheadMs(stage: Stage, node: NodeId, key: string): number {
  const set = stage.setOn(node, key, LWW);
  expect(set).toBeDefined();
  return set === undefined ? NaN : (latestTimestamp(set) - hlcFromMs(BEGINNING_MS + stage.world.nowMs)) / 1_024;
}

const noteOf = (stage: Stage, node: NodeId): string =>
  stage.cluster.running.find(({ options }) => options.node === node)?.notes.join('; ') ?? 'down';

for (const [what, aheadMs] of [
  ['an hour ahead', HOUR_MS],
  ['twenty years ahead', 20 * YEAR_MS],
  ['an hour behind', -HOUR_MS],
  ['twenty years behind', -20 * YEAR_MS],
] as const) {
  scenario(
    `10: a clock that is ${what}: all writes given to its node succeed through others, and it is well when the clock is`,
    THREE,
    async (stage) => {
      await stage.makeBucket(LWW, { resolver: 'last-write-wins' });
      const casts = stage.casts(5);
      const n1 = 'n1' as NodeId;
      for (const { key } of casts) await stage.put(key, 'before', { bucket: LWW, w: 3 });
      stage.cluster.setClock(n1, aheadMs);
      for (const { key } of casts) {
        const { receipt } = await stage.put(key, 'during', { bucket: LWW, at: n1, w: 3 });
        expect(receipt.coordinator).not.toBe(n1);
        expect(
          receipt.replicas.map(({ node }) => node),
          'it is a replica as ever',
        ).toContain(n1);
        expect(await stage.get(key, { bucket: LWW, r: 3 })).toEqual(['during']);
        expect(stampedAheadMs(stage, n1, key)).toBeLessThan(1_000);
      }
      await stage.pass(2_000);
      expect(noteOf(stage, n1)).toContain('the clock of this machine is');
      stage.cluster.setClock(n1, 0);
      const fresh = casts[0]?.key ?? '';
      const { receipt } = await stage.put(fresh, 'after', { bucket: LWW, at: n1 });
      expect([receipt.coordinator, noteOf(stage, n1)]).toEqual([n1, '']);
      await stage.untilEqual();
      expect(await stage.get(fresh, { bucket: LWW, r: 3 })).toEqual(['after']);
      for (const { key } of casts.slice(1)) expect(await stage.get(key, { bucket: LWW, r: 3 })).toEqual(['during']);
    },
  );
}

scenario(
  '10: what was stamped a year ahead, when nobody could know, is overwritten by whoever has read it, and sets no other key ahead',
  THREE,
  async (stage) => {
    await stage.makeBucket(LWW, { resolver: 'last-write-wins' });
    const [one, blind, other] = stage.casts(3) as [
      ReturnType<Stage['cast']>,
      ReturnType<Stage['cast']>,
      ReturnType<Stage['cast']>,
    ];
    const all = THREE.nodes as NodeId[];
    for (const node of all) stage.cluster.setClock(node, YEAR_MS);
    await stage.pass(3_000);
    for (const { key } of [one, blind]) await stage.put(key, 'from the future', { bucket: LWW, w: 3 });
    for (const node of all) stage.cluster.setClock(node, 0);
    await stage.pass(3_000);
    const context = await stage.contextOf(one.key, { bucket: LWW });
    await stage.put(one.key, 'read and replaced', { bucket: LWW, context });
    await stage.put(blind.key, 'replaced blindly', { bucket: LWW });
    await stage.put(other.key, 'of now', { bucket: LWW, w: 3 });
    await stage.untilEqual();
    expect(await stage.get(one.key, { bucket: LWW, r: 3 })).toEqual(['read and replaced']);
    expect(await stage.get(blind.key, { bucket: LWW, r: 3 })).toEqual(['replaced blindly']);
    for (const node of all) expect(stampedAheadMs(stage, node, other.key)).toBeLessThan(1_000);
  },
);

scenario(
  '25: a node with a clock centuries ahead takes commands and makes them, and nobody refuses what follows',
  async (stage) => {
    stage.cluster.setClock('n1', 250 * YEAR_MS);
    await stage.pass(2_000);
    await stage.of(stage.cluster.propose('n1' as NodeId, { kind: 'weight', node: 'n2' as NodeId, weight: 2 }));
    stage.cluster.setClock('n1', 0);
    await stage.join('n5');
    await stage.pass(2_000);
    const views = stage.cluster.running.map(({ participant }) => participant.membership.view);
    expect(new Set(views.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(views.every(({ members }) => members.get('n2' as NodeId)?.weight === 2 && members.has('n5' as NodeId))).toBe(true);
  },
);
