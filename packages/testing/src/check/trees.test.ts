import { expect, test } from 'vitest';
import { utf8 } from '@armature/client';
import type { BinaryString, NodeId, PartitionId } from '@armature/kernel';
import { entryDigest, MerkleTree } from '@armature/merkle';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { checkTrees, staleTrees } from './trees.js';

const N1 = 'n1' as NodeId;
const DAY_MS = 24 * 3_600_000;

async function clusterWithKeys(): Promise<SimulatedCluster> {
  const world = new World({ seed: 1 });
  const options = { workers: ['a1'], nodeOptions: { verifyCycleMs: DAY_MS } };
  const cluster = await world.until(SimulatedCluster.start(world, options));
  const client = await world.until(cluster.connect('c1'));
  for (let i = 0; i < 20; i++) await world.until(client.bucket('default', { codec: utf8 }).put(`k${i}`, 'v', { w: 3 }));
  await world.run(world.nowMs + 2_000);
  return cluster;
}

const kindsOf = (found: readonly string[]): string[] => found.map((one) => one.split(' ', 1)[0]!);

test('nodes know what they hold', async () => {
  expect(await checkTrees(await clusterWithKeys())).toEqual([]);
});

test('a record that has rotted, and the tree does not know it, is a violation; so is what the node says of its keys', async () => {
  const cluster = await clusterWithKeys();
  cluster.member(N1).disk.rot(1);
  expect(kindsOf(await checkTrees(cluster))).toEqual(['stale:', 'misstated:']);
});

test('a key in another state of the same size is one too, though the node counts right', () => {
  const share = { partition: 0 as PartitionId, n: 3 };
  const address = 'address' as BinaryString;
  const treeOf = (value: number): MerkleTree => {
    const tree = new MerkleTree(4, 1);
    tree.update(address, undefined, entryDigest(address, Uint8Array.of(value)));
    return tree;
  };
  const stored = [{ ...share, tree: treeOf(1), bytes: 8 }];
  const told = (value: number) => {
    const { rootHash, keys } = treeOf(value);
    return [{ ...share, root: rootHash, keys, holding: { records: 1, bytes: 8 } }];
  };
  expect(staleTrees(N1, told(1), stored)).toEqual([]);
  expect(kindsOf(staleTrees(N1, told(2), stored))).toEqual(['stale:']);
  expect(kindsOf(staleTrees(N1, told(1), []))).toEqual(['stale:', 'misstated:']);
});

test('a node that does not answer is one', async () => {
  const cluster = await clusterWithKeys();
  cluster.network.partition([N1], ['auditor']);
  expect(kindsOf(await checkTrees(cluster))).toEqual(['unavailable:']);
});
