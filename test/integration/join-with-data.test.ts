import { afterAll, beforeAll, expect, test } from 'vitest';
import { json } from '@armature/client';
import type { NodeId } from '@armature/kernel';
import { sleep, systemClock } from '@armature/runtime';
import { expectReplicasEqual } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: [] });
});
afterAll(() => cluster.stop());

test('(12, 13) a node joins a cluster that holds data: it fills its partitions under writes, becomes ready, nothing is lost, and former owners keep nothing', async () => {
  const client = await cluster.connect({ routing: 'direct' });
  const bucket = client.bucket('default', { codec: json<number>() });
  const expected = new Map<string, number>();
  const put = async (i: number): Promise<void> => {
    await bucket.put(`key-${i}`, i);
    expected.set(`key-${i}`, i);
  };
  await Promise.all(Array.from({ length: 500 }, (_, i) => put(i)));

  await cluster.launch('node', 'n4');
  await cluster.untilAnswering('n4');
  await client.admin.join('n4');
  let i = 500;
  const deadlineMs = systemClock.monotonicMs() + 90_000;
  for (;;) {
    await Promise.all(Array.from({ length: 20 }, () => put(i++)));
    const members = await client.admin.members();
    const settled = members.every(({ status }) => status?.ready === true && status.pendingPartitions === 0);
    const agreed = new Set(members.map(({ status }) => status?.historyFingerprint)).size === 1;
    if (members.length === 4 && settled && agreed) break;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`n4 did not become ready: ${JSON.stringify(members)}`);
    await sleep(systemClock, 50);
  }
  await Promise.all(Array.from({ length: 100 }, () => put(i++)));

  const view = await client.admin.view();
  const owned = Array.from({ length: 64 }, (_, partition) => view.placementOf(partition as never, 3)).filter(({ owners }) =>
    (owners as readonly string[]).includes('n4'),
  );
  expect(owned.length).toBeGreaterThan(30);
  expect(owned.every(({ owners, pending }) => owners.length === 3 && pending.length === 0)).toBe(true);

  const { transfers } = (await client.admin.member('n4' as NodeId)).status!;
  const held = (await client.admin.holdings('n4' as NodeId)).shares.reduce((sum, { records }) => sum + records, 0);
  expect(transfers!.records).toBeLessThanOrEqual(held);
  const audit = await expectReplicasEqual(cluster, { strays: false });
  console.log(
    `n4 received ${transfers!.records} records, and holds ${held} of ${audit.keys}; ${audit.strays} at nodes that do not own them`,
  );

  const wrong: string[] = [];
  for (const [key, value] of expected) {
    const values = (await bucket.get(key))?.values ?? [];
    if (values.length !== 1 || values[0] !== value) wrong.push(`${key}: ${JSON.stringify(values)}`);
  }
  expect(wrong).toEqual([]);
  await client.close();
  console.log(`${expected.size} acknowledged writes before, during and after the join, 0 lost`);
});
