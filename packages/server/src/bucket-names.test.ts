/** What somebody can find out about which buckets there are, at the front door and on the plain API. */
import { toHex, unwrap, utf8Encode, type ArmatureError, type BucketName } from '@armature/kernel';
import { headerValue, LinkEndpoint, linkAddress, type InProcessConnection, type LinkAddress } from '@armature/bus';
import { frontAddress, protocolCodec, RING_UNKNOWN, type FrontRight, type Reply, type Request } from '@armature/protocol';
import { deriveTokenKeys, parseGrant, sealToken, tokenToText } from '@armature/rights';
import { addressOf } from '@armature/ring';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const [THERE, NOWHERE] = ['payments', 'nowhere'] as [BucketName, BucketName];
const random = systemRandom();
let cluster: LocalCluster;
let bus: InProcessConnection;

beforeAll(async () => {
  cluster = await startLocalCluster({ nodes: ['n1', 'n2', 'n3'], partitionCount: 16 });
  await cluster.client.admin.setBucket(THERE, {});
  bus = cluster.broker.connect();
});

afterAll(() => cluster.stop());

async function demand(tokens: 'required' | 'optional'): Promise<void> {
  await cluster.client.admin.demandTokens(tokens);
  const doors = [cluster.router, ...cluster.nodes];
  await expect.poll(() => doors.every(({ participant }) => participant.membership.view.access.tokens === tokens)).toBe(true);
}

function tokenFor(...grants: string[]): Uint8Array {
  const keys = deriveTokenKeys(cluster.options.secrets, cluster.options.cluster);
  const token = { subject: 'shop', role: undefined, expiresAtMs: Date.now() + 60_000, generation: 0 };
  return unwrap(sealToken({ ...token, grants: grants.map((grant) => unwrap(parseGrant(grant))) }, keys));
}

/** The codes that all doors for a bucket of that name answer with, each once. */
async function answers(bucket: BucketName, token: Uint8Array | undefined): Promise<readonly string[]> {
  const link = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
    ...{ prefix: 'armature', cluster: 'local', address: linkAddress('guest', toHex(random.bytes(4))), token },
    ...{ clock: systemClock, random, log: silentLog, telemetry: noTelemetry },
  });
  const at = (right: FrontRight, request: Request): Promise<string>[] =>
    ['router.r1', 'node.n2'].map((server) =>
      link.request(frontAddress(bucket, right, server) as LinkAddress, request, 5_000).then(
        ({ kind }) => kind,
        (thrown: unknown) => (thrown as ArmatureError).code,
      ),
    );
  const address = addressOf(bucket, utf8Encode('k'));
  const options = { w: 'default', pw: 'default', dw: 'default', returnContext: false } as const;
  const codes = await Promise.all([
    ...at('read', { kind: 'fetch', address, options: { r: 'default', pr: 'default' } }),
    ...at('write', {
      ...{ kind: 'write', ring: RING_UNKNOWN, address, context: new Uint8Array(0), operation: '0123456789abcdef' },
      ...{ tombstone: false, value: utf8Encode('v'), meta: [], options },
    }),
    ...at('list', { kind: 'scan', bucket, cursor: '' as never, limit: 10, withValues: false }),
    ...['get', 'put', 'delete'].map((verb) => plain(verb, bucket, token)),
  ]);
  await link.drain();
  return [...new Set(codes)];
}

function plain(verb: string, bucket: BucketName, token: Uint8Array | undefined): Promise<string> {
  return new Promise((resolve) => {
    const reply = `answers.${toHex(random.bytes(4))}`;
    const subscription = bus.subscribe(reply, ({ headers }) => {
      subscription.unsubscribe();
      resolve(headerValue(headers, 'Armature-Error') ?? 'done');
    });
    const headers = token === undefined ? undefined : new Map([['Armature-Token', [tokenToText(token)]]]);
    bus.publish(`armature.local.api.${verb}.${bucket}.k`, utf8Encode('v'), { reply, headers });
  });
}

test('where tokens are required, only a token that covers a bucket tells whether it exists', async () => {
  await demand('required');
  for (const bucket of [THERE, NOWHERE]) {
    expect(await answers(bucket, undefined)).toEqual(['unauthenticated']);
    expect(await answers(bucket, tokenFor('sessions:read,write,list'))).toEqual(['forbidden']);
  }
  expect(await answers(NOWHERE, tokenFor('nowhere:read,write,list'))).toEqual(['unknown-bucket']);
});

test('where none is required, a bucket that does not exist is named as that', async () => {
  await demand('optional');
  expect(await answers(NOWHERE, undefined)).toEqual(['unknown-bucket']);
  expect(await answers(THERE, undefined)).not.toContain('unknown-bucket');
});

test('a bucket that is made after somebody has asked for it is served from then on', async () => {
  const bucket = 'later' as BucketName;
  expect(await answers(bucket, undefined)).toEqual(['unknown-bucket']);
  await cluster.client.admin.setBucket(bucket, {});
  await expect.poll(() => answers(bucket, undefined)).not.toContain('unknown-bucket');
});
