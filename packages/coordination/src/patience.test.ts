/**
 * A network that drops packets: some nodes are silent, to requests and to pings. Over six nodes in three zones, as they are when
 * a zone is cut off.
 */
import { utf8Encode, type NodeId } from '@armature/kernel';
import { RING_UNKNOWN, type FetchReply, type WriteReply } from '@armature/protocol';
import { describe, expect, test } from 'vitest';
import { TestCluster, addressFor, created, node, type Asked, type Delivery } from './cluster.test-support.js';

const SIX = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].map(node);
const PATIENCE_MS = 4_000;
/** What a patient caller gives an operation here; the bounds below are far from it. */
const QUICKLY_MS = 1_500;

interface Cut {
  readonly cluster: TestCluster;
  /** On this side of the cut: one owner, and one other. */
  readonly here: readonly [owner: NodeId, fallback: NodeId];
  readonly there: readonly NodeId[];
}

/** Packets to the far side are dropped; whoever is doubted is found out after `pingsMs`. */
async function cutOff(pingsMs = 900): Promise<Cut> {
  const cluster = await TestCluster.open({ changes: [created(SIX)], nodes: SIX });
  const { owners, fallbacks } = cluster.view.placement(addressFor('k'), 3);
  const here = [owners[0]!, fallbacks.at(-1)!] as const;
  const there = SIX.filter((one) => !here.includes(one));
  cluster.fastest = here;
  cluster.deliver = ({ from, to }: Asked): Delivery =>
    there.includes(to) || (from !== undefined && there.includes(from)) ? { lost: 'request' } : {};
  cluster.doubt = (one) => {
    if (there.includes(one)) cluster.clock.after(pingsMs, () => cluster.suspects.add(one));
  };
  return { cluster, here, there };
}

async function timed<T>(cluster: TestCluster, operation: Promise<T>): Promise<{ ms: number; result: T }> {
  const startedMs = cluster.clock.monotonicMs();
  const result = await cluster.finish(operation);
  return { ms: cluster.clock.monotonicMs() - startedMs, result };
}

const write = (cluster: TestCluster, pw = 0): Promise<WriteReply> =>
  cluster.coordinator(cluster.outside()).write(
    {
      ...{ kind: 'write', ring: RING_UNKNOWN, address: addressFor('k'), context: new Uint8Array(0) },
      ...{ operation: cluster.operation(), tombstone: false, value: utf8Encode('v'), meta: [] },
      options: { w: 2, pw, dw: 0, returnContext: false },
    },
    PATIENCE_MS,
  );
const read = (cluster: TestCluster, r = 2): Promise<FetchReply> =>
  cluster.coordinator(cluster.outside()).fetch({ kind: 'fetch', address: addressFor('k'), options: { r, pr: 0 } }, PATIENCE_MS);
const hintsAt = (cluster: TestCluster, at: NodeId): number =>
  [...cluster.at(at).hintSpace.stores.values()].reduce((sum, { records }) => sum + records.size, 0);

describe('a zone is cut off without a word', () => {
  test('the first put waits for the pings, not for its deadline: the owner here and a fallback here', async () => {
    const { cluster, here } = await cutOff();
    const { ms, result } = await timed(cluster, write(cluster));
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(QUICKLY_MS);
    const has = result.receipt.replicas.filter(({ outcome }) => outcome === 'durable').map((one) => one.node);
    expect(has.toSorted()).toEqual([...here].toSorted());
    expect(hintsAt(cluster, here[1])).toBe(1);
  });

  test('the next put does not wait at all', async () => {
    const { cluster } = await cutOff();
    await cluster.finish(write(cluster));
    expect((await timed(cluster, write(cluster))).ms).toBeLessThan(20);
  });

  test('PW=2: partial, said while the caller still listens', async () => {
    const { cluster } = await cutOff();
    const startedMs = cluster.clock.monotonicMs();
    await expect(cluster.finish(write(cluster, 2))).rejects.toMatchObject({ code: 'partial-write' });
    expect(cluster.clock.monotonicMs() - startedMs).toBeLessThan(PATIENCE_MS / 2);
  });

  test('a write sent to a silent owner goes to another one when that is found out', async () => {
    const { cluster, here, there } = await cutOff();
    const { owners } = cluster.view.placement(addressFor('k'), 3);
    cluster.fastest = [owners[1]!, owners[0]!];
    expect(there).toContain(owners[1]);
    const { ms, result } = await timed(cluster, write(cluster));
    expect(result.receipt.coordinator).toBe(here[0]);
    expect(ms).toBeLessThan(QUICKLY_MS);
  });

  test('a read finds what the owner here and the fallback here have', async () => {
    const { cluster, here } = await cutOff();
    await cluster.finish(write(cluster));
    for (const suspects of [[], [...cluster.suspects]]) {
      cluster.suspects.clear();
      for (const one of suspects) cluster.suspects.add(one);
      const { ms, result } = await timed(cluster, read(cluster));
      expect(result.siblings).toHaveLength(1);
      expect(result.receipt.replicas.filter(({ outcome }) => outcome === 'ok').map((one) => one.node)).toEqual(
        expect.arrayContaining([...here]),
      );
      expect(ms).toBeLessThan(suspects.length > 0 ? 20 : QUICKLY_MS);
    }
  });

  test('a key that no fallback keeps: suspects get a moment, in case they are up after all, and not the whole deadline', async () => {
    const { cluster, there } = await cutOff();
    for (const one of there) cluster.suspects.add(one);
    const { ms, result } = await timed(cluster, read(cluster));
    expect(result.siblings).toEqual([]);
    expect(ms).toBeGreaterThanOrEqual(100);
    expect(ms).toBeLessThan(600);
    for (const one of cluster.view.placement(addressFor('k'), 3).owners)
      expect(cluster.asked.some(({ to }) => to === one)).toBe(true);
  });

  test('R=3 on a side with two nodes fails: nothing is made up', async () => {
    const { cluster } = await cutOff();
    await expect(cluster.finish(read(cluster, 3))).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe('nodes that are slow and answer pings', () => {
  test('are waited for: nobody stands in, reads count no fallback, writes are not minted twice', async () => {
    const { cluster, there } = await cutOff();
    cluster.doubt = () => undefined;
    cluster.deliver = ({ to }) => (there.includes(to) ? { delayMs: 1_400 } : {});
    const { result: written } = await timed(cluster, write(cluster));
    expect(written.receipt.replicas.map(({ role }) => role)).toEqual(['primary', 'primary', 'primary']);
    const { ms, result } = await timed(cluster, read(cluster));
    expect(ms).toBeGreaterThanOrEqual(1_400);
    expect(result.receipt.replicas.every(({ role }) => role === 'primary')).toBe(true);
    expect(cluster.asksOf('write')).toHaveLength(1);
    await cluster.clock.advance(PATIENCE_MS);
    for (const one of SIX) expect(hintsAt(cluster, one)).toBe(0);
  });
});
