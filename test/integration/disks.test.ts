/**
 * Disks that fill up or lose bytes, under real processes: the node says so, the cluster goes on without it, and when the disk
 * works again nothing is missing.
 */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { utf8, type Client } from '@armature/client';
import { seededRandom, toHex, type NodeId } from '@armature/kernel';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { mountSmallDisk, type SmallDisk } from './small-disk.js';

const root = mkdtempSync(join(tmpdir(), 'armature-disks-'));
let small: SmallDisk | undefined;
const clients: Client[] = [];
let cluster: ProcessCluster | undefined;

beforeAll(async () => {
  small = await mountSmallDisk(join(root, 'disk'), 96);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await cluster?.stop();
  cluster = undefined;
});
afterAll(() => {
  small?.dispose();
  rmSync(root, { recursive: true, force: true });
});

async function connected(to: ProcessCluster, options?: Parameters<ProcessCluster['connect']>[0]): Promise<Client> {
  const client = await to.connect(options);
  clients.push(client);
  return client;
}

async function readiness(of: ProcessCluster, name: string): Promise<{ ready: boolean; notes: string[] }> {
  return (await (await fetch(`${of.httpUrl(name)}/readyz`)).json()) as { ready: boolean; notes: string[] };
}

async function metric(of: ProcessCluster, node: string, name: string): Promise<number> {
  const line = (await of.metrics(node)).split('\n').find((one) => one.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('a disk that is full', () => {
  const diskOf = (context: TestContext): SmallDisk => small ?? context.skip('no small file system can be mounted here');

  test('the node says so and what to do, the cluster writes on without it; with space again it goes on by itself, and nothing is lost', async (context) => {
    const disk = diskOf(context);
    const dataDirectory = join(root, 'cluster');
    mkdirSync(dataDirectory);
    mkdirSync(join(disk.path, 'n1'));
    symlinkSync(join(disk.path, 'n1'), join(dataDirectory, 'n1'));
    const running = (cluster = await ProcessCluster.start({
      nodes: ['n1', 'n2', 'n3', 'n4'],
      partitionCount: 16,
      dataDirectory,
    }));
    const direct = await connected(running, { routing: 'direct' });
    const routed = await connected(running, { routing: 'router' });
    const pid = running.pid('n1');
    const workload = startWorkload([direct, routed], { name: 'a full disk' });
    await workload.untilAcknowledged(100);

    disk.fill(2 * 1024 * 1024);
    const bucket = direct.bucket('default', { codec: utf8 });
    const noise = seededRandom('noise');
    const outcomes = new Set<string>();
    let bulk = 0;
    // Until the disk is full, and a while longer. A put that n1 cannot take is no failure: fallbacks stand in for it, even for W
    // = 3.
    for (let after = 0; after < 50; bulk++) {
      const { receipt } = await bucket.put(`bulk ${bulk}`, toHex(noise.bytes(10_000)), { w: 3, timeoutMs: 20_000 });
      for (const { node, outcome } of receipt.replicas) if ((node as string) === 'n1') outcomes.add(outcome);
      if (after > 0 || !(await readiness(running, 'n1')).ready) after++;
      expect(bulk).toBeLessThan(5_000);
    }
    expect(outcomes).toContain('storage-full');
    const { ready, notes } = await readiness(running, 'n1');
    expect(ready).toBe(false);
    expect(notes.join()).toMatch(/storage is failing: storage-full: .*Free space/);
    const { status } = await direct.admin.member('n1' as NodeId);
    expect(status).toMatchObject({ ready: false, notes, storage: { healthy: false } });
    expect(await metric(running, 'n1', 'armature_storage_failing')).toBe(1);
    expect(await metric(running, 'n1', 'armature_storage_commit_failures_total')).toBeGreaterThan(0);
    await workload.untilAcknowledged(200);
    // What n1 holds it still serves.
    expect((await bucket.get('bulk 0'))?.value).toHaveLength(20_000);

    disk.free();
    await expect
      .poll(() => readiness(running, 'n1'), { timeout: 60_000, interval: 250 })
      .toMatchObject({ ready: true, notes: [] });
    expect(running.pid('n1')).toBe(pid);
    await workload.untilAcknowledged(100);
    await workload.stop();
    const audit = await expectReplicasEqual(running);
    await expectNoDotNamesTwoValues(running);
    await workload.verify(direct);
    console.log(
      `a full disk: ${bulk} more of 20 kB acknowledged by W = 3, ${audit.keys} keys byte-equal on their replicas, no restart`,
    );
    for (let i = 0; i < bulk; i++) expect((await bucket.get(`bulk ${i}`))?.value, `bulk ${i}`).toHaveLength(20_000);
  });

  test('nobody writes: a node whose disk was full finds out by itself that there is space again', async (context) => {
    const disk = diskOf(context);
    const dataDirectory = join(root, 'idle');
    mkdirSync(dataDirectory);
    mkdirSync(join(disk.path, 'idle'));
    symlinkSync(join(disk.path, 'idle'), join(dataDirectory, 'n1'));
    const running = (cluster = await ProcessCluster.start({ nodes: ['n1'], routers: [], dataDirectory }));
    const bucket = (await connected(running)).bucket('default', { codec: utf8 });
    disk.fill(2 * 1024 * 1024);
    const noise = seededRandom('idle');
    let refused: unknown;
    for (let i = 0; refused === undefined; i++) {
      await bucket.put(`k${i}`, toHex(noise.bytes(50_000)), { w: 1 }).catch((thrown: unknown) => (refused = thrown));
      expect(i).toBeLessThan(1_000);
    }
    expect(refused).toMatchObject({ name: 'ArmatureError' });
    await expect.poll(() => readiness(running, 'n1'), { timeout: 20_000 }).toMatchObject({ ready: false });
    disk.free();
    await expect.poll(() => readiness(running, 'n1'), { timeout: 60_000, interval: 250 }).toMatchObject({ ready: true });
    await bucket.put('after', 'x', { w: 1 });
  });
});

test('a data directory that is removed under a running node: not ready, no write is called durable, and after a restart it is filled again', async () => {
  const running = (cluster = await ProcessCluster.start({ partitionCount: 16, routers: [] }));
  const client = await connected(running, { routing: 'direct' });
  const bucket = client.bucket('default', { codec: utf8 });
  for (let i = 0; i < 20; i++) await bucket.put(`before ${i}`, 'x', { w: 3 });
  const directory = join(running.directory, 'n2');
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  await expect.poll(() => readiness(running, 'n2'), { timeout: 60_000 }).toMatchObject({ ready: false });
  expect((await readiness(running, 'n2')).notes.join()).toMatch(/storage-failed: .*removed or replaced/);
  expect((await client.admin.member('n2' as NodeId)).status).toMatchObject({ ready: false, storage: { healthy: false } });
  for (let i = 0; i < 20; i++) {
    const { receipt } = await bucket.put(`after ${i}`, 'x');
    expect(receipt.replicas.filter(({ node, outcome }) => (node as string) === 'n2' && outcome === 'durable')).toEqual([]);
  }
  await running.terminate('n2');
  await running.restart('n2');
  const audit = await expectReplicasEqual(running);
  expect(audit.keys).toBe(40);
});

describe('a disk that loses bytes', () => {
  const KEYS = 1_000;
  const valueOf = (key: number): string => `${key}:${toHex(seededRandom(`value ${key}`).bytes(500))}`;

  /** Tables of a node, not its logs. */
  const tablesOf = (of: ProcessCluster, name: string): string[] => {
    const directory = join(of.directory, name, 'level');
    return readdirSync(directory)
      .filter((file) => file.endsWith('.ldb'))
      .map((file) => join(directory, file));
  };

  /** Flips a bit in the stored values of these keys, wherever a table of the node has them. How many it hit. */
  function damage(of: ProcessCluster, name: string, keys: readonly number[]): number {
    let hits = 0;
    for (const path of tablesOf(of, name)) {
      const content = readFileSync(path);
      for (const key of keys) {
        const at = content.indexOf(valueOf(key).slice(20, 60));
        if (at < 0) continue;
        content[at] = (content[at] as number) ^ 1;
        hits++;
      }
      writeFileSync(path, content, { flag: 'r+' }); // in place: under the running node's feet
    }
    return hits;
  }

  test('damaged records, while the node runs and before it starts: others serve them, repairs restore them, and the actor is retired', async () => {
    const running = (cluster = await ProcessCluster.start({ partitionCount: 16, routers: [], nodeFlags: ['--cache-mb', '1'] }));
    const client = await connected(running, { routing: 'direct' });
    const bucket = client.bucket('default', { codec: utf8 });
    const keys = Array.from({ length: KEYS }, (_, key) => key);
    const each = async (work: (key: number) => Promise<unknown>): Promise<void> => {
      for (let i = 0; i < KEYS; i += 25) await Promise.all(keys.slice(i, i + 25).map(work));
    };
    const expectAllReadable = (): Promise<void> =>
      each(async (key) => expect((await bucket.get(`k${key}`))?.values).toEqual([valueOf(key)]));
    const actor = async (): Promise<string | undefined> => (await client.admin.member('n1' as NodeId)).status?.actor;
    await each((key) => bucket.put(`k${key}`, valueOf(key), { w: 3 }));
    // A clean restart, after which what was in the log is in a table.
    expect(await running.terminate('n1')).toBe('exit code 0');
    await running.restart('n1');
    const before = await actor();

    const first = damage(
      running,
      'n1',
      keys.filter((key) => key % 10 === 0),
    );
    expect(first).toBeGreaterThan(50);
    // Read repair restores what is read; once in sixteen reads all three replicas are asked.
    await expect
      .poll(() => expectAllReadable().then(() => metric(running, 'n1', 'armature_replica_actors_retired_total')), {
        timeout: 60_000,
      })
      .toBeGreaterThan(0);
    expect(await metric(running, 'n1', 'armature_replica_damaged_records_total')).toBeGreaterThan(0);
    expect(await actor()).not.toBe(before);

    expect(await running.terminate('n1')).toBe('exit code 0');
    const more = damage(
      running,
      'n1',
      keys.filter((key) => key % 10 === 5),
    );
    expect(more).toBeGreaterThan(50);
    await running.restart('n1');
    await expectAllReadable();
    // What nobody reads is found by the scan that builds the trees, and comes from the others.
    await running.launch('anti-entropy', 'a1');
    await running.untilReady('a1');
    const audit = await expectReplicasEqual(running);
    expect(audit.keys).toBe(KEYS);
    await expectNoDotNamesTwoValues(running);
    await expectAllReadable();
    console.log(
      `${first + more} damaged records: ${KEYS} keys readable throughout, and byte-equal on all replicas after the repair`,
    );
  });

  test('a table that is missing, an index that is garbage: the node refuses to start, and says what to do', async () => {
    const running = (cluster = await ProcessCluster.start({ nodes: ['n1'], routers: [] }));
    const bucket = (await connected(running)).bucket('default', { codec: utf8 });
    for (let i = 0; i < 20; i++) await bucket.put(`k${i}`, 'x', { w: 1 });
    await running.terminate('n1');
    await running.restart('n1');
    await running.terminate('n1');
    const [table] = tablesOf(running, 'n1');
    expect(table).toBeDefined();
    const content = readFileSync(table!);
    rmSync(table!);
    const refusal = async (): Promise<string> => {
      const { length } = readFileSync(running.logFile('n1'), 'utf8');
      await running.launch('node', 'n1');
      await expect(running.untilReady('n1')).rejects.toThrow('n1 is not ready');
      return readFileSync(running.logFile('n1'), 'utf8').slice(length);
    };
    expect(await refusal()).toMatch(/is corrupt: [\s\S]*try: .*empty one[\s\S]*code: storage-corrupt/);
    writeFileSync(table!, content);
    await running.restart('n1');
    expect((await bucket.get('k7', { r: 1 }))?.value).toBe('x');
    await running.terminate('n1');
    writeFileSync(join(running.directory, 'n1', 'level', 'CURRENT'), 'garbage\n');
    expect(await refusal()).toMatch(/is corrupt: [\s\S]*try: .*empty one[\s\S]*code: storage-corrupt/);
  });
});
