/**
 * Known ways for stores of this kind to go wrong, one test each, on four nodes and a router, over a real NATS. There is no
 * anti-entropy worker: what heals here heals by hints, read repair, or not at all. Numbers are those of the list that the
 * simulated scenarios follow, too.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ArmatureError, parseBucketName, unwrap, utf8Encode, type NodeId } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { json, utf8, type Bucket, type Client, type ReadContext } from '@armature/client';
import { DotLedger, expectNoDotNamesTwoValues, expectReplicasEqual } from '@armature/tools/audit';
import { metricOf, ProcessCluster } from '@armature/tools/process-cluster';

const NODES = ['n1', 'n2', 'n3', 'n4'];
const dots = new DotLedger();
let cluster: ProcessCluster;
let direct: Client;
let routed: Client;
let bucket: Bucket<string>;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: NODES, partitionCount: 16, nodeFlags: ['--hint-limit-mb', '1'] });
  direct = await cluster.connect({ routing: 'direct' });
  routed = await cluster.connect();
  bucket = direct.bucket('default', { codec: utf8, merge: (values) => [...values].sort().join('+') });
});
afterAll(async () => {
  await direct.close();
  await routed.close();
  await cluster.stop();
});
afterEach(async () => {
  for (const name of [...NODES, 'r1']) await cluster.revive(name);
  await expectNoDotNamesTwoValues(cluster, dots);
});

/** The nodes that own a key, and those that stand in for them, in order. */
async function placementOf(key: string): Promise<{ owners: readonly NodeId[]; fallbacks: readonly NodeId[] }> {
  const address = addressOf(unwrap(parseBucketName('default')), utf8Encode(key));
  return (await direct.admin.view()).placement(address, 3);
}

async function failureOf(work: Promise<unknown>): Promise<ArmatureError> {
  const outcome: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(outcome).toMatchObject({ name: 'ArmatureError' });
  return outcome as ArmatureError;
}

async function sumOf(...metrics: readonly string[]): Promise<number> {
  const pages = await Promise.all(NODES.map((name) => cluster.metrics(name)));
  return pages.flatMap((page) => metrics.map((metric) => metricOf(page, metric))).reduce((sum, value) => sum + value, 0);
}

test('(8) 100 interleaved writes by two clients, each with the context of its own last write, leave 2 siblings', async () => {
  const writers = [direct, routed].map((client) => client.bucket('default', { codec: utf8 }));
  const contexts: (ReadContext | undefined)[] = [undefined, undefined];
  for (let i = 0; i < 100; i++) {
    const writer = i % 2;
    const { context } = await (writers[writer] as Bucket<string>).put('interleaved', `${writer}: ${i}`, {
      context: contexts[writer],
    });
    contexts[writer] = context;
  }
  expect([...((await bucket.get('interleaved', { r: 3 }))?.values ?? [])].sort()).toEqual(['0: 98', '1: 99']);
});

test('(9) 100 updates, replicated, by clients in turn, leave one value', async () => {
  const buckets = [direct, routed].map((client) => client.bucket('default', { codec: json<number>() }));
  for (let i = 0; i < 100; i++) await buckets[i % 2]?.update('updated', (current) => (current ?? 0) + 1);
  for (const reader of buckets) expect((await reader.get('updated', { r: 3 }))?.values).toEqual([100]);
  await expectReplicasEqual(cluster);
});

test('(18) 100 reads of converged data cause 0 writes', async () => {
  for (let i = 0; i < 20; i++) await bucket.put(`read-${i}`, 'v', { w: 3 });
  await expectReplicasEqual(cluster);
  const writes = ['armature_replica_merges_total', 'armature_replica_mints_total', 'armature_storage_operations_total'];
  const before = await sumOf(...writes);
  expect(before).toBeGreaterThan(60);
  for (let i = 0; i < 100; i++) {
    const reader = i % 2 === 0 ? bucket : routed.bucket('default');
    expect((await reader.get(`read-${i % 20}`, i % 3 === 0 ? { r: 3 } : {}))?.values).toEqual(['v']);
  }
  expect(await sumOf(...writes)).toBe(before);
});

test('(22) a value that is too large, and a sibling too many, are refused by type; the key stays readable and can be mended', async () => {
  await direct.admin.setBucket('capped', { maxValueBytes: 1_000, maxSiblings: 5 });
  const capped = direct.bucket('capped', { codec: utf8, merge: (values) => [...values].sort().join('+') });
  await expect.poll(() => capped.put('k', '0').then(() => 'written', String), { timeout: 20_000 }).toBe('written');
  const large = await failureOf(capped.put('k', 'x'.repeat(1_001)));
  expect(large).toMatchObject({ code: 'too-large', details: { sizeBytes: 1_001, maxValueBytes: 1_000 } });
  for (let i = 1; i < 5; i++) await capped.put('k', String(i), { w: 3 });
  const many = await failureOf(capped.put('k', 'one too many'));
  expect(many).toMatchObject({ code: 'too-large', details: { maxSiblings: 5 } });
  expect(many.remedy).toMatch(/merge/);
  expect([...((await capped.get('k', { r: 3 }))?.values ?? [])].sort()).toEqual(['0', '1', '2', '3', '4']);
  await capped.update('k', (current) => current);
  expect((await capped.get('k', { r: 3 }))?.values).toEqual(['0+1+2+3+4']);
  await capped.put('k', 'room again');
});

test('(21) a router that stands still: the client sheds what is too much with a pause to make, and all goes on when it wakes', async () => {
  const reader = routed.bucket('default');
  await reader.put('shed', 'v');
  cluster.pause('r1');
  const outcomes = new Map<string, number>();
  let withPause = 0;
  await Promise.all(
    Array.from({ length: 17_000 }, () =>
      reader.get('shed', { timeoutMs: 5_000 }).then(
        () => undefined,
        (thrown: unknown) => {
          const { code, details } = thrown as ArmatureError;
          outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
          if (code === 'overloaded' && typeof details['retryAfterMs'] === 'number') withPause++;
        },
      ),
    ),
  );
  expect([...outcomes.keys()].sort()).toEqual(['overloaded', 'timeout']);
  expect(withPause).toBe(outcomes.get('overloaded'));
  cluster.resume('r1');
  await expect.poll(() => reader.get('shed').then((entry) => entry?.value, String), { timeout: 30_000 }).toBe('v');
});

test('(21) a full hint store refuses hints, not writes: W of the owners is still acknowledged, and it empties when they are back', async () => {
  await cluster.kill('n2');
  const wide = direct.bucket('default', { codec: utf8 });
  const value = 'x'.repeat(100_000);
  const refused: string[] = [];
  for (let i = 0; i < 60; i++) {
    await wide.put(`wide-${i}`, value);
    const error = await wide
      .put(`wide-${i}`, value, { w: 3, timeoutMs: 5_000 })
      .catch((thrown: unknown) => thrown as ArmatureError);
    if (error instanceof Error) refused.push(`${error.code}: ${error.message}`);
  }
  expect(refused.length).toBeGreaterThan(0);
  for (const one of refused) expect(one).toMatch(/^partial-write: .*overloaded/);
  await cluster.restart('n2');
  await expect.poll(() => cluster.hintBytes(), { timeout: 60_000, interval: 250 }).toBe(0);
  for (let i = 0; i < 60; i++) expect((await wide.get(`wide-${i}`, { r: 3 }))?.values).toContain(value);
  await expectReplicasEqual(cluster);
});

test('(26) a put that an owner is late for is hinted, though its quorum was met long since: the owner has it without any read', async () => {
  const keys = Array.from({ length: 20 }, (_, i) => `late-${i}`);
  cluster.pause('n3');
  const written = await Promise.allSettled(keys.map((key) => bucket.put(key, 'v', { timeoutMs: 3_000 })));
  expect(written.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(10);
  await expect.poll(() => hintBytesOf('n1', 'n2', 'n4'), { timeout: 30_000, interval: 250 }).toBeGreaterThan(0);
  await cluster.kill('n3'); // with all that lies in its socket
  await cluster.restart('n3');
  await expectReplicasEqual(cluster);
});

async function hintBytesOf(...nodes: readonly string[]): Promise<number> {
  const pages = await Promise.all(nodes.map((name) => cluster.metrics(name)));
  return pages.reduce((sum, page) => sum + metricOf(page, 'armature_hints_bytes'), 0);
}

test('(20) PR and PW are never met by fallbacks: with primaries killed and stopped they fail by type, naming who answered', async () => {
  const keys = Array.from({ length: 40 }, (_, i) => `primary-${i}`);
  const placements = new Map<string, readonly string[]>();
  for (const key of keys) {
    await bucket.put(key, 'v', { w: 3 });
    placements.set(key, (await placementOf(key)).owners);
  }
  await cluster.kill('n1');
  cluster.pause('n2');
  const up = ['n3', 'n4'];
  let failed = 0;
  await Promise.all(
    keys.map(async (key) => {
      const canBeMet = (placements.get(key) ?? []).filter((owner) => up.includes(owner)).length >= 2;
      const attempts = await Promise.allSettled([
        bucket.get(key, { pr: 2, timeoutMs: 6_000 }).then((entry) => entry?.receipt.replicas ?? []),
        bucket.put(key, 'w', { pw: 2, timeoutMs: 6_000 }).then(({ receipt }) => receipt.replicas),
      ]);
      for (const attempt of attempts) {
        if (attempt.status === 'fulfilled') {
          const answered = attempt.value.filter(({ role, outcome }) => role === 'primary' && /^(ok|durable)$/.test(outcome));
          expect(answered.filter(({ node }) => up.includes(node)).length, key).toBeGreaterThanOrEqual(2);
          expect(canBeMet, key).toBe(true);
        } else {
          failed++;
          expect(attempt.reason).toBeInstanceOf(ArmatureError);
          const { code, message } = attempt.reason as ArmatureError;
          expect(code).toMatch(/^(unavailable|timeout|partial-write|unknown-outcome)$/);
          expect(message).toMatch(/n[1-4]/);
        }
      }
      if (!canBeMet) await expect(bucket.get(key, { pr: 2, timeoutMs: 4_000 })).rejects.toMatchObject({ name: 'ArmatureError' });
    }),
  );
  expect(failed).toBeGreaterThan(0);
  for (const key of keys) expect((await bucket.get(key, { timeoutMs: 8_000 }))?.values.length, key).toBeGreaterThan(0);
  cluster.resume('n2');
  await cluster.restart('n1');
  await expectReplicasEqual(cluster, { nudge: () => Promise.all(keys.map((key) => bucket.get(key, { r: 3 }))) });
});

test("(4) a fallback's tombstone, home late, leaves a newer value alone", async () => {
  const key = 'fallback-tombstone';
  const { owners, fallbacks } = await placementOf(key);
  const fallback = fallbacks[0] as string;
  const { context } = await bucket.put(key, 'old', { w: 3 });
  for (const owner of owners) await cluster.kill(owner);
  expect(await bucket.delete(key, { context, w: 1, timeoutMs: 10_000 })).toBe(true);
  expect(await hintBytesOf(fallback)).toBeGreaterThan(0);
  await cluster.kill(fallback);
  for (const owner of owners) await cluster.launch('node', owner);
  for (const owner of owners) await cluster.untilReady(owner);
  await bucket.put(key, 'new', { context });
  await cluster.restart(fallback);
  await expectReplicasEqual(cluster);
  for (const reader of [bucket, routed.bucket('default')]) expect((await reader.get(key, { r: 3 }))?.values).toEqual(['new']);
});

test('(27) read repair mends missing keys and diamonds: a node with an old copy of its disk has everything again', async () => {
  const directory = join(cluster.directory, 'n4');
  const diamonds = Array.from({ length: 10 }, (_, i) => `diamond-${i}`);
  const missing = Array.from({ length: 10 }, (_, i) => `missing-${i}`);
  for (const key of diamonds) await bucket.put(key, 'top', { w: 3 });
  await expectReplicasEqual(cluster);
  await cluster.terminate('n4');
  cpSync(directory, `${directory}-copy`, { recursive: true });
  await cluster.restart('n4');
  for (const key of diamonds) {
    const { context } = await bucket.read(key);
    await Promise.all(['left', 'right'].map((value) => bucket.put(key, value, { context, w: 3 })));
    expect(await bucket.update(key, (both) => both)).toBe('left+right');
  }
  for (const key of missing) await bucket.put(key, 'v', { w: 3 });
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster, dots);
  await cluster.terminate('n4');
  rmSync(directory, { recursive: true });
  cpSync(`${directory}-copy`, directory, { recursive: true });
  await cluster.restart('n4');
  await expectReplicasEqual(cluster, {
    nudge: () => Promise.all([...diamonds, ...missing].map((key) => bucket.get(key, { r: 3 }))),
  });
  for (const key of diamonds) expect((await bucket.get(key, { r: 3 }))?.values).toEqual(['left+right']);
  for (const key of missing) expect((await bucket.get(key, { r: 3 }))?.values).toEqual(['v']);
});

test('(29) with PR + PW > N a reader never goes back and a writer reads its writes, while a node is killed and comes back', async () => {
  const counter = direct.bucket('default', { codec: json<number>(), timeoutMs: 4_000 });
  const observer = routed.bucket('default', { codec: json<number>(), timeoutMs: 4_000 });
  let running = true;
  let acknowledged = 0;
  let reads = 0;
  const write = async (): Promise<void> => {
    let context: ReadContext | undefined;
    for (let i = 1; running; i++) {
      const written = await counter.put('monotonic', i, { context, pw: 2 }).catch(() => undefined);
      const floor = written === undefined ? acknowledged : (acknowledged = i);
      const reading = await counter.read('monotonic', { pr: 2 }).catch(() => undefined);
      if (reading === undefined) continue;
      context = reading.context;
      expect(Math.max(0, ...(reading.entry?.values ?? []))).toBeGreaterThanOrEqual(floor);
    }
  };
  const read = async (): Promise<void> => {
    let seen = 0;
    while (running) {
      const entry = await observer.get('monotonic', { pr: 2 }).catch(() => undefined);
      if (entry === undefined) continue;
      const now = Math.max(...entry.values);
      expect(now).toBeGreaterThanOrEqual(seen);
      seen = now;
      reads++;
    }
  };
  const working = Promise.all([write(), read(), read()]);
  try {
    for (const name of (await placementOf('monotonic')).owners) {
      const goal = acknowledged + 30;
      await expect.poll(() => acknowledged, { timeout: 30_000 }).toBeGreaterThan(goal);
      await cluster.kill(name);
      await expect.poll(() => acknowledged, { timeout: 30_000 }).toBeGreaterThan(goal + 30);
      await cluster.restart(name);
    }
  } finally {
    running = false;
    await working;
  }
  expect(reads).toBeGreaterThan(100);
  console.log(`(29) ${acknowledged} writes and ${reads} reads, none went back`);
});
