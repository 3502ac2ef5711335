import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, type Bucket, type Client } from '@armature/client';
import { expectNoDotNamesTwoValues, expectReplicasEqual } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;
let client: Client;
let bucket: Bucket<number>;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: ['n1', 'n2', 'n3', 'n4'], routers: [] });
  client = await cluster.connect({ routing: 'direct' });
  bucket = client.bucket('default', { codec: json<number>() });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

async function metric(node: string, name: string): Promise<number> {
  const line = (await cluster.metrics(node)).split('\n').find((one) => one.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1));
}

async function totalOf(name: string): Promise<number> {
  let total = 0;
  for (const node of ['n1', 'n2', 'n3', 'n4']) total += await metric(node, name);
  return total;
}

test('(14) W = 3 with a node killed: fallbacks keep hints, which survive their own kill -9, and go home when the node is back', async () => {
  const KEYS = 300;
  await cluster.kill('n2');
  for (let i = 0; i < KEYS; i++) await bucket.put(`key-${i}`, i, { w: 3 });
  expect(await metric('n4', 'armature_hints_bytes')).toBeGreaterThan(0);

  await cluster.kill('n4');
  await cluster.restart('n4');
  expect(await metric('n4', 'armature_hints_bytes')).toBeGreaterThan(0);

  await cluster.restart('n2');
  await expect.poll(() => totalOf('armature_hints_bytes'), { timeout: 60_000, interval: 250 }).toBe(0);

  // Of the owners of each key only n2 or n4 are left: n2 must have been given everything it missed.
  await cluster.kill('n1');
  await cluster.kill('n3');
  const missing: string[] = [];
  for (let i = 0; i < KEYS; i++) {
    const values = (await bucket.get(`key-${i}`, { r: 1 }))?.values ?? [];
    if (values.length !== 1 || values[0] !== i) missing.push(`key-${i}: ${JSON.stringify(values)}`);
  }
  expect(missing).toEqual([]);
  await cluster.restart('n1');
  await cluster.restart('n3');
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster);
  console.log(`${KEYS} writes acknowledged by 3 replicas with a node down, 0 lost`);
});

test('half of the nodes are down: every key can still be written and read, and nothing is lost when they are back', async () => {
  await cluster.kill('n1');
  await cluster.kill('n3');
  const acknowledged: number[] = [];
  for (let i = 0; i < 100; i++) {
    await bucket.put(`half-${i}`, i, { timeoutMs: 8000 });
    acknowledged.push(i);
  }
  for (const i of acknowledged) expect((await bucket.get(`half-${i}`))?.value).toBe(i);
  await cluster.restart('n1');
  await cluster.restart('n3');
  await expect.poll(() => totalOf('armature_hints_bytes'), { timeout: 60_000, interval: 250 }).toBe(0);
  for (const i of acknowledged) expect((await bucket.get(`half-${i}`, { r: 3 }))?.values).toEqual([i]);
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster);
  console.log(`${acknowledged.length} writes acknowledged with half of the nodes down, 0 lost`);
});
