/** Views for tests: what a list of changes means. */
import { hlcFromMs, type ClusterName, type NodeId, type ZoneName } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import type { Change, ChangeRecord } from '@armature/protocol';

export const node = (name: string): NodeId => name as NodeId;
const zone = 'z' as ZoneName;

export const createdWith = (members: readonly NodeId[]): Change => ({
  kind: 'create',
  clusterId: 'c1'.repeat(16),
  cluster: 'test' as ClusterName,
  strategy: 3,
  partitionCount: 16,
  targetN: 3,
  members: members.map((one) => ({ node: one, weight: 1, zone })),
});
export const joinOf = (one: NodeId): Change => ({ kind: 'join', node: one, weight: 1, zone });

export function viewAfter(...changes: readonly Change[]): View {
  const records = changes.map((change, i): ChangeRecord => ({
    id: (i + 1).toString(16).padStart(16, '0'),
    at: hlcFromMs(1_600_000_000_000 + i),
    by: change.kind === 'ready' ? change.node : node('n1'),
    author: 'test',
    change,
  }));
  const merged = History.empty.merge(records);
  if (!merged.ok) throw merged.error;
  return foldHistory(merged.value.history);
}
