/**
 * A plan as JSON: what `cluster plan --json` prints, `--out` writes and `cluster commit` reads. The figures are for people and
 * their programs; what is committed is the list of changes, against the membership that is named, and everything else is worked
 * out again then.
 */
import type { CostedPlan, PlannedAgainst } from '@armature/client';
import { type ArmatureError, unwrap } from '@armature/kernel';
import { isMembershipChange, type MembershipChange, type PlannedBalance, type TotalAmount } from '@armature/membership';
import { MAX_MEMBERS, parseChange, type RingVersion } from '@armature/protocol';
import { versionText } from '../cluster-report.js';
import { invalid } from '../parse.js';

const FORMAT = 1;

export interface PlanDocument {
  readonly format: number;
  readonly plannedAt: string;
  readonly cluster: string;
  readonly clusterId: string;
  readonly ringVersion: string;
  readonly changes: readonly MembershipChange[];
  readonly steps: readonly { readonly change: MembershipChange; readonly transfers: number; readonly voided: number }[];
  readonly total: TotalAmount;
  readonly transfers: readonly {
    readonly to: string;
    readonly partition: number;
    readonly n: number;
    readonly from: readonly string[];
    readonly records: number | null;
    readonly bytes: number | null;
    readonly exact: boolean;
  }[];
  readonly before: PlannedBalance;
  readonly after: PlannedBalance;
  readonly warnings: readonly { readonly kind: string; readonly message: string }[];
}

export function planDocument(plan: CostedPlan, nowMs: number): PlanDocument {
  return {
    format: FORMAT,
    plannedAt: new Date(nowMs).toISOString(),
    cluster: plan.cluster.name,
    clusterId: plan.cluster.id,
    ringVersion: versionText(plan.ringVersion),
    changes: plan.steps.map(({ change }) => change),
    steps: plan.steps.map(({ change, transfers, voided }) => ({ change, transfers: transfers.length, voided })),
    total: plan.total,
    transfers: plan.transfers.map(({ to, partition, n, from, amount }) => ({
      to,
      partition,
      n,
      from,
      records: amount?.records ?? null,
      bytes: amount?.bytes ?? null,
      exact: amount?.exact ?? false,
    })),
    before: plan.before,
    after: plan.after,
    warnings: plan.warnings,
  };
}

export interface ReadPlan {
  readonly changes: readonly MembershipChange[];
  readonly against: PlannedAgainst;
}

/** Errors: `invalid-argument` for what is no plan, or one of another format. */
export function readPlan(text: string, name: string): ReadPlan {
  const document = parseObject(text, name);
  if (document['format'] !== FORMAT)
    throw notAPlan(
      name,
      typeof document['format'] === 'number'
        ? `it has format ${document['format']}, and this is format ${FORMAT}`
        : 'it names no format',
    );
  const { changes, clusterId, ringVersion } = document;
  if (!Array.isArray(changes) || changes.length === 0 || changes.length > MAX_MEMBERS)
    throw notAPlan(name, 'it has no list of changes');
  if (typeof clusterId !== 'string' || typeof ringVersion !== 'string' || !/^[0-9a-f]{1,12}$/.test(ringVersion))
    throw notAPlan(name, 'it does not say what it was planned against');
  return {
    changes: changes.map((change: unknown) => readChange(change, name)),
    against: { clusterId, ringVersion: Number.parseInt(ringVersion, 16) as RingVersion },
  };
}

function readChange(input: unknown, name: string): MembershipChange {
  const change = unwrap(parseChange(input));
  if (!isMembershipChange(change)) throw notAPlan(name, `a change of kind ${change.kind} cannot be planned`);
  return change;
}

function parseObject(text: string, name: string): Readonly<Record<string, unknown>> {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null) return document as Readonly<Record<string, unknown>>;
  } catch {
    // said below
  }
  throw notAPlan(name, 'it is not a JSON document');
}

function notAPlan(name: string, why: string): ArmatureError {
  return invalid(`${name} is not a plan: ${why}`, 'Make one: armature cluster plan join n4 --out plan.json');
}
