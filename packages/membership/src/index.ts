/**
 * `@armature/membership`: who is in the cluster, who owns what, and who answers. The history of explicit changes, the view
 * folded from it, the gossip that spreads it, and the local failure detector.
 */
export type { Sounding } from './conversations.js';
export { FailureMonitor, type Transition } from './failure-monitor.js';
export type { Member } from './fold.js';
export type { ClearingExchange } from './gossip.js';
export { memoryHistoryStore, type HistoryStore } from './history-store.js';
export { History, MANY_RECORDS } from './history.js';
export { Membership } from './membership.js';
export { costTransfers, totalAmount, type CostedTransfer, type TotalAmount } from './plan-cost.js';
export {
  isMembershipChange,
  planChanges,
  type MembershipChange,
  type MembershipPlan,
  type PlannedBalance,
  type PlannedShare,
} from './plan.js';
export { checkProposal } from './propose.js';
export { foldHistory, isHolder, type PendingCopy, type Placement, type View } from './view.js';
