import { type ArmatureError, unwrap, utf8Encode, type ClusterName, type NodeId, type Secrets } from '@armature/kernel';
import { LinkEndpoint, linkAddress, type BusMessage, type InProcessConnection, type LinkAddress } from '@armature/bus';
import { connectOver, type Admin, type Client, type ClientOptions } from '@armature/client';
import {
  DEFAULT_BUCKET_PROPERTIES,
  adminAddress,
  protocolCodec,
  type Change,
  type Reply,
  type Request,
} from '@armature/protocol';
import { deriveTokenKeys, parseGrant, proofOf, sealToken, type Role, type Token } from '@armature/rights';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AdminDoor } from './admin-door.js';
import { AntiEntropyWorker } from './anti-entropy-worker.js';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const NAME = 'local' as ClusterName;
const BUCKET: Change = { kind: 'bucket', bucket: 'carts' as never, properties: DEFAULT_BUCKET_PROPERTIES };

let cluster: LocalCluster;
let worker: AntiEntropyWorker;
const closers: (() => Promise<void>)[] = [];

const ports = (bus: InProcessConnection) => ({
  ...{ bus, clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry },
});

beforeAll(async () => {
  cluster = await startLocalCluster({ partitionCount: 8 });
  const options = { ...cluster.options, name: 'a1', cycleMs: 3_600_000 };
  worker = await AntiEntropyWorker.start(options, ports(cluster.broker.connect()));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});
afterAll(async () => {
  await worker.stop();
  await cluster.stop();
});

function tokenOf(role: Role | undefined, given: Partial<Token> = {}, secrets = cluster.options.secrets, name = NAME): Uint8Array {
  const grants = role === undefined ? [unwrap(parseGrant('default:read,write'))] : [];
  const { generation } = cluster.nodes[0]!.participant.membership.view.access;
  const token = { subject: role ?? 'shop', grants, role, expiresAtMs: systemClock.nowMs() + 60_000, generation, ...given };
  return unwrap(sealToken(token, deriveTokenKeys(secrets, name)));
}

async function connect(given: Omit<ClientOptions, 'cluster'>): Promise<Client> {
  const client = await connectOver(ports(cluster.broker.connect()), { cluster: NAME, ...given });
  closers.push(() => client.close());
  return client;
}

const adminWith = async (token: Uint8Array): Promise<Admin> => (await connect({ token })).admin;

/** `done`, or the code of the error. */
const outcome = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'done',
    (thrown: unknown) => (thrown as ArmatureError).code,
  );

/** A link at the doors of administration, which says what it likes. */
function speaker(token: Uint8Array, from: LinkAddress = linkAddress('guest', 'g1')): LinkEndpoint<Request, Reply> {
  const { claims, key } = unwrap(proofOf(token, NAME));
  return speakerWith(claims, key, from);
}

function speakerWith(claims: Uint8Array, key: Uint8Array, from = linkAddress('guest', 'g1')): LinkEndpoint<Request, Reply> {
  const bus = cluster.broker.connect();
  const link = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
    ...{ prefix: 'armature', cluster: NAME, address: from, keys: [key], token: claims },
    ...ports(bus),
  });
  closers.push(() => link.drain());
  return link;
}

const doorOf = (server: string): LinkAddress => adminAddress(server) as LinkAddress;

/** Everything that may be asked, each at a door that answers it. */
const ASKED: Readonly<Record<string, (admin: Admin) => Promise<unknown>>> = {
  status: (admin) => admin.member('n1' as NodeId),
  history: (admin) => admin.history(),
  'history at a router': (admin) => admin.history('router.r1' as LinkAddress),
  commands: (admin) => admin.commands(),
  holdings: (admin) => admin.holdings('n1' as NodeId),
  'status of workers': (admin) => admin.workers('status'),
  exchange: async (admin) => {
    const view = await admin.view();
    const [initiator, peer] = view.placementOf(0 as never, 3).owners as [NodeId, NodeId];
    await admin.exchange(initiator, { ring: view.ringVersion, partition: 0 as never, n: 3, peer, bucket: undefined });
  },
  reap: async (admin) => {
    const view = await admin.view();
    const [first] = view.placementOf(0 as never, 3).owners as [NodeId];
    const share = { ring: view.ringVersion, partition: 0 as never, n: 3 };
    await admin.reap(first, { ...share, start: undefined, bucket: undefined });
  },
  pause: (admin) => admin.workers('pause'),
  resume: (admin) => admin.workers('resume'),
  propose: (admin) => admin.propose(BUCKET),
  'propose at a router': (admin) => admin.propose(BUCKET, 'router.r1' as LinkAddress),
};
const LOOKS = ['status', 'history', 'history at a router', 'commands', 'holdings', 'status of workers'];
const WORK = ['exchange', 'reap', 'pause', 'resume'];

describe('a role', () => {
  test.each<[Role, readonly string[]]>([
    ['viewer', LOOKS],
    ['operator', [...LOOKS, ...WORK]],
    ['administrator', Object.keys(ASKED)],
  ])('%s may do this, and nothing else', async (role, allowed) => {
    const admin = await adminWith(tokenOf(role));
    for (const [what, ask] of Object.entries(ASKED))
      expect([what, await outcome(ask(admin))]).toEqual([what, allowed.includes(what) ? 'done' : 'forbidden']);
  });

  test('that does not suffice is told which one does; so is who has none at all', async () => {
    const viewer = await adminWith(tokenOf('viewer'));
    await expect(viewer.workers('pause')).rejects.toMatchObject({ code: 'forbidden', details: { role: 'operator' } });
    await expect(viewer.leave('n3')).rejects.toMatchObject({ code: 'forbidden', details: { role: 'administrator' } });
    const nobody = await connect({});
    await expect(nobody.admin.history()).rejects.toMatchObject({ code: 'unauthenticated', details: { role: 'viewer' } });
    const shop = await connect({ token: tokenOf(undefined) });
    await expect(shop.admin.revokeTokens()).rejects.toMatchObject({ code: 'unauthenticated', details: { role: 'viewer' } });
    expect([viewer.hasCredentials, nobody.admin.hasCredentials, shop.admin.hasCredentials]).toEqual([true, false, false]);
  });
});

describe.each(['node.n1', 'router.r1', 'anti-entropy.a1'])('the door of %s', (server) => {
  const status: Request = server === 'anti-entropy.a1' ? { kind: 'worker', command: 'status' } : { kind: 'status' };

  test('answers who holds a token of its cluster, and nobody else', async () => {
    expect(await outcome(speaker(tokenOf('viewer')).request(doorOf(server), status, 5_000))).toBe('done');
    const stranger: Secrets = [utf8Encode('the secret of somebody else')];
    const { claims } = unwrap(proofOf(tokenOf('administrator'), NAME));
    const theirs = tokenOf('administrator', {}, cluster.options.secrets, 'mall' as ClusterName);
    const others = {
      'a token under another secret': speaker(tokenOf('administrator', {}, stranger), linkAddress('guest', 'g2')),
      'the claims of another, and a made-up key': speakerWith(claims, new Uint8Array(32).fill(7), linkAddress('guest', 'g3')),
      'the token of another cluster': speakerWith(
        theirs.subarray(0, -16),
        unwrap(proofOf(theirs, 'mall' as ClusterName)).key,
        linkAddress('guest', 'g4'),
      ),
      'no claims': speakerWith(new Uint8Array(0), new Uint8Array(32), linkAddress('guest', 'g5')),
      'in the place of a node': speaker(tokenOf('administrator'), linkAddress('node', 'n2x')),
    };
    for (const [who, link] of Object.entries(others))
      expect([who, await outcome(link.request(doorOf(server), status, 5_000))]).toEqual([who, 'unauthenticated']);
    const bus = cluster.broker.connect();
    const bare = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
      ...{ prefix: 'armature', cluster: NAME, address: linkAddress('guest', 'g6'), token: tokenOf('administrator') },
      ...ports(bus),
    });
    expect(await outcome(bare.request(doorOf(server), status, 5_000))).toBe('unauthenticated');
    await bare.drain();
  });

  test('a token that has expired, or grants keys only, is told so by a typed error', async () => {
    const expired = speaker(tokenOf('administrator', { expiresAtMs: 1 }));
    await expect(expired.request(doorOf(server), status, 5_000)).rejects.toMatchObject({
      ...{ code: 'unauthenticated', details: { fault: 'expired' } },
    });
    const shop = speaker(tokenOf(undefined), linkAddress('guest', 'g2'));
    await expect(shop.request(doorOf(server), status, 5_000)).rejects.toMatchObject({
      ...{ code: 'forbidden', details: { role: 'viewer' } },
    });
  });

  test('takes nothing but administration, whatever the role', async () => {
    const link = speaker(tokenOf('administrator'));
    const others: readonly Request[] = [
      { kind: 'gossip', fingerprint: '', records: [] },
      { kind: 'fetch', address: '' as never, options: { r: 'default', pr: 'default' } },
      { kind: 'read', ring: 0 as never, address: ' '.repeat(20) as never },
      { kind: 'keep-command', command: { ...recordOf('evil'), author: 'somebody else' } },
    ];
    for (const request of others) expect(await outcome(link.request(doorOf(server), request, 5_000))).not.toBe('done');
    await expect(link.request(doorOf(server), others[0]!, 5_000)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(link.request(doorOf(server), others[3]!, 5_000)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

const recordOf = (command: string) => ({
  ...{ id: '0123456789abcdef', firstMs: 1, lastMs: 1, count: 1, at: 'node.n1', author: 'x', command, outcome: 'done' as const },
});

test('a token is never on the bus, whatever its holder does; nor is the one that a holder of the secret has made for himself', async () => {
  const heard: Buffer[] = [];
  const subscription = cluster.broker.connect().subscribe('>', ({ payload }) => void heard.push(Buffer.from(payload)));
  const token = tokenOf('administrator');
  const client = await connect({ token });
  for (const ask of Object.values(ASKED)) await ask(client.admin);
  await client.bucket('default').put('k', 'v');
  await client.bucket('default').get('k');
  subscription.unsubscribe();
  const claims = Buffer.from(token.subarray(0, -16));
  expect(heard.filter((payload) => payload.includes(claims)).length).toBeGreaterThan(10);
  expect(heard.filter((payload) => payload.includes(Buffer.from(token.subarray(-16))))).toEqual([]);
});

test('recordings of commands, sent again, do nothing: a worker that was resumed stays so', async () => {
  const recorded: BusMessage[] = [];
  const bus = cluster.broker.connect();
  const subscription = bus.subscribe('armature.local.link.admin.>', (message) => void recorded.push(message));
  const admin = await adminWith(tokenOf('operator', { subject: 'omar' }));
  expect((await admin.workers('pause')).map(({ state }) => state)).toEqual(['paused']);
  expect((await admin.workers('resume')).map(({ state }) => state)).not.toContain('paused');
  subscription.unsubscribe();
  expect(recorded.length).toBeGreaterThan(2);
  for (let round = 0; round < 3; round++) for (const { subject, payload } of recorded) bus.publish(subject, payload);
  await bus.flush();
  const [status] = await admin.workers('status');
  expect(status?.state).not.toBe('paused');
  const kept = (await admin.commands()).commands.filter(({ author }) => author === 'omar');
  expect(kept.map(({ command, count }) => [command, count])).toEqual([
    ['pause the worker', 1],
    ['resume the worker', 1],
  ]);
});

describe('who gave a command', () => {
  test('is what the token says, whatever the command says', async () => {
    const link = speaker(tokenOf('administrator', { subject: 'olga' }));
    const request = { kind: 'propose', change: BUCKET, author: 'somebody else' } as const;
    for (const server of ['node.n1', 'router.r1']) {
      const reply = await link.request(doorOf(server), request, 5_000);
      expect(reply).toMatchObject({ kind: 'propose', record: { author: 'olga', change: { kind: 'bucket' } } });
    }
  });

  test('is kept for commands that change no membership, and for those that were refused, at whichever door', async () => {
    const operator = await adminWith(tokenOf('operator', { subject: 'otto' }));
    for (const what of ['status', 'holdings', 'exchange', 'exchange', 'pause', 'resume']) await ASKED[what]!(operator);
    for (const what of ['propose', 'propose at a router']) expect(await outcome(ASKED[what]!(operator))).toBe('forbidden');
    const administrator = await adminWith(tokenOf('administrator', { subject: 'ada' }));
    expect(await outcome(administrator.join('n1'))).toBe('invalid-argument');
    const { commands, silent } = await administrator.commands();
    expect(silent).toEqual([]);
    const told = commands.filter(({ author }) => author === 'otto' || author === 'ada');
    expect(told.map(({ author, at, command, outcome: what, count }) => [author, at.split('.')[0], command, what, count])).toEqual(
      [
        ['otto', 'node', 'holdings', 'done', 1],
        ['otto', 'node', 'repair', 'done', 2],
        ['otto', 'anti-entropy', 'pause the worker', 'done', 1],
        ['otto', 'anti-entropy', 'resume the worker', 'done', 1],
        ['otto', 'node', 'bucket carts', 'forbidden', 1],
        ['otto', 'router', 'bucket carts', 'forbidden', 1],
        ['ada', 'node', 'join n1', 'invalid-argument', 1],
      ],
    );
  });
});

test('while the secret is changed, tokens under either secret are taken, and answers are understood', async () => {
  const [present] = cluster.options.secrets;
  const next = utf8Encode('the secret that comes next');
  const bus = cluster.broker.connect();
  const door = new AdminDoor({
    ...ports(bus),
    ...{ prefix: 'armature', cluster: NAME, secrets: [present, next], server: 'node.n9' },
    membership: cluster.router.participant.membership,
    answer: () => ({ kind: 'ping' }),
    keep: () => Promise.resolve(),
  });
  closers.push(() => door.stop());
  for (const [i, secret] of [present, next].entries()) {
    const link = speaker(tokenOf('viewer', {}, [secret]), linkAddress('guest', `g${i}`));
    expect(await outcome(link.request(doorOf('node.n9'), { kind: 'status' }, 5_000))).toBe('done');
  }
});

test('who knows of no cluster yet asks around before it takes a token: it may have been revoked', async () => {
  const bus = cluster.broker.connect();
  const { view } = cluster.router.participant.membership;
  const membership = {
    view: { ...view, cluster: undefined } as typeof view,
    refresh() {
      membership.view = { ...view, access: { ...view.access, generation: view.access.generation + 1 } };
      return Promise.resolve(view);
    },
  };
  const door = new AdminDoor({
    ...ports(bus),
    ...{ prefix: 'armature', cluster: NAME, secrets: cluster.options.secrets, server: 'node.n9', membership },
    answer: () => ({ kind: 'ping' }),
    keep: () => Promise.resolve(),
  });
  closers.push(() => door.stop());
  const asking = speaker(tokenOf('administrator')).request(doorOf('node.n9'), { kind: 'history' }, 5_000);
  await expect(asking).rejects.toMatchObject({ code: 'unauthenticated', details: { fault: 'revoked' } });
});

test('more tokens than a door has room for are served one after another', async () => {
  const subjects = Array.from({ length: 70 }, (_, i) => `viewer ${i}`);
  for (const subject of subjects) {
    const link = speaker(tokenOf('viewer', { subject }), linkAddress('guest', 'g1'));
    expect(await outcome(link.request(doorOf('router.r1'), { kind: 'status' }, 5_000))).toBe('done');
    await closers.pop()!();
  }
});

test('where tokens are required a status subject says that the process is there, and the door says the rest; revoked tokens open nothing', async () => {
  const { admin } = cluster.client;
  const bus = cluster.broker.connect();
  const ask = (server: string): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      const inbox = `inbox.${server}`;
      const once = bus.subscribe(inbox, ({ payload }) => {
        once.unsubscribe();
        resolve(JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>);
      });
      bus.publish(`armature.local.status.${server}`, new Uint8Array(0), { reply: inbox });
    });
  const former = await adminWith(tokenOf('administrator'));
  expect(Object.keys(await ask('node.n1'))).toContain('suspects');
  await admin.demandTokens('required');
  await admin.revokeTokens();
  for (const server of ['node.n1', 'router.r1', 'anti-entropy.a1']) {
    const [role, name] = server.split('.') as [string, string];
    await expect.poll(() => ask(server)).toEqual({ name, role, version: '0.1.0', ready: true });
  }
  const present = await adminWith(tokenOf('administrator'));
  for (const [what, ask] of Object.entries(ASKED)) {
    expect([what, await outcome(ask(former))]).toEqual([what, 'unauthenticated']);
    expect([what, await outcome(ask(present))]).toEqual([what, 'done']);
  }
  await expect(former.history()).rejects.toMatchObject({ details: { fault: 'revoked' } });
});
