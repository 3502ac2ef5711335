/**
 * Three zones, two nodes and a nats-server in each, N = 3, on real processes: a zone is cut off from the other two, and both
 * sides go on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, type Client } from '@armature/client';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload, takeInventory } from '@armature/tools/audit';
import { PARTITIONS, startZonedCluster, zoneOf, type ZonedCluster } from './zoned-cluster.js';

const ZONES = ['a', 'b', 'c'];
const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'];
const BLIND_KEYS = 20;

let zoned: ZonedCluster;
let network: ZonedCluster['network'];
let cluster: ZonedCluster['cluster'];
/** Of zones a and b, and of zone c. */
let near: Client;
let far: Client;

beforeAll(async () => {
  zoned = await startZonedCluster({ home: ZONES }, NODES);
  ({ network, cluster } = zoned);
  near = await zoned.clientIn('a');
  far = await zoned.clientIn('c');
});
afterAll(() => zoned.stop());

test('with as many zones as N, every partition has one owner in each zone', async () => {
  const { view } = await takeInventory(cluster);
  const zones = Array.from({ length: PARTITIONS }, (_, partition) =>
    view
      .placementOf(partition as never, 3)
      .owners.map(zoneOf)
      .sort(),
  );
  expect(zones).toEqual(zones.map(() => ZONES));
});

describe.each(['reset', 'silent'] as const)('a zone is cut off, connections %s', (kind) => {
  test('both sides go on writing the same keys and others; all of it is there after healing', async () => {
    const sides = { near, far };
    const same = startWorkload([near, far], { name: `${kind}: same keys, both sides`, writers: 4, pauseMs: 20 });
    const own = Object.entries(sides).map(([side, client]) =>
      startWorkload(client, { name: `${kind}: own keys, ${side} side`, writers: 2, pauseMs: 20 }),
    );
    const all = [same, ...own];
    await Promise.all(all.map((one) => one.untilAcknowledged(50)));

    network.cutOff(['c'], kind);
    if (kind === 'reset') {
      await expect.poll(() => network.links('c'), { timeout: 20_000 }).toEqual({ routes: [], gateways: [] });
    }
    await Promise.all(all.map((one) => one.untilAcknowledged(150)));

    // Blind writes of both sides are concurrent, and a bucket is made on one of them.
    for (const [side, client] of Object.entries(sides)) {
      const bucket = client.bucket('default', { codec: json<string>() });
      for (let i = 0; i < BLIND_KEYS; i++) await bucket.put(`${kind}/blind-${i}`, side);
      for (let i = 0; i < BLIND_KEYS; i++) expect((await bucket.get(`${kind}/blind-${i}`, { r: 1 }))?.values).toEqual([side]);
      for (let i = 0; i < BLIND_KEYS; i++) expect((await bucket.get(`${kind}/blind-${i}`))?.values).toEqual([side]);
    }
    // Behind a silent cut the bus may give each question for some node to one that is beyond.
    const make = (): Promise<boolean> =>
      far.admin.setBucket(`made-${kind}`, { n: 3 }).then(
        () => true,
        () => false,
      );
    await expect.poll(make, { timeout: 30_000 }).toBe(true);

    // Strict quorums are for the side that has the owners: two of three.
    const strict = { pw: 2, timeoutMs: 3_000 };
    await near.bucket('default').put(`${kind}/strict`, 'near', { ...strict, timeoutMs: 20_000 });
    await expect(far.bucket('default').put(`${kind}/strict-far`, 'far', strict)).rejects.toMatchObject({
      code: 'partial-write',
    });
    await expect(far.bucket('default').get(`${kind}/strict`, { pr: 2, timeoutMs: 3_000 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(unavailable|timeout)$/) as string,
    });

    const healedMs = performance.now();
    network.heal();
    await network.untilWhole();
    await Promise.all(all.map((one) => one.untilAcknowledged(50)));
    for (const one of all) await one.stop();
    const audit = await expectReplicasEqual(cluster, { timeoutMs: 60_000 });
    console.log(`${kind}: ${audit.keys} keys, all replicas equal ${Math.round(performance.now() - healedMs)} ms after healing`);
    await expectNoDotNamesTwoValues(cluster);
    for (const one of all) await one.verify(near);
    const bucket = far.bucket('default', { codec: json<string>() });
    for (let i = 0; i < BLIND_KEYS; i++) {
      expect([...((await bucket.get(`${kind}/blind-${i}`))?.values ?? [])].sort()).toEqual(['far', 'near']);
    }
    await near.bucket(`made-${kind}`).put('k', 'v');
    expect((await far.bucket(`made-${kind}`).get('k'))?.value).toBe('v');
  }, 300_000);
});
