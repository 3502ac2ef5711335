/**
 * `@armature/merkle`: hash trees over the keys of one arc of the ring, and how two of them are compared by question and answer.
 */
export * from './comparison.js';
export * from './entry-digest.js';
export * from './merkle-tree.js';
export * from './prefix.js';
