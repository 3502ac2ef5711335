/**
 * Changing the membership with open eyes: plan, look, commit.
 *
 * A plan is made here, from one node's history, and costs the cluster a few questions: what each of those that data would be
 * copied from holds. Nothing is kept anywhere; a plan is a value that its maker may write down and commit later.
 *
 * To commit is to give the same commands in the same order, provided that the membership is still the one planned against. All of
 * them go to one node, because another might not know of the first when it is asked for the second. There is no lock: somebody
 * else's command may slip in between two of ours, each of which is still checked for itself. So what came out is compared with
 * what was planned, and `asPlanned` says whether it is that.
 */
import type { LinkAddress } from '@armature/bus';
import { ArmatureError, toArmatureError, unwrap, type NodeId } from '@armature/kernel';
import {
  costTransfers,
  foldHistory,
  History,
  planChanges,
  totalAmount,
  type CostedTransfer,
  type MembershipChange,
  type MembershipPlan,
  type TotalAmount,
  type View,
} from '@armature/membership';
import { nodeAddress, type Change, type ChangeRecord, type Holdings, type RingVersion } from '@armature/protocol';

/** What planning and committing need of a cluster. */
export interface PlanningEnv {
  /** Errors: `unreachable` when no node answers. */
  readonly anyNode: () => Promise<LinkAddress>;
  readonly history: (at: LinkAddress) => Promise<readonly ChangeRecord[]>;
  readonly holdings: (node: NodeId) => Promise<Holdings>;
  readonly propose: (change: Change, at: LinkAddress) => Promise<ChangeRecord>;
}

export interface CostedPlan extends MembershipPlan {
  readonly transfers: readonly CostedTransfer[];
  readonly total: TotalAmount;
  /** Owners that were to be copied from, and did not tell what they hold. */
  readonly silent: readonly NodeId[];
}

/** The membership that a plan was made for. */
export interface PlannedAgainst {
  readonly clusterId: string;
  readonly ringVersion: RingVersion;
}

export interface Committed {
  /** One for each change, in their order. */
  readonly records: readonly ChangeRecord[];
  /** After them. */
  readonly view: View;
  /** False: somebody else changed the membership at the same moment, and the ring is another than the planned one. */
  readonly asPlanned: boolean;
}

export async function makePlan(env: PlanningEnv, changes: readonly MembershipChange[]): Promise<CostedPlan> {
  const plan = unwrap(planChanges(await historyAt(env, await env.anyNode()), changes));
  const owners = [...new Set(plan.transfers.flatMap(({ from }) => from))].sort();
  const told = await Promise.all(owners.map((node) => env.holdings(node).catch(() => undefined)));
  const transfers = costTransfers(
    plan.transfers,
    plan.ringVersion,
    told.filter((one) => one !== undefined),
  );
  return { ...plan, transfers, total: totalAmount(transfers), silent: owners.filter((_, i) => told[i] === undefined) };
}

/**
 * Errors: `wrong-cluster`, `stale-plan`; those of the rules for changes. After one that says that some changes were made, the
 * others were not.
 */
export async function commitPlan(
  env: PlanningEnv,
  changes: readonly MembershipChange[],
  against: PlannedAgainst,
): Promise<Committed> {
  const { address, history } = await placeToCommit(env, changes);
  checkUnchanged(foldHistory(history), against);
  const { targetRing } = unwrap(planChanges(history, changes));
  const records: ChangeRecord[] = [];
  for (const change of changes) {
    try {
      records.push(await env.propose(change, address));
    } catch (thrown) {
      throw records.length === 0 ? thrown : cutShort(records.length, changes, toArmatureError(thrown));
    }
  }
  const view = foldHistory(await historyAt(env, address));
  return { records, view, asPlanned: view.ring?.fingerprint === targetRing };
}

/** A node that answers and, if there is one, stays: who is being removed or replaced should not be the one to say so. */
async function placeToCommit(
  env: PlanningEnv,
  changes: readonly MembershipChange[],
): Promise<{ address: LinkAddress; history: History }> {
  const going = new Set<string>(
    changes
      .filter(({ kind }) => kind === 'leave' || kind === 'remove' || kind === 'replace')
      .map(({ node }) => nodeAddress(node)),
  );
  const found = await env.anyNode();
  const history = await historyAt(env, found);
  if (!going.has(found)) return { address: found, history };
  for (const node of foldHistory(history).members.keys()) {
    const address = nodeAddress(node) as LinkAddress;
    if (going.has(address)) continue;
    const other = await historyAt(env, address).catch(() => undefined);
    if (other !== undefined) return { address, history: other };
  }
  return { address: found, history };
}

/** Throws `wrong-cluster` or `stale-plan` unless the membership is still that of the plan. */
export function checkUnchanged(view: View, against: PlannedAgainst): void {
  if (view.cluster?.id !== against.clusterId) {
    throw new ArmatureError('wrong-cluster', 'the plan was made for another cluster', {
      remedy: 'Check --cluster and --nats, or plan again.',
    });
  }
  if (view.ringVersion === against.ringVersion) return;
  throw new ArmatureError('stale-plan', 'the membership has changed since the plan was made; nothing was done', {
    remedy: 'Plan again: armature cluster plan. While copies are under way each one that is done counts as a change.',
    details: { plannedAgainst: against.ringVersion, now: view.ringVersion },
  });
}

async function historyAt(env: PlanningEnv, address: LinkAddress): Promise<History> {
  return unwrap(History.empty.merge(await env.history(address))).history;
}

function cutShort(made: number, changes: readonly MembershipChange[], error: ArmatureError): ArmatureError {
  const { kind, node } = changes[made] as MembershipChange;
  return new ArmatureError(
    error.code,
    `${made} of ${changes.length} changes were made; the next (${kind} ${node}) was not: ${error.message}`,
    { remedy: `Plan the rest again. ${error.remedy ?? ''}`.trim(), cause: error, details: { ...error.details, made } },
  );
}
