import type { LocalCluster } from '@armature/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localRunner, type Run } from './cli.test-support.js';

let cluster: LocalCluster;
let run: Run;

beforeAll(async () => {
  ({ cluster, run } = await localRunner({ partitionCount: 8 }));
  await run(['bucket', 'create', 'pairs', '--n', '2', '--r', '1', '--w', '2']);
  for (let i = 0; i < 20; i++) await cluster.client.bucket('default').put(`k${i}`, 'v', { w: 3 });
});
afterAll(async () => {
  await cluster.client.close();
  await cluster.router.stop();
  for (const node of cluster.nodes.slice(0, 2)) await node.stop(); // the last test stops the third
});

test('repair: every pair of every partition and N is compared, and equal replicas are said to be', async () => {
  const ran = await run(['repair', '--json']);
  // 8 partitions: three pairs of three replicas, one pair of two.
  expect(ran.json()).toMatchObject({ exchanges: 32, equal: 32, differing: 0, failed: 0, skipped: 0, partitions: 16 });
  expect(ran.code).toBe(0);
  const words = await run(['repair']);
  expect(words.out).toContain('No differences.');
  expect(words.err).toBe('');
});

test('repair --bucket and --partition compare no more than that', async () => {
  expect((await run(['repair', '--bucket', 'pairs', '--json'])).json()).toMatchObject({ exchanges: 8 });
  expect((await run(['repair', '--partition', '3', '--bucket', 'default', '--json'])).json()).toMatchObject({ exchanges: 3 });
});

test('repair on a terminal shows a bar', async () => {
  const ran = await run(['repair', '--partition', '1'], { terminal: true });
  expect(ran.err).toContain('repair');
  expect(ran.err).toMatch(/█|░/);
});

test('a bucket or partition that is none is refused with the way out', async () => {
  expect(await run(['repair', '--bucket', 'nope'])).toMatchObject({ code: 4 });
  const ran = await run(['repair', '--partition', '8']);
  expect(ran.code).toBe(2);
  expect(ran.err).toContain('the ring has 8');
});

test('interrupted: nothing more is started, and the code says so', async () => {
  const ran = await run(['repair', '--json'], { interrupt: AbortSignal.abort() });
  expect(ran.code).toBe(130);
  expect(ran.json()).toMatchObject({ exchanges: 0, interrupted: true });
});

test('repair status, pause, resume where no worker runs: said, with a code', async () => {
  const ran = await run(['repair', 'status']);
  expect(ran.code).toBe(3);
  expect(ran.err).toContain('no anti-entropy worker answers');
  expect((await run(['repair', 'pause', '--json'])).json()).toEqual([]);
});

test('a node that is down is skipped and named; the code asks to repeat', async () => {
  await cluster.nodes[2]?.stop();
  const ran = await run(['repair']);
  expect(ran.code).toBe(3);
  expect(ran.out).toContain('n3 did not answer');
});
