import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: ['n1'], routers: [] });
});
afterAll(() => cluster.stop());

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end, as an operator would who has made a mistake. */
function run(app: 'node' | 'router' | 'cli', ...args: string[]): Promise<Ended> {
  return runPreloaded([], app, ...args);
}

/** The same, with a module loaded before the program. */
function runPreloaded(modules: readonly string[], app: 'node' | 'router' | 'cli', ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...modules.map((path) => `--import=${path}`), ...programArgs(app), ...args],
      { cwd: cluster.directory, timeout: 30_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }),
    );
  });
}

const common = (): string[] => ['--cluster', cluster.cluster, '--secret-file', cluster.secretFile];
const online = (): string[] => [...common(), '--nats', cluster.natsUrl, '--http-port', '0'];

/** A message that names the cause, a remedy, no stack trace, and a failure as exit code. */
function expectRefusal({ code, output }: Ended, cause: RegExp): void {
  expect(output).toMatch(cause);
  expect(output).toMatch(/try: \w/);
  expect(output).not.toMatch(/^\s+at .*\(.*:\d+:\d+\)$/m);
  expect(code).toBeGreaterThan(0);
}

test('no NATS: names the servers that were tried', async () => {
  const args = [...common(), '--nats', 'nats://127.0.0.1:1', '--http-port', '0'];
  expectRefusal(await run('node', '--name', 'x1', '--storage', 'memory', ...args), /127\.0\.0\.1:1/);
  expectRefusal(await run('router', '--name', 'x1', ...args), /127\.0\.0\.1:1/);
  expectRefusal(await run('cli', '--nats', 'nats://127.0.0.1:1', 'get', 'default', 'k'), /127\.0\.0\.1:1/);
});

test('something that is no NATS server: says so, and ends', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  const url = `nats://127.0.0.1:${(silent.address() as { port: number }).port}`;
  for (const ended of await Promise.all([
    run('cli', '--nats', url, '--timeout', '500ms', 'ping'),
    run('router', '--name', 'x1', ...common(), '--nats', url, '--http-port', '0'),
  ])) {
    expectRefusal(ended, /does not greet as a NATS server/);
    expect(ended.code).toBe(3);
  }
  silent.close();
});

test('TLS is asked of a server that has none: nothing is sent', async () => {
  const args = ['--nats', cluster.natsUrl.replace('nats:', 'tls:')];
  expectRefusal(await run('cli', ...args, 'ping'), /offers no TLS/);
});

test('a name server that never answers does not keep a process from starting', async () => {
  const preload = join(cluster.directory, 'silent-name-server.mjs');
  writeFileSync(
    preload,
    `import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
dns.resolve4 = dns.resolve6 = () => {};
syncBuiltinESMExports();
`,
  );
  const url = cluster.natsUrl.replace('127.0.0.1', 'localhost');
  const ended = await runPreloaded(
    [preload],
    'cli',
    '--nats',
    url,
    '--cluster',
    cluster.cluster,
    'put',
    'default',
    'k',
    'v',
    '-w',
    '1',
    '--blind',
  );
  expect(ended.code, ended.output).toBe(0);
});

test('a port in use: names the port and the flag', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const args = [...common(), '--nats', cluster.natsUrl, '--http-port', String(port)];
  const ended = await run('node', '--name', 'x1', '--storage', 'memory', ...args);
  server.close();
  expectRefusal(ended, new RegExp(`port ${port}.*in use`));
  expect(ended.output).toContain('--http-port');
});

test('a data directory that another process has: names the directory', async () => {
  const directory = join(cluster.directory, 'n1');
  expectRefusal(await run('node', '--name', 'n1', '--data', directory, ...online()), new RegExp(directory));
});

test("another node's data directory: says whose it is", async () => {
  const directory = join(cluster.directory, 'n1');
  await cluster.terminate('n1');
  expectRefusal(await run('node', '--name', 'n9', '--data', directory, ...online()), /n1/);
  const elsewhere = [
    '--cluster',
    'elsewhere',
    '--secret-file',
    cluster.secretFile,
    '--nats',
    cluster.natsUrl,
    '--http-port',
    '0',
  ];
  expectRefusal(await run('node', '--name', 'n1', '--data', directory, ...elsewhere), new RegExp(cluster.cluster));
  await cluster.restart('n1');
});

test('a log of the database that cannot be read, or has lost what was synced: names the file, and leaves it as it is', async () => {
  const client = await cluster.connect({ routing: 'direct' });
  for (let i = 0; i < 10; i++) await client.bucket('default').put(`k${i}`, `v${i}`, { w: 1 });
  await client.close();
  await cluster.terminate('n1');
  const database = join(cluster.directory, 'n1', 'level');
  const log = join(database, readdirSync(database).find((name) => name.endsWith('.log')) as string);
  const content = readFileSync(log);
  const start = (): Promise<Ended> => run('node', '--name', 'n1', '--data', join(cluster.directory, 'n1'), ...online());

  rmSync(log);
  mkdirSync(log);
  const unreadable = await start();
  expectRefusal(unreadable, /storage-failed/);
  expect(unreadable.output).toContain(log);
  rmdirSync(log);

  expectRefusal(await start(), /lacks its log/);

  const damaged = Buffer.from(content);
  damaged[100] = (damaged[100] as number) ^ 1;
  writeFileSync(log, damaged);
  const corrupt = await start();
  expectRefusal(corrupt, /storage-corrupt/);
  expect(corrupt.output).toContain(log);
  expect(readFileSync(log)).toEqual(damaged);

  writeFileSync(log, content);
  await cluster.restart('n1');
  const again = await cluster.connect({ routing: 'direct' });
  for (let i = 0; i < 10; i++) expect((await again.bucket('default').get(`k${i}`, { r: 1 }))?.value).toBe(`v${i}`);
  await again.close();
});

test('a missing or short secret, and a flag that makes no sense: names the setting', async () => {
  expectRefusal(
    await run('node', '--name', 'x1', '--cluster', cluster.cluster, '--nats', cluster.natsUrl, '--http-port', '0'),
    /secret/,
  );
  expectRefusal(await run('node', '--name', 'no/slash', '--storage', 'memory', ...online()), /name/);
  expectRefusal(await run('node', '--name', 'x1', '--storage', 'memory', ...online(), '--http-port', 'many'), /http-port/);
});

test('the command line names a cluster that is not there', async () => {
  const ended = await run('cli', '--nats', cluster.natsUrl, '--cluster', 'elsewhere', '--timeout', '2s', 'get', 'default', 'k');
  expectRefusal(ended, /cluster/);
  expect(ended.code).toBe(3);
});

test('the command line: exit codes tell absent keys, unknown buckets and bad quorums apart', async () => {
  const cli = (...args: string[]): Promise<Ended> => run('cli', '--nats', cluster.natsUrl, '--cluster', cluster.cluster, ...args);
  // One node: N = 3 cannot be met by three replicas, and with W = R = 1 it works.
  expect((await cli('put', 'default', 'k', 'v', '-w', '1', '--blind')).code).toBe(0);
  expect((await cli('get', 'default', 'k', '-r', '1')).output).toContain('v');
  expect((await cli('get', 'default', 'absent', '-r', '1')).code).toBe(4);
  expectRefusal(await cli('get', 'nowhere', 'k'), /nowhere/);
  expectRefusal(await cli('get', 'default', 'k', '-r', '7'), /r=7/i);
});
