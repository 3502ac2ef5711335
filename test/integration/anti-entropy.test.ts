/**
 * Replica synchronisation on real processes (scenarios 15 to 17): what each node holds is read from its own replica, page by
 * page, so that no read repair can help; and hints that others keep are no help either, because the node that is robbed has
 * acknowledged what it loses. (A node that is wiped notices, and is refilled without a repair: membership-under-failure.test.ts.)
 */
import { execFile } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectNatsBus } from '@armature/bus-nats';
import { LinkEndpoint, linkAddress, type LinkAddress } from '@armature/bus';
import { parseClusterName, toHex, unwrap, utf8Encode } from '@armature/kernel';
import { linkKeys } from '@armature/coordination';
import { protocolCodec, type PullReply, type Reply, type Request, type RingVersion } from '@armature/protocol';
import { RING_START } from '@armature/ring';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import type { Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

const run = promisify(execFile);
const NODES = ['n1', 'n2', 'n3'];
let cluster: ProcessCluster;
let client: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ partitionCount: 16 });
  client = await cluster.connect({ routing: 'direct' });
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

/** All that a node holds itself, as address and version set in hex. */
async function holdings(name: string): Promise<string[]> {
  const bus = await connectNatsBus({
    servers: [cluster.natsUrl],
    name: 'holdings',
    clock: systemClock,
    log: silentLog,
    telemetry: noTelemetry,
  });
  const link = LinkEndpoint.open<Request, Reply>(bus, protocolCodec, {
    prefix: 'armature',
    cluster: cluster.cluster,
    keys: linkKeys([utf8Encode(cluster.secret)], unwrap(parseClusterName(cluster.cluster))),
    address: linkAddress('client', toHex(systemRandom().bytes(8))),
    clock: systemClock,
    random: systemRandom(),
    log: silentLog,
    telemetry: noTelemetry,
  });
  const ring: RingVersion = (await client.admin.view()).ringVersion;
  const held: string[] = [];
  for (let start: PullReply['next'] = RING_START; start !== undefined;) {
    const request: Request = {
      kind: 'pull',
      ring,
      start,
      end: undefined,
      bucket: undefined,
      limit: 1_000,
      limitBytes: 1_000_000,
      withValues: true,
    };
    const page = (await link.request(`node.${name}` as LinkAddress, request, 10_000)) as PullReply;
    for (const { address, set } of page.entries) held.push(`${Buffer.from(address, 'latin1').toString('hex')} ${toHex(set)}`);
    start = page.next;
  }
  await link.drain();
  await bus.drain();
  return held;
}

async function expectEqual(keys: number): Promise<void> {
  const [n1, n2, n3] = await Promise.all(NODES.map(holdings));
  expect(n1).toHaveLength(keys);
  expect(n2).toEqual(n1);
  expect(n3).toEqual(n1);
}

async function write(from: number, to: number): Promise<void> {
  const bucket = client.bucket('default');
  for (let i = from; i < to; i += 25)
    await Promise.all(Array.from({ length: 25 }, (_, j) => bucket.put(`k${i + j}`, `v${i + j}`)));
}

/** `armature repair --json`, as an operator runs it. */
async function repair(...args: string[]): Promise<{ code: number; report: Record<string, number> }> {
  const shared = [...cluster.accessArgs, '--json'];
  try {
    const { stdout } = await run(process.execPath, [...programArgs('cli'), ...shared, 'repair', ...args]);
    return { code: 0, report: JSON.parse(stdout) as Record<string, number> };
  } catch (thrown) {
    const failed = thrown as { code: number; stdout: string };
    return { code: failed.code, report: JSON.parse(failed.stdout) as Record<string, number> };
  }
}

afterEach(async () => {
  for (const name of NODES) await cluster.untilReady(name);
});

/** Stops the node in good order, and keeps a copy of its data directory; it is running again after that. */
async function copyOf(name: string): Promise<string> {
  const [directory, copy] = [join(cluster.directory, name), join(cluster.directory, `${name}-copy`)];
  expect(await cluster.terminate(name)).toBe('exit code 0');
  cpSync(directory, copy, { recursive: true });
  await cluster.restart(name);
  return copy;
}

/**
 * Puts the copy in the place of the data directory: what the node has acknowledged since then is lost, and nothing in the history
 * tells.
 */
async function putBack(name: string, copy: string): Promise<void> {
  const directory = join(cluster.directory, name);
  expect(await cluster.terminate(name)).toBe('exit code 0');
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
  await cluster.restart(name);
}

test('(16) a data directory that has lost what was acknowledged: one repair refills it, and the node minds its actor; the next repair moves nothing', async () => {
  const copy = await copyOf('n2');
  await write(0, 500);
  await expect.poll(async () => (await holdings('n2')).length, { timeout: 20_000 }).toBe(500);
  await putBack('n2', copy);
  expect(await holdings('n2')).toHaveLength(0);
  const actor = (await client.admin.member('n2' as never)).status?.actor;
  const { code, report } = await repair();
  expect(report).toMatchObject({ exchanges: 48, differing: 500, failed: 0, skipped: 0 });
  expect(code).toBe(0);
  await expectEqual(500);
  // What it was given has dots of its own that it does not know of: it must not give them to other values.
  expect((await client.admin.member('n2' as never)).status?.actor).not.toBe(actor);
  expect((await repair()).report).toMatchObject({ exchanges: 48, equal: 48, differing: 0, pulled: 0, pushed: 0, bytes: 0 });
});

test('(16) a node is killed, 500 writes go on, it restarts: without any read all three become equal', async () => {
  await cluster.kill('n3');
  await write(500, 1_000);
  const skipping = await repair();
  expect(skipping.code).toBe(3);
  expect(skipping.report).toMatchObject({ skipped: 32, skippedPeers: ['n3'] });
  await cluster.restart('n3');
  expect((await repair()).code).toBe(0);
  await expectEqual(1_000);
});

test('(17) kill -9 of all: trees are built anew from the disks, and agree', async () => {
  await Promise.all(NODES.map((name) => cluster.kill(name)));
  for (const name of NODES) await cluster.launch('node', name);
  for (const name of NODES) await cluster.untilReady(name);
  await expect.poll(async () => (await repair()).code, { timeout: 60_000 }).toBe(0);
  await expectEqual(1_000);
  expect(await cluster.metrics('n1')).toMatch(/armature_repair_trees_built_total\{[^}]*\} (1[6-9]|[2-9]\d)/);
});

test('a worker does it all by itself', async () => {
  const copy = await copyOf('n1');
  await write(1_000, 1_200);
  await expect.poll(async () => (await holdings('n1')).length, { timeout: 20_000 }).toBe(1_200);
  await putBack('n1', copy);
  expect(await holdings('n1')).toHaveLength(1_000);
  await cluster.launch('anti-entropy', 'a1');
  await cluster.untilReady('a1');
  await expect.poll(async () => (await holdings('n1')).length, { timeout: 60_000, interval: 500 }).toBe(1_200);
  await expectEqual(1_200);
  const [worker] = await client.admin.workers('pause');
  expect(worker).toMatchObject({ name: 'a1', state: 'paused' });
  expect(await cluster.terminate('a1')).toBe('exit code 0');
});
