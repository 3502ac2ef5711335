/**
 * A cluster with one of everything, on a bus that notes who publishes and subscribes where. The table of subjects says the same:
 * nothing is said or heard that it does not list for that role, and it lists nothing that nobody needs.
 */
import {
  InProcessBroker,
  LinkEndpoint,
  linkAddress,
  subjectMatches,
  type BusHeaders,
  type InProcessConnection,
  type LinkAddress,
} from '@armature/bus';
import { connectOver, type Client, type ClientOptions, type ClientPorts } from '@armature/client';
import { unwrap, parseNodeId } from '@armature/kernel';
import {
  SUBJECT_TABLE,
  WORKER_GROUP,
  absolute,
  adminAddress,
  natsPattern,
  permissionsOf,
  protocolCodec,
  type Appointment,
  type BusRole,
  type Direction,
  type Reply,
  type Request,
} from '@armature/protocol';
import { noTelemetry, silentLog, sleep, systemClock, systemRandom } from '@armature/runtime';
import { memoryEngine } from '@armature/storage';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AntiEntropyWorker } from './anti-entropy-worker.js';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';
import { ArmatureNode } from './node.js';

/** What everybody is there for, by the name of his connection, and what he calls his own. */
const EVERYBODY: Readonly<Record<string, readonly Appointment[]>> = {
  n1: [{ role: 'node', names: [{ node: 'n1' }] }],
  n2: [{ role: 'node', names: [{ node: 'n2' }] }],
  n3: [{ role: 'node', names: [{ node: 'n3' }] }],
  n4: [{ role: 'node', names: [{ node: 'n4' }] }],
  r1: [{ role: 'router', names: [{ router: 'r1' }] }],
  a1: [{ role: 'worker', names: [{ worker: 'a1', group: WORKER_GROUP }] }],
  admin: [{ role: 'administrator', names: [{ group: 'admin' }] }],
  direct: [{ role: 'direct', names: [{ group: 'direct' }] }],
  shop: [{ role: 'application', names: ['read', 'write', 'list'].map((right) => ({ group: 'shop', bucket: 'default', right })) }],
  till: [
    { role: 'application', names: [{ group: 'till', bucket: 'default' }] },
    { role: 'application-at-nodes', names: [{ group: 'till', bucket: 'default' }] },
  ],
  kiosk: [
    { role: 'plain', names: [{ user: 'kiosk' }] },
    { role: 'plain-by-header', names: [{ user: 'kiosk' }] },
  ],
  prometheus: [{ role: 'monitor', names: [{ user: 'prometheus' }] }],
};

interface Use {
  readonly who: string;
  readonly direction: Direction;
  readonly subject: string;
  readonly payload: unknown;
}

const uses: Use[] = [];
let cluster: LocalCluster;

function noteUses(): void {
  const prototype = Object.getPrototypeOf(new InProcessBroker({ clock: systemClock }).connect()) as InProcessConnection;
  for (const direction of ['publish', 'subscribe'] as const) {
    const original = prototype[direction] as (this: InProcessConnection, subject: string, ...more: unknown[]) => unknown;
    vi.spyOn(prototype, direction).mockImplementation(function (this: InProcessConnection, subject: string, ...more: unknown[]) {
      uses.push({ who: this.id, direction, subject, payload: more[0] });
      return original.call(this, subject, ...more) as never;
    });
  }
}

const portsOf = (name: string): ClientPorts => ({
  bus: cluster.broker.connect(name),
  clock: systemClock,
  random: systemRandom(),
  log: silentLog,
  telemetry: noTelemetry,
});

function clientOf(group: string, options: Partial<ClientOptions>): Promise<Client> {
  return connectOver(portsOf(group), { cluster: 'local', group, ...options });
}

/** As any NATS client asks, with the inbox prefix that is his. */
function ask(name: 'kiosk' | 'prometheus', subject: string, headers?: BusHeaders): Promise<void> {
  const bus = cluster.broker.connect(name);
  const reply = `armature.local.inbox.${name === 'kiosk' ? 'plain' : 'monitor'}.${name}.1`;
  return new Promise((resolve) => {
    bus.subscribe(reply, () => void bus.drain().then(resolve));
    bus.publish(subject, new Uint8Array(), { reply, headers });
  });
}

async function startNode4(broker: InProcessBroker): Promise<ArmatureNode> {
  const ports = { ...portsOf('n4'), bus: broker.connect('n4'), engine: memoryEngine() };
  return ArmatureNode.start({ ...cluster.options, node: unwrap(parseNodeId('n4')) }, ports);
}

/** Gets, puts and lists. */
async function useKeys(client: Client): Promise<void> {
  const bucket = client.bucket('default');
  await bucket.put('key', 'value');
  await bucket.get('key');
  for await (const key of bucket.keys()) expect(key).toBeDefined();
  await client.close();
}

/** A frame that somebody has sent to a node comes to others, who refuse it. */
async function beRefused(): Promise<void> {
  const bus = cluster.broker.connect('replayer');
  const frame = uses.find(({ direction, subject }) => direction === 'publish' && subject.endsWith('.link.node.n1'))?.payload;
  for (const address of ['node.n2', 'router.r1']) {
    const reply = `armature.local.refused.node.n9.${address}.password.1`;
    const refused = new Promise((resolve) => bus.subscribe(reply, resolve));
    bus.publish(`armature.local.link.${address}`, frame as Uint8Array, { reply });
    await refused;
  }
  await bus.drain();
}

/** Somebody whose token is of another cluster comes to the doors of administration, which refuse him. */
async function beTurnedAway(): Promise<void> {
  const bus = cluster.broker.connect('impostor');
  const link = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
    ...{ ...portsOf('impostor'), bus, prefix: 'armature', cluster: 'local', address: linkAddress('guest', 'impostor') },
    ...{ keys: [new Uint8Array(32)], token: new Uint8Array(1) },
  });
  for (const server of ['node.n1', 'router.r1', 'anti-entropy.a1'])
    await expect(link.request(adminAddress(server) as LinkAddress, { kind: 'ping' }, 5_000)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  await link.drain();
}

async function administer(secret: Uint8Array): Promise<void> {
  const lonely = new InProcessBroker({ clock: systemClock });
  const newcomer = await startNode4(lonely);
  const creator = await connectOver(
    { ...portsOf('admin'), bus: lonely.connect('admin') },
    { cluster: 'local', group: 'admin', secret },
  );
  expect(await creator.admin.history()).toEqual([]);
  await newcomer.stop();
  await expect(creator.admin.history()).rejects.toMatchObject({ code: 'unreachable' });
  await creator.close();

  const client = await clientOf('admin', { secret });
  const { admin } = client;
  await admin.member(unwrap(parseNodeId('n1')));
  await admin.setBucket('default', { r: 1 });
  await admin.members();
  await admin.workers('status');
  await admin.history('router.r1' as LinkAddress);
  await client.close();
  const ungrouped = await clientOf('ungrouped', { secret, group: undefined });
  await ungrouped.admin.workers('status');
  await ungrouped.close();
}

async function useEverything(secret: Uint8Array): Promise<void> {
  const { options, broker } = cluster;
  const n4 = await startNode4(broker);
  const worker = await AntiEntropyWorker.start({ ...options, name: 'a1', cycleMs: 1_000 }, portsOf('a1'));
  await administer(secret);
  await useKeys(await clientOf('direct', { routing: 'direct', secret }));
  await useKeys(await clientOf('ungrouped', { routing: 'direct', secret, group: undefined }));
  for (const who of ['shop', 'till']) await useKeys(await clientOf(who, {}));
  await useKeys(await clientOf('ungrouped', { group: undefined }));

  for (const verb of ['get', 'put', 'delete']) {
    await ask('kiosk', `armature.local.api.${verb}`, new Map([['Armature-Key', ['k']]]));
    await ask('kiosk', `armature.local.api.${verb}.default`, new Map([['Armature-Key', ['k']]]));
    await ask('kiosk', `armature.local.api.${verb}.default.k.l`);
  }
  for (const address of ['node.n1', 'router.r1', 'anti-entropy.a1']) await ask('prometheus', `armature.local.status.${address}`);

  await beRefused();
  await beTurnedAway();
  while (worker.status().sweeps === 0) await sleep(systemClock, 50);
  await cluster.router.stop();
  await useKeys(await clientOf('till', {}));
  await useKeys(await clientOf('ungrouped', { group: undefined }));
  await Promise.all([worker.stop(), n4.stop()]);
}

beforeAll(async () => {
  noteUses();
  cluster = await startLocalCluster({ partitionCount: 8 });
  await useEverything(cluster.options.secrets[0]);
  await cluster.stop();
});
afterAll(() => vi.restoreAllMocks());

const SPACE = { prefix: 'armature', cluster: 'local' as never };

test('every subject that somebody uses matches a row of the table', () => {
  const patterns = SUBJECT_TABLE.map(({ pattern }) => absolute(SPACE, natsPattern(pattern, {})));
  const strange = uses.filter(({ subject }) => patterns.every((pattern) => !subjectMatches(pattern, subject)));
  expect([...new Set(strange.map(({ who, direction, subject }) => `${who} ${direction} ${subject}`))]).toEqual([]);
});

test('nobody says or hears anything that the table does not give his role', () => {
  const permitted = new Map(Object.entries(EVERYBODY).map(([who, appointments]) => [who, permissionsOf(SPACE, appointments)]));
  const denied = uses.filter(({ who, direction, subject }) => {
    const patterns = permitted.get(who)?.[direction];
    return patterns !== undefined && !patterns.some((pattern) => subjectMatches(pattern, subject));
  });
  expect([...new Set(denied.map(({ who, direction, subject }) => `${who} ${direction} ${subject}`))]).toEqual([]);
});

/**
 * Answers go to whoever asks: to say anything in an inbox, or to refuse anybody's frames, is one right each, whose the inbox or
 * the frame may be.
 */
const ONE_RIGHT = ['inbox.', 'refused.'];
/** Asked and answered by the NATS library; test/integration/nats-config.test.ts has it on a real server. */
const OF_NATS = '$SRV.';

test('the table gives no role anything that it does not need', () => {
  const spare = SUBJECT_TABLE.filter(({ pattern }) => !pattern.startsWith(OF_NATS)).flatMap((row) =>
    (['publish', 'subscribe'] as const).flatMap((direction) => {
      const one = direction === 'publish' ? ONE_RIGHT.find((start) => row.pattern.startsWith(start)) : undefined;
      const whole = one === undefined ? natsPattern(row.pattern, { verb: 'get' }) : `${one}>`;
      return row[direction].flatMap(({ role }) =>
        isUsed(role, direction, whole) ? [] : [`${role} ${direction} ${row.pattern}`],
      );
    }),
  );
  expect(spare).toEqual([]);
});

function isUsed(role: BusRole, direction: Direction, pattern: string): boolean {
  const whole = absolute(SPACE, pattern);
  const sample = whole.replaceAll(/[*>]/g, 'x');
  return uses
    .filter((use) => use.direction === direction && EVERYBODY[use.who]?.some((appointment) => appointment.role === role))
    .some(({ subject }) => subjectMatches(whole, subject) || subjectMatches(subject, sample));
}
