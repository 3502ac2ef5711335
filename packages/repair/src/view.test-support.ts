/** The view of a cluster of some nodes, as its history would fold to it. */
import { hlcFromMs, parseBucketName, parseClusterName, parseNodeId, parseZoneName, unwrap, type NodeId } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import { DEFAULT_BUCKET_PROPERTIES, type Change, type ChangeRecord } from '@armature/protocol';

export const node = (name: string): NodeId => unwrap(parseNodeId(name));

/** Buckets `default` (n=3) and `pair` (n=2). */
export function viewOf(names: readonly string[], partitionCount = 8): View {
  const members = names.map((name) => ({ node: node(name), weight: 1, zone: unwrap(parseZoneName('z')) }));
  const cluster = unwrap(parseClusterName('test'));
  const changes: Change[] = [
    { kind: 'create', clusterId: 'c1'.repeat(16), cluster, strategy: 3, partitionCount, targetN: 3, members },
    {
      kind: 'bucket',
      bucket: unwrap(parseBucketName('pair')),
      properties: { ...DEFAULT_BUCKET_PROPERTIES, n: 2, r: 1, w: 1, pr: 0, pw: 0, dw: 0 },
    },
  ];
  const records = changes.map((change, index): ChangeRecord => ({
    id: index.toString(16).padStart(16, '0'),
    at: hlcFromMs(1_600_000_000_000 + index),
    by: node(names[0] ?? 'n1'),
    change,
  }));
  return foldHistory(unwrap(History.empty.merge(records)).history);
}
