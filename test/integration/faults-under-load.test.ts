/**
 * What the world does to a cluster, while six writers keep a ledger: half of them coordinate their own reads, half go through the
 * router. After each fault the cluster is to heal by itself (hints, read repair, an anti-entropy worker), and then every
 * acknowledged write is accounted for, all replicas are byte-equal, and no dot has ever named two values, in this or any earlier
 * scenario of the file.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Client } from '@armature/client';
import { DotLedger, expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload, type Workload } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

const NODES = ['n1', 'n2', 'n3', 'n4'];
/** Acknowledged writes before, during and after a fault: enough to touch every key. */
const SOME = 120;
const dots = new DotLedger();
let cluster: ProcessCluster;
let direct: Client;
let routed: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: NODES, workers: ['a1'], partitionCount: 16 });
  direct = await cluster.connect({ routing: 'direct' });
  routed = await cluster.connect();
});
afterAll(async () => {
  await direct.close();
  await routed.close();
  await cluster.stop();
});
afterEach(async () => {
  for (const name of [...NODES, 'r1', 'a1']) await cluster.untilReady(name);
});

/** Writes throughout, and demands that all of it is accounted for once the cluster has healed. */
async function accountedFor(name: string, fault: (workload: Workload) => Promise<void>): Promise<void> {
  const workload = startWorkload([direct, routed], { name });
  try {
    await workload.untilAcknowledged(SOME);
    await fault(workload);
    await workload.untilAcknowledged(SOME);
  } finally {
    await workload.stop();
  }
  const { keys, replicasCompared } = await expectReplicasEqual(cluster, { timeoutMs: 60_000 });
  await expectNoDotNamesTwoValues(cluster, dots);
  const account = await workload.verify(direct);
  console.log(`  ${keys} keys equal at ${replicasCompared} replicas, ${dots.size} dots name one version each`);
  expect(account.counts.acknowledged).toBeGreaterThanOrEqual(2 * SOME);
}

test('a node is killed and comes back', () =>
  accountedFor('kill -9 of a node', async (workload) => {
    await cluster.kill('n2');
    await workload.untilAcknowledged(SOME);
    await cluster.restart('n2');
  }));

test('the router is killed and comes back: clients of it go on through a node', () =>
  accountedFor('kill -9 of the router', async (workload) => {
    await cluster.kill('r1');
    await workload.untilAcknowledged(SOME);
    await cluster.restart('r1');
  }));

test('the anti-entropy worker is killed and comes back', () =>
  accountedFor('kill -9 of the anti-entropy worker', async (workload) => {
    await cluster.kill('a1');
    await cluster.kill('n3');
    await workload.untilAcknowledged(SOME);
    await cluster.restart('n3');
    await cluster.restart('a1');
  }));

test('nats-server is killed and comes back, twice', () =>
  accountedFor('kill -9 of nats-server, twice', async (workload) => {
    for (let i = 0; i < 2; i++) {
      await cluster.killNats();
      await cluster.startNats();
      await workload.untilAcknowledged(SOME);
    }
  }));

test('a node stands still for ten seconds', () =>
  accountedFor('SIGSTOP of a node for 10 s', async (workload) => {
    cluster.pause('n4');
    const resumed = new Promise((resolve) => setTimeout(resolve, 10_000));
    await workload.untilAcknowledged(SOME);
    await resumed;
    cluster.resume('n4');
  }));

test('all nodes are killed, one after another, each coming back before the next', () =>
  accountedFor('kill -9 of all nodes in turn', async (workload) => {
    for (const name of NODES) {
      await cluster.kill(name);
      await workload.untilAcknowledged(SOME / 4);
      await cluster.restart(name);
    }
  }));
