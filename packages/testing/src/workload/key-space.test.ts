import { expect, test } from 'vitest';
import { seededRandom } from '@armature/kernel';
import { World } from '../world/world.js';
import { KeySpace } from './key-space.js';

const random = seededRandom('keys');
const used = (space: KeySpace): string[] => [...new Set(Array.from({ length: 100 }, () => space.pick(random)))].toSorted();

test('keys that do not fade are in use to the end', async () => {
  const world = new World({ seed: 1 });
  const space = new KeySpace(world, { keys: 3, fadeMs: Infinity });
  await world.run(1e6);
  expect(used(space)).toEqual(['k0', 'k1', 'k2']);
  expect(space.all).toEqual(['k0', 'k1', 'k2']);
});

test('keys that fade go one at a time, others come, and all are remembered', async () => {
  const world = new World({ seed: 1 });
  const space = new KeySpace(world, { keys: 3, fadeMs: 3_000 });
  await world.run(1_500);
  expect(used(space)).toEqual(['k1', 'k2', 'k3']);
  await world.run(3_500);
  expect(used(space)).toEqual(['k3', 'k4', 'k5']);
  expect(space.all).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
});
