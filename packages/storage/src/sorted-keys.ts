/**
 * A sorted set of keys for engines and buffers that live in memory: insert, delete and seek at a million keys without
 * ever sorting or shifting all of them.
 *
 * It is a B-tree cut off at two levels: a list of leaves, each a sorted array of at most 512 keys. Finding the leaf and
 * the place in it are binary searches; an insert shifts half a leaf, a memmove of 2 KB. A full leaf splits in two, an
 * empty one goes. At a million keys the upper level has about 3,000 leaves, whose own shift is rare and as cheap.
 */
import type { BinaryString } from '@armature/kernel';

/** Wide leaves make the upper level short, narrow ones make the shift cheap; 256 to 1,024 measure alike. */
const LEAF_LIMIT = 512;

export class SortedKeys {
  readonly #leaves: BinaryString[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False if it was there already. */
  add(key: BinaryString): boolean {
    if (this.#leaves.length === 0) {
      this.#leaves.push([key]);
      this.#size = 1;
      return true;
    }
    const leafIndex = this.#leafFor(key);
    const leaf = this.#leaves[leafIndex] as BinaryString[];
    const at = lowerBound(leaf, key);
    if (leaf[at] === key) return false;
    leaf.splice(at, 0, key);
    this.#size++;
    if (leaf.length > LEAF_LIMIT) {
      // Keys that arrive in ascending order fill leaves to the brim: split off only the newcomer at the far right.
      const isLast = leafIndex === this.#leaves.length - 1 && at === leaf.length - 1;
      this.#leaves.splice(leafIndex + 1, 0, leaf.splice(isLast ? at : leaf.length >>> 1));
    }
    return true;
  }

  /** False if it was not there. */
  delete(key: BinaryString): boolean {
    if (this.#leaves.length === 0) return false;
    const leafIndex = this.#leafFor(key);
    const leaf = this.#leaves[leafIndex] as BinaryString[];
    const at = lowerBound(leaf, key);
    if (leaf[at] !== key) return false;
    leaf.splice(at, 1);
    this.#size--;
    if (leaf.length === 0) this.#leaves.splice(leafIndex, 1);
    return true;
  }

  /** Ascending from the first key not below `start`. The set must not change while it is walked. */
  *from(start: BinaryString): Generator<BinaryString, void, undefined> {
    if (this.#leaves.length === 0) return;
    let leafIndex = this.#leafFor(start);
    let at = lowerBound(this.#leaves[leafIndex] as BinaryString[], start);
    for (; leafIndex < this.#leaves.length; leafIndex++, at = 0) {
      const leaf = this.#leaves[leafIndex] as BinaryString[];
      for (; at < leaf.length; at++) yield leaf[at] as BinaryString;
    }
  }

  /** The last leaf whose first key is not above `key`; the first leaf where there is none. */
  #leafFor(key: BinaryString): number {
    let low = 0;
    let high = this.#leaves.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (((this.#leaves[middle] as BinaryString[])[0] as BinaryString) <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first key not below `key`. */
function lowerBound(keys: readonly BinaryString[], key: BinaryString): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as BinaryString) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
