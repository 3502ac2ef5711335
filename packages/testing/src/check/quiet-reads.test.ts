import { expect, test } from 'vitest';
import { World } from '../world/world.js';
import { checkQuietReads } from './quiet-reads.js';

test('reads after convergence write nothing: one record that is written while they go on, or soon after, is a violation', async () => {
  const world = new World({ seed: 1 });
  const witness = { puts: 7 };
  const quiet = (): Promise<void> => Promise.resolve();
  expect(await checkQuietReads(world, quiet, witness)).toEqual([]);
  world.at(world.nowMs + 1_000, () => witness.puts++);
  expect(await checkQuietReads(world, quiet, witness)).toEqual([
    'loud: reads of what all replicas hold alike made them write 1 records or hints',
  ]);
});

test('where a disk has a damaged record, writes may be of those who verify', async () => {
  const world = new World({ seed: 1 });
  const witness = { puts: 7 };
  world.at(world.nowMs + 1_000, () => witness.puts++);
  expect(await checkQuietReads(world, () => Promise.resolve(), witness, true)).toEqual([]);
});

test('a read that fails after convergence is a violation', async () => {
  const failing = (): Promise<void> => Promise.reject(new Error('no answer'));
  expect(await checkQuietReads(new World({ seed: 1 }), failing, { puts: 0 })).toHaveLength(1);
});
