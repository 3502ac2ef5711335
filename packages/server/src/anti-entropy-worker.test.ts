import type { LinkAddress } from '@armature/bus';
import { connectOver } from '@armature/client';
import { utf8Encode } from '@armature/kernel';
import { DEFAULT_BUCKET, type ReadReply } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { memoryTelemetry, noTelemetry, recordingLog, silentLog, sleep, systemClock, systemRandom } from '@armature/runtime';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';
import { MemoryDisk, spaceBounds } from '@armature/storage';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AntiEntropyWorker } from './anti-entropy-worker.js';

let cluster: LocalCluster;
let disks: Map<string, MemoryDisk>;
const workers: AntiEntropyWorker[] = [];

beforeEach(async () => {
  disks = new Map();
  cluster = await startLocalCluster({
    partitionCount: 8,
    openEngine(node) {
      const disk = new MemoryDisk();
      disks.set(node, disk);
      return disk.open();
    },
  });
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
  await cluster.stop();
});

async function startWorker(
  name: string,
  cycleMs: number,
): Promise<{ worker: AntiEntropyWorker; telemetry: ReturnType<typeof memoryTelemetry> }> {
  const telemetry = memoryTelemetry();
  const { prefix, secrets, cluster: clusterName } = cluster.options;
  const worker = await AntiEntropyWorker.start(
    { name, prefix, secrets, cluster: clusterName, seeds: [], gossipIntervalMs: 100, cycleMs },
    { bus: cluster.broker.connect(), clock: systemClock, random: systemRandom(), log: recordingLog().log, telemetry },
  );
  workers.push(worker);
  return { worker, telemetry };
}

const recordsOf = (node: string): number => {
  const { start, end } = spaceBounds('data', '', undefined);
  return disks.get(node)!.page({ start, end, limit: 100_000 }).entries.length;
};

test('sweep after sweep: what only one node has is on all three before long, and later sweeps find nothing', async () => {
  for (let i = 0; i < 60; i++) await cluster.client.bucket('default').put(`k${i}`, 'v', { w: 3 });
  const { link, membership } = cluster.router.participant;
  const ring = membership.view.ringVersion;
  const [n1, n2] = ['node.n1', 'node.n2'] as LinkAddress[];
  const addressOfKey = (key: string): Address => addressOf(DEFAULT_BUCKET, utf8Encode(key));
  const some = (await link.request(n2!, { kind: 'read', ring, address: addressOfKey('k0') }, 1_000)) as ReadReply;
  await link.request(n1!, { kind: 'merge', ring, address: addressOfKey('only'), set: some.set!, durability: 'os' }, 1_000);
  expect(['n1', 'n2', 'n3'].map(recordsOf)).toEqual([61, 60, 60]);
  const { worker, telemetry } = await startWorker('a1', 1_000);
  await expect.poll(() => worker.status().sweeps, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
  expect(worker.notes).toEqual([]);
  expect(['n1', 'n2', 'n3'].map(recordsOf)).toEqual([61, 61, 61]);
  await expect.poll(() => worker.status().sweeps, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  expect(worker.status()).toMatchObject({ name: 'a1', failed: 0, skipped: 0, differing: 2 });
  expect(telemetry.value('armature_worker_exchanges_total{outcome="equal"}')).toBeGreaterThanOrEqual(46);
});

test('pause and resume reach every worker, and a paused one starts nothing', async () => {
  const ports = {
    bus: cluster.broker.connect(),
    clock: systemClock,
    random: systemRandom(),
    log: silentLog,
    telemetry: noTelemetry,
  };
  const client = await connectOver(ports, { cluster: 'local', routing: 'router', secret: cluster.options.secrets });
  const { worker } = await startWorker('a1', 1_000);
  await startWorker('a2', 1_000);
  await expect.poll(() => worker.status().exchanges, { timeout: 20_000 }).toBeGreaterThan(0);
  const paused = await client.admin.workers('pause');
  expect(paused.map(({ name, state }) => [name, state])).toEqual([
    ['a1', 'paused'],
    ['a2', 'paused'],
  ]);
  await sleep(systemClock, 200); // for exchanges that were under way
  const { exchanges } = worker.status();
  await sleep(systemClock, 500);
  expect(worker.status().exchanges).toBe(exchanges);
  expect((await client.admin.workers('resume')).map(({ state }) => state)).not.toContain('paused');
  await expect.poll(() => worker.status().exchanges, { timeout: 20_000 }).toBeGreaterThan(exchanges);
  await client.close();
});

test('stopping ends at once, in the middle of a sweep of an hour', async () => {
  const { worker } = await startWorker('a1', 3_600_000);
  await expect.poll(() => worker.status().state, { timeout: 5_000 }).toBe('sweeping');
  const startedMs = systemClock.monotonicMs();
  await worker.stop();
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(2_000);
});
