/** Makes change records for tests, with ids and times that count up. */
import { hlcFromMs, type BucketName, type ClusterName, type NodeId, type ZoneName } from '@armature/kernel';
import {
  DEFAULT_BUCKET_PROPERTIES,
  type BucketProperties,
  type Change,
  type ChangeRecord,
  type ClusterStrategy,
} from '@armature/protocol';
import type { TokenDemand } from '@armature/rights';
import { History } from './history.js';
import { foldHistory, type View } from './view.js';

export const CLUSTER = 'test' as ClusterName;
const CLUSTER_ID = 'c1'.repeat(16);
export const START_MS = 1_600_000_000_000;

export const node = (name: string): NodeId => name as NodeId;
export const zone = (name = 'z'): ZoneName => name as ZoneName;
export const names = (prefix: string, count: number): NodeId[] =>
  Array.from({ length: count }, (_, i) => node(`${prefix}${i + 1}`));

export const change = {
  create(
    members: readonly NodeId[],
    options: { strategy?: ClusterStrategy; partitionCount?: number; clusterId?: string; cluster?: ClusterName } = {},
  ): Change {
    const { strategy = 3, partitionCount = 16, clusterId = CLUSTER_ID, cluster = CLUSTER } = options;
    return {
      kind: 'create',
      clusterId,
      cluster,
      strategy,
      partitionCount,
      targetN: 3,
      members: members.map((one) => ({ node: one, weight: 1, zone: zone() })),
    };
  },
  join: (who: NodeId, weight = 1): Change => ({ kind: 'join', node: who, weight, zone: zone() }),
  leave: (who: NodeId): Change => ({ kind: 'leave', node: who }),
  replace: (who: NodeId, by: NodeId, dead = false): Change => ({
    kind: 'replace',
    node: who,
    by: { node: by, weight: 1, zone: zone() },
    dead,
  }),
  left: (who: NodeId): Change => ({ kind: 'left', node: who }),
  remove: (who: NodeId): Change => ({ kind: 'remove', node: who }),
  weight: (who: NodeId, weight: number): Change => ({ kind: 'weight', node: who, weight }),
  zone: (who: NodeId, name: string): Change => ({ kind: 'zone', node: who, zone: zone(name) }),
  bucket: (name: string, properties: Partial<BucketProperties> = {}): Change => ({
    kind: 'bucket',
    bucket: name as BucketName,
    properties: { ...DEFAULT_BUCKET_PROPERTIES, ...properties },
  }),
  access: (tokens: TokenDemand, revision: number, generation = 0): Change => ({ kind: 'access', tokens, revision, generation }),
  actor: (who: NodeId, actor: string): Change => ({ kind: 'actor', node: who, actor }),
  lost: (who: NodeId, actor: string): Change => ({ kind: 'lost', node: who, actor }),
  ready: (who: NodeId, ringChange: string, partitions: readonly number[]): Change => ({
    kind: 'ready',
    node: who,
    change: ringChange,
    partitions,
  }),
};

/** What only a node itself may state. */
const OWN_FACTS: ReadonlySet<Change['kind']> = new Set<Change['kind']>(['ready', 'left', 'actor', 'lost']);

/** A record number `sequence`, `sequence` ms after the start. */
export function record(
  sequence: number,
  made: Change,
  by: NodeId = OWN_FACTS.has(made.kind) && 'node' in made ? made.node : node('n1'),
): ChangeRecord {
  return { id: sequence.toString(16).padStart(16, '0'), at: hlcFromMs(START_MS + sequence), by, author: by, change: made };
}

export function historyOf(records: readonly ChangeRecord[], base = History.empty): History {
  const merged = base.merge(records);
  if (!merged.ok) throw merged.error;
  return merged.value.history;
}

/** A cluster's life told change by change, with the view after each. */
export class Tale {
  records: ChangeRecord[] = [];
  view: View = foldHistory(History.empty);

  constructor(...changes: Change[]) {
    this.add(...changes);
  }

  add(...changes: Change[]): this {
    for (const one of changes) {
      this.records.push(record(this.records.length + 1, one));
      this.view = foldHistory(historyOf(this.records), this.view);
    }
    return this;
  }

  /** A record made at this node, whatever it is about. */
  addBy(by: NodeId, one: Change): this {
    this.records.push(record(this.records.length + 1, one, by));
    this.view = foldHistory(historyOf(this.records), this.view);
    return this;
  }

  /** The node copies what it has to, and says so. */
  ready(who: NodeId): this {
    const byChange = new Map<string, number[]>();
    for (const copy of this.view.pendingFor(who))
      byChange.set(copy.change, [...(byChange.get(copy.change) ?? []), copy.partition]);
    return this.add(...[...byChange].map(([ringChange, partitions]) => change.ready(who, ringChange, partitions)));
  }

  /** Everybody copies what it has to, and then those who are leaving go. */
  allReady(): this {
    for (const who of [...this.view.members.keys()]) this.ready(who);
    for (const { node: who, state } of [...this.view.members.values()]) if (state === 'leaving') this.add(change.left(who));
    return this;
  }
}
