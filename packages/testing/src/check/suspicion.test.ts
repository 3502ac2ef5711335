import { beforeEach, expect, test } from 'vitest';
import type { NodeId } from '@armature/kernel';
import type { Transition } from '@armature/membership';
import { spaceKey } from '@armature/storage';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { Conditions } from '../faults/conditions.js';
import { World } from '../world/world.js';
import { Suspicion } from './suspicion.js';

const [N1, N2] = ['n1', 'n2'] as NodeId[] as [NodeId, NodeId];
const OF_N2: Transition = { node: N2, to: 'suspect', reason: 'timeout' };
const LONG_MS = 20_000;

let world: World;
let cluster: SimulatedCluster;
let conditions: Conditions;
let suspicion: Suspicion;
const pass = (ms: number): Promise<void> => world.run(world.nowMs + ms);

beforeEach(async () => {
  world = new World({ seed: 1 });
  cluster = await world.until(SimulatedCluster.start(world, { nodes: ['n1', 'n2', 'n3'], routers: ['r1'] }));
  conditions = new Conditions(cluster, { routed: [], roomForHints: true });
  conditions.start();
  suspicion = new Suspicion(cluster, conditions);
  await pass(LONG_MS);
});

test('a peer that has long been well and in reach is suspected, by one that stood still or by a router: told, with who it was', async () => {
  cluster.member(N1).process?.pauseUntil(world.nowMs + 3_000);
  await pass(3_000);
  suspicion.noted('n1', OF_N2);
  suspicion.noted('r1', { node: N2, to: 'healthy', reason: undefined });
  expect(suspicion.violations).toEqual([expect.stringMatching(/^false suspicion: at .* n1, awake since .* takes n2 for failed/)]);
  suspicion.noted('r1', OF_N2);
  expect(suspicion.violations).toHaveLength(2);
});

test('one that was itself asleep, down, sick or about to end a while ago may be suspected', async () => {
  cluster.member(N2).process?.pauseUntil(world.nowMs + 3_000);
  await pass(4_000);
  suspicion.noted('n1', OF_N2);
  await pass(LONG_MS);
  cluster.member(N2).disk.faults.slowness = 100;
  await pass(1_000);
  suspicion.noted('n1', OF_N2);
  cluster.member(N2).disk.faults.slowness = 1;
  await pass(LONG_MS);
  await world.until(Promise.race([cluster.stopNode(N2), world.sleep(1)]));
  suspicion.noted('n1', OF_N2);
  await pass(1_000);
  suspicion.noted('n1', OF_N2);
  expect(suspicion.violations).toEqual([]);
});

test('so may one behind a link that was cut, slow or lossy a while ago, by those whose link it is', async () => {
  const befalls = async (kind: 'one-way' | 'loss', whom: readonly string[]): Promise<void> => {
    conditions.begins({ kind, atMs: 0, lastMs: 1_000, whom, degree: 1 }, 1_000);
    await pass(5_000);
  };
  await befalls('one-way', ['n1', 'n2']);
  suspicion.noted('n1', OF_N2);
  expect(suspicion.violations).toEqual([]);
  suspicion.noted('n3', OF_N2);
  expect(suspicion.violations).toHaveLength(1);
  await befalls('loss', []);
  suspicion.noted('n3', OF_N2);
  expect(suspicion.violations).toHaveLength(1);
});

test('a new hint for an owner that is well and in reach of everybody is told, once; one that a crash brought back is not new', async () => {
  const hint = spaceKey('hints', 'n2/default/k');
  const there = { at: () => new Uint8Array(1) };
  const gone = { at: () => undefined };
  suspicion.replaced(N1, new Map([[hint, new Uint8Array(1)]]));
  suspicion.changed(N1, [hint], there);
  expect(suspicion.violations).toEqual([]);
  suspicion.changed(N1, [hint], gone);
  suspicion.changed(N1, [hint], there);
  suspicion.changed(N1, [hint], there);
  expect(suspicion.violations).toEqual([expect.stringMatching(/^needless hint: at .* n1 keeps a hint for n2/)]);
  suspicion.changed(N1, [hint], gone);
  conditions.begins({ kind: 'link-cut', atMs: 0, lastMs: 1_000, whom: ['n3', 'n2'], degree: 1 }, 1_000);
  suspicion.changed(N1, [hint], there);
  expect(suspicion.violations).toHaveLength(1);
});
