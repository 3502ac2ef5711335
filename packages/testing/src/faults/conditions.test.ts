import { expect, test } from 'vitest';
import { utf8Encode, type BucketName, type NodeId } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { Conditions } from './conditions.js';
import type { Fault } from './fault.js';

const ADDRESS = addressOf('default' as BucketName, utf8Encode('k'));
const LONG_MS = 60_000;
const SETTLED_MS = 10_000;

async function watched(roomForHints = true) {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, { nodes: ['n1', 'n2', 'n3', 'n4'], routers: ['r1'] }));
  const [running] = cluster.running;
  const owners = running?.participant.membership.view.placement(ADDRESS, 3).owners as readonly NodeId[];
  const fallback = [...cluster.members.keys()].find((node) => !owners.includes(node)) as NodeId;
  const conditions = new Conditions(cluster, { routed: ['c3'], roomForHints });
  conditions.start();
  /** Of a write that begins now and fails at once. */
  const replicas = (client: string, quorum: { w?: number; pw?: number } = {}): readonly NodeId[] | undefined =>
    conditions.replicasFor({ client, address: ADDRESS, quorum: { n: 3, w: 2, pw: 0, dw: 0, ...quorum }, beganMs: world.nowMs });
  const settle = (): Promise<void> => world.run(world.nowMs + SETTLED_MS);
  const befalls = (kind: Fault['kind'], whom: readonly string[]): Promise<void> => {
    conditions.begins({ kind, atMs: world.nowMs, lastMs: LONG_MS, whom, degree: 1 }, LONG_MS);
    return settle();
  };
  await settle();
  return { world, cluster, owners, fallback, conditions, replicas, settle, befalls };
}

test('nothing is said while anything has changed lately, and everybody counts when it has not', async () => {
  const { cluster, owners, replicas, settle } = await watched();
  expect(replicas('c1')).toHaveLength(4);
  cluster.crashNode(owners[0] as NodeId, 'process');
  expect(replicas('c1')).toBeUndefined();
  await settle();
  expect(replicas('c1')).toHaveLength(3);
});

test('a fallback stands in for an owner, but not for PW, and not where hints have no room', async () => {
  const { cluster, owners, fallback, replicas, settle } = await watched();
  cluster.crashNode(owners[0] as NodeId, 'process');
  await settle();
  expect(replicas('c1', { w: 3 })).toContain(fallback);
  expect(replicas('c1', { w: 3, pw: 3 })).toBeUndefined();
  const scarce = await watched(false);
  scarce.cluster.crashNode(scarce.owners[0] as NodeId, 'process');
  await scarce.settle();
  expect(scarce.replicas('c1')).toHaveLength(2);
  expect(scarce.replicas('c1', { w: 3 })).toBeUndefined();
});

test('who is on the other side of a partition does not count; who goes through a router needs it', async () => {
  const { owners, fallback, replicas, befalls } = await watched();
  const [first, second, third] = owners as [NodeId, NodeId, NodeId];
  await befalls('partition', ['c1', 'c3', first, second, '', 'r1', third, fallback]);
  expect(replicas('c1')).toEqual(expect.arrayContaining([first, second]));
  expect(replicas('c1', { w: 3 })).toBeUndefined();
  expect(replicas('c3')).toBeUndefined();
});

test('nothing is said of a network with holes, that loses messages, or of sick disks', async () => {
  const holes = await watched();
  await holes.befalls('one-way', [holes.owners[0] as NodeId, holes.owners[1] as NodeId]);
  expect(holes.replicas('c1', { w: 4 })).toBeUndefined();
  const lossy = await watched();
  await lossy.befalls('loss', []);
  expect(lossy.replicas('c1')).toBeUndefined();
  const sick = await watched();
  for (const owner of sick.owners) sick.cluster.member(owner).disk.faults.full = true;
  await sick.settle();
  expect(sick.replicas('c1')).toBeUndefined();
});
