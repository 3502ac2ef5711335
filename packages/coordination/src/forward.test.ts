import { ArmatureError, utf8Encode, type ErrorCode, type NodeId } from '@armature/kernel';
import { RING_UNKNOWN, type WriteReply, type WriteRequest } from '@armature/protocol';
import { describe, expect, test } from 'vitest';
import { forwardWrite } from './forward.js';
import {
  BUCKET,
  N1,
  N2,
  N3,
  THREE,
  TestCluster,
  addressFor,
  created,
  joined,
  node,
  type Asked,
  type Delivery,
} from './cluster.test-support.js';

const writeOf = (cluster: TestCluster, parts: Partial<WriteRequest> = {}): WriteRequest => ({
  ...{ kind: 'write', ring: RING_UNKNOWN, address: addressFor('k'), context: new Uint8Array(0), operation: cluster.operation() },
  ...{ tombstone: false, value: utf8Encode('v'), meta: [], options: { w: 2, pw: 0, dw: 0, returnContext: false } },
  ...parts,
});

const forward = (cluster: TestCluster, fastest?: NodeId, timeoutMs = 1_000, write = writeOf(cluster)): Promise<WriteReply> =>
  cluster.finish(forwardWrite(cluster.outside(), write, BUCKET.n, fastest, timeoutMs));

/** Faults of the way from outside to a node; between the nodes all is well. */
const fromOutside = (faults: Partial<Record<string, Delivery>>) => (asked: Asked) =>
  asked.from === undefined ? (faults[asked.to] ?? {}) : {};

const writesTo = (cluster: TestCluster): NodeId[] => cluster.asksOf('write').map(({ to }) => to);

async function open(): Promise<TestCluster> {
  const cluster = await TestCluster.open();
  cluster.fastest = [N1, N2, N3];
  return cluster;
}

describe('forward', () => {
  test("the context's fastest goes first, whoever is fast in general", async () => {
    const cluster = await open();
    const reply = await forward(cluster, N3);
    expect(reply.receipt.coordinator).toBe(N3);
    expect(writesTo(cluster)).toEqual([N3]);
  });

  test('without one, or when it is suspect or no owner, the order of the monitor', async () => {
    const cluster = await open();
    await forward(cluster);
    cluster.suspects.add(N3);
    await forward(cluster, N3);
    await forward(cluster, node('elsewhere'));
    expect(writesTo(cluster)).toEqual([N1, N1, N1]);
  });

  test('a fallback that answered the read before all others takes no write while an owner is up', async () => {
    const n4 = node('n4');
    const cluster = await TestCluster.open({ changes: [created([...THREE, n4])], nodes: [...THREE, n4] });
    const write = writeOf(cluster);
    const { owners, fallbacks } = cluster.view.placement(write.address, BUCKET.n);
    const reply = await forward(cluster, fallbacks[0], 1_000, write);
    expect(owners).toContain(reply.receipt.coordinator);
    expect(owners).toEqual(expect.arrayContaining(writesTo(cluster)));
  });

  test.each<ErrorCode>([
    'unreachable',
    'overloaded',
    'unavailable',
    'storage-full',
    'storage-failed',
    'storage-corrupt',
    'no-cluster',
    'closed',
    'protocol-mismatch',
    'wrong-cluster',
  ])('one answers %s: the next takes it', async (code) => {
    const cluster = await open();
    cluster.deliver = fromOutside({ n2: { refused: code } });
    const reply = await forward(cluster, N2);
    expect(reply.receipt.coordinator).toBe(N1);
    expect(writesTo(cluster)).toEqual([N2, N1]);
  });

  test.each<ErrorCode>(['too-large', 'invalid-context', 'invalid-argument', 'partial-write', 'unknown-bucket'])(
    'one answers %s: so would the others, and nobody else is asked',
    async (code) => {
      const cluster = await open();
      cluster.deliver = fromOutside({ n1: { refused: code } });
      await expect(forward(cluster)).rejects.toMatchObject({ code });
      expect(writesTo(cluster)).toEqual([N1]);
    },
  );

  test('one is silent: the next gets its share of the time, and the same operation id; the write happens once', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({ n1: { lost: 'reply' } });
    const startedMs = cluster.clock.nowMs();
    const write = writeOf(cluster);
    const reply = await forward(cluster, undefined, 1_000, write);
    expect(reply.receipt.coordinator).toBe(N2);
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(500);
    const asked = cluster.asksOf('write').map(({ request }) => request as WriteRequest);
    expect(asked.map(({ operation }) => operation)).toEqual([write.operation, write.operation]);
    // The first may have carried it out, so the second is to look.
    expect(asked.map(({ repeated }) => repeated)).toEqual([undefined, true]);
    await cluster.clock.advance(100);
    for (const one of THREE) expect(cluster.values(one, 'k')).toEqual(['v']);
  });

  test('all are silent: unknown outcome, at the deadline, with their names', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({ n1: { lost: 'request' }, n2: { lost: 'request' }, n3: { lost: 'request' } });
    const startedMs = cluster.clock.nowMs();
    await expect(forward(cluster)).rejects.toMatchObject({
      code: 'unknown-outcome',
      details: { tried: { n1: 'timeout', n2: 'timeout', n3: 'timeout' } },
    });
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(1_010);
    expect(writesTo(cluster)).toEqual([N1, N2, N3]);
  });

  test('all refuse: unavailable, since nobody can have it', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({
      n1: { refused: 'unreachable' },
      n2: { refused: 'overloaded' },
      n3: { refused: 'unavailable' },
    });
    await expect(forward(cluster)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('one is silent, another refuses for good: unknown outcome, for the first may have it', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({ n1: { lost: 'reply' }, n2: { refused: 'too-large' } });
    await expect(forward(cluster)).rejects.toMatchObject({ code: 'unknown-outcome', cause: { code: 'too-large' } });
  });

  test('one is silent, another writes in part: the partial answer, which names who has it', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({ n1: { lost: 'reply' }, n2: { refused: 'partial-write' } });
    await expect(forward(cluster)).rejects.toMatchObject({ code: 'partial-write' });
  });

  test('answers that nobody here can read: unknown outcome, for the write was carried out', async () => {
    const cluster = await open();
    const garbled = new ArmatureError('protocol-mismatch', 'a reply could not be decoded', { details: { executed: 'unknown' } });
    const env = { ...cluster.outside(), ask: () => Promise.reject(garbled) };
    await expect(forwardWrite(env, writeOf(cluster), 3, undefined, 1_000)).rejects.toMatchObject({ code: 'unknown-outcome' });
  });

  test('the bus goes away: unknown outcome when the request was out, else its own error', async () => {
    const cluster = await open();
    const env = cluster.outside();
    for (const [executed, code] of [
      ['unknown', 'unknown-outcome'],
      ['no', 'bus-unavailable'],
    ] as const) {
      const lost = new ArmatureError('bus-unavailable', 'gone', { details: { executed } });
      const failed = forwardWrite({ ...env, ask: () => Promise.reject(lost) }, writeOf(cluster), 3, undefined, 1_000);
      await expect(failed).rejects.toMatchObject({ code });
    }
  });

  test('a single owner gets all of the time', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1])], nodes: [N1] });
    cluster.deliver = fromOutside({ n1: { delayMs: 800 } });
    const write = writeOf(cluster, { options: { w: 1, pw: 0, dw: 0, returnContext: false } });
    expect((await forward(cluster, undefined, 1_000, write)).receipt.coordinator).toBe(N1);
  });

  test('fewer replicas than W: what the owner says of it, with the bucket that would work', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1])], nodes: [N1] });
    await expect(forward(cluster)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the write needs 2 replicas, and the key has 1',
      remedy: expect.stringContaining('armature bucket create <name> --n 1 --r 1 --w 1') as string,
    });
  });

  test('at most four nodes are tried, however many owners there are', async () => {
    const six = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].map(node);
    const cluster = await TestCluster.open({ changes: [created(six), { ...createdBucket(6) }], nodes: six });
    cluster.deliver = () => ({ refused: 'unreachable' });
    await expect(cluster.finish(forwardWrite(cluster.outside(), writeOf(cluster), 6, undefined, 1_000))).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(writesTo(cluster)).toHaveLength(4);
  });
});

describe('a ring that changes', () => {
  test('the only owner says that our ring is old: caught up, and it takes the write', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1])], nodes: [N1] });
    let refused = 0;
    cluster.deliver = ({ from }) => (from === undefined && refused++ === 0 ? { refused: 'stale-ring' } : {});
    const write = writeOf(cluster, { options: { w: 1, pw: 0, dw: 0, returnContext: false } });
    expect((await forward(cluster, undefined, 1_000, write)).receipt.coordinator).toBe(N1);
    expect(cluster.refreshes).toBe(1);
  });

  test('all say so for ever: bounded, then unavailable', async () => {
    const cluster = await open();
    cluster.deliver = fromOutside({
      n1: { refused: 'stale-ring' },
      n2: { refused: 'stale-ring' },
      n3: { refused: 'stale-ring' },
    });
    cluster.refreshFailure = 'timeout';
    await expect(forward(cluster)).rejects.toMatchObject({ code: 'unavailable', details: { tried: { n1: 'stale-ring' } } });
    expect(cluster.refreshes).toBe(3);
    expect(writesTo(cluster).length).toBeLessThanOrEqual(6);
  });

  test('two nodes that take one another for the owner do not pass a write back and forth', async () => {
    const cluster = await TestCluster.open({ nodes: [N1, N2, N3, node('n4')] });
    cluster.happen(joined(node('n4')), [node('n4')]);
    cluster.happen({ kind: 'remove', node: N1 }, [N2]);
    // A router with the first ring sends to N1, which is no owner of anything under the ring that it is about to learn.
    const key = 'k';
    const sent = cluster.finish(
      forwardWrite(cluster.outside(), writeOf(cluster, { address: addressFor(key) }), BUCKET.n, N1, 2_000),
    );
    await sent;
    await cluster.clock.advance(100);
    const forwarded = cluster.asksOf('write').filter(({ from }) => from !== undefined);
    expect(forwarded, 'a node that was picked by its ring answers for itself').toEqual([]);
  });
});

function createdBucket(n: number) {
  return { kind: 'bucket', bucket: 'wide' as never, properties: { ...BUCKET, n } } as const;
}
