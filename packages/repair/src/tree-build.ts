/**
 * Building the trees of one partition from the store while writes go on, without missing one or counting one twice.
 *
 * The store is read page by page, in the order of keys. At any moment there is a cursor: what lies before it has been read, and a
 * write there is applied to the new trees as to any tree. What lies after it will be read, with the write in it. Only while a
 * page is being read is it open whether a write to it is in that page; such writes are remembered, and count instead of what the
 * page says. So at the end the trees are those of the store at that very moment, and can be compared with the trees that writes
 * alone have kept.
 */
import type { BinaryString } from '@armature/kernel';
import { MAX_DEPTH, MerkleTree, type KeyRange } from '@armature/merkle';
import { entryState, ShareTree, type EntryState } from './share-tree.js';

/** A page of what is held; `next` is where the one after it starts. */
export interface ScannedPage {
  readonly entries: readonly { readonly address: BinaryString; readonly set: Uint8Array }[];
  readonly next: BinaryString | undefined;
}

/** The trees of a partition, by the N of the buckets whose keys are in them. */
export type TreesByN = Map<number, ShareTree>;

export class TreeBuild {
  readonly #arcBits: number;
  readonly #nOf: (address: BinaryString) => number | undefined;
  /** At full depth, for nobody knows yet how many keys there are. */
  readonly #trees: TreesByN = new Map();
  /** Writes to what is not yet read, since the page under way was asked for; undefined while none is. */
  #writtenMeanwhile: Map<BinaryString, EntryState | undefined> | undefined;
  /** Undefined: the range has been read to its end. */
  #cursor: BinaryString | undefined;
  #isVoid = false;

  /** `nOf` an address: of its bucket; undefined for a bucket that nobody knows, whose keys are left out. */
  constructor(arcBits: number, range: KeyRange, nOf: (address: BinaryString) => number | undefined) {
    this.#arcBits = arcBits;
    this.#nOf = nOf;
    this.#cursor = range.start;
  }

  /** Where the next page starts; undefined when all have been read. */
  get cursor(): BinaryString | undefined {
    return this.#cursor;
  }

  /** Whether something has happened that only another scan can make up for. */
  get isVoid(): boolean {
    return this.#isVoid;
  }

  void(): void {
    this.#isVoid = true;
  }

  /** A page from the cursor on is about to be read. Call it in the turn in which the store is asked. */
  beginPage(): void {
    this.#writtenMeanwhile = new Map();
  }

  takePage({ entries, next }: ScannedPage): void {
    const meanwhile = this.#writtenMeanwhile ?? new Map<BinaryString, EntryState | undefined>();
    this.#writtenMeanwhile = undefined;
    this.#cursor = next;
    for (const { address, set } of entries) {
      if (!meanwhile.has(address)) this.#count(address, entryState(address, set));
    }
    for (const [address, state] of meanwhile) {
      if (state !== undefined && (next === undefined || address < next)) this.#count(address, state);
    }
  }

  /** A key of this partition was written, or dropped (`after` is undefined), and the store shows it from now on. */
  wrote(address: BinaryString, n: number, before: EntryState | undefined, after: EntryState | undefined): void {
    if (this.#cursor === undefined || address < this.#cursor) this.#tree(n).update(address, before, after);
    else this.#writtenMeanwhile?.set(address, after);
  }

  /** The finished trees, no deeper than their keys need. */
  finish(): TreesByN {
    return new Map([...this.#trees].map(([n, tree]) => [n, tree.fitted()]));
  }

  #count(address: BinaryString, state: EntryState): void {
    const n = this.#nOf(address);
    if (n !== undefined) this.#tree(n).update(address, undefined, state);
  }

  #tree(n: number): ShareTree {
    let tree = this.#trees.get(n);
    if (tree === undefined) this.#trees.set(n, (tree = new ShareTree(new MerkleTree(this.#arcBits, MAX_DEPTH))));
    return tree;
  }
}
