import { expect, test } from 'vitest';
import type { Hlc, NodeId } from '@armature/kernel';
import { spaceKey } from '@armature/storage';
import { emptyVersionSet, type OperationId } from '@armature/versioning';
import { DiskWitness } from './disk-witness.js';

test('remembers who ever wrote an operation, its earliest time and its latest; counts records and hints, and not what nodes write for themselves; and knows when a second process wrote', () => {
  const witness = new DiskWitness();
  const seen = (node: string, at: number): void => {
    const version = {
      value: new Uint8Array(0),
      tombstone: false,
      repeated: false,
      meta: [],
      operation: 'a' as OperationId,
      at: at as Hlc,
    };
    witness.see(node as NodeId, {
      set: { ...emptyVersionSet, siblings: [{ dot: { actor: 'x' as never, counter: at }, version }] },
    });
  };
  seen('n1', 5);
  seen('n2', 3);
  seen('n3', 9);
  expect(witness.of('a')).toEqual({ nodes: new Set(['n1', 'n2', 'n3']), at: 3, lastAt: 9 });
  expect(witness.of('b')).toBeUndefined();
  witness.namesakeWrote('n1' as NodeId, 7);
  expect(witness.isNamesakeAtWork('n1' as NodeId, 6, 8)).toBe(true);
  expect(witness.isNamesakeAtWork('n1' as NodeId, 8, 9)).toBe(false);
  expect(witness.isNamesakeAtWork('n2' as NodeId, 6, 8)).toBe(false);
  const value = new Uint8Array(1);
  witness.count([
    { kind: 'put', key: spaceKey('data', 'k'), value },
    { kind: 'put', key: spaceKey('hints', 'n1/k'), value },
    { kind: 'put', key: spaceKey('meta', 'm'), value },
    { kind: 'delete', key: spaceKey('data', 'k') },
  ]);
  expect(witness.puts).toBe(2);
});
