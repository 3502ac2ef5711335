/**
 * A hash tree over the keys of an arc (paper, section 4.7), kept up to date by every write at the cost of a few additions.
 *
 * A node's hash is the *sum* of the digests of the entries below it, in four lanes of 32 bits, each modulo 2^32. Therefore:
 *
 * - the order of updates does not matter, and a write needs only the digests of the state before and after it;
 * - the hash of a prefix does not depend on how deep the tree is, so trees of different depths can be compared, and a deep tree
 *   is made shallow by forgetting its lower levels;
 * - a node may be empty or hold a thousand keys; what its keys are is not stored here but found in the store, as a range.
 *
 * How good is a sum? Entries that differ give a sum that differs, unless their digests happen to cancel: for digests that nobody
 * has chosen, with probability 2^-128 per comparison. XOR would be as good against chance, but not against mistakes: an entry
 * added twice would be as if never added, and nothing would ever show it; here it stays wrong until somebody compares. And
 * whoever can choose entries finds a few hundred whose XOR is whatever he likes by solving linear equations; for sums he has to
 * search, and what he wins is that a difference between replicas, which he would first have to bring about, is left to read
 * repair.
 */
import { assert, type BinaryString } from '@armature/kernel';
import { DIGEST_BYTES, type EntryDigest } from './entry-digest.js';
import { MAX_DEPTH, nodesAt, prefixIndexOf, type Prefix } from './prefix.js';

/** The hash of a node: 16 bytes as a binary string. All zero for a node without entries. */
export type TreeHash = BinaryString;

export const EMPTY_HASH = '\0'.repeat(DIGEST_BYTES) as TreeHash;

const LANES = 4;
const NODE_BYTES = 16;

/** Entries per leaf that a depth is chosen for. A differing leaf costs a listing of this many keys. */
const KEYS_PER_LEAF = 64;

/** Deepening takes a scan, so a tree may first have this many times as many. */
const GROWTH_SLACK = 4;

/** The least depth at which `keys` entries are at most 64 to a leaf: 0.3 to 4.5 bytes of tree per key. */
export function depthFor(keys: number): number {
  let depth = 1;
  while (depth < MAX_DEPTH && nodesAt(depth) * KEYS_PER_LEAF < keys) depth++;
  return depth;
}

export class MerkleTree {
  readonly arcBits: number;
  /** Level of the leaves. */
  readonly depth: number;
  /** Level by level, each in ring order. */
  readonly #lanes: Uint32Array;
  #keys = 0;

  /** An empty tree of an arc of 1 / 2^`arcBits` of the ring. */
  constructor(arcBits: number, depth: number) {
    assert(
      depth >= 0 && depth <= MAX_DEPTH && arcBits >= 0 && arcBits <= 16,
      'depth and arc that four bytes of position can tell',
    );
    this.arcBits = arcBits;
    this.depth = depth;
    this.#lanes = new Uint32Array(firstNodeOf(depth + 1) * LANES);
  }

  /** Entries in the tree. */
  get keys(): number {
    return this.#keys;
  }

  /** Whether it has so many keys to a leaf that a deeper tree is due. */
  get isOutgrown(): boolean {
    return this.depth < MAX_DEPTH && this.#keys > nodesAt(this.depth) * KEYS_PER_LEAF * GROWTH_SLACK;
  }

  get sizeBytes(): number {
    return firstNodeOf(this.depth + 1) * NODE_BYTES;
  }

  get rootHash(): TreeHash {
    return this.hashOf({ level: 0, index: 0 });
  }

  /** The entry of `address` has changed from digest `before` (undefined: there was none) to `after` (undefined: it is gone). */
  update(address: BinaryString, before: EntryDigest | undefined, after: EntryDigest | undefined): void {
    if (before === after) return;
    if (before === undefined) this.#keys++;
    if (after === undefined) this.#keys--;
    const lanes = this.#lanes;
    for (let level = this.depth, index = prefixIndexOf(this.arcBits, this.depth, address); level >= 0; level--, index >>>= 4) {
      const at = (firstNodeOf(level) + index) * LANES;
      // Typed arrays reduce what is stored in them modulo 2^32.
      for (let lane = 0; lane < LANES; lane++) {
        lanes[at + lane] = (lanes[at + lane] as number) + laneOf(after, lane) - laneOf(before, lane);
      }
    }
  }

  hashOf({ level, index }: Prefix): TreeHash {
    assert(level <= this.depth && index < nodesAt(level), 'a node of this tree');
    const at = (firstNodeOf(level) + index) * LANES;
    const codes: number[] = [];
    for (let lane = 0; lane < LANES; lane++) {
      const sum = this.#lanes[at + lane] as number;
      codes.push(sum >>> 24, (sum >>> 16) & 255, (sum >>> 8) & 255, sum & 255);
    }
    return String.fromCharCode(...codes) as TreeHash;
  }

  hashes(level: number, indices: readonly number[]): TreeHash[] {
    return indices.map((index) => this.hashOf({ level, index }));
  }

  /** The same tree with fewer levels. */
  coarsened(depth: number): MerkleTree {
    assert(depth <= this.depth, 'what was summed cannot be taken apart again');
    const tree = new MerkleTree(this.arcBits, depth);
    tree.#lanes.set(this.#lanes.subarray(0, tree.#lanes.length));
    tree.#keys = this.#keys;
    return tree;
  }
}

/** 1 + 16 + ... + 16^(level - 1) nodes are above a level. */
function firstNodeOf(level: number): number {
  return (nodesAt(level) - 1) / 15;
}

function laneOf(digest: EntryDigest | undefined, lane: number): number {
  if (digest === undefined) return 0;
  const at = lane * LANES;
  return (
    ((digest.charCodeAt(at) << 24) |
      (digest.charCodeAt(at + 1) << 16) |
      (digest.charCodeAt(at + 2) << 8) |
      digest.charCodeAt(at + 3)) >>>
    0
  );
}
