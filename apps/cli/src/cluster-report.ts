/**
 * The state of a cluster as one document: what the history says should be, beside what every member says of itself, and what is
 * wrong in plain words. The table and the JSON form of `cluster status` are two renderings of it.
 */
import type { MemberStatus } from '@armature/client';
import { MANY_RECORDS, type View } from '@armature/membership';
import { balanceOf } from '@armature/ring';

/** `joining`: holds nothing of its share yet. `filling`: holds some, and copies the rest. `down`: it did not answer us. */
export type MemberState = 'up' | 'joining' | 'filling' | 'leaving' | 'down';

export interface MemberReport {
  readonly node: string;
  readonly state: MemberState;
  readonly zone: string;
  readonly weight: number;
  /** Of the ring, as first owner; 0 to 1. */
  readonly share: number;
  /** Partitions that it is a replica of, for the ring's N. */
  readonly partitions: number;
  /** Partitions that it has yet to copy. */
  readonly pending: number;
  readonly ready: boolean;
  readonly notes: readonly string[];
  readonly suspects: readonly string[];
  readonly storage: { readonly engine: string; readonly healthy: boolean; readonly sizeBytes: number } | undefined;
  /** How far its clock is ahead of the majority's, ms; undefined where too few nodes have been compared. */
  readonly clockOffsetMs: number | undefined;
  readonly ring: string | undefined;
  readonly version: string | undefined;
  readonly startedAt: string | undefined;
  readonly problem: string | undefined;
}

export interface ClusterReport {
  readonly cluster: string;
  readonly id: string;
  readonly strategy: number;
  readonly partitions: number;
  readonly targetN: number;
  readonly ring: string;
  readonly history: string;
  /** Load of the mean node over load of the hottest, by the ring alone. */
  readonly efficiency: number;
  readonly members: readonly MemberReport[];
  /** Empty when all is well. */
  readonly problems: readonly string[];
}

/** Undefined when no cluster has been created. */
export function reportOf(view: View, statuses: readonly MemberStatus[]): ClusterReport | undefined {
  const { cluster, ring } = view;
  if (cluster === undefined || ring === undefined) return undefined;
  const owned = new Map<string, number>();
  const held = new Map<string, number>();
  for (let partition = 0; partition < ring.partitionCount; partition++) {
    const id = partition as Parameters<typeof ring.ownerOf>[0];
    if (ring.members.length > 0) add(owned, ring.ownerOf(id));
    for (const node of view.placementOf(id, nOf(view)).owners) add(held, node);
  }
  const members = statuses.map(({ node, status, problem }): MemberReport => {
    const member = view.members.get(node);
    const pending = view.pendingFor(node).length;
    return {
      node,
      state: status === undefined ? 'down' : stateOf(member?.state === 'leaving', held.get(node) ?? 0, pending),
      zone: member?.zone ?? '',
      weight: member?.weight ?? 0,
      share: (owned.get(node) ?? 0) / ring.partitionCount,
      partitions: held.get(node) ?? 0,
      pending,
      ready: status?.ready ?? false,
      notes: status?.notes ?? [],
      suspects: status?.suspects ?? [],
      storage: status?.storage,
      clockOffsetMs: status?.clock?.offsetMs,
      ring: status === undefined ? undefined : versionText(status.ring),
      version: status?.version,
      startedAt: status === undefined ? undefined : new Date(status.startedAtMs).toISOString(),
      problem: problem?.message,
    };
  });
  return {
    cluster: cluster.name,
    id: cluster.id,
    strategy: cluster.strategy,
    partitions: cluster.partitionCount,
    targetN: cluster.targetN,
    ring: versionText(view.ringVersion),
    history: view.fingerprint,
    efficiency: balanceOf(ring, cluster.targetN).efficiency,
    members,
    problems: [...problemsOf(view, members), ...lengthOf(statuses)],
  };
}

/** A history that has become too long, as the member sees it that has most of it. */
function lengthOf(statuses: readonly MemberStatus[]): string[] {
  const records = Math.max(0, ...statuses.map(({ status }) => status?.historyRecords ?? 0));
  if (records < MANY_RECORDS) return [];
  return [
    `the membership history has ${records} records, and every process keeps all of them: find out what makes them (armature cluster history)`,
  ];
}

function stateOf(isLeaving: boolean, held: number, pending: number): MemberState {
  if (isLeaving) return 'leaving';
  if (pending === 0) return 'up';
  return held === 0 ? 'joining' : 'filling';
}

/** Ring versions are hashes; hex says so. */
export function versionText(version: number): string {
  return version.toString(16);
}

/** The N by which replicas are counted: the ring's own, if a bucket has it, else that of the default bucket. */
function nOf(view: View): number {
  const target = view.cluster?.targetN ?? 0;
  return view.ns.includes(target) ? target : (view.ns[0] ?? 1);
}

function problemsOf(view: View, members: readonly MemberReport[]): string[] {
  const problems: string[] = [];
  for (const { node, state, problem, ready, notes, storage } of members) {
    if (state === 'down') problems.push(`${node} does not answer: ${problem ?? 'no reason given'}`);
    else if (!ready) problems.push(`${node} is not ready: ${notes.join('; ')}`);
    if (storage?.healthy === false) problems.push(`the storage of ${node} is failing`);
  }
  const versions = new Map<string, string[]>();
  for (const { node, ring } of members) if (ring !== undefined) versions.set(ring, [...(versions.get(ring) ?? []), node]);
  if (versions.size > 1) {
    const camps = [...versions].map(([version, nodes]) => `${nodes.join(', ')}: ${version}`).join('; ');
    problems.push(
      `the nodes disagree on the ring version (${camps}); gossip ends this within seconds, unless they cannot reach one another`,
    );
  }
  for (const { node, suspects } of members) {
    const wrongly = suspects.filter((suspect) => members.some((other) => other.node === suspect && other.state !== 'down'));
    if (wrongly.length > 0) problems.push(`${node} takes ${wrongly.join(', ')} for down, which answered us`);
  }
  if (view.orphans.length > 0) {
    const partitions = new Set(view.orphans.map(({ partition }) => partition)).size;
    problems.push(`${partitions} partitions lost their last owner in a removal: what they held may be lost`);
  }
  return problems;
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
