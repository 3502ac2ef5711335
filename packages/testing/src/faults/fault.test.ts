import { expect, test } from 'vitest';
import { seededRandom } from '@armature/kernel';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { drawSchedule, type FaultKind } from './fault.js';
import { Nemesis } from './nemesis.js';

const NODES = ['n1', 'n2', 'n3'];

function scheduleOf(kinds: readonly FaultKind[], lastMs: (kind: FaultKind) => number) {
  const processes = [...NODES, 'r1', 'c1'];
  return drawSchedule(seededRandom('faults'), {
    ...{ kinds, lastMs, processes, nodes: NODES },
    ...{ allKinds: true, durationMs: 600_000, everyMs: 1_000, newcomers: [] },
  });
}

test('each kind of fault lasts as long as it is to last on the average, at most twice as long', () => {
  const schedule = scheduleOf(['kill', 'link-cut'], (kind) => (kind === 'kill' ? 1_000 : 50_000));
  for (const [kind, meanMs] of [
    ['kill', 1_000],
    ['link-cut', 50_000],
  ] as const) {
    const times = schedule.filter((fault) => fault.kind === kind).map(({ lastMs }) => lastMs);
    expect(times.length).toBeGreaterThan(100);
    expect(Math.max(...times)).toBeLessThanOrEqual(2 * meanMs);
    const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    expect(Math.abs(mean - meanMs)).toBeLessThan(meanMs / 4);
  }
});

test('a cut link is one between two nodes; both hear everybody else, and after a while each other', async () => {
  for (const { whom } of scheduleOf(['link-cut'], () => 1_000)) {
    expect(whom).toHaveLength(2);
    for (const one of whom) expect(NODES).toContain(one);
  }
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, { nodes: NODES }));
  new Nemesis(cluster, [{ kind: 'link-cut', atMs: 0, lastMs: 1_000, whom: ['n1', 'n2'], degree: 0 }]).start();
  const hears = (from: number, to: number): boolean => cluster.network.passageOf(NODES[from]!, NODES[to]!, 1) !== 'lost';
  await world.run(world.nowMs + 500);
  expect([hears(0, 1), hears(1, 0), hears(0, 2), hears(2, 1)]).toEqual([false, false, true, true]);
  await world.run(world.nowMs + 1_000);
  expect([hears(0, 1), hears(1, 0)]).toEqual([true, true]);
});
