/** Valid values of all kinds, from which targets make the inputs to begin with. */
import {
  hlcFromMs,
  parseBucketName,
  parseClusterName,
  parseNodeId,
  parseZoneName,
  unwrap,
  utf8Encode,
  type BinaryString,
  type NodeId,
  type PartitionId,
} from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, type Change, type ChangeRecord, type RingVersion } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import {
  encodeVersionSet,
  supersededOperations,
  tombstoneVersion,
  valueVersion,
  versionSet,
  versionVector,
  type ActorId,
  type OperationId,
  type VersionSet,
} from '@armature/versioning';

export const CLUSTER = unwrap(parseClusterName('local'));
export const BUCKET = unwrap(parseBucketName('default'));
export const OTHER_BUCKET = unwrap(parseBucketName('payments'));
export const ZONE = unwrap(parseZoneName('z1'));
export const NODES = ['n1', 'n2', 'n3'].map((name) => unwrap(parseNodeId(name))) as [NodeId, NodeId, NodeId];
export const RING = 0x123456789abc as RingVersion;
export const SHARE = { ring: RING, partition: 5 as PartitionId, n: 3 };
export const ADDRESS: Address = addressOf(BUCKET, utf8Encode('greeting'));
export const OTHER_ADDRESS: Address = addressOf(OTHER_BUCKET, Uint8Array.of(0, 255, 1));
export const DIGEST = 'd'.repeat(16) as BinaryString;
export const SECRET = utf8Encode('a secret of the cluster, for fuzzing');
export const OPERATION = '00112233aabbccdd';
export const NOW_MS = 1_800_000_000_000;

const ACTORS = ['00ff00ff00ff00ff', '10000000deadbeef', 'ffffffffffffffff'] as ActorId[];
const operation = (n: number): OperationId => n.toString(16).padStart(16, '0') as OperationId;

/** Sets of each shape: empty, a value, siblings with metadata and a tombstone, operations that have ended, and repetitions. */
export const SETS: readonly VersionSet[] = [
  versionSet(versionVector([]), []),
  versionSet(versionVector([dot(0, 1)]), [{ dot: dot(0, 1), version: value(1, 'hello') }]),
  versionSet(versionVector([dot(0, 3), dot(1, 200), dot(2, 2 ** 40)]), [
    { dot: dot(0, 2), version: value(2, 'a', [['content-type', 'text/pläin']]) },
    { dot: dot(0, 3), version: tombstoneVersion({ at: hlcFromMs(NOW_MS), operation: operation(3) }) },
    {
      dot: dot(1, 200),
      version: value(4, '', [
        ['a', ''],
        ['', 'b'],
      ]),
    },
  ]),
  versionSet(
    versionVector([dot(1, 9)]),
    [{ dot: dot(1, 9), version: value(9, 'x'.repeat(200)) }],
    supersededOperations(Array.from({ length: 18 }, (_, i) => ({ operation: operation(100 + i), at: hlcFromMs(NOW_MS + i) }))),
  ),
  versionSet(
    versionVector([dot(2, 1)]),
    [{ dot: dot(2, 1), version: { ...value(5, 'y'), repeated: true } }],
    supersededOperations([{ operation: operation(7), at: hlcFromMs(NOW_MS), repeated: true }]),
  ),
];
export const ENCODED_SETS: readonly Uint8Array[] = SETS.map(encodeVersionSet);
export const SET = ENCODED_SETS[2] as Uint8Array;

function dot(actor: number, counter: number): { readonly actor: ActorId; readonly counter: number } {
  return { actor: ACTORS[actor] as ActorId, counter };
}

function value(n: number, text: string, meta: readonly (readonly [string, string])[] = []): ReturnType<typeof valueVersion> {
  return valueVersion({ at: hlcFromMs(NOW_MS + n), operation: operation(n), value: utf8Encode(text), meta });
}

const [n1, n2, n3] = NODES;
const MEMBERS = NODES.map((node, i) => ({ node, weight: i + 1, zone: ZONE }));

/** A change of every kind. */
export const CHANGES: readonly Change[] = [
  { kind: 'create', clusterId: 'c'.repeat(32), cluster: CLUSTER, strategy: 3, partitionCount: 16, targetN: 3, members: MEMBERS },
  { kind: 'join', node: 'n4' as NodeId, weight: 0.5, zone: ZONE },
  { kind: 'leave', node: n2 },
  { kind: 'left', node: n2 },
  { kind: 'remove', node: n3 },
  { kind: 'replace', node: n1, by: { node: 'n5' as NodeId, weight: 1, zone: ZONE }, dead: true },
  { kind: 'weight', node: n1, weight: 2.25 },
  { kind: 'zone', node: n1, zone: ZONE },
  { kind: 'bucket', bucket: BUCKET, properties: DEFAULT_BUCKET_PROPERTIES },
  { kind: 'access', tokens: 'required', revision: 2, generation: 7 },
  { kind: 'actor', node: n1, actor: 'a'.repeat(16) },
  { kind: 'lost', node: n1, actor: 'b'.repeat(16) },
  { kind: 'ready', node: n1, change: `${'0'.repeat(15)}1`, partitions: [0, 3, 15] },
];

export const RECORDS: readonly ChangeRecord[] = CHANGES.map((change, i) => ({
  id: (i + 1).toString(16).padStart(16, '0'),
  at: hlcFromMs(NOW_MS + i),
  by: n1,
  author: 'secret of root@host',
  change,
}));
