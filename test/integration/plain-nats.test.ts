import { connect as connectNats, headers as natsHeaders, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';

let cluster: ProcessCluster;
let nats: NatsConnection;
let api: string;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: ['r1', 'r2'] });
  api = `armature.${cluster.cluster}.api`;
  nats = await connectNats({ servers: cluster.natsUrl });
});
afterAll(async () => {
  await nats.close();
  await cluster.stop();
});

test('any NATS client gets and puts through the router tier, with siblings and contexts in headers', async () => {
  await nats.request(`${api}.put.default.greeting`, 'hello', { timeout: 5000 });
  const got = await nats.request(`${api}.get.default.greeting`, '', { timeout: 5000 });
  expect(got.string()).toBe('hello');
  await nats.request(`${api}.put.default.greeting`, 'hallo', { timeout: 5000 });
  const both = await nats.request(`${api}.get.default.greeting`, '', { timeout: 5000 });
  expect(both.headers?.get('Armature-Siblings')).toBe('2');
  const headers = natsHeaders();
  headers.set('Armature-Context', both.headers?.get('Armature-Context') ?? '');
  await nats.request(`${api}.put.default.greeting`, 'merged', { timeout: 5000, headers });
  expect((await nats.request(`${api}.get.default.greeting`, '', { timeout: 5000 })).string()).toBe('merged');
});

test('nodes and routers are NATS micro services that discovery lists', async () => {
  const found: string[] = [];
  const inbox = `_INBOX.discovery.${process.pid}`;
  const subscription = nats.subscribe(inbox, {
    callback: (_error, message) => void found.push(message.json<{ name: string }>().name),
  });
  nats.publish('$SRV.PING', '', { reply: inbox });
  await expect
    .poll(() => [...found].sort(), { timeout: 5000 })
    .toEqual([
      ...['armature-api', 'armature-api'],
      ...['armature-node', 'armature-node', 'armature-node'],
      ...['armature-router', 'armature-router'],
    ]);
  subscription.unsubscribe();
});

test('a router is killed: requests go on through the other', async () => {
  await cluster.kill('r1');
  for (let i = 0; i < 30; i++) {
    await nats.request(`${api}.put.default.r${i}`, `v${i}`, { timeout: 5000 });
    expect((await nats.request(`${api}.get.default.r${i}`, '', { timeout: 5000 })).string()).toBe(`v${i}`);
  }
  const client = await cluster.connect({ routing: 'router' });
  expect((await client.bucket('default').get('r0'))?.value).toBe('v0');
  await client.close();
  await cluster.restart('r1');
});
