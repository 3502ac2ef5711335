/**
 * `@armature/membership`: who is in the cluster, who owns what, and who answers. The history of explicit changes, the view
 * folded from it, the gossip that spreads it, and the local failure detector.
 */
export type { DetectorSettings } from './failure-detector.js';
export { FailureMonitor, type FailureMonitorEnv, type Transition } from './failure-monitor.js';
export type { Cluster, Member } from './fold.js';
export type { Sounding } from './conversations.js';
export { type ClearingExchange, type GossipTransport } from './gossip.js';
export { memoryHistoryStore, type HistoryStore } from './history-store.js';
export { History, MANY_RECORDS, ringRecords, type Merge } from './history.js';
export { Membership, type MembershipEnv, type ViewListener } from './membership.js';
export {
  isMembershipChange,
  planChanges,
  type MembershipChange,
  type MembershipPlan,
  type PlannedBalance,
  type PlannedShare,
  type PlannedStep,
  type PlannedTransfer,
  type PlanWarning,
} from './plan.js';
export { costTransfers, totalAmount, type Amount, type CostedTransfer, type TotalAmount } from './plan-cost.js';
export { checkProposal } from './propose.js';
export { foldHistory, isHolder, type Orphan, type PendingCopy, type Placement, type View } from './view.js';
