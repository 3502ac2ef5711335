import { afterAll, beforeAll, expect, test } from 'vitest';
import { utf8, type Bucket, type Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';

const TEN_MINUTES_MS = 600_000;

let cluster: ProcessCluster;
let client: Client;
let sessions: Bucket<string>;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: [], settableClocks: true });
  client = await cluster.connect({ routing: 'direct' });
  await client.admin.setBucket('sessions', { resolver: 'last-write-wins' });
  sessions = client.bucket('sessions', { codec: utf8 });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

/** The wall clock of n1 is set; resolves when it says so. */
async function setClock(aheadMs: number): Promise<void> {
  cluster.setClock('n1', aheadMs);
  const offset = async (): Promise<number> => {
    const line = (await cluster.metrics('n1')).split('\n').find((one) => one.startsWith('armature_clock_offset_seconds{'));
    return Math.round(Number(line?.split(' ').at(-1)));
  };
  await expect.poll(offset, { timeout: 20_000 }).toBe(aheadMs / 1_000);
}

test('a clock ten minutes ahead, for a while: every write succeeds, none comes back, and the node is well when the clock is', async () => {
  const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
  const writeAll = (value: string): Promise<unknown> => Promise.all(keys.map((key) => sessions.put(key, value)));
  const readAll = async (): Promise<ReadonlySet<string | undefined>> =>
    new Set(await Promise.all(keys.map(async (key) => (await sessions.get(key, { r: 3 }))?.value)));
  await writeAll('before');
  await setClock(TEN_MINUTES_MS);
  await writeAll('during');
  expect(await readAll()).toEqual(new Set(['during']));
  const [n1] = (await client.admin.members()).filter(({ node }) => node === 'n1');
  expect(n1?.status).toMatchObject({ ready: false, notes: [expect.stringContaining('600 s ahead of the majority') as string] });
  await setClock(0);
  await cluster.untilReady('n1');
  await writeAll('after');
  expect(await readAll()).toEqual(new Set(['after']));
});
