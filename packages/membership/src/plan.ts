/**
 * What changes of membership would do, told before they are made (paper, sections 4.9 and 6.2): which copies of partitions they
 * make necessary, how evenly the load lies afterwards, and what an administrator would rather know first.
 *
 * Nothing is estimated. The changes are put behind the history as if they had been given, each is held to the same rules as a
 * real one (`propose.ts`) and goes through the same fold, and the plan is the difference of what the views say: a copy that
 * is pending after and was not before. So a plan is as right as the fold is, and one that would be refused says why.
 *
 * A copy that one change asks for may be made unnecessary by the next (n5 joins, and gets some of what n4 was to get): the steps
 * tell what each change adds and voids, the total what is left when all are made together, as `commit` does.
 */
import { ArmatureError, err, hlcTick, ok, type NodeId, type PartitionId, type Result } from '@armature/kernel';
import type { Change, ChangeRecord, RingVersion } from '@armature/protocol';
import { balanceOf, OUT_OF_BALANCE } from '@armature/ring';
import type { Cluster } from './fold.js';
import type { History } from './history.js';
import type { NodeList } from './ownership.js';
import { checkProposal } from './propose.js';
import { foldHistory, type View } from './view.js';

/** The changes of membership, which move data. Others need no plan. */
export type MembershipChange = Extract<Change, { kind: 'join' | 'leave' | 'remove' | 'replace' | 'weight' | 'zone' }>;

const KINDS: Readonly<Record<MembershipChange['kind'], true>> = {
  join: true,
  leave: true,
  remove: true,
  replace: true,
  weight: true,
  zone: true,
};

export function isMembershipChange(change: Change): change is MembershipChange {
  return Object.hasOwn(KINDS, change.kind);
}

/** One copy that has to be made: of the keys of one partition in the buckets of one N. */
export interface PlannedTransfer {
  readonly partition: PartitionId;
  readonly n: number;
  /** Who owns it meanwhile, and is copied from. */
  readonly from: NodeList;
  readonly to: NodeId;
}

export interface PlannedShare {
  readonly node: NodeId;
  /** Partitions that it is a target of. */
  readonly partitions: number;
  /** Of the load, per unit of weight, relative to the mean: 1 is its fair share. */
  readonly load: number;
}

/** How the load lies when all copies are made. */
export interface PlannedBalance {
  /** Replicas that it is computed for: what the ring is arranged for, if a bucket has that N. */
  readonly n: number;
  /** Mean load / load of the hottest node, 0 to 1 (paper, section 6.2). */
  readonly efficiency: number;
  /** In the order of names. */
  readonly nodes: readonly PlannedShare[];
}

export interface PlannedStep {
  readonly change: MembershipChange;
  /** The copies that this change adds to what is to be made before it. */
  readonly transfers: readonly PlannedTransfer[];
  /** Copies that were to be made before this change, and need not be after it. */
  readonly voided: number;
  readonly after: PlannedBalance;
}

export interface PlanWarning {
  readonly kind: 'few-nodes' | 'few-zones' | 'out-of-balance' | 'orphans' | 'under-way';
  /** A sentence for an administrator. */
  readonly message: string;
}

export interface MembershipPlan {
  readonly cluster: Cluster;
  /** What was planned against: any change since makes the plan stale. */
  readonly ringVersion: RingVersion;
  /** Fingerprint of the ring that the changes lead to. */
  readonly targetRing: string;
  readonly steps: readonly PlannedStep[];
  /** What has to be copied if all changes are made together: less than the sum of the steps where one undoes another's. */
  readonly transfers: readonly PlannedTransfer[];
  readonly before: PlannedBalance;
  readonly after: PlannedBalance;
  readonly warnings: readonly PlanWarning[];
}

/**
 * Folds the changes in this order onto the history. Errors: those of `checkProposal`, for the first change that would be refused,
 * with its number; `invalid-argument` for no change at all.
 */
export function planChanges(history: History, changes: readonly MembershipChange[]): Result<MembershipPlan, ArmatureError> {
  const before = foldHistory(history);
  const { cluster } = before;
  if (cluster === undefined) return refuse('no-cluster', 'there is no cluster to change yet', 'armature cluster create');
  if (changes.length === 0)
    return refuse('invalid-argument', 'a plan needs at least one change', 'Name one: armature cluster plan join n4.');
  const steps: PlannedStep[] = [];
  let known = history;
  let view = before;
  for (const [index, change] of changes.entries()) {
    const checked = checkProposal(view, cluster.name, change);
    if (!checked.ok) return err(refusedAt(index, changes, checked.error));
    const merged = known.merge([asRecord(known, change)]);
    if (!merged.ok) return merged;
    known = merged.value.history;
    const next = foldHistory(known, view);
    const transfers = newTransfers(view, next);
    steps.push({ change, transfers, voided: newTransfers(next, view).length, after: plannedBalance(next) });
    view = next;
  }
  return ok({
    cluster,
    ringVersion: before.ringVersion,
    targetRing: view.ring?.fingerprint ?? '',
    steps,
    transfers: newTransfers(before, view),
    before: plannedBalance(before),
    after: plannedBalance(view),
    warnings: warningsOf(before, view),
  });
}

/** The change as the next record. Rings are made of changes and not of ids or times, so any will do that are new and last. */
function asRecord(history: History, change: MembershipChange): ChangeRecord {
  let number = history.records.length;
  const idOf = (value: number): string => value.toString(16).padStart(16, '0');
  while (history.has(idOf(number))) number++;
  return { id: idOf(number), at: hlcTick(history.lastAt, 0), by: change.node, author: 'plan', change };
}

/** Copies that are to be made in `after` and were not to be made in `before`, in the order of receivers and partitions. */
function newTransfers(before: View, after: View): PlannedTransfer[] {
  const known = new Set(transfersOf(before).map(nameOf));
  return transfersOf(after).filter((transfer) => !known.has(nameOf(transfer)));
}

function transfersOf(view: View): PlannedTransfer[] {
  return [...view.members.keys()]
    .sort()
    .flatMap((to) =>
      view.pendingFor(to).flatMap(({ partition, groups }) => groups.map(({ n, owners }) => ({ partition, n, from: owners, to }))),
    );
}

function nameOf({ partition, n, to }: PlannedTransfer): string {
  return `${partition} ${n} ${to}`;
}

function plannedBalance(view: View): PlannedBalance {
  const { ring, cluster, ns } = view;
  const n = cluster !== undefined && ns.includes(cluster.targetN) ? cluster.targetN : (ns[0] ?? 1);
  if (ring === undefined) return { n, efficiency: 1, nodes: [] };
  const { efficiency, loads } = balanceOf(ring, n);
  const counts = new Map<NodeId, number>();
  for (let index = 0; index < ring.partitionCount; index++) {
    for (const node of ring.primariesOf(index as PartitionId, n)) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const total = [...loads.values()].reduce((sum, load) => sum + load, 0);
  const mean = total / ring.members.reduce((sum, { weight }) => sum + weight, 0);
  const nodes = ring.members.map(({ node, weight }) => ({
    node,
    partitions: counts.get(node) ?? 0,
    load: (loads.get(node) ?? 0) / weight / mean,
  }));
  return { n, efficiency, nodes };
}

function warningsOf(before: View, after: View): PlanWarning[] {
  const warnings: PlanWarning[] = [];
  const members = after.ring?.members ?? [];
  const largestN = after.ns.at(-1) ?? 1;
  if (members.length < largestN)
    warnings.push({
      kind: 'few-nodes',
      message: `${members.length} ${members.length === 1 ? 'node is' : 'nodes are'} left for buckets of ${largestN} replicas: each key has ${members.length} until more join`,
    });
  const zones = zonesOf(after);
  // All nodes in one zone, before and after: this cluster does not use zones.
  if (zones < Math.min(largestN, members.length) && (zones > 1 || zonesOf(before) > 1))
    warnings.push({
      kind: 'few-zones',
      message: `${zones} ${zones === 1 ? 'zone is' : 'zones are'} too few for ${largestN} replicas in zones of their own: a zone that fails takes several replicas of some keys`,
    });
  const skewed = plannedBalance(after).nodes.filter(({ load }) => Math.abs(load - 1) > OUT_OF_BALANCE);
  if (skewed.length > 0)
    warnings.push({
      kind: 'out-of-balance',
      message: `more than ${OUT_OF_BALANCE * 100} % off the share of their weight: ${skewed.map(({ node, load }) => `${node} (${load > 1 ? '+' : ''}${Math.round((load - 1) * 100)} %)`).join(', ')}`,
    });
  const orphans = partitionsOf(after) - partitionsOf(before);
  if (orphans > 0)
    warnings.push({
      kind: 'orphans',
      message: `${orphans} ${orphans === 1 ? 'partition loses its' : 'partitions lose their'} last owner: what ${orphans === 1 ? 'it holds' : 'they hold'} is lost unless it is elsewhere`,
    });
  const underWay = transfersOf(before).length;
  if (underWay > 0)
    warnings.push({
      kind: 'under-way',
      message: `${underWay} ${underWay === 1 ? 'copy' : 'copies'} of earlier changes ${underWay === 1 ? 'is' : 'are'} still under way and not counted here; the plan is stale as soon as one is done`,
    });
  return warnings;
}

function zonesOf({ ring }: View): number {
  return new Set(ring?.members.map(({ zone }) => zone)).size;
}

function partitionsOf({ orphans }: View): number {
  return new Set(orphans.map(({ partition }) => partition)).size;
}

function refusedAt(index: number, changes: readonly MembershipChange[], error: ArmatureError): ArmatureError {
  if (changes.length === 1) return error;
  const { kind, node } = changes[index] as MembershipChange;
  return new ArmatureError(error.code, `change ${index + 1} of ${changes.length} (${kind} ${node}): ${error.message}`, {
    remedy: error.remedy,
    details: { ...error.details, index },
  });
}

function refuse(code: 'no-cluster' | 'invalid-argument', message: string, remedy: string): Result<never, ArmatureError> {
  return err(new ArmatureError(code, message, { remedy }));
}
