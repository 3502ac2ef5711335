/**
 * Two processes of one name, of which the second does not start, and two clusters of one name, of which neither harms the other:
 * nobody loses anything.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect as connectNats } from 'nats';
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

interface Started {
  readonly ended: Promise<Ended>;
  output(): string;
  stop(): void;
}

/** Starts a process of the cluster's name. */
function start(program: Program, name: string, secretFile: string, ...more: string[]): Started {
  const args = ['--name', name, '--cluster', cluster.cluster, '--nats', cluster.natsUrl, '--secret-file', secretFile];
  const child = spawn(process.execPath, [...programArgs(program), ...args, '--http-port', '0', ...more], {
    cwd: cluster.directory,
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, output }));
  });
  return { ended, output: () => output, stop: () => void child.kill() };
}

/** Runs a process of the cluster's name to its end. */
function run(program: Program, name: string, secretFile: string, ...more: string[]): Promise<Ended> {
  return start(program, name, secretFile, ...more).ended;
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

test('processes with another secret say so, take in nothing, and do no harm, whatever they are called', async () => {
  const secretFile = join(cluster.directory, 'other.key');
  writeFileSync(secretFile, randomBytes(32).toString('hex'));
  const strangers = [
    ...['n1', 'n2', 'n9'].map((name) => start('node', name, secretFile, ...dataOf(`other ${name}`))),
    start('router', 'r9', secretFile),
    start('anti-entropy', 'a9', secretFile),
  ];
  try {
    for (const { output } of strangers)
      await expect.poll(output, { timeout: 20_000 }).toContain('with another secret, is on this bus');
    await expectUnharmed();
    const nats = await connectNats({ servers: cluster.natsUrl });
    const answers = Array.from({ length: 40 }, () => nats.request(`armature.${cluster.cluster}.api.get.default.k0`));
    for (const answer of await Promise.all(answers)) expect(new TextDecoder().decode(answer.data)).toBe('default k0');
    await nats.close();
  } finally {
    for (const { stop } of strangers) stop();
  }
  await Promise.all(strangers.map(({ ended }) => ended));
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
  // It has been passed over that somebody listens at the name and is silent: the newcomer states that its store is not the one
  // that was here last.
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
