import type { LocalCluster } from '@armature/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localRunner, type Run } from './cli.test-support.js';

let cluster: LocalCluster;
let run: Run;

beforeAll(async () => {
  ({ cluster, run } = await localRunner({ partitionCount: 8, reapQuarantineMs: 1 }));
  await run(['bucket', 'create', 'pairs', '--n', '2', '--r', '1', '--w', '2']);
  const bucket = cluster.client.bucket('default');
  for (let i = 0; i < 20; i++) await bucket.put(`k${i}`, 'v', { w: 3 });
  for (let i = 0; i < 12; i++) {
    const { context } = (await bucket.get(`k${i}`))!;
    await bucket.delete(`k${i}`, { context, w: 3 });
  }
});
afterAll(async () => {
  await cluster.client.close();
  await cluster.router.stop();
  for (const node of cluster.nodes.slice(0, 2)) await node.stop(); // the last test stops the third
});

test('reap: the first run finds all tombstones, later ones drop them, and the keys that are left stay', async () => {
  const first = await run(['reap', '--json']);
  expect(first.json()).toMatchObject({ shares: 16, scanned: 12, candidates: 12, reaped: 0, blocked: 0 });
  expect(first.code).toBe(0);
  let reaped = 0;
  await expect
    .poll(async () => (reaped += ((await run(['reap', '--json'])).json() as { reaped: number }).reaped), { timeout: 20_000 })
    .toBe(12);
  const words = await run(['reap']);
  expect(words.out).toContain('0 keys looked at');
  expect(words.out).toContain('0 tombstones');
  expect(words.err).toBe('');
  for (let i = 0; i < 20; i++)
    expect((await cluster.client.bucket('default').get(`k${i}`))?.value).toBe(i < 12 ? undefined : 'v');
});

test('reap --bucket and --partition look at no more than that', async () => {
  expect((await run(['reap', '--bucket', 'pairs', '--json'])).json()).toMatchObject({ shares: 8, candidates: 0 });
  expect((await run(['reap', '--partition', '3', '--json'])).json()).toMatchObject({ shares: 2 });
  expect(await run(['reap', '--bucket', 'nope'])).toMatchObject({ code: 4 });
  expect((await run(['reap', '--partition', '8'])).err).toContain('the ring has 8');
});

test('interrupted: nothing more is started, and the code says so', async () => {
  const ran = await run(['reap', '--json'], { interrupt: AbortSignal.abort() });
  expect(ran.code).toBe(130);
  expect(ran.json()).toMatchObject({ shares: 0, interrupted: true });
});

test('a node that is down blocks it, is named, and the code asks to repeat', async () => {
  await cluster.client.bucket('default').delete('k19', { context: (await cluster.client.bucket('default').get('k19'))!.context });
  await cluster.nodes[2]?.stop();
  const ran = await run(['reap']);
  expect(ran.code).toBe(3);
  expect(ran.out).toContain('could not be gone through');
  expect(ran.out).toContain('n3');
});
