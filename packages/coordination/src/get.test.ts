import { ArmatureError, utf8Encode, type NodeId } from '@armature/kernel';
import { EMPTY_CONTEXT } from '@armature/versioning';
import { describe, expect, test } from 'vitest';
import { get, type GetResult } from './get.js';
import {
  BUCKET,
  N1,
  N2,
  N3,
  TestCluster,
  addressFor,
  bucketOf,
  created,
  joined,
  node,
  valuesOf,
  type Delivery,
} from './cluster.test-support.js';

const DEFAULTS = { r: 'default', pr: 'default' } as const;

/** Puts at one node alone: the others do not hear of it. */
async function mint(cluster: TestCluster, at: NodeId, key: string, value: string, context = EMPTY_CONTEXT): Promise<Uint8Array> {
  const minted = await cluster.at(at).replica.mint({
    ...{ address: addressFor(key), bucket: BUCKET, context, operation: cluster.operation(), tombstone: false },
    ...{ value: utf8Encode(value), meta: [] },
  });
  await minted.committed;
  return minted.encoded;
}

const merge = (cluster: TestCluster, at: NodeId, key: string, set: Uint8Array): Promise<void> =>
  cluster.at(at).replica.merge(addressFor(key), set, BUCKET, 'fsync');

/** The key at all three. */
async function everywhere(cluster: TestCluster, key: string, value: string): Promise<void> {
  const set = await mint(cluster, N1, key, value);
  await merge(cluster, N2, key, set);
  await merge(cluster, N3, key, set);
}

const read = (
  cluster: TestCluster,
  key = 'k',
  options: Partial<Parameters<typeof get>[1]['options']> = {},
  timeoutMs = 1_000,
): Promise<GetResult> =>
  get(cluster.outside(), { address: addressFor(key), bucket: BUCKET, options: { ...DEFAULTS, ...options }, timeoutMs });

/** What happens to requests to some nodes. */
const to = (faults: Partial<Record<string, Delivery>>) => (asked: { to: NodeId }) => faults[asked.to] ?? {};

async function open(): Promise<TestCluster> {
  const cluster = await TestCluster.open();
  cluster.fastest = [N1, N2, N3];
  return cluster;
}

describe('get', () => {
  test('R=2, all up: asks the two fastest, answers with what they hold, names the one that answered first', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    cluster.deliver = to({ n1: { delayMs: 3 } });
    const result = await cluster.finish(read(cluster));
    expect(valuesOf(result.set)).toEqual(['one']);
    expect(result.fastest).toBe(N2);
    expect(cluster.asked.map(({ to: one }) => one)).toEqual([N1, N2]);
    expect(result.receipt).toEqual({
      coordinator: N2,
      replicas: [
        { node: N2, role: 'primary', outcome: 'ok' },
        { node: N1, role: 'primary', outcome: 'ok' },
      ],
    });
  });

  test('R=2, one of three down: succeeds, and the receipt says who was down', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    cluster.deliver = to({ n1: { refused: 'unreachable' } });
    const result = await cluster.finish(read(cluster));
    expect(valuesOf(result.set)).toEqual(['one']);
    expect(result.receipt.replicas).toContainEqual({ node: N1, role: 'primary', outcome: 'unreachable' });
  });

  test('R=2, two of three down: unavailable, with the names', async () => {
    const cluster = await open();
    cluster.deliver = to({ n1: { refused: 'unreachable' }, n2: { refused: 'unreachable' } });
    await expect(cluster.finish(read(cluster))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('n1: unreachable, n2: unreachable') as string,
      details: { needed: 2 },
    });
  });

  test('R=2, two of three down, the third slow: it does not wait for what cannot help, and says so', async () => {
    const cluster = await open();
    const beganMs = cluster.clock.monotonicMs();
    cluster.deliver = to({ n1: { refused: 'unreachable' }, n2: { refused: 'unreachable' }, n3: { delayMs: 500 } });
    await expect(cluster.finish(read(cluster))).rejects.toMatchObject({
      message: expect.stringMatching(/^0 of the 2 .*n3: not waited for/) as string,
      details: { answered: [], waiting: [N3] },
    });
    expect(cluster.clock.monotonicMs() - beganMs).toBeLessThan(400);
  });

  test('a key that nobody holds: the empty set, from a quorum', async () => {
    const cluster = await open();
    const result = await cluster.finish(read(cluster, 'never written'));
    expect(result.set.siblings).toEqual([]);
    expect(result.receipt.replicas).toHaveLength(2);
  });

  test('concurrent versions at different replicas: all of them, ancestors left out', async () => {
    const cluster = await open();
    const first = await mint(cluster, N1, 'k', 'old');
    await merge(cluster, N2, 'k', first);
    const context = { clock: cluster.held(N1, 'k').clock, at: cluster.held(N1, 'k').siblings[0]!.version.at };
    await mint(cluster, N1, 'k', 'left', context);
    await mint(cluster, N2, 'k', 'right', context);
    expect(valuesOf((await cluster.finish(read(cluster))).set)).toEqual(['left', 'right']);
  });

  test('a slow replica: after the delay a third is asked, whoever is first counts', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    cluster.deliver = to({ n2: { delayMs: 500 } });
    const startedMs = cluster.clock.nowMs();
    const result = await cluster.finish(read(cluster));
    expect(valuesOf(result.set)).toEqual(['one']);
    const third = cluster.asked.find(({ to: one }) => one === N3)!;
    expect(third.atMs - startedMs).toBeGreaterThanOrEqual(cluster.hedgeDelayMs);
    expect(third.atMs - startedMs).toBeLessThan(cluster.hedgeDelayMs + 5);
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(100);
  });

  test('a fast quorum: nobody else is asked, then or later', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    await cluster.finish(read(cluster));
    await cluster.clock.advance(2_000);
    expect(cluster.asked).toHaveLength(2);
    expect(cluster.clock.pending, 'no timer is left behind').toBe(0);
  });

  test('all silent: a timeout at the deadline, each asked once', async () => {
    const cluster = await open();
    cluster.deliver = () => ({ lost: 'request' });
    const startedMs = cluster.clock.nowMs();
    await expect(cluster.finish(read(cluster, 'k', {}, 200))).rejects.toMatchObject({ code: 'timeout' });
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(210);
    expect(cluster.asked.map(({ to: one }) => one)).toEqual([N1, N2, N3]);
  });

  test('a deadline before the first hedge: the replacements that come too late do no harm', async () => {
    const cluster = await open();
    cluster.hedgeDelayMs = 5_000;
    cluster.deliver = () => ({ lost: 'request' });
    await expect(cluster.finish(read(cluster, 'k', {}, 50))).rejects.toMatchObject({ code: 'timeout' });
    await expect(cluster.finish(read(cluster, 'k', { r: 1 }, 50))).rejects.toMatchObject({ code: 'timeout' });
    for (const { timeoutMs } of cluster.asked) expect(timeoutMs).toBeGreaterThan(0);
  });

  test('R=3 and PR=3 wait for all three; R beyond N is refused before anyone is asked', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    for (const options of [{ r: 3 }, { r: 'all' }, { r: 1, pr: 'all' }] as const) {
      cluster.asked.length = 0;
      expect((await cluster.finish(read(cluster, 'k', options))).receipt.replicas).toHaveLength(3);
    }
    cluster.asked.length = 0;
    await expect(read(cluster, 'k', { r: 4 })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(cluster.asked).toEqual([]);
  });

  test('a cluster of one with N=3 and R=2: unavailable, and it says to join nodes', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1])], nodes: [N1] });
    await expect(cluster.finish(read(cluster))).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the read needs 2 replicas, and can ask 1',
      remedy: expect.stringMatching(/join more nodes, .* armature bucket create <name> --n 1 --r 1 --w 1/) as string,
    });
    expect(valuesOf((await cluster.finish(read(cluster, 'k', { r: 1 }))).set)).toEqual([]);
  });
});

describe('read repair', () => {
  test('after the answer, stale replicas hold the same bytes as the others', async () => {
    const cluster = await open();
    const old = await mint(cluster, N1, 'k', 'old');
    await merge(cluster, N2, 'k', old);
    const held = cluster.held(N1, 'k');
    await mint(cluster, N1, 'k', 'new', { clock: held.clock, at: held.siblings[0]!.version.at });
    const result = await cluster.finish(read(cluster, 'k', { r: 3 }));
    expect(valuesOf(result.set)).toEqual(['new']);
    await cluster.clock.advance(100);
    expect(cluster.areEqual('k')).toBe(true);
    expect(cluster.values(N3, 'k'), 'a replica that held nothing too').toEqual(['new']);
    expect(cluster.asksOf('merge').map(({ to: one }) => one)).toEqual([N2, N3]);
    expect(cluster.telemetry.value('armature_coordination_read_repairs_total')).toBe(2);
  });

  test('the answer does not wait for it, and a repair that fails harms nobody', async () => {
    const cluster = await open();
    await mint(cluster, N1, 'k', 'one');
    cluster.deliver = ({ request }) => (request.kind === 'merge' ? { refused: 'overloaded', delayMs: 300 } : {});
    const startedMs = cluster.clock.nowMs();
    await cluster.finish(read(cluster));
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(10);
    await cluster.clock.advance(1_000);
    expect(cluster.telemetry.value('armature_coordination_read_repairs_total')).toBe(0);
    cluster.deliver = () => ({});
    await cluster.finish(read(cluster));
    await cluster.clock.advance(10);
    expect(cluster.areEqual('k', [N1, N2])).toBe(true);
  });

  test('a late answer is waited for, and repaired', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    const held = cluster.held(N1, 'k');
    const next = await mint(cluster, N1, 'k', 'two', { clock: held.clock, at: held.siblings[0]!.version.at });
    await merge(cluster, N2, 'k', next);
    cluster.deliver = to({ n2: { replyDelayMs: 400 } });
    cluster.fastest = [N1, N2, N3];
    // N2 is slow, so N3 is asked too and has the second word; N2's comes after the verdict.
    const result = await cluster.finish(read(cluster));
    expect(result.receipt.replicas.map(({ node: one }) => one)).toEqual([N1, N3]);
    expect(cluster.asksOf('merge')).toEqual([]);
    await cluster.clock.advance(1_000);
    expect(cluster.asksOf('merge').map(({ to: one }) => one)).toEqual([N3]);
    expect(cluster.areEqual('k')).toBe(true);
  });

  test('a hundred reads of equal replicas cause no write', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    for (let i = 0; i < 100; i++) await cluster.finish(read(cluster, i % 2 === 0 ? 'k' : 'nothing', { r: i % 3 === 0 ? 3 : 2 }));
    await cluster.clock.advance(1_000);
    expect(cluster.asksOf('merge')).toEqual([]);
    expect(cluster.telemetry.value('armature_coordination_read_repairs_total')).toBe(0);
  });

  test('a replica whose record is damaged is healed by the read that it could not answer', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    const { records } = cluster.at(N1).store;
    const flipped = Buffer.from(records.get(addressFor('k'))!);
    flipped[flipped.length - 1]! ^= 1;
    records.set(addressFor('k'), flipped);
    const result = await cluster.finish(read(cluster));
    expect(valuesOf(result.set)).toEqual(['one']);
    expect(result.receipt.replicas).toContainEqual({ node: N1, role: 'primary', outcome: 'storage-corrupt' });
    await cluster.clock.advance(100);
    expect(cluster.areEqual('k')).toBe(true);
    await cluster.finish(read(cluster));
    expect(cluster.asksOf('merge')).toHaveLength(1);
  });

  test('a damaged record is taken away when all other owners have said that they hold nothing, and not before', async () => {
    const cluster = await open();
    cluster.fastest = [N1, N2, N3];
    cluster.at(N1).store.records.set(addressFor('k'), Buffer.from('rubbish'));
    expect((await cluster.finish(read(cluster, 'k', { r: 1 }))).set.siblings).toEqual([]); // N3 may hold something
    await cluster.clock.advance(100);
    expect(cluster.asksOf('merge')).toEqual([]);

    await expect(cluster.finish(read(cluster, 'k', { r: 3 }))).rejects.toMatchObject({ code: 'unavailable' });
    await cluster.clock.advance(100);
    expect(cluster.asksOf('merge').map(({ to: one }) => one)).toEqual([N1]);
    expect((await cluster.finish(read(cluster, 'k', { r: 3 }))).set.siblings).toEqual([]);
  });

  test('tombstones are repaired like values: a deleted key does not come back', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    const held = cluster.held(N1, 'k');
    const deleted = await cluster.at(N1).replica.mint({
      ...{ address: addressFor('k'), bucket: BUCKET, operation: cluster.operation(), tombstone: true },
      ...{ context: { clock: held.clock, at: held.siblings[0]!.version.at }, value: new Uint8Array(0), meta: [] },
    });
    await deleted.committed;
    expect(valuesOf((await cluster.finish(read(cluster))).set)).toEqual(['(deleted)']);
    await cluster.finish(read(cluster, 'k', { r: 3 }));
    await cluster.clock.advance(100);
    expect(cluster.areEqual('k')).toBe(true);
    expect(cluster.values(N3, 'k')).toEqual(['(deleted)']);
  });

  test('replicas that hold the same bytes are left alone, whatever these are', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1, N2, N3]), bucketOf({ resolver: 'last-write-wins' })] });
    // From before the bucket was made to keep only the last: the next write will see to it.
    const one = await mint(cluster, N1, 'k', 'one');
    await merge(cluster, N2, 'k', one);
    const both = await mint(cluster, N2, 'k', 'two');
    for (const at of [N1, N3]) await merge(cluster, at, 'k', both);
    const bucket = cluster.view.buckets.get('default' as never)!;
    const request = { address: addressFor('k'), bucket, options: { r: 3, pr: 0 }, timeoutMs: 100 } as const;
    expect((await cluster.finish(get(cluster.outside(), request))).set.siblings).toHaveLength(1);
    await cluster.clock.advance(100);
    expect(cluster.asksOf('merge')).toEqual([]);
  });

  test('last write wins: the replicas end with the one version that the reader got', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1, N2, N3]), bucketOf({ resolver: 'last-write-wins' })] });
    const bucket = cluster.view.buckets.get('default' as never)!;
    for (const one of [N1, N2, N3]) {
      const minted = await cluster.at(one).replica.mint({
        ...{ address: addressFor('k'), bucket, context: EMPTY_CONTEXT, operation: cluster.operation(), tombstone: false },
        ...{ value: utf8Encode(one), meta: [] },
      });
      await minted.committed;
      await cluster.clock.advance(5);
    }
    const result = await cluster.finish(
      get(cluster.outside(), { address: addressFor('k'), bucket, options: { r: 3, pr: 0 }, timeoutMs: 100 }),
    );
    expect(valuesOf(result.set)).toEqual(['n3']);
    await cluster.clock.advance(100);
    for (const one of [N1, N2, N3]) expect(cluster.values(one, 'k')).toEqual(['n3']);
    expect(cluster.areEqual('k')).toBe(true);
  });
});

describe('a ring that changes', () => {
  test('a reader with an old ring is told so, catches up, and reads from the present owners', async () => {
    const cluster = await open();
    await everywhere(cluster, 'k', 'one');
    const env = cluster.outside();
    const before = env.view().ringVersion;
    cluster.happen(joined(node('n4')), [N1, N2, N3]);
    const result = await cluster.finish(
      get(env, { address: addressFor('k'), bucket: BUCKET, options: DEFAULTS, timeoutMs: 1_000 }),
    );
    expect(valuesOf(result.set)).toEqual(['one']);
    expect(cluster.refreshes).toBe(1);
    expect(env.view().ringVersion).not.toBe(before);
  });

  test('replicas that say so for ever: three attempts, then unavailable', async () => {
    const cluster = await open();
    cluster.deliver = () => ({ refused: 'stale-ring' });
    await expect(cluster.finish(read(cluster))).rejects.toMatchObject({ code: 'unavailable' });
    expect(cluster.refreshes).toBe(2);
    expect(cluster.asked.length).toBeLessThanOrEqual(9);
  });

  test('catching up takes for ever: the read ends at its deadline', async () => {
    const cluster = await open();
    cluster.deliver = () => ({ refused: 'stale-ring' });
    cluster.refreshMs = 3_600_000;
    const beganMs = cluster.clock.monotonicMs();
    await expect(cluster.finish(read(cluster))).rejects.toMatchObject({ code: 'timeout' });
    expect(cluster.clock.monotonicMs() - beganMs).toBeLessThan(2_000);
  });

  test('catching up fails: the error is about the read, and comes from the replicas', async () => {
    const cluster = await open();
    cluster.deliver = () => ({ refused: 'stale-ring' });
    cluster.refreshFailure = 'unreachable';
    const failed: unknown = await cluster.finish(read(cluster)).catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(ArmatureError);
    expect(failed).toMatchObject({ code: 'unavailable', message: expect.stringContaining('stale-ring') as string });
  });
});
