/**
 * Deletes on real processes (scenarios 5 and 29): what is deleted stays deleted, whatever was down when; tombstones go when
 * nobody needs them, from all disks, and not before; and what is written again under the same keys, with contexts of whatever
 * age, is there to stay.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Bucket, Client, ReadContext } from '@armature/client';
import { DotLedger, expectNoDotNamesTwoValues, expectReplicasEqual, takeInventory } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

const run = promisify(execFile);
const NODES = ['n1', 'n2', 'n3', 'n4'];
const KEYS = 120;
const PATIENT = { timeout: 90_000, interval: 500 } as const;
const ledger = new DotLedger();
let cluster: ProcessCluster;
let client: Client;
let bucket: Bucket<string>;

beforeAll(async () => {
  cluster = await ProcessCluster.start({
    nodes: NODES,
    routers: [],
    partitionCount: 16,
    nodeFlags: ['--reap-quarantine', '1s'],
    workerFlags: ['--reap-cycle', '2s'],
  });
  client = await cluster.connect({ routing: 'direct' });
  bucket = client.bucket('default');
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

interface Report {
  readonly code: number;
  readonly report: { readonly candidates: number; readonly waiting: number; readonly reaped: number; readonly blocked: number };
}

/** `armature <command> --json`, as an operator runs it. */
async function armature(...command: string[]): Promise<Report> {
  const shared = [...cluster.accessArgs, '--json'];
  try {
    const { stdout } = await run(process.execPath, [...programArgs('cli'), ...shared, ...command]);
    return { code: 0, report: JSON.parse(stdout) as Report['report'] };
  } catch (thrown) {
    const failed = thrown as { code: number; stdout: string };
    return { code: failed.code, report: JSON.parse(failed.stdout) as Report['report'] };
  }
}

/** Records on the disks of all nodes together, tombstones and strays among them. */
async function recordsLeft(): Promise<number> {
  const { holdings } = await takeInventory(cluster);
  return [...holdings.values()].reduce((sum, held) => sum + held.size, 0);
}

/** Runs of `armature reap` until no tombstone is left; how many went. */
async function reapAll(): Promise<number> {
  let reaped = 0;
  const once = async (): Promise<number> => {
    const { report } = await armature('reap');
    reaped += report.reaped;
    return report.candidates - report.reaped + report.blocked;
  };
  await expect.poll(once, PATIENT).toBe(0);
  return reaped;
}

const keysNamed = (prefix: string): string[] => Array.from({ length: KEYS }, (_, i) => `${prefix}${i}`);

async function each<T>(keys: readonly string[], work: (key: string, index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < keys.length; i += 20)
    results.push(...(await Promise.all(keys.slice(i, i + 20).map((key, j) => work(key, i + j)))));
  return results;
}

async function expectGone(keys: readonly string[]): Promise<void> {
  const found = await each(keys, async (key) => [await bucket.get(key, { r: 1 }), await bucket.get(key, { r: 3 })]);
  expect(found.flat().filter((entry) => entry !== undefined)).toEqual([]);
}

async function expectValue(keys: readonly string[], value: string): Promise<void> {
  const values = await each(keys, async (key) => (await bucket.get(key, { r: 3 }))?.values);
  expect(values).toEqual(keys.map(() => [value]));
}

test('(29) tombstones stay while a node that missed the delete is down, go when it is back and equal, and nothing returns', async () => {
  const keys = keysNamed('gone-');
  await each(keys, (key) => bucket.put(key, 'old', { w: 3 }));
  const before = await each(keys, async (key) => (await bucket.read(key)).context as ReadContext);
  await expectNoDotNamesTwoValues(cluster, ledger);
  await cluster.kill('n2');
  await each(keys, (key) => bucket.delete(key, { timeoutMs: 20_000 }));
  for (let attempt = 0; attempt < 3; attempt++) {
    const { code, report } = await armature('reap');
    expect(report.reaped).toBe(0);
    expect(code).toBe(3);
  }
  await cluster.restart('n2');
  await expect.poll(() => cluster.hintBytes(), PATIENT).toBe(0);
  await expect.poll(async () => (await armature('repair')).code, PATIENT).toBe(0);
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster, ledger);
  const tombstones = await recordsLeft();
  expect(tombstones).toBe(3 * KEYS);
  await expectGone(keys);
  const after = await each(keys, async (key) => (await bucket.read(key)).context);
  expect(after.every((context) => context !== undefined)).toBe(true);

  const reaped = await reapAll();
  expect(reaped).toBe(KEYS);
  expect(await recordsLeft()).toBe(0);
  await expectGone(keys);

  // Written again: blind, with a context of the value that was deleted, and with one of the tombstone.
  const contexts = [undefined, before, after];
  await each(keys, (key, i) => {
    const context = contexts[i % 3]?.[i];
    return bucket.put(key, 'again', { w: 3, ...(context === undefined ? {} : { context }) });
  });
  await expectValue(keys, 'again');
  await cluster.kill('n1');
  await cluster.kill('n3');
  for (const name of ['n1', 'n3']) await cluster.restart(name);
  await expectValue(keys, 'again');
  // Old contexts have seen nothing of that, and must not take it away after the restart of those who wrote it.
  await each(keys.slice(0, 30), (key, i) => bucket.put(key, 'aside', { w: 3, context: before[i] as ReadContext }));
  const both = await each(keys.slice(0, 30), async (key) => [...((await bucket.get(key, { r: 3 }))?.values ?? [])].sort());
  expect(both).toEqual(keys.slice(0, 30).map(() => ['again', 'aside']));
  await armature('repair');
  await expectReplicasEqual(cluster);
  await expectNoDotNamesTwoValues(cluster, ledger);
  expect((await armature('reap')).report).toMatchObject({ candidates: 0, reaped: 0 });
  await each(keys, (key) => bucket.delete(key, { w: 3 }));
  expect(await reapAll()).toBe(KEYS);
  expect(await recordsLeft()).toBe(0);
  console.log(
    `${tombstones} tombstones of ${KEYS} deletes on disks, 0 left after reaping; ${KEYS} keys written again, 0 lost; 0 values returned`,
  );
}, 400_000);

test('(5) the only node that took the deletes dies: until it is back nothing is reaped, then the deletes hold and newer writes survive', async () => {
  const keys = keysNamed('alone-');
  await each(keys, (key) => bucket.put(key, 'old', { w: 3 }));
  const contexts = await each(keys, async (key) => (await bucket.read(key)).context as ReadContext);
  for (const name of ['n2', 'n3', 'n4']) await cluster.kill(name);
  await each(keys, (key, i) => bucket.delete(key, { w: 1, context: contexts[i] as ReadContext, timeoutMs: 30_000 }));
  await cluster.kill('n1');
  for (const name of ['n2', 'n3', 'n4']) await cluster.restart(name);
  // Nobody who is up knows of the deletes; a third of the keys is overwritten by somebody who has read the old values.
  const written = keys.filter((_, i) => i % 3 === 0);
  const left = keys.filter((_, i) => i % 3 !== 0);
  await each(written, (key, i) => bucket.put(key, 'newer', { context: contexts[i * 3] as ReadContext, timeoutMs: 20_000 }));
  for (let attempt = 0; attempt < 2; attempt++) expect((await armature('reap')).report.reaped).toBe(0);
  await cluster.restart('n1');
  await expect.poll(() => cluster.hintBytes(), PATIENT).toBe(0);
  await expect.poll(async () => (await armature('repair')).code, PATIENT).toBe(0);
  await expectReplicasEqual(cluster);
  await expectGone(left);
  await expectValue(written, 'newer');
  expect(await reapAll()).toBe(left.length);
  expect(await recordsLeft()).toBe(3 * written.length);
  await expectGone(left);
  await expectValue(written, 'newer');
  await expectNoDotNamesTwoValues(cluster, ledger);
  console.log(`${left.length} tombstones of a dead primary held and were reaped, ${written.length} newer writes survived`);
}, 400_000);

test('a worker does it all by itself', async () => {
  const keys = keysNamed('worked-');
  const recordsBefore = await recordsLeft();
  await each(keys, (key) => bucket.put(key, 'old', { w: 3 }));
  await each(keys, (key) => bucket.delete(key, { w: 3 }));
  await cluster.launch('anti-entropy', 'a1');
  await cluster.untilReady('a1');
  await expect.poll(recordsLeft, PATIENT).toBe(recordsBefore);
  await expect.poll(async () => (await client.admin.workers('status'))[0]?.reaping.passes, PATIENT).toBeGreaterThan(0);
  await expectGone(keys);
  expect(await cluster.terminate('a1')).toBe('exit code 0');
  console.log(`${KEYS} tombstones reaped by a worker`);
}, 200_000);
