/** Two processes of one name, and two clusters of one name, on one bus: whoever comes later does not start, and nobody loses anything. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseNodeId, unwrap } from '@armature/kernel';
import { bytes, type Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs, type Program } from '@armature/tools/program';

const NODES = ['n1', 'n2', 'n3'];
const KEYS = Array.from({ length: 30 }, (_, i) => `k${i}`);
let cluster: ProcessCluster;
let client: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: NODES, routers: ['r1'], workers: ['a1'] });
  client = await cluster.connect();
  await client.admin.setBucket('one', { n: 1, r: 1, w: 1 });
  for (const bucket of ['default', 'one']) for (const key of KEYS) await client.bucket(bucket).put(key, `${bucket} ${key}`);
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a process of the cluster's name to its end. */
function run(program: Program, name: string, secretFile: string, ...more: string[]): Promise<Ended> {
  const args = ['--name', name, '--cluster', cluster.cluster, '--nats', cluster.natsUrl, '--secret-file', secretFile];
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...programArgs(program), ...args, '--http-port', '0', ...more],
      { cwd: cluster.directory, timeout: 30_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }),
    );
  });
}

function dataOf(name: string): string[] {
  const directory = join(cluster.directory, name);
  mkdirSync(directory, { recursive: true });
  return ['--data', directory];
}

/** All members are ready, every value is there, and no store has been given up. */
async function expectUnharmed(): Promise<void> {
  for (const name of [...NODES, 'r1', 'a1']) await cluster.untilReady(name);
  for (const bucket of ['default', 'one'])
    for (const key of KEYS) expect((await client.bucket(bucket).get(key))?.values).toEqual([`${bucket} ${key}`]);
  expect((await client.admin.view()).orphans).toEqual([]);
  for (const name of NODES) expect(readFileSync(cluster.logFile(name), 'utf8')).not.toContain('has been discarded');
}

test('a second node, router or worker of a name is refused, and says who has it', async () => {
  for (const [program, name, more] of [
    ['node', 'n1', dataOf('n1 again')],
    ['router', 'r1', []],
    ['anti-entropy', 'a1', []],
  ] as const) {
    const { code, output } = await run(program, name, cluster.secretFile, ...more);
    expect(output).toContain(`process ${cluster.pid(name)}`);
    expect(output).toMatch(/name-in-use|another process has this name/);
    expect(output).toMatch(/try: \w/);
    expect(code).toBe(1);
  }
  await expectUnharmed();
});

test('a second cluster of the name, with another secret, does not start, whatever its nodes are called', async () => {
  const secretFile = join(cluster.directory, 'other.key');
  writeFileSync(secretFile, randomBytes(32).toString('hex'));
  const ended = await Promise.all([
    ...['n1', 'n2', 'n9'].map((name) => run('node', name, secretFile, ...dataOf(`other ${name}`))),
    run('router', 'r9', secretFile),
    run('anti-entropy', 'a9', secretFile),
  ]);
  for (const { code, output } of ended) {
    expect(output).toContain('with another secret, is on this bus');
    expect(code).toBe(1);
  }
  await expectUnharmed();
  expect(readFileSync(cluster.logFile('n1'), 'utf8')).toContain('with another secret, is on this bus');
});

test('after a second router was tried, large values and many small ones go through the first as before', async () => {
  await run('router', 'r1', cluster.secretFile);
  const routed = await cluster.connect({ routing: 'router' });
  const bucket = routed.bucket('default', { codec: bytes, timeoutMs: 30_000 });
  await Promise.all(Array.from({ length: 4 }, (_, i) => bucket.put(`large ${i}`, randomBytes(2_000_000))));
  await Promise.all(Array.from({ length: 100 }, (_, i) => bucket.put(`small ${i}`, randomBytes(100))));
  await routed.close();
});

test('a client with another secret learns why it is told nothing', async () => {
  const other = cluster.connect({ routing: 'direct', secret: randomBytes(32).toString('hex') });
  await expect(other).rejects.toMatchObject({ code: 'wrong-cluster' });
});

test('a node that is killed and started again at once, again and again, is not taken for its own double', async () => {
  for (let i = 0; i < 3; i++) {
    await cluster.kill('n2');
    await cluster.restart('n2');
  }
  await expectUnharmed();
});

test('a second node that starts while the first stands still goes when that wakes, and the first keeps what it has', async () => {
  cluster.pause('n3');
  const second = run('node', 'n3', cluster.secretFile, ...dataOf('n3 again'));
  // It has been passed over that somebody listens at the name and is silent: the newcomer states that its store is not the one that was here last.
  await expect.poll(lossesOfN3, { timeout: 20_000 }).toBe(1);
  cluster.resume('n3');
  const { code, output } = await second;
  expect(output).toContain('another process has this name');
  expect(code).toBe(1);
  await expect
    .poll(async () => (await cluster.notes('n3')).join(), { timeout: 20_000 })
    .toContain('another process has run under its name');
  expect(readFileSync(cluster.logFile('n3'), 'utf8')).not.toContain('has been discarded');
  // An administrator has seen to it that there is one only.
  await cluster.terminate('n3');
  await cluster.restart('n3');
  const pending = async (): Promise<number> => (await client.admin.view()).pendingFor(unwrap(parseNodeId('n3'))).length;
  await expect.poll(pending, { timeout: 30_000 }).toBe(0);
  for (const key of KEYS) expect((await client.bucket('default').get(key, { r: 3 }))?.values).toEqual([`default ${key}`]);
});

async function lossesOfN3(): Promise<number> {
  const history = await client.admin.history();
  return history.filter(({ change }) => change.kind === 'lost' && (change.node as string) === 'n3').length;
}
