import { utf8Decode, utf8Encode, type BinaryString, type ErrorCode, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET, RING_UNKNOWN, type ScanReply, type ScanRequest } from '@armature/protocol';
import { keyOfAddress } from '@armature/ring';
import { describe, expect, test } from 'vitest';
import { contextOf, decodeVersionSet, EMPTY_CONTEXT } from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';
import { scan } from './scan.js';
import { N1, N2, N3, THREE, TestCluster, addressFor, joined, node, type Asked, type Delivery } from './cluster.test-support.js';

const START = '' as BinaryString;

const MB = 1024 * 1024;
const ALL: ScanRequest = { kind: 'scan', bucket: DEFAULT_BUCKET, cursor: START, limit: 500, withValues: true };

/** Keys that each node holds, put there alone: a listing has to join them. */
async function fill(
  cluster: TestCluster,
  count: number,
  holds: (key: number) => readonly NodeId[] = () => THREE,
  valueOf: (key: number) => Uint8Array = (key) => utf8Encode(`value ${key}`),
): Promise<void> {
  for (let i = 0; i < count; i++) {
    const minted = await cluster.at(N1).replica.mint({
      ...{ address: addressFor(String(i)), bucket: cluster.view.buckets.get(DEFAULT_BUCKET)!, operation: cluster.operation() },
      ...{ context: { clock: [] as never, at: 0 as never }, tombstone: false, value: valueOf(i), meta: [] },
    });
    const on = holds(i);
    for (const one of on) {
      await cluster
        .at(one)
        .replica.merge(addressFor(String(i)), minted.encoded, cluster.view.buckets.get(DEFAULT_BUCKET)!, 'fsync');
    }
    if (!on.includes(N1)) cluster.at(N1).store.records.delete(addressFor(String(i)));
  }
}

/** One more sibling, at all three. */
async function mintBlind(cluster: TestCluster, key: string, value: Uint8Array, tombstone = false, at = N1): Promise<void> {
  const bucket = cluster.view.buckets.get(DEFAULT_BUCKET)!;
  const address = addressFor(key);
  const held = tombstone ? decodeVersionSet((await cluster.at(at).replica.read(address))!) : undefined;
  const context = held?.ok === true ? contextOf(held.value) : EMPTY_CONTEXT;
  const minted = await cluster
    .at(at)
    .replica.mint({ address, bucket, operation: cluster.operation(), context, tombstone, value, meta: [] });
  for (const one of THREE) await cluster.at(one).replica.merge(address, minted.encoded, bucket, 'fsync');
}

const remove = (cluster: TestCluster, key: string): Promise<void> => mintBlind(cluster, key, new Uint8Array(0), true);

/** A reader, and the sizes of the entries of each page that replicas send it. */
function watch(cluster: TestCluster): { env: CoordinationEnv; pulled: number[][] } {
  const env = cluster.outside();
  const pulled: number[][] = [];
  const ask = async (...asked: Parameters<CoordinationEnv['ask']>): Promise<never> => {
    const reply = await env.ask(...asked);
    if (reply.kind === 'pull') pulled.push(reply.entries.map(({ address, set }) => address.length + set.length));
    return reply as never;
  };
  return { env: { ...env, ask }, pulled };
}

const page = (cluster: TestCluster, parts: Partial<ScanRequest> = {}, timeoutMs = 1_000): Promise<ScanReply> =>
  cluster.finish(
    scan(
      cluster.outside(),
      { kind: 'scan', bucket: DEFAULT_BUCKET, cursor: START, limit: 100, withValues: true, ...parts },
      timeoutMs,
    ),
  );

/** All pages; the keys in the order in which they came. */
async function list(cluster: TestCluster, limit = 100): Promise<{ keys: string[]; pages: number }> {
  const keys: string[] = [];
  let pages = 0;
  for (let cursor: BinaryString | undefined = START; cursor !== undefined; pages++) {
    const reply: ScanReply = await page(cluster, { cursor, limit });
    expect(reply.items.length).toBeLessThanOrEqual(limit);
    expect(reply.next === undefined || reply.next > cursor, 'it gets on').toBe(true);
    keys.push(...reply.items.map(({ address }) => utf8Decode(keyOfAddress(address))));
    cursor = reply.next;
  }
  return { keys, pages };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const fromOutside = (faults: Partial<Record<string, Delivery>>) => (asked: Asked) => faults[asked.to] ?? {};

describe('scan', () => {
  test.each([1, 7, 50, 1_000])('in pages of %i: every key once, in ring order, and then it ends', async (limit) => {
    const cluster = await TestCluster.open();
    await fill(cluster, 120);
    const { keys } = await list(cluster, limit);
    expect([...keys].sort()).toEqual(numbers(120).sort());
    expect(keys).toEqual(keys.toSorted((a, b) => (addressFor(a) < addressFor(b) ? -1 : 1)));
  });

  test('replicas that hold different keys: all of them, and never more than the limit in a page', async () => {
    const cluster = await TestCluster.open();
    cluster.fastest = [N1, N2, N3];
    // Each key at two of three, so that any two replicas know it, and pages of the two end at different places.
    await fill(cluster, 90, (key) => THREE.filter((_, i) => i !== key % 3));
    for (const limit of [1, 4, 1_000]) {
      const { keys } = await list(cluster, limit);
      expect([...keys].sort()).toEqual(numbers(90).sort());
    }
  });

  test('values or not, as asked', async () => {
    const cluster = await TestCluster.open();
    await fill(cluster, 3);
    for (const { siblings, address } of (await page(cluster)).items) {
      expect(utf8Decode(siblings[0]!.value)).toBe(`value ${utf8Decode(keyOfAddress(address))}`);
      expect(siblings[0]!.at).toBeGreaterThan(0);
    }
    const keys = await page(cluster, { withValues: false });
    expect(keys.items.map(({ siblings }) => siblings)).toEqual([[], [], []]);
  });

  test('large values: pages are bounded in bytes on both hops, and what is larger than a page has one of its own', async () => {
    const cluster = await TestCluster.open();
    const sizeOf = (key: number): number => (key % 20 === 7 ? 5 * MB : (key % 4) * 0.5 * MB);
    await fill(cluster, 60, undefined, (key) => new Uint8Array(sizeOf(key)));
    const watched = watch(cluster);
    const keys: string[] = [];
    for (let cursor: BinaryString | undefined = START; cursor !== undefined;) {
      const reply: ScanReply = await cluster.finish(scan(watched.env, { ...ALL, cursor }, 1_000));
      const values = reply.items.flatMap(({ siblings }) => siblings.map(({ value }) => value.length));
      if (values.length > 1) expect(values.reduce((a, b) => a + b)).toBeLessThanOrEqual(4 * MB);
      keys.push(...reply.items.map(({ address }) => utf8Decode(keyOfAddress(address))));
      cursor = reply.next;
    }
    expect(keys.toSorted()).toEqual(numbers(60).toSorted());
    for (const sizes of watched.pulled) if (sizes.length > 1) expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(4 * MB);
  });

  test('siblings that together are larger than a page: a page of their own', async () => {
    const cluster = await TestCluster.open();
    await fill(cluster, 5);
    for (let i = 0; i < 8; i++) await mintBlind(cluster, 'wide', new Uint8Array(MB));
    const replies: ScanReply[] = [];
    for (let cursor: BinaryString | undefined = START; cursor !== undefined;) {
      replies.push(await page(cluster, { cursor, limit: 500 }));
      cursor = replies.at(-1)?.next;
    }
    const wide = replies.find(({ items }) => items.some(({ siblings }) => siblings.length === 8));
    expect(wide?.items).toHaveLength(1);
    expect(replies.flatMap(({ items }) => items)).toHaveLength(6);
  });

  test('a listing of keys moves no values and no metadata, and knows what is deleted', async () => {
    const cluster = await TestCluster.open();
    await fill(cluster, 20, undefined, () => new Uint8Array(MB));
    for (const key of ['3', '4']) await remove(cluster, key);
    const watched = watch(cluster);
    const { items } = await cluster.finish(scan(watched.env, { ...ALL, withValues: false }, 1_000));
    expect(items).toHaveLength(18);
    expect(watched.pulled.flat().reduce((a, b) => a + b)).toBeLessThan(20 * 3 * 200);
  });

  test('deleted keys are left out, concurrent versions are all there', async () => {
    const cluster = await TestCluster.open();
    const { coordinator } = cluster.at(N1);
    const write = (key: string, tombstone: boolean, context: Uint8Array = new Uint8Array(0)) =>
      cluster.finish(
        coordinator.write(
          {
            ...{
              kind: 'write',
              ring: RING_UNKNOWN,
              address: addressFor(key),
              context,
              operation: cluster.operation(),
              tombstone,
            },
            ...{ value: utf8Encode(tombstone ? '' : 'v'), meta: [], options: { w: 3, pw: 0, dw: 0, returnContext: true } },
          },
          1_000,
        ),
      );
    const { context } = await write('gone', false);
    await write('gone', true, context);
    await write('twice', false);
    await write('twice', false);
    const { items } = await page(cluster);
    expect(items.map(({ address, siblings }) => [utf8Decode(keyOfAddress(address)), siblings.length])).toEqual([['twice', 2]]);
  });

  test('one of three down: the third is asked in its place', async () => {
    const cluster = await TestCluster.open();
    cluster.fastest = [N1, N2, N3];
    await fill(cluster, 20);
    cluster.deliver = fromOutside({ n1: { refused: 'unreachable' } });
    expect((await page(cluster)).items).toHaveLength(20);
    // Silence costs time, so a page may be short, but the listing gets on.
    cluster.deliver = fromOutside({ n1: { lost: 'request' } });
    expect((await list(cluster)).keys).toHaveLength(20);
  });

  test.each<[string, Delivery]>([
    ['refuse', { refused: 'unreachable' }],
    ['are silent', { lost: 'request' }],
  ])('two of three %s: unavailable, and why', async (_, fault) => {
    const cluster = await TestCluster.open();
    cluster.deliver = fromOutside({ n1: fault, n2: fault });
    await expect(page(cluster)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('1 of the 2') as string,
      remedy: expect.stringContaining(fault.lost === undefined ? 'Repeat later' : 'with more time') as string,
    });
    for (const { timeoutMs } of cluster.asked) expect(timeoutMs).toBeGreaterThan(0);
  });

  test('little time: fewer keys and a cursor, not a failure', async () => {
    const cluster = await TestCluster.open();
    await fill(cluster, 50);
    cluster.deliver = () => ({ delayMs: 20 });
    const first = await page(cluster, {}, 100);
    expect(first.next).toBeDefined();
    cluster.deliver = () => ({});
    const rest = await page(cluster, { cursor: first.next! });
    expect(first.items.length + rest.items.length).toBe(50);
  });

  test('a damaged record at one replica: the key is listed from another', async () => {
    const cluster = await TestCluster.open();
    await fill(cluster, 10);
    cluster.at(N1).store.records.set(addressFor('3'), Buffer.from('rubbish'));
    cluster.fastest = [N1, N2, N3];
    expect((await page(cluster)).items).toHaveLength(10);
  });

  test('a reader with an old ring catches up and goes on', async () => {
    const cluster = await TestCluster.open({ nodes: [...THREE, node('n4')] });
    await fill(cluster, 30);
    const env = cluster.outside();
    cluster.happen(joined(node('n4')), [...THREE, node('n4')]);
    const request: ScanRequest = { kind: 'scan', bucket: DEFAULT_BUCKET, cursor: START, limit: 100, withValues: false };
    expect((await cluster.finish(scan(env, request, 1_000))).items).toHaveLength(30);
    expect(cluster.refreshes).toBe(1);
  });

  test('replicas that call it stale for ever: bounded', async () => {
    const cluster = await TestCluster.open();
    const refused: ErrorCode = 'stale-ring';
    cluster.deliver = () => ({ refused });
    await expect(page(cluster)).rejects.toMatchObject({ code: 'unavailable' });
    expect(cluster.refreshes).toBe(2);
  });
});
