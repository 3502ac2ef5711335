/**
 * Changes of membership while processes are killed and disks are lost, under load: whatever happens to a node in the middle of a
 * change, the change completes when the node is back, no acknowledged write is lost, none comes back, and all replicas end up
 * equal.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Client } from '@armature/client';
import type { NodeId, PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { Change, NodeStatus } from '@armature/protocol';
import { sleep, systemClock } from '@armature/runtime';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload, type Workload } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

const PATIENCE_MS = 90_000;
/**
 * Longer than the tests have patience: one that waits in vain says what each node says of itself, which a test that is cut off
 * does not.
 */
vi.setConfig({ testTimeout: 3 * PATIENCE_MS });
const node = (name: string): NodeId => name as NodeId;

let cluster: ProcessCluster;
let clients: Client[];
/** Of the first client, which nothing is written through. */
let client: Client;

beforeEach(async () => {
  cluster = await ProcessCluster.start({
    nodes: ['n1', 'n2', 'n3', 'n4'],
    partitionCount: 16,
    nodeFlags: ['--actor-interval', '1s'],
  });
  clients = [await cluster.connect({ routing: 'direct' }), await cluster.connect({ routing: 'router' })];
  client = await cluster.connect({ routing: 'direct' });
});
afterEach(async () => {
  await Promise.all([client, ...clients].map((one) => one.close()));
  await cluster.stop();
});

/** At a pace that leaves the machine to the changes. */
const startWriting = (name: string): Workload => startWorkload(clients, { name, pauseMs: 20 });

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  while (!(await isSo().catch(() => false))) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`in vain waited for: ${what}; ${await standing()}`);
    await sleep(systemClock, 200);
  }
}

/** What every node says of itself, for a test that failed. */
async function standing(): Promise<string> {
  const members = await client.admin.members();
  return members.map(({ node: name, status, problem }) => `${name}: ${JSON.stringify(status ?? problem?.message)}`).join('; ');
}

const pendingIn = (view: View): number => [...view.members.keys()].reduce((sum, one) => sum + view.pendingFor(one).length, 0);

/** Nothing is moving any more, and these are the members. */
const untilSettledWith = (...names: string[]): Promise<void> =>
  until(`nothing pending, and members ${names.join(' ')}`, async () => {
    const view = await client.admin.view();
    return pendingIn(view) === 0 && [...view.members.keys()].sort().join() === names.join();
  });

const recordsOf = async (kind: Change['kind'], who: string): Promise<Change[]> =>
  (await client.admin.history())
    .map(({ change }) => change)
    .filter((one) => one.kind === kind && 'node' in one && one.node === who);

async function statusOf(name: string): Promise<NodeStatus> {
  const { status, problem } = await client.admin.member(node(name));
  if (status === undefined) throw new Error(`${name} does not answer`, { cause: problem });
  return status;
}

const dataOf = (name: string): string => join(cluster.directory, name);

/** The cluster is well: every write is accounted for, replicas are equal, dots are unique. */
async function expectAllWell(workload: Workload): Promise<void> {
  await workload.stop();
  await client.admin.view();
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster);
  await workload.verify(client);
}

test('(15, 30) a wiped node does not serve as its old self: no read comes back empty, and it is refilled without an administrator', async () => {
  const bucket = client.bucket('default');
  const keys = Array.from({ length: 200 }, (_, i) => `kept-${i}`);
  for (const key of keys) await bucket.put(key, `value of ${key}`, { w: 'all' });
  const workload = startWriting('a wiped node');
  await workload.untilAcknowledged(100);
  await cluster.kill('n2');
  await workload.untilAcknowledged(100);
  rmSync(dataOf('n2'), { recursive: true });

  let reads = 0;
  let reading = true;
  const empty: string[] = [];
  const readers = Promise.all(
    [0, 1, 2].map(async (reader) => {
      for (let i = reader; reading; i += 3) {
        const key = keys[i % keys.length] as string;
        const found = await bucket.read(key, { r: 1 }).catch(() => 'unanswered' as const);
        if (found === 'unanswered') continue;
        reads++;
        if (found.entry?.value !== `value of ${key}`) empty.push(`${key}: ${JSON.stringify(found.receipt)}`);
      }
    }),
  );
  await cluster.launch('node', 'n2');
  await until('n2 to state its loss', async () => (await recordsOf('lost', 'n2')).length === 1);
  await cluster.untilReady('n2');
  await untilSettledWith('n1', 'n2', 'n3', 'n4');
  reading = false;
  await readers;
  console.log(`a wiped node: ${reads} reads with R=1 during its refill, ${empty.length} came back empty`);
  expect(empty).toEqual([]);
  expect(reads).toBeGreaterThan(0);
  expect((await client.admin.view()).orphans).toEqual([]);
  await expectAllWell(workload);
});

test('(1) a data directory replaced by an older copy: the node takes a new epoch and is refilled', async () => {
  const workload = startWriting('an older copy of a data directory');
  await workload.untilAcknowledged(200);
  await cluster.kill('n3');
  cpSync(dataOf('n3'), `${dataOf('n3')}-copy`, { recursive: true });
  await cluster.restart('n3');
  // From then on the copy can be told from the original.
  await until('n3 to record its second actor', async () => (await recordsOf('actor', 'n3')).length === 2);
  const before = (await statusOf('n3')).actor;
  await workload.untilAcknowledged(200);
  await cluster.kill('n3');
  rmSync(dataOf('n3'), { recursive: true });
  cpSync(`${dataOf('n3')}-copy`, dataOf('n3'), { recursive: true });
  await cluster.restart('n3');
  await until('n3 to state its loss', async () => (await recordsOf('lost', 'n3')).length === 1);
  await untilSettledWith('n1', 'n2', 'n3', 'n4');
  expect((await statusOf('n3')).actor).not.toBe(before);
  await workload.untilAcknowledged(100);
  await expectAllWell(workload);
});

test('(25, 30) the leaving node is killed while it leaves: it goes on when it is back, and leaves', async () => {
  const workload = startWriting('kill -9 of a leaving node');
  await workload.untilAcknowledged(200);
  await client.admin.leave('n4');
  await cluster.kill('n4');
  await workload.untilAcknowledged(100);
  expect((await client.admin.view()).members.get(node('n4'))?.state, 'who is down cannot have left').toBe('leaving');
  await cluster.launch('node', 'n4');
  await untilSettledWith('n1', 'n2', 'n3');
  expect(await recordsOf('left', 'n4')).toHaveLength(1);
  await cluster.terminate('n4');
  await workload.untilAcknowledged(100);
  await expectAllWell(workload);
});

test('(25) the joining node is killed while it joins: it goes on when it is back, and owns its share', async () => {
  const workload = startWriting('kill -9 of a joining node');
  await workload.untilAcknowledged(200);
  await cluster.launch('node', 'n5');
  await cluster.untilAnswering('n5');
  await client.admin.join('n5');
  await cluster.kill('n5');
  await workload.untilAcknowledged(100);
  await cluster.restart('n5');
  await untilSettledWith('n1', 'n2', 'n3', 'n4', 'n5');
  expect((await client.admin.view()).holds(node('n5'))).toBe(true);
  await workload.untilAcknowledged(100);
  await expectAllWell(workload);
});

test('(25) two changes at once, and a node killed in the middle: they converge', async () => {
  const workload = startWriting('a join and a leave at once, and kill -9 of a third');
  await workload.untilAcknowledged(200);
  await cluster.launch('node', 'n5');
  await cluster.untilAnswering('n5');
  await Promise.all([client.admin.join('n5'), client.admin.leave('n1')]);
  await cluster.kill('n3');
  await workload.untilAcknowledged(100);
  await cluster.restart('n3');
  await untilSettledWith('n2', 'n3', 'n4', 'n5');
  await cluster.terminate('n1');
  await workload.untilAcknowledged(100);
  await expectAllWell(workload);
});

test('(25) a node that was removed while it was down and comes back brings nothing back, and begins anew when it joins again', async () => {
  const bucket = client.bucket('default');
  const keys = Array.from({ length: 60 }, (_, i) => `deleted-${i}`);
  for (const key of keys) await bucket.put(key, 'old', { w: 'all' });
  const workload = startWriting('a removed node that returns');
  await workload.untilAcknowledged(200);
  await cluster.kill('n4');
  await client.admin.remove('n4');
  await untilSettledWith('n1', 'n2', 'n3');
  for (const key of keys) {
    const found = await bucket.get(key);
    await bucket.delete(key, { context: found?.context });
  }
  await cluster.launch('node', 'n4');
  await until('n4 to learn that it was removed', async () =>
    (await statusOf('n4')).notes.some((note) => note.includes('this node was removed from the cluster')),
  );
  await workload.untilAcknowledged(100);
  for (const key of keys) expect(await bucket.get(key)).toBeUndefined();
  await client.admin.join('n4');
  await cluster.untilReady('n4');
  await untilSettledWith('n1', 'n2', 'n3', 'n4');
  for (const key of keys) expect(await bucket.get(key, { r: 'all' })).toBeUndefined();
  expect(await recordsOf('lost', 'n4')).toEqual([]);
  await workload.untilAcknowledged(100);
  await expectAllWell(workload);
});

test('(30) a dead node is replaced during writes: its successor has exactly its share, and nothing else moves', async () => {
  const workload = startWriting('replace of a dead node');
  await workload.untilAcknowledged(200);
  const before = await client.admin.view();
  await cluster.kill('n2');
  await cluster.launch('node', 'n5');
  await cluster.untilAnswering('n5');
  await client.admin.replace('n2', 'n5', { dead: true });
  await workload.untilAcknowledged(200);
  await untilSettledWith('n1', 'n3', 'n4', 'n5');
  const after = await client.admin.view();
  for (let partition = 0 as PartitionId; partition < 16; partition++) {
    const renamed = before.placementOf(partition, 3).owners.map((owner) => (owner === node('n2') ? node('n5') : owner));
    expect([...after.placementOf(partition, 3).owners].sort()).toEqual(renamed.sort());
  }
  await expectAllWell(workload);
});
