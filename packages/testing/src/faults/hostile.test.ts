import { DEFAULT_BUCKET_PROPERTIES } from '@armature/protocol';
import type { BucketName, NodeId } from '@armature/kernel';
import { expect, test } from 'vitest';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { Hostile } from './hostile.js';

async function bench(): Promise<{ world: World; cluster: SimulatedCluster; hostile: Hostile }> {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, { routers: ['r1'] }));
  const hostile = new Hostile(cluster);
  hostile.start();
  return { world, cluster, hostile };
}

test('a cluster in which all keep to the secret gives it nothing, however much it says', async () => {
  const { world, hostile } = await bench();
  await world.run(world.nowMs + 10_000);
  hostile.stop();
  expect(hostile.count).toBeGreaterThan(500);
  expect(hostile.judge(new Map())).toEqual([]);
});

test('what it asked for is known again where it is found', async () => {
  const { world, cluster, hostile } = await bench();
  const change = { kind: 'bucket', bucket: 'mallory' as BucketName, properties: DEFAULT_BUCKET_PROPERTIES } as const;
  await world.until(cluster.propose('n1' as NodeId, change));
  await world.run(world.nowMs + 5_000);
  hostile.stop();
  expect(hostile.judge(new Map()).join()).toContain('has taken in what it says of the membership');
});
