import { expect, test } from 'vitest';
import { json, type Client } from '@armature/client';
import { World } from '../world/world.js';
import { SimulatedCluster } from './simulated-cluster.js';

async function clusterOf(
  nodes: readonly string[],
  seed = 1,
): Promise<{ world: World; cluster: SimulatedCluster; client: Client }> {
  const world = new World({ seed });
  const cluster = await world.until(SimulatedCluster.start(world, { nodes }));
  return { world, cluster, client: await world.until(cluster.connect('c1')) };
}

test('a partition that leaves a quorum leaves writes possible, and the minority catches up when it is over', async () => {
  const { world, cluster, client } = await clusterOf(['n1', 'n2', 'n3']);
  const bucket = client.bucket<number>('default', { codec: json() });
  cluster.network.partition(['n1'], ['n2', 'n3', 'c1']);
  for (let i = 0; i < 20; i++) await world.until(bucket.put(`key-${i}`, i));
  cluster.network.heal('n1', 'n2');
  cluster.network.heal('n1', 'n3');
  cluster.network.heal('n1', 'c1');
  await world.run(world.nowMs + 60_000);
  cluster.crashNode('n2' as never, 'process');
  cluster.crashNode('n3' as never, 'process');
  for (let i = 0; i < 20; i++) expect((await world.until(bucket.get(`key-${i}`, { r: 1 })))?.value).toBe(i);
});

test('a machine that loses its power keeps what was acknowledged as durable', async () => {
  const { world, cluster, client } = await clusterOf(['n1', 'n2', 'n3']);
  const bucket = client.bucket<number>('default', { codec: json() });
  await world.until(Promise.all(Array.from({ length: 50 }, (_, i) => bucket.put(`key-${i}`, i, { w: 3 }))));
  for (const name of ['n1', 'n2', 'n3']) cluster.crashNode(name as never, 'machine');
  for (const name of ['n1', 'n2', 'n3']) await world.until(cluster.startNode(name as never));
  await world.run(world.nowMs + 5_000);
  for (let i = 0; i < 50; i++) expect((await world.until(bucket.get(`key-${i}`, { r: 3 })))?.value).toBe(i);
});

test('a process that is paused does nothing until it wakes, and a day in a cluster at rest passes quickly', async () => {
  const { world, cluster } = await clusterOf(['n1', 'n2', 'n3']);
  const member = cluster.member('n1' as never);
  member.process?.pauseUntil(world.nowMs + 10_000);
  const before = member.node?.participant.link.stats.framesIn;
  await world.run(world.nowMs + 9_000);
  expect(member.node?.participant.link.stats.framesIn).toBe(before);
  await world.run(world.nowMs + 5_000);
  expect(member.node?.participant.link.stats.framesIn).toBeGreaterThan(before ?? 0);
});
