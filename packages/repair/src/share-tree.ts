/** The keys of one partition and N as a node keeps track of them: their hash tree, and how many bytes they come to. */
import { assert, type BinaryString } from '@armature/kernel';
import { depthFor, entryDigest, type MerkleTree, type EntryDigest } from '@armature/merkle';

/** What a key counts for in its state. */
export interface EntryState {
  readonly digest: EntryDigest;
  /** Of its address and its version set. */
  readonly bytes: number;
}

export function entryState(address: BinaryString, set: Uint8Array): EntryState {
  return { digest: entryDigest(address, set), bytes: address.length + set.length };
}

export class ShareTree {
  readonly tree: MerkleTree;
  #bytes: number;

  constructor(tree: MerkleTree, bytes = 0) {
    this.tree = tree;
    this.#bytes = bytes;
  }

  /** Of all addresses and version sets. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The key's state has changed from `before` (undefined: it was not held) to `after` (undefined: it is not any more). */
  update(address: BinaryString, before: EntryState | undefined, after: EntryState | undefined): void {
    assert(before !== undefined || after !== undefined, 'a change from something or to something');
    this.tree.update(address, before?.digest, after?.digest);
    this.#bytes += (after?.bytes ?? 0) - (before?.bytes ?? 0);
  }

  /** The same, no deeper than its keys need. */
  fitted(): ShareTree {
    return new ShareTree(this.tree.coarsened(depthFor(this.tree.keys)), this.#bytes);
  }
}
