/**
 * `@armature/merkle`: hash trees over the keys of one arc of the ring, and how two of them are compared by question and answer.
 */
export { beginComparison, nextQuestion, takeAnswer, type Comparison } from './comparison.js';
export { entryDigest, type EntryDigest } from './entry-digest.js';
export { depthFor, MerkleTree } from './merkle-tree.js';
export { isPrefix, MAX_DEPTH, nodesAt, rangesOfPrefixes, type KeyRange } from './prefix.js';
