/** A node that stores in Redis, whose server goes back to an older state while the node runs. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '@armature/client';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { RedisProcess } from '@armature/tools/redis-process';

let redis: RedisProcess | undefined;
let cluster: ProcessCluster | undefined;
let client: Client | undefined;

beforeAll(async () => {
  redis = await RedisProcess.start();
  if (redis === undefined && process.env['CI']) throw new Error('no redis-server');
});

afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await redis?.dispose();
});

test('a Redis that comes back without its last writes: the node ends, is no owner until it has been filled again, and nothing is lost', async (context) => {
  const server = redis ?? context.skip('no redis-server');
  const running = (cluster = await ProcessCluster.start({
    partitionCount: 16,
    flagsOf: (node) => (node === 'n1' ? ['--storage', 'redis', '--redis-url', server.url, '--cache-mb', '1'] : []),
  }));
  const writer = (client = await running.connect({ routing: 'direct' }));
  const workload = startWorkload([writer], { name: 'Redis goes back' });
  await workload.untilAcknowledged(200);
  await server.keepCopy();
  await running.untilReady('n1');
  await workload.untilAcknowledged(300);

  await server.goBack();
  await expect.poll(() => running.isRunning('n1'), { timeout: 30_000 }).toBe(false);
  expect(logOf(running, 'n1')).toContain('Redis lacks writes that it has acknowledged');
  await workload.untilAcknowledged(100);

  // As a supervisor does: the lease of the process that ended may have to run out first.
  await expect
    .poll(
      async () => {
        if (!running.isRunning('n1')) await running.launch('node', 'n1');
        return isReady(running, 'n1');
      },
      { timeout: 60_000, interval: 1_000 },
    )
    .toBe(true);
  expect(logOf(running, 'n1')).toContain('this store is not the one that was here last');
  await workload.untilAcknowledged(100);
  await workload.stop();
  await expectReplicasEqual(running);
  await expectNoDotNamesTwoValues(running);
  await workload.verify(writer);
});

function logOf(of: ProcessCluster, name: string): string {
  return readFileSync(of.logFile(name), 'utf8');
}

async function isReady(of: ProcessCluster, name: string): Promise<boolean> {
  try {
    return (await fetch(`${of.httpUrl(name)}/readyz`)).ok;
  } catch {
    return false;
  }
}
