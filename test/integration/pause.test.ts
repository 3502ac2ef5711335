import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, type Bucket, type Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;
let client: Client;
let bucket: Bucket<number>;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: [] });
  client = await cluster.connect({ routing: 'direct' });
  bucket = client.bucket('default', { codec: json<number>(), timeoutMs: 2_000 });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

const PAUSE_MS = 3_000;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sum of a series' values on a node's page. */
async function metric(node: string, name: string): Promise<number> {
  const lines = (await cluster.metrics(node)).split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('SIGSTOP for 3 s under load: the node takes no peer for failed when it wakes, not even for a moment', async () => {
  let running = true;
  let written = 0;
  const worker = async (): Promise<void> => {
    while (running) {
      await bucket.put(`key-${written % 500}`, written).then(
        () => written++,
        () => wait(10), // one node is silent: some requests fail until it is known
      );
    }
  };
  const workers = Array.from({ length: 32 }, worker);
  await expect.poll(() => written, { timeout: 60_000 }).toBeGreaterThan(500);
  const suspectedBefore = await metric('n1', 'armature_peers_suspected_total');
  const pausedBefore = await metric('n2', 'armature_process_pause_seconds_sum');
  const before = written;

  cluster.pause('n1');
  await wait(PAUSE_MS);
  cluster.resume('n1');
  await cluster.untilAnswering('n1');
  await wait(500);

  // Requests that n1 had under way when it was stopped ran out of time meanwhile: that is its own doing.
  expect(await metric('n1', 'armature_peers_suspected_total')).toBe(suspectedBefore);
  const suspects = async (): Promise<readonly string[] | undefined> => {
    const members = await client.admin.members();
    return members.find(({ node }) => node === 'n1')?.status?.suspects;
  };
  expect(await suspects()).toEqual([]);
  expect(await metric('n1', 'armature_process_pause_seconds_sum')).toBeGreaterThan(PAUSE_MS / 1000 - 0.5);
  expect((await metric('n2', 'armature_process_pause_seconds_sum')) - pausedBefore).toBeLessThan(PAUSE_MS / 1000);

  await wait(1_000);
  running = false;
  await Promise.all(workers);
  expect(await suspects()).toEqual([]);
  expect(written).toBeGreaterThan(before);
  console.log(`${written} writes, ${before} of them before the pause; n1 suspects nobody`);
});
