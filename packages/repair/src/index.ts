/**
 * `@armature/repair`: replica synchronisation (paper, section 4.7). A node's trees, what it holds as its peers may ask for it,
 * one exchange between two nodes, and in which order all of a cluster's exchanges are run.
 */
export { Clearing, type ReapedReplica } from './clearing.js';
export { runExchange } from './exchange.js';
export { Filler } from './filler.js';
export { measureHoldings } from './holdings.js';
export { LocalShare, type SynchronisedReplica } from './local-share.js';
export { NOTHING_REAPED, runReapPass, sharesToReap, type ReapedShare, type ReapTally } from './reap-pass.js';
export { DEFAULT_REAP_QUARANTINE_MS, Reaper, type AskedRequest } from './reap.js';
export { Relinquisher } from './relinquish.js';
export { SourceGate } from './source-gate.js';
export { runSweep } from './sweep-driver.js';
export {
  addTallies,
  beginSweep,
  isSwept,
  nextPair,
  NOTHING_SWEPT,
  pairsOf,
  progressOf,
  roundsOf,
  tookPair,
  type Pair,
  type PairResult,
  type Sweep,
  type SweepLimits,
  type SweepTally,
} from './sweep.js';
export { TransferPace } from './token-bucket.js';
export { TransferLedger } from './transfer-ledger.js';
export { TreeKeeper, type ScanQuery } from './tree-keeper.js';
