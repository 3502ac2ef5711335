/**
 * `@armature/rights`: who may do what. Capability tokens, what they allow, and what the cluster demands. Pure: no promises, no
 * clock, no I/O.
 */
export * from './access.js';
export * from './authorize.js';
export * from './grant.js';
export * from './token.js';
export * from './token-errors.js';
export * from './token-proof.js';
export * from './token-seal.js';
