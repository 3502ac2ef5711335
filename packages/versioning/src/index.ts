/**
 * `@armature/versioning`: which version of a key came from which. Pure: no promises, no clock, no I/O.
 */
export * from './actor.js';
export * from './codec.js';
export * from './context.js';
export * from './join-encoded.js';
export * from './outline.js';
export * from './prune.js';
export * from './resolvers.js';
export * from './retained.js';
export * from './superseded.js';
export * from './vector-clock.js';
export * from './version.js';
export * from './version-set.js';
export * from './version-vector.js';
