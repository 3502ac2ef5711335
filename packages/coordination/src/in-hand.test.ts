import { describe, expect, test } from 'vitest';
import { EMPTY_CONTEXT } from '@armature/versioning';
import { utf8Encode } from '@armature/kernel';
import { get } from './get.js';
import { InHand } from './in-hand.js';
import { put } from './put.js';
import { addressFor, BUCKET, N1, N2, N3, TestCluster, type Delivery } from './cluster.test-support.js';

const KEY = addressFor('k');
const W = { w: 'default', pw: 'default', dw: 'default', returnContext: false } as const;
const to = (faults: Partial<Record<string, Delivery>>) => (asked: { to: string }) => faults[asked.to] ?? {};

function write(cluster: TestCluster, timeoutMs: number): ReturnType<typeof put> {
  const request = { address: KEY, bucket: BUCKET, context: EMPTY_CONTEXT, operation: cluster.operation() };
  return put(cluster.at(N1).env, { ...request, tombstone: false, value: utf8Encode('v'), meta: [], options: W, timeoutMs });
}

describe('what is in hand', () => {
  test('holds nest: a key is in hand until the last is let go', () => {
    const inHand = new InHand();
    const [first, second] = [inHand.hold(KEY), inHand.hold(KEY)];
    first();
    expect(inHand.has(KEY)).toBe(true);
    second();
    expect([inHand.has(KEY), inHand.size]).toEqual([false, 0]);
  });

  test('a put: from before its dot until the last replica has answered, long after the writer has', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n3: { delayMs: 700 } });
    const written = write(cluster, 1_000);
    expect(cluster.at(N1).inHand.has(KEY)).toBe(true);
    await cluster.finish(written);
    expect(cluster.at(N1).inHand.has(KEY)).toBe(true);
    await cluster.clock.advance(800);
    expect(cluster.at(N1).inHand.size).toBe(0);
  });

  test('a put whose replica never answers is in hand as long as it may still send its version to another', async () => {
    const cluster = await TestCluster.open({ nodes: [N1, N2, N3] });
    cluster.deliver = to({ n3: { lost: 'request' } });
    await cluster.finish(write(cluster, 120_000));
    await cluster.clock.advance(119_000);
    expect(cluster.at(N1).inHand.has(KEY)).toBe(true);
    await cluster.clock.advance(10_000);
    expect(cluster.at(N1).inHand.size).toBe(0);
  });

  test('a read at a node: until its repairs are answered', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n2: { lost: 'request' }, n3: { lost: 'request' } });
    await cluster.finish(write(cluster, 200).catch(() => undefined));
    await cluster.clock.advance(10_000);
    cluster.deliver = ({ request }) => (request.kind === 'merge' ? { delayMs: 400 } : {});
    await cluster.finish(
      get(cluster.at(N1).env, { address: KEY, bucket: BUCKET, options: { r: 'all', pr: 'default' }, timeoutMs: 500 }),
    );
    expect(cluster.at(N1).inHand.has(KEY)).toBe(true);
    await cluster.clock.advance(1_000);
    expect(cluster.at(N1).inHand.size).toBe(0);
    expect(cluster.areEqual('k')).toBe(true);
  });
});

describe('the age of a repair', () => {
  const mergesAfter = async (replyDelayMs: number): Promise<number> => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n2: { refused: 'unreachable' } });
    await cluster.finish(write(cluster, 1_000));
    cluster.deliver = to({ n2: { replyDelayMs } });
    const before = cluster.asked.length;
    await cluster.finish(
      get(cluster.outside(), { address: KEY, bucket: BUCKET, options: { r: 2, pr: 'default' }, timeoutMs: 600_000 }),
    );
    await cluster.clock.advance(200_000);
    return cluster.asked.slice(before).filter(({ request }) => request.kind === 'merge').length;
  };

  test('one whose read has just ended is sent; one whose read began more than a minute ago is not', async () => {
    expect(await mergesAfter(20)).toBeGreaterThan(0);
    expect(await mergesAfter(90_000)).toBe(0);
  });
});
