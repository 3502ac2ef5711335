/**
 * The permissions of docs/protocol.md, taken from that page as they stand there, on a real nats-server: every role does its work
 * with them, and the server denies nobody anything. And what lacks is named.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectNats } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

const ROOT = join(import.meta.dirname, '..', '..');
const ROLES: Readonly<Record<string, string>> = { n: 'node', r: 'router', a: 'worker' };

let directory: string;
let cluster: ProcessCluster;

/** The documented configuration. The name of the cluster, which is another each time, is known only later. */
function configuration(): string {
  const page = readFileSync(join(ROOT, 'docs', 'protocol.md'), 'utf8');
  const documented = /```conf\n(.*?)```/s.exec(page)?.[1] ?? expect.fail('no configuration in docs/protocol.md');
  return documented.replaceAll('armature.prod.', 'armature.*.').replaceAll(/\$[A-Z]+_PASSWORD/g, 'pw');
}

/** Where a client connects, as that user. */
function urlOf(user: string): string {
  return cluster.natsUrl.replace('admin:', `${user}:`);
}

function denials(): string[] {
  const lines = readFileSync(join(directory, 'nats.log'), 'utf8').split('\n');
  return lines
    .filter((line) => /violation/i.test(line))
    .map((line) => line.replace(/^.*?(Publish|Subscription) Violation/, '$1'));
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function cli(user: string, ...args: string[]): Promise<Ended> {
  const secret = user === 'admin' ? ['--secret-file', cluster.secretFile] : [];
  const connection = ['--nats', urlOf(user), '--cluster', cluster.cluster, ...secret];
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...programArgs('cli'), ...connection, ...args],
      { timeout: 30_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }),
    );
  });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'armature-permissions-'));
  const file = join(directory, 'nats.conf');
  writeFileSync(file, configuration());
  cluster = await ProcessCluster.start({
    workers: ['a1'],
    partitionCount: 16,
    dataDirectory: directory,
    natsArgs: ['-c', file],
    credentialsOf: (member) => `${member === undefined ? 'admin' : (ROLES[member.charAt(0)] ?? member)}:pw`,
  });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('every role works with the permissions that are documented for it, and nobody is denied anything', async () => {
  const direct = await cluster.connect({ routing: 'direct' });
  await direct.bucket('default').put('direct', 'v');
  expect((await direct.bucket('default').get('direct'))?.value).toBe('v');
  await direct.close();

  const routed = await cluster.connect({ servers: urlOf('shop'), group: 'shop' });
  const large = 'x'.repeat(2_000_000); // in fragments
  await routed.bucket('default').put('routed', large);
  expect((await routed.bucket('default').get('routed'))?.value).toBe(large);
  await routed.close();

  const plain = await connectNats({ servers: new URL(cluster.natsUrl).host, user: 'plain', pass: 'pw' });
  await plain.request(`armature.${cluster.cluster}.api.put.default.plain`, 'v', { timeout: 5000 });
  expect((await plain.request(`armature.${cluster.cluster}.api.get.default.plain`, '', { timeout: 5000 })).string()).toBe('v');
  await plain.close();

  expect(await cli('shop', '--group', 'shop', 'get', 'default', 'direct')).toMatchObject({ code: 0 });
  expect((await cli('shop', '--group', 'shop', 'keys', 'default')).output.trim().split('\n').sort()).toEqual([
    'direct',
    'plain',
    'routed',
  ]);
  for (const command of [
    'cluster status',
    'cluster history',
    'cluster transfers',
    'bucket create carts',
    'repair run',
    'reap',
    'repair status',
    'bucket list',
    'ping',
  ]) {
    expect(await cli('admin', ...command.split(' ')), command).toMatchObject({ code: 0 });
  }
  expect((await cli('admin', 'repair', 'status')).output).toContain('a1');
  expect(denials()).toEqual([]);
});

test('a client without its group may hear nothing: the error names the subscriptions', async () => {
  const ended = await cli('shop', 'get', 'default', 'direct');
  expect(ended.output).toMatch(/does not permit .* to subscribe to armature\..*\.link\.guest\..*\.inbox\.guest\./s);
  expect(ended.output).toContain('docs/protocol.md');
  expect(ended.code).toBe(2);
});

test('an application that may use one bucket has no other, and administers nothing', async () => {
  await cli('admin', 'bucket', 'create', 'orders');
  const ended = await cli('shop', '--group', 'shop', 'put', 'orders', 'k', 'v');
  expect(ended.output).toMatch(/not permit .* to publish to armature\..*\.link\.front\.orders\.(read|write)\.router\.r/);
  expect(ended.code).not.toBe(0);
  expect(await cli('shop', '--group', 'shop', 'cluster', 'status')).toMatchObject({ code: 2 });
});
