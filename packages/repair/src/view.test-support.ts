/** Views of clusters, as their histories would fold to them. */
import { hlcFromMs, parseBucketName, parseClusterName, parseNodeId, parseZoneName, unwrap, type NodeId } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import { DEFAULT_BUCKET_PROPERTIES, type Change, type ChangeRecord } from '@armature/protocol';

const ZONE = unwrap(parseZoneName('z'));
export const node = (name: string): NodeId => unwrap(parseNodeId(name));

/** Buckets `default` (n=3) and `pair` (n=2). */
export function viewOf(names: readonly string[], partitionCount = 8): View {
  return viewAfter([
    createdWith(names, partitionCount),
    {
      kind: 'bucket',
      bucket: unwrap(parseBucketName('pair')),
      properties: { ...DEFAULT_BUCKET_PROPERTIES, n: 2, r: 1, w: 1, pr: 0, pw: 0, dw: 0 },
    },
  ]);
}

export function createdWith(names: readonly string[], partitionCount: number): Change {
  const members = names.map((name) => ({ node: node(name), weight: 1, zone: ZONE }));
  const cluster = unwrap(parseClusterName('test'));
  return { kind: 'create', clusterId: 'c1'.repeat(16), cluster, strategy: 3, partitionCount, targetN: 3, members };
}

export const joinOf = (one: NodeId): Change => ({ kind: 'join', node: one, weight: 1, zone: ZONE });

/** What is stated by the node that it is about has that node for its author; the rest is commanded at some node. */
export function viewAfter(changes: readonly Change[]): View {
  const records = changes.map((change, index): ChangeRecord => ({
    id: index.toString(16).padStart(16, '0'),
    at: hlcFromMs(1_600_000_000_000 + index),
    by: change.kind === 'ready' || change.kind === 'left' ? change.node : node('n1'),
    author: 'test',
    change,
  }));
  return foldHistory(unwrap(History.empty.merge(records)).history);
}
