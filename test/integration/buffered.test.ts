/**
 * What a crash can lose of a buffered bucket, on real processes. Nodes flush once a minute here, longer than any of these tests
 * takes, so that whatever is found after a kill is there because its durable copy was made, or because another node has it in
 * memory.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '@armature/client';
import { sleep, systemClock } from '@armature/runtime';
import {
  auditReplicas,
  DotLedger,
  expectNoDotNamesTwoValues,
  expectReplicasEqual,
  startWorkload,
  takeInventory,
  type Workload,
} from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

const NODES = ['n1', 'n2', 'n3'];
const BUCKET = 'buffered';
/**
 * A write that was acknowledged so long before a kill of everything is there: an fsync takes some ms, and even a busy disk not
 * this long.
 */
const BOUND_MS = 5_000;
const dots = new DotLedger();
let cluster: ProcessCluster;
let client: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ partitionCount: 16, nodeFlags: ['--buffer-flush', '60s'] });
  client = await cluster.connect({ routing: 'direct' });
  await client.admin.setBucket(BUCKET, { durability: 'buffered' });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

const load = (name: string): Workload => startWorkload(client, { name, bucket: BUCKET });

async function actorOf(name: string): Promise<string | undefined> {
  return (await client.admin.member(name as never)).status?.actor;
}

/** The figure of a counter or gauge, summed over its labels and the nodes. */
async function metric(name: string): Promise<number> {
  const texts = await Promise.all(NODES.map((node) => cluster.metrics(node)));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith(name));
  expect(lines, name).not.toEqual([]);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The anti-entropy worker makes all replicas equal. */
async function repaired(): Promise<void> {
  await cluster.launch('anti-entropy', 'a1');
  await expectReplicasEqual(cluster);
  await cluster.terminate('a1');
}

async function startAll(): Promise<void> {
  for (const name of NODES) await cluster.launch('node', name);
  for (const name of NODES) await cluster.untilReady(name);
}

test('most copies are in memory, the receipt names the durable one, and every put has one', async () => {
  const bucket = client.bucket(BUCKET);
  const durableAt = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const { receipt } = await bucket.put(`first/${i}`, 'x', { w: 'all' });
    const durable = receipt.replicas.filter(({ outcome }) => outcome === 'durable');
    expect(durable).toHaveLength(1);
    expect(durable[0]?.node).not.toBe(receipt.coordinator);
    durableAt.add(durable[0]?.node ?? '');
  }
  expect([...durableAt].sort()).toEqual(NODES);
  expect(await metric('armature_storage_buffer_objects')).toBe(120);
  expect(await metric('armature_storage_flushes_total')).toBe(0);
  expect(await metric('armature_coordination_durable_copies_missing_total')).toBe(0);
});

test('kill -9 of one node under load: nothing acknowledged is lost; it comes back under a fresh actor, and is given what it lost', async () => {
  const actor = await actorOf('n2');
  const workload = load('kill -9 of one');
  await workload.untilAcknowledged(300);
  await cluster.kill('n2');
  await workload.untilAcknowledged(300);
  await workload.verify(client);

  await cluster.restart('n2');
  expect(await actorOf('n2')).not.toBe(actor);
  const { differences, keys } = await auditReplicas(cluster);
  expect(differences, 'what n2 had in memory').toBeGreaterThan(0);
  await repaired();
  console.log(`n2 came back without ${differences} of ${keys} keys as the others have them, and has been given them`);
  await expectNoDotNamesTwoValues(cluster, dots);
});

test('kill -9 of all nodes at once under load: what is lost was acknowledged in the last moments, everything older is there', async () => {
  const flushes = await metric('armature_storage_flushes_total');
  const workload = load('kill -9 of all');
  await workload.untilAcknowledged(300);
  await sleep(systemClock, 1.2 * BOUND_MS);
  await workload.untilAcknowledged(1);
  expect(await metric('armature_storage_flushes_total'), 'what is there was written down at once, not flushed').toBe(flushes);
  const killedMs = systemClock.monotonicMs();
  await Promise.all(NODES.map((name) => cluster.kill(name)));
  await workload.stop();
  await startAll();
  // The one durable copy of a put is at one of three nodes, and two are asked by a read.
  await repaired();
  const { counts, lost, returned, surfaced } = await workload.account(client);
  const ages = [...lost, ...returned].map(({ endedMs }) => Math.round(killedMs - endedMs)).sort((a, b) => b - a);
  const when = ages.length === 0 ? '' : `, acknowledged ${ages.join(', ')} ms before the kill`;
  console.log(
    `kill -9 of all: ${counts.acknowledged} acknowledged, ${lost.length} lost, ${returned.length} deletions undone${when}`,
  );
  const old = workload.operations.filter(({ outcome, endedMs }) => outcome === 'acknowledged' && killedMs - endedMs > BOUND_MS);
  expect(old.length, 'writes old enough to tell').toBeGreaterThan(50);
  expect(ages.filter((ageMs) => ageMs > BOUND_MS)).toEqual([]);
  expect(surfaced).toEqual([]);
  await expectNoDotNamesTwoValues(cluster, dots);
});

test('SIGTERM of all nodes: every node has on its disk what it had in memory', async () => {
  const workload = load('SIGTERM of all');
  await workload.untilAcknowledged(300);
  await workload.stop();
  await repaired();
  expect(await metric('armature_storage_buffer_objects')).toBeGreaterThan(0);
  const before = await takeInventory(cluster);
  for (const ended of await Promise.all(NODES.map((name) => cluster.terminate(name)))) expect(ended).toBe('exit code 0');
  await startAll();
  const after = await takeInventory(cluster);
  expect(after.holdings).toEqual(before.holdings);
  await workload.verify(client);
  await expectNoDotNamesTwoValues(cluster, dots);
});
