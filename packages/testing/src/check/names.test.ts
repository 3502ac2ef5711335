import { expect, test } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { spaceKey, type StorageOperation } from '@armature/storage';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { World } from '../world/world.js';
import { Names } from './names.js';

const N1 = 'n1' as NodeId;
const TENURE: readonly StorageOperation[] = [{ kind: 'put', key: spaceKey('meta', 'tenure'), value: new Uint8Array(0) }];

async function watched() {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world, {}));
  return { world, cluster, names: new Names(cluster) };
}

test('a node that begins a new tenure while another process acts under its name has discarded its store', async () => {
  const { names } = await watched();
  names.wrote(N1, TENURE);
  expect(names.violations).toEqual([]);
  names.namesakeWrote(N1);
  names.wrote(N1, []);
  expect(names.violations).toEqual([]);
  names.wrote(N1, TENURE);
  expect(names.violations).toHaveLength(1);
});

test('its next process may, as an administrator wants it to', async () => {
  const { world, cluster, names } = await watched();
  names.namesakeWrote(N1);
  await world.until(cluster.stopNode(N1));
  await world.until(cluster.startNode(N1));
  names.wrote(N1, TENURE);
  expect(names.violations).toEqual([]);
});
