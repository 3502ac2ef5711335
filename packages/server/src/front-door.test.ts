import { ArmatureError, unwrap, utf8Encode, type BucketName } from '@armature/kernel';
import { LinkEndpoint, linkAddress, type InProcessConnection, type LinkAddress } from '@armature/bus';
import { connectOver, type Client } from '@armature/client';
import { linkKeys } from '@armature/coordination';
import {
  DEFAULT_BUCKET_PROPERTIES,
  FRONT_RIGHTS,
  RING_UNKNOWN,
  frontAddress,
  protocolCodec,
  type FrontRight,
  type Reply,
  type Request,
} from '@armature/protocol';
import { deriveTokenKeys, parseGrant, sealToken, tokenToText, type Access } from '@armature/rights';
import { addressOf } from '@armature/ring';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FrontDoor } from './front-door.js';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const PAYMENTS = 'payments' as BucketName;
const SESSIONS = 'sessions' as BucketName;

let cluster: LocalCluster;
let guest: Client;
const links: { drain(): Promise<void> }[] = [];

const ports = (bus: InProcessConnection) => ({
  bus,
  clock: systemClock,
  random: systemRandom(),
  log: silentLog,
  telemetry: noTelemetry,
});

beforeAll(async () => {
  cluster = await startLocalCluster({ nodes: ['n1', 'n2', 'n3', 'n4'], partitionCount: 16 });
  await cluster.client.admin.setBucket(PAYMENTS, {});
  await cluster.client.admin.setBucket(SESSIONS, {});
  guest = await connectOver(ports(cluster.broker.connect()), { cluster: 'local' });
  await cluster.client.bucket(PAYMENTS).put('alice', 'secret balance');
});

afterEach(async () => {
  for (const link of links.splice(0)) await link.drain();
});

afterAll(async () => {
  await guest.close();
  await cluster.stop();
});

/** An endpoint of somebody who may have the keys, or not. */
function speaker(address: LinkAddress, keys?: readonly Uint8Array[], token?: string): LinkEndpoint<Request, Reply> {
  const shown = token === undefined ? {} : { token: utf8Encode(token) };
  const link = LinkEndpoint.open<Request, Reply>(cluster.broker.connect(), protocolCodec, {
    ...{ prefix: 'armature', cluster: 'local', address, keys, ...shown },
    ...ports(cluster.broker.connect()),
  });
  links.push(link);
  return link;
}

const outcome = (asking: Promise<Reply>): Promise<string> =>
  asking.then(
    ({ kind }) => kind,
    (thrown: unknown) => (thrown as ArmatureError).code,
  );

const door = (bucket: string, right: FrontRight, server: string): LinkAddress =>
  frontAddress(bucket as BucketName, right, server) as LinkAddress;

const fetchOf = (bucket: BucketName): Request => ({
  kind: 'fetch',
  address: addressOf(bucket, utf8Encode('alice')),
  options: { r: 'default', pr: 'default' },
});

const writeOf = (bucket: BucketName): Request => ({
  kind: 'write',
  ring: RING_UNKNOWN,
  address: addressOf(bucket, utf8Encode('bob')),
  context: new Uint8Array(0),
  operation: '0123456789abcdef',
  tombstone: false,
  value: utf8Encode('v'),
  meta: [],
  options: { w: 'default', pw: 'default', dw: 'default', returnContext: false },
});

const scanOf = (bucket: BucketName): Request => ({ kind: 'scan', bucket, cursor: '' as never, limit: 10, withValues: false });

/** What holders of the secret say to each other. */
const inner: readonly Request[] = [
  { kind: 'propose', change: { kind: 'remove', node: 'n4' as never }, author: 'evil' },
  {
    kind: 'propose',
    change: { kind: 'bucket', bucket: PAYMENTS, properties: { ...DEFAULT_BUCKET_PROPERTIES, w: 1 } },
    author: 'evil',
  },
  { kind: 'gossip', fingerprint: '', records: [] },
  { kind: 'status' },
  { kind: 'holdings' },
  { kind: 'read', ring: RING_UNKNOWN, address: addressOf(PAYMENTS, utf8Encode('alice')), standIn: false },
];

describe.each(['router.r1', 'node.n1'])('the front door of %s', (server) => {
  test('answers what is of its bucket and its right', async () => {
    const link = speaker(linkAddress('guest', 'g1'));
    expect(await outcome(link.request(door(SESSIONS, 'read', server), fetchOf(SESSIONS), 5_000))).toBe('fetch');
    expect(await outcome(link.request(door(SESSIONS, 'write', server), writeOf(SESSIONS), 5_000))).toBe('write');
    expect(await outcome(link.request(door(SESSIONS, 'list', server), scanOf(SESSIONS), 5_000))).toBe('scan');
    for (const right of FRONT_RIGHTS)
      expect(await outcome(link.request(door(SESSIONS, right, server), { kind: 'ping' }, 5_000))).toBe('ping');
  });

  test('refuses another bucket, another right, and everything else', async () => {
    const link = speaker(linkAddress('guest', 'g2'));
    const refused = (right: FrontRight, request: Request): Promise<string> =>
      outcome(link.request(door(SESSIONS, right, server), request, 5_000));
    expect(await refused('read', fetchOf(PAYMENTS))).toBe('forbidden');
    expect(await refused('write', writeOf(PAYMENTS))).toBe('forbidden');
    expect(await refused('list', scanOf(PAYMENTS))).toBe('forbidden');
    expect(await refused('read', writeOf(SESSIONS))).toBe('forbidden');
    expect(await refused('list', fetchOf(SESSIONS))).toBe('forbidden');
    for (const request of inner) for (const right of FRONT_RIGHTS) expect(await refused(right, request)).toBe('forbidden');
  });

  test('says that there is no such bucket', async () => {
    const link = speaker(linkAddress('guest', 'g3'));
    expect(await outcome(link.request(door('nowhere', 'read', server), fetchOf('nowhere' as BucketName), 5_000))).toBe(
      'unknown-bucket',
    );
  });

  test('the inner link reads nothing of those who have no secret, or another one', async () => {
    const other = linkKeys([new Uint8Array(32).fill(1)], cluster.options.cluster);
    for (const [address, keys] of [
      [linkAddress('client', 'evil'), undefined],
      [linkAddress('client', 'evil'), other],
      [linkAddress('guest', 'evil'), undefined],
      [linkAddress('node', 'n2x'), undefined],
    ] as const) {
      const link = speaker(address, keys);
      for (const request of [...inner, fetchOf(SESSIONS)])
        expect(await outcome(link.request(server as LinkAddress, request, 5_000))).toBe('wrong-cluster');
    }
  });
});

test('whatever was tried at the doors, the membership and the buckets are what they were', () => {
  for (const { participant } of cluster.nodes) {
    const { members, buckets } = participant.membership.view;
    expect([...members.keys()].sort()).toEqual(['n1', 'n2', 'n3', 'n4']);
    expect(buckets.get(PAYMENTS)?.w).toBe(DEFAULT_BUCKET_PROPERTIES.w);
  }
});

test('a client without the secret puts, gets, deletes and lists, and administers nothing', async () => {
  const bucket = guest.bucket(SESSIONS);
  await bucket.put('k', 'one');
  await bucket.update('k', () => 'two');
  expect((await bucket.get('k'))?.value).toBe('two');
  const keys: string[] = [];
  for await (const key of bucket.keys()) keys.push(Buffer.from(key).toString());
  expect(keys).toContain('k');
  await bucket.delete('k');
  expect(await bucket.get('k')).toBeUndefined();
  await expect(guest.admin.history()).rejects.toMatchObject({ code: 'unauthenticated', details: { role: 'viewer' } });
  await expect(guest.admin.remove('n4')).rejects.toMatchObject({
    ...{ code: 'unauthenticated', details: { role: 'administrator' } },
  });
  await expect(guest.bucket('nowhere').get('k')).rejects.toMatchObject({ code: 'unknown-bucket' });
});

test('with the secret a client at the front door administers too', async () => {
  const client = await connectOver(ports(cluster.broker.connect()), { cluster: 'local', secret: cluster.options.secrets });
  expect((await client.admin.members()).map(({ node }) => node)).toEqual(['n1', 'n2', 'n3', 'n4']);
  await client.close();
});

test('what an application shows is asked about with each request, and the answer decides', async () => {
  const asked: string[] = [];
  const front = new FrontDoor({
    ...ports(cluster.broker.connect()),
    ...{ prefix: 'armature', cluster: cluster.options.cluster, server: linkAddress('router', 'r9') },
    membership: cluster.router.participant.membership,
    authorize: (bucket, right, key, token) => {
      const shown = token === undefined ? 'nothing' : Buffer.from(token).toString();
      asked.push(`${right} ${bucket} ${key === undefined ? '*' : Buffer.from(key).toString()} ${shown}`);
      return shown === 'good' ? undefined : new ArmatureError('unauthenticated', 'no');
    },
    answer: () => ({ kind: 'ping' }),
  });
  const at = door(SESSIONS, 'read', 'router.r9');
  const list = door(SESSIONS, 'list', 'router.r9');
  expect(await outcome(speaker(linkAddress('guest', 'g4')).request(at, fetchOf(SESSIONS), 5_000))).toBe('unauthenticated');
  const bearer = speaker(linkAddress('guest', 'g5'), undefined, 'good');
  expect(await outcome(bearer.request(at, fetchOf(SESSIONS), 5_000))).toBe('ping');
  expect(await outcome(bearer.request(list, scanOf(SESSIONS), 5_000))).toBe('ping');
  expect(asked).toEqual(['read sessions alice nothing', 'read sessions alice good', 'list sessions * good']);
  await front.stop();
});

test('a put that somebody has recorded is carried out once, however often, whenever and wherever it is said again', async () => {
  let writes = 0;
  const doorsOf = (name: string): FrontDoor =>
    new FrontDoor({
      ...ports(cluster.broker.connect()),
      ...{ prefix: 'armature', cluster: cluster.options.cluster, server: linkAddress('router', name) },
      membership: cluster.router.participant.membership,
      authorize: () => undefined,
      answer: () => {
        writes++;
        return { kind: 'ping' };
      },
    });
  const [first, other] = [doorsOf('r7'), doorsOf('r8')];
  const tap = cluster.broker.connect();
  const recorded: Uint8Array[] = [];
  tap.subscribe(
    'armature.local.link.front.sessions.write.router.*',
    ({ payload }) => void recorded.push(Uint8Array.from(payload)),
  );
  const link = speaker(linkAddress('guest', 'g6'));
  for (let i = 0; i < 3; i++) await link.request(door(SESSIONS, 'write', 'router.r7'), writeOf(SESSIONS), 5_000);
  expect(writes).toBe(3);
  const repeat = async (): Promise<void> => {
    for (const frame of recorded.slice(0, 20))
      for (const name of ['r7', 'r8']) tap.publish(`armature.local.link.front.sessions.write.router.${name}`, frame);
    await tap.flush();
  };
  await repeat();
  await link.drain();
  await repeat();
  await first.stop();
  const again = doorsOf('r7');
  await repeat();
  expect(
    await outcome(speaker(linkAddress('guest', 'g7')).request(door(SESSIONS, 'write', 'router.r7'), writeOf(SESSIONS), 5_000)),
  ).toBe('ping');
  expect(writes).toBe(4);
  await Promise.all([again.stop(), other.stop()]);
});

test('where tokens are required, the library gets what its token grants, until the generation is raised', async () => {
  const { admin } = cluster.client;
  const keys = deriveTokenKeys(cluster.options.secrets, cluster.options.cluster);
  const grants = ['payments:read,list', 'sessions/mine-:read,write'].map((grant) => unwrap(parseGrant(grant)));
  const bytes = unwrap(
    sealToken({ subject: 'shop', grants, role: undefined, expiresAtMs: Date.now() + 60_000, generation: 0 }, keys),
  );
  const shop = await connectOver(ports(cluster.broker.connect()), { cluster: 'local', token: tokenToText(bytes) });
  links.push({ drain: () => shop.close() });
  const doors = [cluster.router, ...cluster.nodes];
  const heard = (isSo: (access: Access) => boolean): Promise<void> =>
    expect.poll(() => doors.every(({ participant }) => isSo(participant.membership.view.access))).toBe(true);
  await admin.demandTokens('required');
  await heard(({ tokens }) => tokens === 'required');

  await expect(guest.bucket(PAYMENTS).get('alice')).rejects.toMatchObject({ code: 'unauthenticated' });
  expect((await shop.bucket(PAYMENTS).get('alice'))?.value).toBe('secret balance');
  await expect(shop.bucket(PAYMENTS).put('alice', 'x')).rejects.toMatchObject({ code: 'forbidden' });
  await shop.bucket(SESSIONS).put('mine-1', 'x');
  await expect(shop.bucket(SESSIONS).put('min', 'x')).rejects.toMatchObject({ code: 'forbidden' });
  await expect(listed(shop, SESSIONS)).rejects.toMatchObject({ code: 'forbidden' });
  expect(await listed(shop, PAYMENTS)).toContain('alice');

  await admin.revokeTokens();
  await heard(({ generation }) => generation === 1);
  await expect(shop.bucket(PAYMENTS).get('alice')).rejects.toMatchObject({
    code: 'unauthenticated',
    details: { fault: 'revoked' },
  });
  await admin.demandTokens('optional');
  await heard(({ tokens }) => tokens === 'optional');
});

test('a token that is none, and one for a direct client, are refused before anything is asked', async () => {
  const [bus, secret] = [cluster.broker.connect(), cluster.options.secrets];
  await expect(connectOver(ports(bus), { cluster: 'local', token: 'x' })).rejects.toMatchObject({ code: 'unauthenticated' });
  const direct = { cluster: 'local', routing: 'direct', secret, token: 'armt1.AAAA' } as const;
  await expect(connectOver(ports(bus), direct)).rejects.toMatchObject({ code: 'invalid-config' });
});

async function listed(client: Client, bucket: BucketName): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of client.bucket(bucket).keys()) keys.push(Buffer.from(key).toString('utf8'));
  return keys;
}
