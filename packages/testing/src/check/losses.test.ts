import type { NodeId } from '@armature/kernel';
import { expect, test } from 'vitest';
import { needlessLosses } from './losses.js';

const node = 'n1' as NodeId;

test('a loss that was stated is needless unless the disk was replaced', () => {
  const stated = [{ node, loss: 'ff'.repeat(8) }];
  expect(needlessLosses(stated, () => [{ kind: 'power' }, { kind: 'kill' }, { kind: 'rot' }])).toHaveLength(1);
  expect(needlessLosses(stated, () => [{ kind: 'power' }, { kind: 'replaced' }])).toEqual([]);
});

test('who has stated none has none', () => {
  expect(needlessLosses([{ node, loss: undefined }], () => [])).toEqual([]);
});
