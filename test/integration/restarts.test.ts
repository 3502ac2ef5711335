import { afterAll, beforeAll, expect, test } from 'vitest';
import { utf8, type Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.start();
});
afterAll(() => cluster.stop());

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const client = await cluster.connect();
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

test('SIGTERM drains and exits with 0; after a restart the data, the buckets and the ring are there', async () => {
  await withClient(async (client) => {
    await client.admin.setBucket('kept', { n: 2, r: 1, w: 2 });
    for (let i = 0; i < 100; i++) await client.bucket('kept').put(`k${i}`, `v${i}`);
  });
  for (const name of ['r1', 'n1', 'n2', 'n3']) expect(await cluster.terminate(name), name).toBe('exit code 0');
  for (const name of ['n1', 'n2', 'n3', 'r1']) await cluster.launch(name === 'r1' ? 'router' : 'node', name);
  for (const name of ['n1', 'n2', 'n3', 'r1']) await cluster.untilReady(name);
  await withClient(async (client) => {
    for (let i = 0; i < 100; i++) expect((await client.bucket('kept').get(`k${i}`))?.values).toEqual([`v${i}`]);
    expect((await client.admin.buckets()).size).toBe(2);
  });
});

test('a clean stop keeps the actor, a kill takes a fresh one', async () => {
  const actorOf = (name: string): Promise<string | undefined> =>
    withClient(async (client) => (await client.admin.members()).find(({ node }) => (node as string) === name)?.status?.actor);
  const first = await actorOf('n1');
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  await cluster.terminate('n1');
  await cluster.restart('n1');
  expect(await actorOf('n1')).toBe(first);
  await cluster.kill('n1');
  await cluster.restart('n1');
  expect(await actorOf('n1')).not.toBe(first);
});

test('nats-server restarts: requests fail fast and typed meanwhile, and go on by themselves after it', async () => {
  await withClient(async (client) => {
    const bucket = client.bucket('default', { codec: utf8 });
    await bucket.put('before', 'x');
    await cluster.stopNats();
    const error = await bucket.get('before', { timeoutMs: 1500 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ArmatureError' });
    await cluster.startNats();
    await expect
      .poll(() => bucket.get('before', { timeoutMs: 1000 }).then((entry) => entry?.value, String), { timeout: 30_000 })
      .toBe('x');
    await bucket.put('after', 'y');
    expect((await bucket.get('after'))?.value).toBe('y');
  });
});

test('everything is killed at once: every write acknowledged with fsync is there after the restart', async () => {
  const acknowledged: number[] = [];
  await withClient(async (client) => {
    const bucket = client.bucket('default');
    let next = 0;
    const writers = Array.from({ length: 16 }, async () => {
      while (next < 400) {
        const i = next++;
        await bucket.put(`crash/${i}`, String(i), { timeoutMs: 1000 }).then(
          () => acknowledged.push(i),
          () => undefined,
        );
        if (i === 300) await Promise.all(['n1', 'n2', 'n3'].map((name) => cluster.kill(name)));
        if (i >= 300) break;
      }
    });
    await Promise.all(writers);
  });
  for (const name of ['n1', 'n2', 'n3']) await cluster.launch('node', name);
  for (const name of ['n1', 'n2', 'n3']) await cluster.untilReady(name);
  await withClient(async (client) => {
    const lost: number[] = [];
    for (const i of acknowledged)
      if (!(await client.bucket('default').get(`crash/${i}`))?.values.includes(String(i))) lost.push(i);
    expect(lost).toEqual([]);
  });
  expect(acknowledged.length).toBeGreaterThan(200);
  console.log(`${acknowledged.length} writes acknowledged before the kill, 0 lost`);
});
