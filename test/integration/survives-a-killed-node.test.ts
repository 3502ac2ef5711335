import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, type Bucket, type Client } from '@armature/client';
import { expectNoDotNamesTwoValues, expectReplicasEqual } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;
let client: Client;
let bucket: Bucket<number>;

beforeAll(async () => {
  cluster = await ProcessCluster.start();
  client = await cluster.connect({ routing: 'direct' });
  bucket = client.bucket('default', { codec: json<number>() });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

const KEYS = 300;
const keyOf = (i: number): string => `key-${i}`;

/** All keys with the values expected; what is missing or wrong is in the message. */
async function expectAll(reader: Bucket<number>, expected: ReadonlyMap<string, number>): Promise<void> {
  const wrong: string[] = [];
  await Promise.all(
    [...expected].map(async ([key, value]) => {
      const values = (await reader.get(key))?.values ?? [];
      if (values.length !== 1 || values[0] !== value) wrong.push(`${key}: ${JSON.stringify(values)} instead of ${value}`);
    }),
  );
  expect(wrong).toEqual([]);
}

test('R = W = 2: reads and writes go on when a node is killed, every acknowledged write is there, and the node comes back', async () => {
  const expected = new Map<string, number>();
  await Promise.all(
    Array.from({ length: KEYS }, async (_, i) => {
      await bucket.put(keyOf(i), i);
      expected.set(keyOf(i), i);
    }),
  );

  await cluster.kill('n2');
  await expectAll(bucket, expected);
  await Promise.all(
    Array.from({ length: KEYS }, async (_, i) => {
      await bucket.update(keyOf(i), (current) => (current ?? 0) + 1000);
      expected.set(keyOf(i), i + 1000);
    }),
  );
  await expectAll(bucket, expected);

  await cluster.restart('n2');
  await expectAll(bucket, expected);

  // What n2 missed comes to it by hints and read repair: then any two of the three, and n2 with either, have everything.
  const readAll = (): Promise<unknown> => Promise.all([...expected.keys()].map((key) => bucket.get(key, { r: 'all' })));
  await expectReplicasEqual(cluster, { nudge: readAll });
  await expectNoDotNamesTwoValues(cluster);
  await cluster.kill('n1');
  await expectAll(bucket, expected);
  await cluster.restart('n1');
  console.log(`${expected.size} keys, ${KEYS * 2} acknowledged writes, 0 lost`);
});

test('a write with W = 3 and one node down is partial: the error names who has it and who has not', async () => {
  await cluster.kill('n3');
  const error = await bucket.put('partial', 1, { w: 3, timeoutMs: 4000 }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'partial-write' });
  expect(String(error)).toMatch(/written to 2 replica\(s\), W=3 asked for \(n3: unreachable\)/);
  expect((await bucket.get('partial'))?.value).toBe(1);
  await cluster.restart('n3');
});

test('two nodes down: reads and writes of two replicas fail with a typed error, and R = W = 1 still works', async () => {
  await cluster.kill('n1');
  await cluster.kill('n3');
  await expect(bucket.get('key-0', { timeoutMs: 2000 })).rejects.toMatchObject({ code: 'unavailable' });
  await expect(bucket.put('lonely', 1, { timeoutMs: 2000 })).rejects.toMatchObject({ code: 'partial-write' });
  await bucket.put('lonely-1', 7, { w: 1 });
  expect((await bucket.get('lonely-1', { r: 1 }))?.value).toBe(7);
  await cluster.restart('n1');
  await cluster.restart('n3');
  expect((await bucket.get('lonely-1'))?.value).toBe(7);
});

test('a node that is stopped in its tracks (SIGSTOP) costs one deadline, not every request', async () => {
  cluster.pause('n1');
  const startedMs = performance.now();
  for (let i = 0; i < 60; i++) await bucket.put(`paused-${i}`, i);
  for (let i = 0; i < 60; i++) expect((await bucket.get(`paused-${i}`))?.value).toBe(i);
  const elapsedMs = performance.now() - startedMs;
  cluster.resume('n1');
  await cluster.untilReady('n1');
  expect(elapsedMs).toBeLessThan(20_000);
});
