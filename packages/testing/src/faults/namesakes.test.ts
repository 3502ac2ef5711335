import { expect, test } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import type { Fault } from './fault.js';
import { Nemesis } from './nemesis.js';

const N1 = 'n1' as NodeId;

/** `degree`: whether the first is cut off, and whether the second has a copy of its disk. */
async function withNamesake(degree: number) {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, {}));
  await world.run(world.nowMs + 5_000);
  const first = cluster.member(N1).process;
  const fault: Fault = { kind: 'namesake', atMs: 0, lastMs: 5_000, whom: [N1], degree };
  new Nemesis(cluster, [fault]).start();
  let started = false;
  const run = async (ms: number): Promise<void> => {
    for (const untilMs = world.nowMs + ms; world.nowMs < untilMs;) {
      await world.run(world.nowMs + 500);
      started ||= cluster.member(N1).namesake?.endBypass !== undefined;
    }
  };
  return { world, cluster, first, run, hasStarted: () => started };
}

test.each([0, 0.6])('a second process of a name that can hear the first does not start (degree %d)', async (degree) => {
  const { world, cluster, first, run, hasStarted } = await withNamesake(degree);
  await run(8_000);
  expect(hasStarted()).toBe(false);
  expect([cluster.member(N1).namesake, cluster.member(N1).process, world.problems]).toEqual([undefined, first, []]);
  expect(cluster.member(N1).disk.mishaps).toEqual([]);
});

test.each([0.3, 0.8])(
  'one that starts while the first is cut off ends when they meet, and all are well (degree %d)',
  async (degree) => {
    const { world, cluster, run, hasStarted } = await withNamesake(degree);
    await run(40_000);
    expect(hasStarted()).toBe(true);
    expect([cluster.member(N1).namesake, world.problems]).toEqual([undefined, []]);
    expect(cluster.running.map(({ notes }) => notes)).toEqual([[], [], []]);
    expect(cluster.member(N1).disk.mishaps.map(({ kind }) => kind)).toContain('replaced');
  },
);
