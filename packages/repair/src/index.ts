/**
 * `@armature/repair`: replica synchronisation (paper, section 4.7). A node's trees, what it holds as its peers may ask for it,
 * one exchange between two nodes, and in which order all of a cluster's exchanges are run.
 */
export * from './clearing.js';
export * from './exchange.js';
export * from './filler.js';
export * from './holdings.js';
export * from './local-share.js';
export { PeerFailure, type AskPeer } from './peer-questions.js';
export * from './quarantine.js';
export * from './reap.js';
export * from './reap-pass.js';
export * from './relinquish.js';
export * from './source-gate.js';
export * from './stray-shares.js';
export * from './sweep.js';
export * from './sweep-driver.js';
export * from './token-bucket.js';
export * from './transfer-ledger.js';
export * from './tree-keeper.js';
