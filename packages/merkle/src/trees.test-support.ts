/** Entries of an arc for property tests, and a plain model of a tree: the map itself. */
import { toBinaryString, utf8Encode, type BinaryString } from '@armature/kernel';
import * as fc from 'fast-check';
import type { TreeAnswer, TreeQuestion } from './comparison.js';
import { entryDigest } from './entry-digest.js';
import { MerkleTree } from './merkle-tree.js';
import type { Arc, KeyRange } from './prefix.js';

export const ARC: Arc = { bits: 3, index: 5 };

/** Addresses of the arc. Few different first bytes, so that some entries share a leaf; some differ in the last byte only. */
export const address: fc.Arbitrary<BinaryString> = fc
  .tuple(fc.constantFrom(0, 1, 0x1f, 0x10), fc.constantFrom(0, 7, 255), fc.uint8Array({ minLength: 15, maxLength: 18 }))
  .map(([first, second, rest]) => toBinaryString(Uint8Array.of((ARC.index << 5) | first, second, ...rest)));

/** What is held under some addresses; values by number. */
export type Entries = ReadonlyMap<BinaryString, number>;

export const entries: fc.Arbitrary<Entries> = fc
  .array(fc.tuple(address, fc.nat(3)), { maxLength: 60 })
  .map((pairs) => new Map(pairs));

export const digestOf = (key: BinaryString, value: number): ReturnType<typeof entryDigest> =>
  entryDigest(key, utf8Encode(`value ${value}`));

export function treeOf(held: Iterable<readonly [BinaryString, number]>, depth = 2): MerkleTree {
  const tree = new MerkleTree(ARC.bits, depth);
  for (const [key, value] of held) tree.update(key, undefined, digestOf(key, value));
  return tree;
}

export const answerFrom = (tree: MerkleTree, { level, indices }: TreeQuestion): TreeAnswer => ({
  depth: tree.depth,
  hashes: tree.hashes(level, indices),
});

export const isIn = (range: KeyRange, key: BinaryString): boolean =>
  key >= range.start && (range.end === undefined || key < range.end);
