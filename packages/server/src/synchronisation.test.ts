import { afterEach, expect, test } from 'vitest';
import type { LinkAddress } from '@armature/bus';
import { ArmatureError, parseBucketName, unwrap } from '@armature/kernel';
import type { NodeId, PartitionId } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, nodeAddress, type ExchangeReply } from '@armature/protocol';
import { Trio } from './synchronisation.test-support.js';

let trio: Trio;
afterEach(() => trio.stop());

async function fill(count: number, value = (i: number): string => `value ${i}`): Promise<void> {
  const bucket = trio.client.bucket('default');
  for (let i = 0; i < count; i += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, count - i) }, (_, j) => bucket.put(`key ${i + j}`, value(i + j), { w: 3 })),
    );
  }
}

function expectEqual(): void {
  expect(trio.records('n2')).toEqual(trio.records('n1'));
  expect(trio.records('n3')).toEqual(trio.records('n1'));
}

test('equal replicas: every pair asks one question of one hash and moves nothing', async () => {
  trio = await Trio.start();
  await fill(200);
  expect(await trio.sweep()).toMatchObject({ exchanges: 24, equal: 24, differing: 0, pulled: 0, pushed: 0, bytes: 0, failed: 0 });
});

test('lost, missed, diverged and deleted keys: one sweep makes all replicas equal to the byte, the next is quiet', async () => {
  trio = await Trio.start();
  await fill(300);
  const bucket = trio.client.bucket('default');
  await trio.halt('n3');
  const lost = trio.lose('n3', (index) => index % 10 === 0);
  expect(lost).toBe(30);
  for (let i = 0; i < 20; i++) await bucket.put(`key ${i}`, 'overwritten', { context: (await bucket.get(`key ${i}`))?.context });
  for (let i = 20; i < 30; i++) await bucket.delete(`key ${i}`, { context: (await bucket.get(`key ${i}`))?.context });
  for (let i = 0; i < 25; i++) await bucket.put(`new ${i}`, 'x');
  await trio.run('n3');
  expect(trio.records('n3')).not.toEqual(trio.records('n1'));
  const first = await trio.sweep();
  expect(first).toMatchObject({ failed: 0, skipped: 0 });
  // What was written while it was down may come as hints meanwhile; what its disk has lost comes this way only.
  expect(first.differing).toBeGreaterThan(0);
  expect(first.pulled + first.pushed).toBeGreaterThan(0);
  expectEqual();
  expect(trio.records('n1')).toHaveLength(325);
  expect(await bucket.get('key 25', { r: 3 })).toBeUndefined();
  expect((await bucket.get('key 5', { r: 3 }))?.values).toEqual(['overwritten']);
  expect(await trio.sweep()).toMatchObject({ equal: 24, differing: 0, pulled: 0, pushed: 0, bytes: 0 });
});

test('both sides lack something: merges go both ways and neither overwrites', async () => {
  trio = await Trio.start(4);
  await fill(100);
  for (const [name, rest] of [
    ['n2', 0],
    ['n3', 1],
  ] as const) {
    await trio.halt(name);
    trio.lose(name, (index) => index % 4 === rest);
    await trio.run(name);
  }
  const replies: ExchangeReply[] = [];
  for (let partition = 0; partition < 4; partition++) {
    replies.push(
      await trio.exchange({ at: 'n2', peer: 'n3' as NodeId, partition: partition as PartitionId, n: 3, bucket: undefined }),
    );
  }
  const sum = (field: 'differing' | 'pulled' | 'pushed'): number => replies.reduce((all, reply) => all + reply[field], 0);
  expect([sum('differing'), sum('pulled'), sum('pushed')]).toEqual([50, 25, 25]);
  expectEqual();
});

test('a wiped node is refilled whole, in pages and with a question or two per partition', async () => {
  trio = await Trio.start(4);
  await fill(2_500);
  await trio.halt('n1');
  trio.lose('n1', () => true);
  await trio.run('n1');
  const tally = await trio.sweep();
  expect(tally).toMatchObject({ differing: 2_500, failed: 0 });
  expect(tally.pulled + tally.pushed).toBe(2_500);
  expectEqual();
});

test('a node that is down is skipped, and said to be', async () => {
  trio = await Trio.start();
  await trio.halt('n2');
  expect(await trio.sweep()).toMatchObject({ exchanges: 8, equal: 8, skipped: 16, skippedPeers: ['n2'], failed: 0 });
});

test('exchanges of who is no replica, with itself, or of a partition that is none, are refused', async () => {
  trio = await Trio.start();
  const share = { partition: 0 as PartitionId, n: 3, bucket: undefined };
  for (const wrong of [
    { at: 'n1', peer: 'n1' as NodeId, ...share },
    { at: 'n1', peer: 'n9' as NodeId, ...share },
    { at: 'n1', peer: 'n2' as NodeId, ...share, partition: 8 as PartitionId },
    { at: 'n1', peer: 'n2' as NodeId, ...share, n: 2 },
  ]) {
    await expect(trio.exchange(wrong)).rejects.toMatchObject({ name: 'ArmatureError', code: 'invalid-argument' });
  }
});

test('a peer that is down: the exchange reports it, and the one who asked does not take the initiator for down', async () => {
  trio = await Trio.start();
  await trio.halt('n3');
  const reply = await trio.exchange({ at: 'n1', peer: 'n3' as NodeId, partition: 0 as PartitionId, n: 3, bucket: undefined });
  expect(reply.outcome).toBe('failed');
  expect(reply.problem).toMatch(/^(unreachable|timeout): /);
});

test('more exchanges than a node runs at a time are refused with overloaded', async () => {
  trio = await Trio.start();
  await fill(50);
  const answers = await Promise.allSettled(
    Array.from({ length: 6 }, (_, partition) =>
      trio.exchange({ at: 'n1', peer: 'n2' as NodeId, partition: partition as PartitionId, n: 3, bucket: undefined }),
    ),
  );
  const refused = answers.filter(
    (one) => one.status === 'rejected' && one.reason instanceof ArmatureError && one.reason.code === 'overloaded',
  );
  expect(refused.length).toBeGreaterThanOrEqual(1);
  expect(answers.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(2);
});

test('writes go on during sweeps: what is acknowledged is on all three in the end', async () => {
  trio = await Trio.start();
  await fill(200);
  await trio.halt('n2');
  trio.lose('n2', (index) => index % 3 === 0);
  await trio.run('n2');
  const writing = fill(400, (i) => `again ${i}`);
  await trio.sweep();
  await writing;
  await trio.sweep();
  expectEqual();
  expect(await trio.sweep()).toMatchObject({ differing: 0 });
  expect(trio.telemetry.value('armature_repair_tree_mismatches_total')).toBe(0);
});

test('what a node says it holds is on stable storage: whoever has found it there may drop his own', async () => {
  trio = await Trio.start();
  const bucket = unwrap(parseBucketName('loose'));
  const { membership, link } = trio.node('n1').participant;
  await membership.propose({ kind: 'bucket', bucket, properties: { ...DEFAULT_BUCKET_PROPERTIES, durability: 'os' } });
  await trio.client.bucket('loose').put('k', 'v', { w: 3 });
  expect(trio.disk('n2').unsyncedBatches).toBeGreaterThan(0);
  const { start } = membership.view.ring!.rangeOf(0 as PartitionId);
  const share = { partition: 0 as PartitionId, n: 3, bucket: undefined, start, end: undefined, limit: 10 };
  const question = { kind: 'digests', ring: membership.view.ringVersion, ...share } as const;
  expect(await link.request(nodeAddress('n2' as NodeId) as LinkAddress, question, 20_000)).toMatchObject({ entries: [{}] });
  expect(trio.disk('n2').unsyncedBatches).toBe(0);
});
