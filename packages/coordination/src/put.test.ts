import { ArmatureError, utf8Decode, utf8Encode, type NodeId } from '@armature/kernel';
import type { BucketProperties, WriteOptions } from '@armature/protocol';
import type { RecordStore } from '@armature/replica';
import { sleep } from '@armature/runtime';
import { EMPTY_CONTEXT, contextOf, distinctSiblings, encodeVersionSet, liveSiblings } from '@armature/versioning';
import { describe, expect, test } from 'vitest';
import { put, type PutRequest, type PutResult } from './put.js';
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
  type Delivery,
} from './cluster.test-support.js';
import type { MapStore } from './map-store.test-support.js';

const DEFAULTS: WriteOptions = { w: 'default', pw: 'default', dw: 'default', returnContext: false };

interface Put {
  readonly key?: string;
  readonly value?: string;
  readonly at?: NodeId;
  readonly options?: Partial<WriteOptions>;
  readonly bucket?: Partial<BucketProperties>;
  readonly timeoutMs?: number;
  readonly request?: Partial<PutRequest>;
}

function write(cluster: TestCluster, each: Put = {}): Promise<PutResult> {
  const { key = 'k', value = 'v', at = N1, options = {}, bucket = {}, timeoutMs = 1_000, request = {} } = each;
  return put(cluster.at(at).env, {
    ...{ address: addressFor(key), bucket: { ...BUCKET, ...bucket }, context: EMPTY_CONTEXT, operation: cluster.operation() },
    ...{ tombstone: false, value: utf8Encode(value), meta: [], options: { ...DEFAULTS, ...options }, timeoutMs },
    ...request,
  });
}

const to = (faults: Partial<Record<string, Delivery>>) => (asked: { to: NodeId }) => faults[asked.to] ?? {};

async function failure(promise: Promise<unknown>): Promise<ArmatureError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (one: unknown) => one,
  );
  if (thrown instanceof ArmatureError) return thrown;
  throw new Error(`did not fail as it should: ${String(thrown)}`);
}

const outcomes = (replicas: unknown): Record<string, string> =>
  Object.fromEntries((replicas as { node: string; outcome: string }[]).map(({ node: one, outcome }) => [one, outcome]));

describe('put', () => {
  test('all up: written to all three, answered after W, the receipt with roles and outcomes', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n3: { delayMs: 50 } });
    const { receipt, set, dot } = await cluster.finish(write(cluster));
    expect(receipt.coordinator).toBe(N1);
    expect(outcomes(receipt.replicas)).toEqual({ n1: 'durable', n2: 'durable', n3: 'waiting' });
    expect(set.siblings[0]!.dot).toEqual(dot);
    await cluster.clock.advance(100);
    expect(cluster.areEqual('k')).toBe(true);
    for (const one of THREE) expect(cluster.values(one, 'k')).toEqual(['v']);
  });

  test('W=2, one replica down: succeeds', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n2: { refused: 'unreachable' } });
    const { receipt } = await cluster.finish(write(cluster));
    expect(outcomes(receipt.replicas)).toEqual({ n1: 'durable', n2: 'unreachable', n3: 'durable' });
  });

  test('W=3, one replica down: partial, and it names who has it', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n2: { refused: 'unreachable' } });
    const error = await failure(cluster.finish(write(cluster, { options: { w: 'all' } })));
    expect(error).toMatchObject({ code: 'partial-write', message: expect.stringContaining('n2: unreachable') as string });
    expect(outcomes(error.details['replicas'])).toEqual({ n1: 'durable', n2: 'unreachable', n3: 'durable' });
    expect(cluster.values(N3, 'k'), 'and it may surface').toEqual(['v']);
  });

  test('W=3, one replica down, one slow: the report waits a moment for the slow one, not for ever', async () => {
    const cluster = await TestCluster.open();
    const startedMs = cluster.clock.nowMs();
    cluster.deliver = to({ n2: { refused: 'unreachable' }, n3: { delayMs: 100 } });
    expect(outcomes((await failure(cluster.finish(write(cluster, { options: { w: 3 } })))).details['replicas'])).toMatchObject({
      n3: 'durable',
    });
    cluster.deliver = to({ n2: { refused: 'unreachable' }, n3: { lost: 'request' } });
    const error = await failure(cluster.finish(write(cluster, { options: { w: 3 }, timeoutMs: 60_000 })));
    expect(outcomes(error.details['replicas'])).toMatchObject({ n3: 'waiting' });
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(1_000);
  });

  test('silence until the deadline: partial, with `waiting` for those who said nothing', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = () => ({ lost: 'request' });
    const startedMs = cluster.clock.nowMs();
    const error = await failure(cluster.finish(write(cluster, { timeoutMs: 200 })));
    expect(error.code).toBe('partial-write');
    const { n1, ...others } = outcomes(error.details['replicas']);
    expect(n1).toBe('durable');
    for (const one of Object.values(others)) expect(['waiting', 'timeout']).toContain(one);
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(210);
  });

  test('the local commit fails, the others acknowledge: written, and the actor is retired', async () => {
    const cluster = await TestCluster.open();
    const { store, epoch } = cluster.at(N1);
    const before = epoch.current;
    store.failure = 'storage-full';
    const { receipt, dot } = await cluster.finish(write(cluster));
    expect(outcomes(receipt.replicas)).toEqual({ n1: 'storage-full', n2: 'durable', n3: 'durable' });
    expect(cluster.values(N1, 'k')).toEqual([]);
    expect(dot!.actor).toBe(before);
    store.failure = undefined;
    const again = await cluster.finish(write(cluster, { value: 'w' }));
    expect(again.dot!.actor).not.toBe(before);
    await cluster.clock.advance(100);
    expect(cluster.values(N2, 'k')).toEqual(['v', 'w']);
  });

  test('the local commit and one other fail: partial, with both reasons', async () => {
    const cluster = await TestCluster.open();
    cluster.at(N1).store.failure = 'storage-failed';
    cluster.deliver = to({ n2: { refused: 'overloaded' } });
    const error = await failure(cluster.finish(write(cluster)));
    expect(outcomes(error.details['replicas'])).toEqual({ n1: 'storage-failed', n2: 'overloaded', n3: 'durable' });
  });

  test('the local commit fails and nobody else answers: the outcome is unknown, not partial', async () => {
    const cluster = await TestCluster.open();
    cluster.at(N1).store.failure = 'storage-failed';
    cluster.deliver = to({ n2: { refused: 'overloaded' }, n3: { refused: 'unreachable' } });
    const error = await failure(cluster.finish(write(cluster)));
    expect(error.code).toBe('unknown-outcome');
    expect(outcomes(error.details['replicas'])).toEqual({ n1: 'storage-failed', n2: 'overloaded', n3: 'unreachable' });
  });

  test('a mint that is refused writes nothing anywhere', async () => {
    const cluster = await TestCluster.open();
    const bucket = { maxSiblings: 1 };
    await cluster.finish(write(cluster, { bucket }));
    cluster.asked.length = 0;
    expect((await failure(cluster.finish(write(cluster, { bucket, value: 'two' })))).code).toBe('too-large');
    expect(cluster.asked).toEqual([]);
  });

  test('W beyond N is refused before anything is minted', async () => {
    const cluster = await TestCluster.open();
    expect((await failure(write(cluster, { options: { w: 4 } }))).code).toBe('invalid-argument');
    expect(cluster.values(N1, 'k')).toEqual([]);
  });

  test('W beyond the replicas that the cluster has: unavailable, nothing is written, and it says to join nodes', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1, N2])], nodes: [N1, N2] });
    const error = await failure(write(cluster, { options: { w: 3 } }));
    expect(error).toMatchObject({ code: 'unavailable', remedy: expect.stringContaining('Join more nodes') as string });
    expect(cluster.values(N1, 'k')).toEqual([]);
    await cluster.finish(write(cluster, { options: { w: 2 } }));
  });

  test('a repetition with the same operation id is the same write', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = () => ({ lost: 'reply' });
    expect((await failure(cluster.finish(write(cluster, { request: { operation }, timeoutMs: 50 })))).code).toBe('partial-write');
    cluster.deliver = () => ({});
    await cluster.finish(write(cluster, { request: { operation } }));
    // And through another node, which has it by now.
    await cluster.finish(write(cluster, { request: { operation }, at: N2 }));
    await cluster.clock.advance(10);
    for (const one of THREE) expect(cluster.values(one, 'k')).toEqual(['v']);
  });

  test('through another node that has not heard of the first: two versions, of which a reader sees one', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = () => ({ lost: 'request' });
    await failure(cluster.finish(write(cluster, { request: { operation }, timeoutMs: 50 })));
    cluster.deliver = () => ({});
    await cluster.finish(write(cluster, { request: { operation }, at: N2 }));
    expect(cluster.held(N1, 'k').siblings).toHaveLength(2);
    expect(distinctSiblings(cluster.held(N1, 'k'))).toHaveLength(1);
  });

  test('through another node that has not heard of the first, and says that it is a repetition: the first is found and counts', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = () => ({ lost: 'request' });
    await failure(cluster.finish(write(cluster, { request: { operation }, timeoutMs: 50 }))); // N1 alone has it
    cluster.deliver = () => ({});
    const { dot } = await cluster.finish(write(cluster, { request: { operation, repeated: true }, at: N2, options: { w: 3 } }));
    expect(cluster.held(N1, 'k').siblings.map((one) => one.dot)).toEqual([dot]);
    for (const one of THREE) expect(cluster.held(one, 'k')).toEqual(cluster.held(N1, 'k'));
  });

  test('the same, where the first has been overwritten, and this node knows nothing of either: nothing is minted', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = ({ to: whom }) => (whom === N3 ? { lost: 'request' } : {});
    await cluster.finish(write(cluster, { request: { operation } }));
    await cluster.finish(write(cluster, { value: 'over it', request: { context: contextOf(cluster.held(N1, 'k')) } }));
    cluster.deliver = () => ({});
    const again = await cluster.finish(write(cluster, { request: { operation, repeated: true }, at: N3 }));
    expect(again.dot).toBeUndefined();
    for (const one of THREE) expect(cluster.values(one, 'k')).toEqual(['over it']);
  });

  test('the first attempt comes to light when the repetition has been overwritten many times: no reader is shown it', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = () => ({ lost: 'request' });
    await failure(cluster.finish(write(cluster, { request: { operation }, timeoutMs: 50 }))); // N1 alone has it
    cluster.deliver = ({ to: whom }) => (whom === N1 ? { lost: 'request' } : {});
    await cluster.finish(write(cluster, { request: { operation, repeated: true }, at: N2, timeoutMs: 1_000 }));
    for (let i = 0; i < 20; i++) {
      const context = contextOf(cluster.held(N2, 'k'));
      await cluster.finish(write(cluster, { at: N2, value: `${i}`, request: { context } }));
    }
    await cluster.at(N2).replica.merge(addressFor('k'), encodeVersionSet(cluster.held(N1, 'k')), BUCKET, 'memory');
    expect(cluster.held(N2, 'k').siblings).toHaveLength(2);
    expect(liveSiblings(cluster.held(N2, 'k')).map(({ version }) => utf8Decode(version.value))).toEqual(['19']);
  });

  test('a repetition whose owners do not answer is written all the same', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = ({ request }) => (request.kind === 'read' ? { lost: 'request' } : {});
    const { dot } = await cluster.finish(write(cluster, { request: { repeated: true }, timeoutMs: 1_000 }));
    expect(dot).toBeDefined();
    expect(cluster.values(N2, 'k')).toEqual(['v']);
  });

  test('minted twice, and deleted by one who knows one of the two: when the other comes, no reader is shown it', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    cluster.deliver = () => ({ lost: 'request' });
    await failure(cluster.finish(write(cluster, { request: { operation }, timeoutMs: 50 }))); // N1 alone has it
    cluster.deliver = ({ to: whom }) => (whom === N1 ? { lost: 'request' } : {});
    await cluster.finish(write(cluster, { request: { operation }, at: N2 }));
    const context = contextOf(cluster.held(N2, 'k'));
    await cluster.finish(write(cluster, { at: N2, value: '', request: { context, tombstone: true } }));
    await cluster.at(N2).replica.merge(addressFor('k'), encodeVersionSet(cluster.held(N1, 'k')), BUCKET, 'memory');
    expect(cluster.held(N2, 'k').siblings).toHaveLength(2);
    expect(liveSiblings(cluster.held(N2, 'k'))).toEqual([]);
  });

  test('of a write that others have overwritten: acknowledged, nothing minted, and what they wrote stands', async () => {
    const cluster = await TestCluster.open();
    const operation = cluster.operation();
    await cluster.finish(write(cluster, { request: { operation } }));
    await cluster.finish(write(cluster, { value: 'over it', request: { context: contextOf(cluster.held(N1, 'k')) } }));
    const again = await cluster.finish(write(cluster, { request: { operation }, at: N2, options: { w: 3 } }));
    expect(again.dot).toBeUndefined();
    for (const one of THREE) expect(cluster.values(one, 'k')).toEqual(['over it']);
  });
});

describe('durability', () => {
  test('DW=2 in a bucket that keeps to memory: the copies of this put are synced, here and there', async () => {
    const cluster = await TestCluster.open();
    const bucket = { durability: 'memory' } as const;
    const { receipt } = await cluster.finish(write(cluster, { bucket, options: { dw: 2 } }));
    expect(Object.values(outcomes(receipt.replicas)).filter((one) => one === 'durable').length).toBeGreaterThanOrEqual(2);
    await cluster.clock.advance(10);
    for (const one of THREE) expect(cluster.at(one).store.durabilities).toEqual(['fsync']);
  });

  test('DW=0: as the bucket says, and the receipt does not claim more', async () => {
    const cluster = await TestCluster.open();
    const { receipt } = await cluster.finish(write(cluster, { bucket: { durability: 'os' } }));
    expect(outcomes(receipt.replicas)['n1']).toBe('ok');
    for (const one of [N1, N2]) expect(cluster.at(one).store.durabilities).toEqual(['os']);
  });

  test('DW=3 with one replica down: partial', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = to({ n3: { refused: 'unreachable' } });
    const error = await failure(cluster.finish(write(cluster, { options: { w: 1, dw: 'all' } })));
    expect(error).toMatchObject({ code: 'partial-write', message: expect.stringContaining('DW=3') as string });
  });

  test('the local commit counts when it is done, not when it begins', async () => {
    const cluster = await TestCluster.open();
    cluster.at(N1).store.commitMs = 30;
    cluster.deliver = to({ n3: { refused: 'unreachable' } });
    const startedMs = cluster.clock.nowMs();
    await cluster.finish(write(cluster));
    expect(cluster.clock.nowMs() - startedMs).toBeGreaterThanOrEqual(30);
  });
});

describe('the durable copy of a buffered bucket', () => {
  const bucket = { durability: 'buffered' } as const;
  const durabilities = (cluster: TestCluster): Record<string, readonly string[]> =>
    Object.fromEntries(THREE.map((one) => [one, cluster.at(one).store.durabilities]));
  const missing = (cluster: TestCluster): number | undefined =>
    cluster.telemetry.value('armature_coordination_durable_copies_missing_total');
  /** The other owners in the order in which they have the duty. */
  const others = (cluster: TestCluster, at = N1): [NodeId, NodeId] => {
    const { owners } = cluster.view.placement(addressFor('k'), 3);
    const from = owners.indexOf(at);
    return [owners[(from + 1) % 3] as NodeId, owners[(from + 2) % 3] as NodeId];
  };

  test('all well: one copy of the three is durable, not the minting one, with no message more; the receipt shows which', async () => {
    for (const at of THREE) {
      const cluster = await TestCluster.open();
      const [holder, other] = others(cluster, at);
      const { receipt } = await cluster.finish(write(cluster, { bucket, at, options: { w: 3 } }));
      expect(outcomes(receipt.replicas)).toEqual({ [at]: 'ok', [other]: 'ok', [holder]: 'durable' });
      await cluster.clock.advance(5_000);
      expect(durabilities(cluster)).toEqual({ [at]: ['buffered'], [other]: ['buffered'], [holder]: ['fsync'] });
      expect(cluster.asked).toHaveLength(2);
    }
  });

  test('nobody waits for it: W=2 is met by the others while the durable one is at its disk', async () => {
    const cluster = await TestCluster.open();
    const [holder] = others(cluster);
    cluster.at(holder).store.commitMs = 300;
    const startedMs = cluster.clock.nowMs();
    const { receipt } = await cluster.finish(write(cluster, { bucket }));
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(10);
    expect(outcomes(receipt.replicas)).toMatchObject({ [holder]: 'waiting' });
  });

  test.each<[string, Delivery]>([
    ['refuses', { refused: 'overloaded' }],
    ['is unreachable', { refused: 'unreachable' }],
    ['has another ring', { refused: 'stale-ring' }],
    ['says nothing', { lost: 'request' }],
    ['takes too long', { delayMs: 2_000 }],
  ])('who has the duty %s: the next one has it', async (_, fault) => {
    const cluster = await TestCluster.open();
    const [first, second] = others(cluster);
    cluster.deliver = to({ [first]: fault });
    await cluster.finish(write(cluster, { bucket, timeoutMs: 4_000 }));
    await cluster.clock.advance(10_000);
    expect(cluster.at(second).store.durabilities).toEqual(['buffered', 'fsync']);
    expect(cluster.at(N1).store.durabilities).toEqual(['buffered']);
    expect(missing(cluster)).toBe(0);
  });

  test('a disk that fails under the durable copy: the next one has the duty', async () => {
    const cluster = await TestCluster.open();
    const [first, second] = others(cluster);
    cluster.at(first).store.failure = 'storage-full';
    await cluster.finish(write(cluster, { bucket }));
    await cluster.clock.advance(10);
    expect(cluster.at(second).store.durabilities).toEqual(['buffered', 'fsync']);
  });

  test('one that says its copy is not durable counts for W, and passes the duty on', async () => {
    const cluster = await TestCluster.open();
    const [first, second] = others(cluster);
    const { ask } = cluster.at(N1).env;
    const untrue = async (...[one, request, timeoutMs]: Parameters<typeof ask>): Promise<never> => {
      const reply = await ask(one, request, timeoutMs);
      return (one === first ? { ...reply, durable: false } : reply) as never;
    };
    Object.assign(cluster.at(N1).env, { ask: untrue });
    const { receipt } = await cluster.finish(write(cluster, { bucket, options: { w: 3 } }));
    expect(outcomes(receipt.replicas)[first]).toBe('ok');
    await cluster.clock.advance(10);
    expect(cluster.at(second).store.durabilities).toEqual(['buffered', 'fsync']);
  });

  test('no other owner can: the minting node makes it, and the answer does not wait for that', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = () => ({ refused: 'unreachable' });
    cluster.at(N1).store.commitMs = 300;
    const startedMs = cluster.clock.nowMs();
    await cluster.finish(write(cluster, { bucket, options: { w: 1 } }));
    expect(cluster.clock.nowMs() - startedMs).toBeLessThan(10);
    await cluster.clock.advance(400);
    expect(cluster.at(N1).store.durabilities).toEqual(['buffered', 'fsync']);
    expect(missing(cluster)).toBe(0);
  });

  test('owners that seem down are not given the duty', async () => {
    const cluster = await TestCluster.open();
    const [first, second] = others(cluster);
    cluster.suspects.add(first);
    await cluster.finish(write(cluster, { bucket }));
    await cluster.clock.advance(10);
    expect(cluster.at(second).store.durabilities).toEqual(['fsync']);
    cluster.suspects.add(second);
    await cluster.finish(write(cluster, { bucket, value: 'w' }));
    await cluster.clock.advance(10);
    expect(cluster.at(N1).store.durabilities).toEqual(['buffered', 'buffered', 'fsync']);
  });

  test('nobody at all can: the write stands, and the metric tells', async () => {
    const cluster = await TestCluster.open();
    for (const one of THREE) cluster.at(one).store.failure = 'storage-full';
    await cluster.finish(write(cluster, { bucket }));
    await cluster.clock.advance(10);
    expect(missing(cluster)).toBe(1);
    for (const one of THREE) expect(durabilities(cluster)[one]).toContain('fsync');
  });

  test('N=1: answered from memory, and made durable at once', async () => {
    const cluster = await TestCluster.open({ changes: [created([N1])], nodes: [N1] });
    const { receipt } = await cluster.finish(write(cluster, { bucket: { ...bucket, n: 1, w: 1 } }));
    expect(outcomes(receipt.replicas)).toEqual({ n1: 'ok' });
    await cluster.clock.advance(10);
    expect(cluster.at(N1).store.durabilities).toEqual(['buffered', 'fsync']);
  });

  test('DW=1 is waited for, and makes all copies durable as in any bucket', async () => {
    const cluster = await TestCluster.open();
    await cluster.finish(write(cluster, { bucket, options: { dw: 1 } }));
    await cluster.clock.advance(10);
    expect(durabilities(cluster)).toEqual({ n1: ['fsync'], n2: ['fsync'], n3: ['fsync'] });
  });

  test('minted by a fallback, no owner in reach: its hint is durable', async () => {
    const cluster = await TestCluster.open({ nodes: [N1, N2, N3, node('n4')], changes: [created([N1, N2, N3, node('n4')])] });
    const { owners, fallbacks } = cluster.view.placement(addressFor('k'), 3);
    const at = fallbacks[0] as NodeId;
    cluster.deliver = () => ({ refused: 'unreachable' });
    for (const owner of owners) cluster.suspects.add(owner);
    await cluster.finish(write(cluster, { bucket, at, options: { w: 1 } }));
    await cluster.clock.advance(10);
    const kept = [...cluster.at(at).hintSpace.stores.values()].flatMap((store) => store.durabilities);
    expect(kept.slice(0, 1)).toEqual(['buffered']);
    expect(kept).toContain('fsync');
    expect(cluster.at(at).store.durabilities).toEqual([]);
  });
});

describe('a ring that changes', () => {
  const N4 = node('n4');
  const open = (): Promise<TestCluster> => TestCluster.open({ nodes: [N1, N2, N3, N4] });
  /** A key that the newcomer is to own, and whom it comes from. */
  const moving = (cluster: TestCluster): string => {
    for (let i = 0; ; i++) {
      if (cluster.view.placement(addressFor(`key ${i}`), 3).pending.includes(N4)) return `key ${i}`;
    }
  };

  test('pending owners get the write and count for no present owner', async () => {
    const cluster = await open();
    cluster.happen(joined(N4), [N1, N2, N3, N4]);
    const key = moving(cluster);
    cluster.deliver = to({ n2: { refused: 'unreachable' }, n3: { delayMs: 50 } });
    const startedMs = cluster.clock.nowMs();
    const { receipt } = await cluster.finish(write(cluster, { key }));
    expect(cluster.clock.nowMs() - startedMs, 'it waited for an owner').toBeGreaterThanOrEqual(50);
    expect(receipt.replicas).toContainEqual({ node: N4, role: 'pending', outcome: 'durable' });
    expect(cluster.values(N4, key)).toEqual(['v']);
  });

  test('a put waits for W of the next owners, too', async () => {
    const cluster = await open();
    cluster.happen(joined(N4), [N1, N2, N3, N4]);
    const key = moving(cluster);
    const { next } = cluster.view.placement(addressFor(key), 3);
    const stays = next.filter((one) => one !== N4 && one !== N1);
    // One of the owners that stay is slow, and so is the one that comes. Two present owners have the put at once, and only one of
    // the next.
    cluster.deliver = to({ [stays[0] ?? 'none']: { delayMs: 50 }, n4: { delayMs: 80 } });
    const startedMs = cluster.clock.nowMs();
    const { receipt } = await cluster.finish(write(cluster, { key }));
    const has = receipt.replicas.filter(({ outcome }) => outcome === 'durable').map(({ node: one }) => one);
    expect(next.filter((one) => has.includes(one)).length).toBeGreaterThanOrEqual(2);
    expect(cluster.clock.nowMs() - startedMs).toBeGreaterThanOrEqual(50);
  });

  test('a partial write says who lacks the version, and that the next owners were asked, too', async () => {
    const cluster = await open();
    cluster.happen(joined(N4), [N1, N2, N3, N4]);
    cluster.deliver = to({ n2: { refused: 'unreachable' }, n3: { refused: 'unreachable' } });
    const { code, message } = await failure(cluster.finish(write(cluster, { key: moving(cluster) })));
    expect(code).toBe('partial-write');
    expect(message).toMatch(
      /^written to 2 replica\(s\), W=2 asked for, of the owners and of the next owners \(n[23]: unreachable/,
    );
  });

  test('a ring that changes while the minting node waits for its store: the put is minted under the new one', async () => {
    const cluster = await open();
    const store: RecordStore & Pick<MapStore, 'records'> = cluster.at(N1).store;
    const read = store.read.bind(store);
    let reads = 0;
    store.read = (address) => {
      if (reads++ > 0) return read(address);
      // The first read is slow, and when it is done the ring has changed.
      return sleep(cluster.clock, 10).then(() => {
        cluster.happen(joined(N4), [...THREE, N4]);
        expect(store.records.size).toBe(0);
        return read(address);
      });
    };
    const { set } = await cluster.finish(write(cluster));
    expect(reads).toBeGreaterThan(1);
    expect(
      set.clock.map(({ counter }) => counter),
      'one event',
    ).toEqual([1]);
    expect(cluster.asksOf('merge').every(({ request }) => 'ring' in request && request.ring === cluster.view.ringVersion)).toBe(
      true,
    );
  });

  test('a coordinator with an old ring is told so, catches up once, and writes to the newcomer too', async () => {
    const cluster = await open();
    cluster.happen(joined(N4), [N2, N3, N4]);
    const key = moving(cluster);
    const { receipt } = await cluster.finish(write(cluster, { key }));
    expect(cluster.refreshes).toBe(1);
    await cluster.clock.advance(50);
    expect(cluster.values(N4, key)).toEqual(['v']);
    expect(cluster.areEqual(key)).toBe(true);
    expect(receipt.replicas.filter(({ role }) => role === 'primary')).toHaveLength(3);
    for (const one of [N2, N3]) expect(cluster.asksOf('merge').filter(({ to: at }) => at === one)).toHaveLength(2);
  });

  test('a slow replica is not asked twice meanwhile, and its one acknowledgement counts once', async () => {
    const cluster = await open();
    cluster.happen(joined(N4), [N3, N4]);
    const key = moving(cluster);
    // N2, which has the old ring like N1, takes its time; N3 has the new one and refuses at once.
    let refusedOnce = false;
    cluster.deliver = ({ to: one }) => {
      if (one === N2) return { delayMs: 20 };
      if (one === N3 && refusedOnce) return { lost: 'request' };
      if (one === N3) refusedOnce = true;
      return {};
    };
    const error = await failure(cluster.finish(write(cluster, { key, options: { w: 3 }, timeoutMs: 500 })));
    expect(error.code, 'N1 and N2 are two, not three').toBe('partial-write');
    expect(outcomes(error.details['replicas'])).toMatchObject({ n1: 'durable', n2: 'durable' });
    expect(cluster.asksOf('merge').filter(({ to: one }) => one === N2)).toHaveLength(1);
  });

  test('replicas that refuse for ever: bounded, then partial with the reason', async () => {
    const cluster = await TestCluster.open();
    cluster.deliver = () => ({ refused: 'stale-ring' });
    const error = await failure(cluster.finish(write(cluster, { timeoutMs: 60_000 })));
    expect(error.code).toBe('partial-write');
    expect(outcomes(error.details['replicas'])).toEqual({ n1: 'durable', n2: 'stale-ring', n3: 'stale-ring' });
    expect(cluster.refreshes).toBe(3);
    expect(cluster.asked.length).toBeLessThanOrEqual(8);
  });

  test('catching up fails: the replicas that do not mind still make the quorum', async () => {
    const cluster = await TestCluster.open();
    cluster.refreshFailure = 'unreachable';
    cluster.deliver = to({ n2: { refused: 'stale-ring' }, n3: { delayMs: 40 } });
    const { receipt } = await cluster.finish(write(cluster));
    expect(outcomes(receipt.replicas)).toMatchObject({ n1: 'durable', n3: 'durable' });
  });
});
