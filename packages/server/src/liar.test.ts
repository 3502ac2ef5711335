/**
 * Somebody without the secret on the bus, who answers every question first, with lies, and announces what is not so: it costs the
 * others a moment at most.
 */
import { utf8Encode, unwrap, parseNodeId, type BucketName } from '@armature/kernel';
import { frontAddress, FRONT_RIGHTS } from '@armature/protocol';
import type { InProcessConnection } from '@armature/bus';
import { connectOver } from '@armature/client';
import { noTelemetry, repeat, silentLog, systemClock, systemRandom, type Timer } from '@armature/runtime';
import { memoryEngine } from '@armature/storage';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AntiEntropyWorker } from './anti-entropy-worker.js';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';
import { ArmatureNode } from './node.js';
import { ArmatureRouter } from './router.js';
import type { ServerOptions } from './server-options.js';

let cluster: LocalCluster;
let server: ServerOptions;
let announcing: Timer;

const ports = () => ({
  bus: cluster.broker.connect(),
  clock: systemClock,
  random: systemRandom(),
  log: silentLog,
  telemetry: noTelemetry,
});

/**
 * What he names: nobody, somebody who listens and is silent, somebody whose role is another, what is no address, and too much.
 */
const LIES = ['node.nobody', 'router.nobody', 'node.silent', 'router.silent', 'guest.evil', 'node.*', '', 'x'.repeat(1_000_000)];

function lie(bus: InProcessConnection): void {
  const root = `armature.${server.cluster}`;
  for (const subject of [`${root}.discover.*`, `${root}.presence`, `${root}.presence.>`])
    bus.subscribe(subject, (message) => {
      for (const text of LIES) message.respond(utf8Encode(text));
      message.respond(message.payload);
    });
  bus.subscribe(`${root}.link.*.silent`, () => undefined);
  for (const right of FRONT_RIGHTS)
    bus.subscribe(`${root}.link.${frontAddress('default' as BucketName, right, 'router.silent')}`, () => undefined);
  const say = (): void => {
    for (const name of ['nobody', 'silent', 'n1', 'x'.repeat(500_000)])
      bus.publish(`${root}.announce`, utf8Encode(`node.${name} ${systemClock.nowMs()}`));
  };
  announcing = repeat(systemClock, 20, say);
}

beforeAll(async () => {
  cluster = await startLocalCluster({ nodes: ['n1', 'n2', 'n3'], partitionCount: 16 });
  const { prefix, cluster: name, secrets } = cluster.options;
  server = { prefix, cluster: name, secrets, seeds: [], gossipIntervalMs: 200 };
  lie(cluster.broker.connect());
});

afterAll(async () => {
  announcing.cancel();
  await cluster.stop();
});

test('a node, a router and a worker start, and learn of their cluster', async () => {
  const node = await ArmatureNode.start({ ...server, node: unwrap(parseNodeId('n9')) }, { ...ports(), engine: memoryEngine() });
  const router = await ArmatureRouter.start({ ...server, name: 'r9' }, ports());
  const worker = await AntiEntropyWorker.start({ ...server, name: 'a9', cycleMs: 1_000, reapCycleMs: 1_000 }, ports());
  try {
    await expect.poll(() => [router.ready, worker.notes]).toEqual([true, []]);
    await expect
      .poll(() => node.participant.membership.view.cluster?.id)
      .toBe(cluster.nodes[0]?.participant.membership.view.cluster?.id);
  } finally {
    await Promise.all([node.stop(), router.stop(), worker.stop()]);
  }
});

test('an application finds a router, a direct client the members, an administrator a node', async () => {
  const guest = await connectOver(ports(), { cluster: 'local' });
  await guest.bucket('default').put('k', 'v');
  expect((await guest.bucket('default').get('k'))?.value).toBe('v');
  const direct = await connectOver(ports(), { cluster: 'local', routing: 'direct', secret: server.secrets });
  expect((await direct.bucket('default').get('k'))?.value).toBe('v');
  expect((await direct.admin.members()).map(({ node }) => node)).toEqual(['n1', 'n2', 'n3']);
  await Promise.all([guest.close(), direct.close()]);
});

test('changes are heard of as before', async () => {
  await cluster.client.admin.setBucket('made-meanwhile', {});
  const known = () =>
    cluster.nodes.every(({ participant }) => participant.membership.view.buckets.has('made-meanwhile' as BucketName));
  await expect.poll(known).toBe(true);
});
