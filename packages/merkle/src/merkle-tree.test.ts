import { toBinaryString, type BinaryString } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryDigest } from './entry-digest.js';
import { depthFor, EMPTY_HASH, MerkleTree } from './merkle-tree.js';
import { MAX_DEPTH, nodesAt, prefixIndexOf, rangeOfPrefix, rangesOfPrefixes, type Arc, type Prefix } from './prefix.js';
import { address, ARC, digestOf, entries, isIn, treeOf } from './trees.test-support.js';

const everyHash = (tree: MerkleTree): string[] =>
  Array.from({ length: tree.depth + 1 }, (_, level) =>
    tree.hashes(
      level,
      Array.from({ length: nodesAt(level) }, (_unused, index) => index),
    ),
  ).flat();

describe('the tree', () => {
  test('any order of insertions gives equal trees, in every node', () => {
    fc.assert(
      fc.property(
        entries.chain((held) => fc.tuple(fc.constant(held), fc.shuffledSubarray([...held], { minLength: held.size }))),
        ([held, shuffled]) => {
          expect(everyHash(treeOf(shuffled))).toEqual(everyHash(treeOf(held)));
        },
      ),
    );
  });

  test('any history of writes gives the tree of what it leaves', () => {
    const writes = fc.array(fc.tuple(address, fc.option(fc.nat(3), { nil: undefined })), { maxLength: 80 });
    fc.assert(
      fc.property(writes, (history) => {
        const tree = new MerkleTree(ARC.bits, 2);
        const held = new Map<BinaryString, number>();
        for (const [key, value] of history) {
          const before = held.get(key);
          const after = value === undefined ? undefined : digestOf(key, value);
          tree.update(key, before === undefined ? undefined : digestOf(key, before), after);
          if (value === undefined) held.delete(key);
          else held.set(key, value);
        }
        expect(everyHash(tree)).toEqual(everyHash(treeOf(held)));
        expect(tree.keys).toBe(held.size);
      }),
    );
  });

  test('trees have equal roots exactly when they hold the same', () => {
    fc.assert(
      fc.property(entries, entries, (one, other) => {
        const isSame = one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
        expect(treeOf(one).rootHash === treeOf(other).rootHash).toBe(isSame);
      }),
    );
    fc.assert(
      fc.property(entries, address, fc.nat(3), (held, key, value) => {
        const changed = new Map(held).set(key, value);
        expect(treeOf(held).rootHash === treeOf(changed).rootHash).toBe(held.get(key) === value);
      }),
    );
  });

  test('an entry counted twice is another sum, which XOR would not tell from none at all', () => {
    const key = toBinaryString(new Uint8Array(20).fill(0xa0));
    const twice = treeOf([
      [key, 1],
      [key, 1],
    ]);
    expect(twice.rootHash).not.toBe(EMPTY_HASH);
    expect(twice.rootHash).not.toBe(treeOf([[key, 1]]).rootHash);
  });

  test('the hash of a prefix is the same at every depth, and coarsening only forgets levels', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: MAX_DEPTH }), (held, depth) => {
        const deep = treeOf(held, MAX_DEPTH);
        const shallow = treeOf(held, depth);
        expect(everyHash(deep.coarsened(depth))).toEqual(everyHash(shallow));
        expect(deep.coarsened(depth).keys).toBe(held.size);
        expect(deep.rootHash).toBe(shallow.rootHash);
      }),
      { numRuns: 30 },
    );
  });

  test('a node above is the sum of those below it, so it is empty only if they are', () => {
    fc.assert(
      fc.property(entries, (held) => {
        const tree = treeOf(held);
        for (let index = 0; index < nodesAt(1); index++) {
          const children = tree.hashes(
            2,
            Array.from({ length: 16 }, (_, child) => index * 16 + child),
          );
          expect(tree.hashOf({ level: 1, index }) === EMPTY_HASH).toBe(children.every((hash) => hash === EMPTY_HASH));
        }
      }),
    );
  });

  test('the depth keeps leaves at 64 keys or fewer, as long as four levels can, for less than 5 bytes a key', () => {
    for (const keys of [0, 1, 1_000, 16_384, 16_385, 1_000_000, 4_194_304]) {
      const tree = new MerkleTree(0, depthFor(keys));
      expect(keys / nodesAt(tree.depth)).toBeLessThanOrEqual(64);
      if (tree.depth > 1) expect(tree.sizeBytes / keys).toBeLessThan(5);
    }
    expect(depthFor(1e9)).toBe(MAX_DEPTH);
  });
});

test('a tree is outgrown at four times the keys that its depth is for, and never at the greatest depth', () => {
  const filled = (depth: number, keys: number): MerkleTree => {
    const tree = new MerkleTree(0, depth);
    const one = digestOf('x' as BinaryString, 1);
    for (let i = 0; i < keys; i++) tree.update(toBinaryString(Uint8Array.of(i, i >>> 8, 0, 0)), undefined, one);
    return tree;
  };
  expect(filled(1, 16 * 64 * 4).isOutgrown).toBe(false);
  expect(filled(1, 16 * 64 * 4 + 1).isOutgrown).toBe(true);
  expect(filled(MAX_DEPTH, 5_000).isOutgrown).toBe(false);
});

describe('digests', () => {
  test('addresses and sets of the same bytes in other places have other digests', () => {
    const text = (value: string): BinaryString => value as BinaryString;
    const digests = [
      entryDigest(text('ab'), Uint8Array.of(99)),
      entryDigest(text('a'), Uint8Array.of(98, 99)),
      entryDigest(text('abc'), Uint8Array.of()),
    ];
    expect(new Set(digests).size).toBe(3);
    for (const digest of digests) expect(digest).toHaveLength(16);
  });
});

describe('prefixes', () => {
  const arc: fc.Arbitrary<Arc> = fc
    .integer({ min: 0, max: 16 })
    .chain((bits) => fc.record({ bits: fc.constant(bits), index: fc.nat(2 ** bits - 1) }));
  const head = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const addressAt = (value: number): BinaryString =>
    toBinaryString(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value, ...new Array<number>(16).fill(9)));

  test('a key lies in the range of its node at every level, and of no other of that level', () => {
    fc.assert(
      fc.property(
        head,
        fc.integer({ min: 0, max: 16 }),
        fc.integer({ min: 0, max: MAX_DEPTH }),
        fc.nat(),
        (value, bits, level, n) => {
          const own: Arc = { bits, index: Math.floor(value / 2 ** (32 - bits)) };
          const key = addressAt(value);
          const index = prefixIndexOf(bits, level, key);
          expect(isIn(rangeOfPrefix(own, { level, index }), key)).toBe(true);
          const other = n % nodesAt(level);
          if (other !== index) expect(isIn(rangeOfPrefix(own, { level, index: other }), key)).toBe(false);
        },
      ),
    );
  });

  test('the nodes of a level cover their arc without gaps, and join to its range', () => {
    fc.assert(
      fc.property(arc, fc.integer({ min: 0, max: 2 }), (own, level) => {
        const nodes: Prefix[] = Array.from({ length: nodesAt(level) }, (_, index) => ({ level, index }));
        expect(rangesOfPrefixes(own, nodes.reverse())).toEqual([rangeOfPrefix(own, { level: 0, index: 0 })]);
      }),
    );
  });

  test('nodes that do not touch stay ranges of their own', () => {
    const nodes = [7, 2, 3].map((index) => ({ level: 1, index }));
    expect(rangesOfPrefixes({ bits: 0, index: 0 }, nodes).map(({ start }) => start.charCodeAt(0))).toEqual([0x20, 0x70]);
  });
});
