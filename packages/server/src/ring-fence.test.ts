import { expect, test } from 'vitest';
import { utf8Encode, type ClusterName } from '@armature/kernel';
import { LinkEndpoint, type LinkAddress } from '@armature/bus';
import { linkKeys } from '@armature/coordination';
import { protocolCodec } from '@armature/protocol';
import { addressOf } from '@armature/ring';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { emptyVersionSet, encodeVersionSet } from '@armature/versioning';
import { startLocalCluster } from './local-cluster.js';

test('what a node brings that is no member is not taken, though it has the ring; what routers and clients bring is', async () => {
  const secret = 'a secret of thirty-two bytes or more';
  const cluster = await startLocalCluster({ secret });
  const keys = linkKeys([utf8Encode(secret)], 'local' as ClusterName);
  const { ringVersion } = cluster.nodes[0]!.participant.membership.view;
  const address = addressOf('default' as never, utf8Encode('key'));
  const set = encodeVersionSet(emptyVersionSet);
  const give = async (from: string, kind: 'merge' | 'absorb'): Promise<unknown> => {
    const link = LinkEndpoint.open(cluster.broker.connect(), protocolCodec, {
      ...{ prefix: 'armature', cluster: 'local', address: from as LinkAddress, keys },
      ...{ clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry },
    });
    const request =
      kind === 'merge'
        ? ({ kind, ring: ringVersion, address, set, durability: 'memory' } as const)
        : ({ kind, ring: ringVersion, durable: true, entries: [{ address, set }] } as const);
    return link.request('node.n1' as LinkAddress, request, 5_000).finally(() => link.drain());
  };
  for (const kind of ['merge', 'absorb'] as const) {
    await expect(give('node.n9', kind)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('n9') as string,
    });
    await expect(give('client.c1', kind)).resolves.toMatchObject({ kind });
    await expect(give('router.r9', kind)).resolves.toMatchObject({ kind });
  }
  await cluster.stop();
});
