import { expect, test } from 'vitest';
import { utf8Encode, type ClusterName, type PartitionId } from '@armature/kernel';
import { LinkEndpoint, type LinkAddress } from '@armature/bus';
import { linkKeys } from '@armature/coordination';
import type { View } from '@armature/membership';
import {
  MESSAGES,
  protocolCodec,
  type Kind,
  type Reply,
  type Request,
  type RequestOf,
  type RingVersion,
} from '@armature/protocol';
import { addressOf } from '@armature/ring';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { emptyVersionSet, encodeVersionSet } from '@armature/versioning';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const SECRET = 'a secret of thirty-two bytes or more';
const address = addressOf('default' as never, utf8Encode('key'));
const set = encodeVersionSet(emptyVersionSet);

/** All kinds that carry a ring, but for `write`, which is coordinated. */
type FencedKind = Exclude<{ [K in Kind]: RequestOf<K> extends { readonly ring: RingVersion } ? K : never }[Kind], 'write'>;

/** Sends one request to n1 as somebody of the name `from` who holds the secret. */
async function sendAs(cluster: LocalCluster, from: string, request: Request): Promise<Reply> {
  const link = LinkEndpoint.open<Request, Reply>(cluster.broker.connect(), protocolCodec, {
    ...{ prefix: 'armature', cluster: 'local', address: from as LinkAddress },
    keys: linkKeys([utf8Encode(SECRET)], 'local' as ClusterName),
    ...{ clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry },
  });
  return link.request('node.n1' as LinkAddress, request, 5_000).finally(() => link.drain());
}

/** A request of each such kind, to n1. `partition`: one whose first owner n1 is. */
function fencedRequests(ring: RingVersion, partition: PartitionId): { readonly [K in FencedKind]: RequestOf<K> } {
  const share = { ring, partition, n: 3 };
  return {
    read: { kind: 'read', ring, address },
    merge: { kind: 'merge', ring, address, set, durability: 'memory' },
    pull: {
      kind: 'pull',
      ring,
      start: '' as never,
      end: undefined,
      bucket: undefined,
      limit: 1,
      limitBytes: 1,
      withValues: false,
    },
    tree: { kind: 'tree', ...share, level: 0, indices: [0] },
    digests: { kind: 'digests', ...share, start: '' as never, end: undefined, bucket: undefined, limit: 1 },
    sets: { kind: 'sets', ring, addresses: [address] },
    absorb: { kind: 'absorb', ring, durable: false, entries: [{ address, set }] },
    exchange: { kind: 'exchange', ...share, peer: 'n2' as never, bucket: undefined },
    reap: { kind: 'reap', ...share, start: undefined, bucket: undefined },
    clear: { kind: 'clear', ring, entries: [] },
    note: { kind: 'note', ring, counts: [] },
    drop: { kind: 'drop', ring, entries: [] },
  };
}

/** Which one that is depends on the cluster's id. */
function firstPartitionOfN1(view: View): PartitionId {
  const partitions = Array.from({ length: view.ring!.partitionCount }, (_, index) => index as PartitionId);
  return partitions.find((one) => view.placementOf(one, 3).owners[0] === 'n1')!;
}

test('every kind that the table of messages calls fenced is refused under another ring, and answered under the same', async () => {
  const cluster = await startLocalCluster({ secret: SECRET });
  const { view } = cluster.nodes[0]!.participant.membership;
  const partition = firstPartitionOfN1(view);
  const foreign = fencedRequests((view.ringVersion + 1) as RingVersion, partition);
  const fencedKinds = Object.entries(MESSAGES).filter(([, { isFenced }]) => isFenced);
  expect(fencedKinds.map(([kind]) => kind).toSorted()).toEqual(Object.keys(foreign).toSorted());
  for (const request of Object.values(foreign)) {
    await expect(sendAs(cluster, 'client.c1', request), request.kind).rejects.toMatchObject({ code: 'stale-ring' });
  }
  for (const request of Object.values(fencedRequests(view.ringVersion, partition))) {
    await expect(sendAs(cluster, 'client.c1', request), request.kind).resolves.toMatchObject({ kind: request.kind });
  }
  await cluster.stop();
});

test('what a node brings that is no member is not taken, though it has the ring; what routers and clients bring is', async () => {
  const cluster = await startLocalCluster({ secret: SECRET });
  const { view } = cluster.nodes[0]!.participant.membership;
  const { merge, absorb } = fencedRequests(view.ringVersion, firstPartitionOfN1(view));
  for (const request of [merge, absorb]) {
    await expect(sendAs(cluster, 'node.n9', request)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('n9') as string,
    });
    await expect(sendAs(cluster, 'client.c1', request)).resolves.toMatchObject({ kind: request.kind });
    await expect(sendAs(cluster, 'router.r9', request)).resolves.toMatchObject({ kind: request.kind });
  }
  await cluster.stop();
});
