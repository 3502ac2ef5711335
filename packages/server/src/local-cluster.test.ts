import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectOver, json, utf8, type Client } from '@armature/client';
import { noTelemetry, silentLog, systemClock, systemRandom, type Telemetry } from '@armature/runtime';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const SECRET = 'a secret of thirty-two bytes or more';
let cluster: LocalCluster;
let routed: Client;

beforeAll(async () => {
  cluster = await startLocalCluster({ secret: SECRET });
  const ports = {
    bus: cluster.broker.connect(),
    clock: systemClock,
    random: systemRandom(),
    log: silentLog,
    telemetry: noTelemetry,
  };
  routed = await connectOver(ports, { cluster: 'local', routing: 'router' });
});
afterAll(async () => {
  await routed.close();
  await cluster.stop();
});

test.each(['direct', 'router'] as const)(
  '%s: what was put is got, by every client, with a receipt that names the replicas',
  async (kind) => {
    const client = kind === 'direct' ? cluster.client : routed;
    const written = await client.bucket('default').put(`${kind}/a`, 'hello');
    const taken = written.receipt.replicas.filter(({ outcome }) => outcome === 'durable').map(({ role }) => role);
    expect(taken.length).toBeGreaterThanOrEqual(2);
    expect(new Set(taken)).toEqual(new Set(['primary']));
    for (const reader of [cluster.client, routed]) {
      const entry = await reader.bucket('default').get(`${kind}/a`);
      expect(entry?.value).toBe('hello');
      expect(entry?.receipt.replicas.length).toBeGreaterThanOrEqual(2);
      expect(entry?.siblings[0]?.meta).toEqual([['content-type', 'text/plain; charset=utf-8']]);
    }
  },
);

test('a put with the context of a read replaces it, a blind put becomes a sibling, a merge makes one of them', async () => {
  const bucket = cluster.client.bucket('default', { codec: utf8, merge: (values) => [...values].sort().join('+') });
  await bucket.put('b', 'one');
  await bucket.put('b', 'two', { context: (await bucket.get('b'))?.context });
  expect((await bucket.get('b'))?.values).toEqual(['two']);
  await bucket.put('b', 'blind');
  expect((await bucket.get('b'))?.value).toBe('blind+two');
  await bucket.update('b', (current) => `(${current})`);
  expect((await bucket.get('b'))?.values).toEqual(['(blind+two)']);
});

test('the context of a put covers that put and no sibling that the writer has not read', async () => {
  const bucket = cluster.client.bucket('default');
  await bucket.put('c', 'one');
  const second = await bucket.put('c', 'two');
  await bucket.put('c', 'three', { context: second.context });
  expect([...((await bucket.get('c'))?.values ?? [])].sort()).toEqual(['one', 'three']);
});

test('siblings without a merge function: value says so, values has them all', async () => {
  const bucket = cluster.client.bucket('default');
  await bucket.put('d', 'one');
  await bucket.put('d', 'two');
  const entry = await bucket.get('d');
  expect(() => entry?.value).toThrow(/2 concurrent values/);
  expect([...(entry?.values ?? [])].sort()).toEqual(['one', 'two']);
});

test('a deleted key is gone for all, is not listed, and can be written again', async () => {
  const bucket = routed.bucket('default');
  await bucket.put('gone', 'x');
  expect(await bucket.delete('gone')).toBe(true);
  expect(await bucket.delete('gone')).toBe(false);
  expect(await cluster.client.bucket('default').get('gone')).toBeUndefined();
  const listed: string[] = [];
  for await (const key of bucket.keys()) listed.push(Buffer.from(key).toString());
  expect(listed).not.toContain('gone');
  await bucket.update('gone', (current) => current ?? 'again');
  expect((await bucket.get('gone'))?.values).toEqual(['again']);
});

test('a delete that races a put: the put survives, because it had not been read', async () => {
  const bucket = cluster.client.bucket('default');
  await bucket.put('race', 'old');
  const read = await bucket.get('race');
  await bucket.put('race', 'new');
  await bucket.delete('race', { context: read?.context });
  expect((await bucket.get('race'))?.values).toEqual(['new']);
});

test('100 interleaved writes by two clients leave 2 siblings', async () => {
  const [a, b] = [cluster.client.bucket('default'), routed.bucket('default')];
  let contextA = (await a.put('interleaved', 'a0')).context;
  let contextB = (await b.put('interleaved', 'b0')).context;
  for (let i = 1; i < 50; i++) {
    // Each goes on from its own last write, as two devices that never see each other's.
    contextA = (await a.put('interleaved', `a${i}`, { context: contextA })).context;
    contextB = (await b.put('interleaved', `b${i}`, { context: contextB })).context;
  }
  expect([...((await a.get('interleaved', { r: 'all' }))?.values ?? [])].sort()).toEqual(['a49', 'b49']);
});

test('a repeated operation is one write', async () => {
  const bucket = cluster.client.bucket('default');
  const operation = '0123456789abcdef';
  await bucket.put('once', 'v', { operation });
  await bucket.put('once', 'v', { operation });
  expect((await bucket.get('once'))?.values).toEqual(['v']);
});

test('buckets: made and changed by the administrator, known everywhere at once, n fixed', async () => {
  await cluster.client.admin.setBucket('sessions', { n: 2, r: 1, w: 1, resolver: 'last-write-wins' });
  const bucket = routed.bucket('sessions');
  await bucket.put('s', 'first');
  await bucket.put('s', 'second');
  expect((await bucket.get('s', { r: 2 }))?.values).toEqual(['second']);
  await cluster.client.admin.setBucket('sessions', { r: 2 });
  expect((await cluster.client.admin.buckets()).get(bucket.name)).toMatchObject({ n: 2, r: 2, w: 1 });
  await expect(cluster.client.admin.setBucket('sessions', { n: 3 })).rejects.toThrow(/n/);
});

test('listing pages through every key of a bucket exactly once', async () => {
  await cluster.client.admin.setBucket('many', {});
  const bucket = cluster.client.bucket('many', { codec: json<number>() });
  const keys = Array.from({ length: 1500 }, (_, i) => `key-${i}`);
  for (let from = 0; from < keys.length; from += 100) {
    await Promise.all(keys.slice(from, from + 100).map((key, i) => bucket.put(key, from + i)));
  }
  const listed: string[] = [];
  for await (const [key, values] of routed.bucket('many', { codec: json<number>() }).entries()) {
    listed.push(Buffer.from(key).toString());
    expect(values).toHaveLength(1);
  }
  expect(listed.sort()).toEqual(keys.sort());
});

test('members say that they are ready and agree on the ring', async () => {
  const members = await cluster.client.admin.members();
  expect(members.map(({ node }) => node)).toEqual(['n1', 'n2', 'n3']);
  expect(new Set(members.map(({ status }) => status?.ring)).size).toBe(1);
  expect(members.every(({ status }) => status?.ready === true && status.notes.length === 0)).toBe(true);
});

test.each(['direct', 'router'] as const)(
  '%s: close takes away the gauges that connect added, and so does a connect that fails',
  async (kind) => {
    let gauges = 0;
    const telemetry: Telemetry = {
      ...noTelemetry,
      observedGauge() {
        gauges++;
        return { remove: () => gauges-- };
      },
    };
    const ports = () => ({
      bus: cluster.broker.connect(),
      clock: systemClock,
      random: systemRandom(),
      log: silentLog,
      telemetry,
    });
    const client = await connectOver(ports(), {
      cluster: 'local',
      routing: kind,
      secret: SECRET,
    });
    expect(gauges).toBeGreaterThan(0);
    await client.close();
    expect(gauges).toBe(0);
    const wrong = {
      cluster: 'nowhere',
      secret: SECRET,
      operationsAtOnce: kind === 'direct' ? 1 : 0,
    };
    await expect(connectOver(ports(), { ...wrong, routing: kind })).rejects.toThrow();
    expect(gauges).toBe(0);
  },
);
