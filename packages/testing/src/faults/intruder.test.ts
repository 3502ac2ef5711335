import type { BucketName, NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, type CommandRecord } from '@armature/protocol';
import { expect, test } from 'vitest';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { Intruder } from './intruder.js';

async function bench(): Promise<{ world: World; cluster: SimulatedCluster; intruder: Intruder; kept: readonly CommandRecord[] }> {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, { routers: ['r1'], workers: ['a1'] }));
  const intruder = await world.until(Intruder.enter(cluster, ['a1']));
  intruder.start();
  await world.run(world.nowMs + 20_000);
  intruder.stop();
  await world.run(world.nowMs + 2_000);
  const auditor = await world.until(cluster.connect('auditor'));
  return { world, cluster, intruder, kept: (await world.until(auditor.admin.commands())).commands };
}

test('he may look, which is on record where it costs something, and gets nothing else done, however often he tries', async () => {
  const { intruder, kept } = await bench();
  expect(intruder.tried).toBeGreaterThan(300);
  expect(intruder.judge(kept)).toEqual([]);
  const told = (outcome: string): string[] => [
    ...new Set(kept.filter((one) => one.author === 'trudy' && one.outcome === outcome).map(({ command }) => command)),
  ];
  expect(told('done')).toEqual(['holdings']);
  expect(told('forbidden').sort()).toEqual(['bucket trudy', 'pause the worker', 'reap', 'repair']);
  expect(told('unauthenticated').length).toBeGreaterThan(3);
  expect(kept.some(({ author }) => author === 'olga')).toBe(true);
});

test('what he asked for is known again where it is found', async () => {
  const { world, cluster, intruder, kept } = await bench();
  const change = { kind: 'bucket', bucket: 'trudy' as BucketName, properties: DEFAULT_BUCKET_PROPERTIES } as const;
  await world.until(cluster.propose('n1' as NodeId, change));
  expect(intruder.judge(kept).join()).toContain('n1 has taken in his proposal');
  const given = kept.find(({ at }) => at === 'node.n1');
  const record = { ...(given as CommandRecord), command: 'reap', outcome: 'done' } as const;
  expect(intruder.judge([{ ...record, author: 'trudy' }]).join()).toContain('reap is on record as done for him');
  expect(intruder.judge([{ ...record, author: 'olga', count: 1_000 }]).join()).toContain('1000 commands of the operator');
});
