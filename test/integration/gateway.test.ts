/**
 * Two sites on real processes, each a NATS cluster, joined by a gateway: zones a and b at one site, c at the other, N = 3. The
 * gateway is cut.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, type Client } from '@armature/client';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload, takeInventory } from '@armature/tools/audit';
import { PARTITIONS, startZonedCluster, zoneOf, type ZonedCluster } from './zoned-cluster.js';

/** One nats-server in each zone, named like it. */
const SITES = { east: ['a', 'b'], west: ['c'] };
const NODES = ['a1', 'b1', 'c1', 'c2'];
const PATIENT = { timeout: 60_000, interval: 200 };

let zoned: ZonedCluster;
let network: ZonedCluster['network'];
let cluster: ZonedCluster['cluster'];
let east: Client;
let west: Client;

beforeAll(async () => {
  zoned = await startZonedCluster(SITES, NODES);
  ({ network, cluster } = zoned);
  east = await zoned.clientIn('a');
  west = await zoned.clientIn('c');
});
afterAll(() => zoned.stop());

test('the gateway is cut: both sites go on, a node joins and a bucket is made; after healing all is one again', async () => {
  expect(await network.links('c')).toEqual({ routes: [], gateways: ['east'] });
  const same = startWorkload([east, west], { name: 'gateway: same keys, both sites', writers: 4, pauseMs: 20 });
  const own = [
    startWorkload(east, { name: 'gateway: own keys, site of two zones', writers: 2, pauseMs: 20 }),
    startWorkload(west, { name: 'gateway: own keys, site of one zone', writers: 2, pauseMs: 20 }),
  ];
  const all = [same, ...own];
  await Promise.all(all.map((one) => one.untilAcknowledged(50)));

  network.cutGateways();
  for (const server of ['a', 'b', 'c']) {
    await expect.poll(async () => (await network.links(server)).gateways, PATIENT).toEqual([]);
  }
  expect((await network.links('a')).routes).toEqual(['b']);
  await Promise.all(all.map((one) => one.untilAcknowledged(150)));

  const strings = { codec: json<string>() };
  for (let i = 0; i < 20; i++) await east.bucket('default', strings).put(`blind-${i}`, 'east');
  for (let i = 0; i < 20; i++) await west.bucket('default', strings).put(`blind-${i}`, 'west');
  await expect(west.bucket('default').put('strict', 'v', { pw: 2 })).rejects.toMatchObject({ code: 'partial-write' });
  await expect(west.bucket('default').get('strict', { pr: 2 })).rejects.toMatchObject({ code: 'unavailable' });

  await east.admin.setBucket('made-apart', { n: 3 });
  await cluster.launch('node', 'a2');
  await cluster.untilAnswering('a2');
  await east.admin.join('a2', { zone: 'a' });
  await cluster.untilReady('a2');
  expect((await west.admin.view()).members.size, 'the other site has not heard of it').toBe(NODES.length);
  await Promise.all(all.map((one) => one.untilAcknowledged(50)));

  const healedMs = performance.now();
  network.heal();
  await network.untilWhole();
  await expect.poll(async () => (await west.admin.view()).members.size, PATIENT).toBe(NODES.length + 1);
  await Promise.all(all.map((one) => one.untilAcknowledged(50)));
  for (const one of all) await one.stop();
  const audit = await expectReplicasEqual(cluster);
  console.log(`gateway: ${audit.keys} keys, all replicas equal ${Math.round(performance.now() - healedMs)} ms after healing`);
  await expectNoDotNamesTwoValues(cluster);
  for (const one of all) await one.verify(west);
  for (let i = 0; i < 20; i++) {
    expect((await west.bucket('default', strings).get(`blind-${i}`))?.values.toSorted()).toEqual(['east', 'west']);
  }
  await east.bucket('made-apart').put('k', 'v');
  expect((await west.bucket('made-apart').get('k'))?.value).toBe('v');
  const { view } = await takeInventory(cluster);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { owners } = view.placementOf(partition as never, 3);
    expect(owners.map(zoneOf).sort(), `partition ${partition}`).toEqual(['a', 'b', 'c']);
  }
}, 300_000);
