import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { binaryFromEnvironment, binaryOnPath } from './find-binary.mjs';
import { freePort } from './free-port.mjs';
import * as local from './local-cluster.mjs';
import { isStillRunning, lastLogLines, startMember } from './member-process.mjs';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'armature-tools-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const cluster: local.LocalCluster = {
  format: 1,
  cluster: 'local',
  created: true,
  natsUrl: 'nats://127.0.0.1:4222',
  members: [
    { role: 'router', name: 'r1', httpPort: 7600 },
    { role: 'node', name: 'n1', httpPort: 7601, pid: 7 },
  ],
};

describe('the cluster file', () => {
  test('is found again as written, and changes keep what they do not name', () => {
    expect(local.readLocalCluster(directory)).toBeUndefined();
    local.writeLocalCluster(directory, cluster);
    expect(local.readLocalCluster(directory)).toEqual(cluster);
    local.updateLocalCluster(directory, (now) => local.withMember(now, 'n1', { pid: 8 }));
    expect(local.readLocalCluster(directory)?.members).toEqual([
      cluster.members[0],
      { role: 'node', name: 'n1', httpPort: 7601, pid: 8 },
    ]);
  });

  test('of another version, or broken, is refused with a remedy', () => {
    writeFileSync(local.stateFileOf(directory), '{"format":0}');
    expect(() => local.readLocalCluster(directory)).toThrow('another version');
    writeFileSync(local.stateFileOf(directory), '{');
    expect(() => local.readLocalCluster(directory)).toThrow('not JSON');
  });

  test('the secret is made once, for its owner alone', () => {
    const path = local.ensureSecret(directory);
    const made = statSync(path);
    expect(made.mode & 0o777).toBe(0o600);
    expect(local.ensureSecret(directory)).toBe(path);
    expect(statSync(path).mtimeMs).toBe(made.mtimeMs);
  });
});

test('a node has data of its own, a router has none', () => {
  const [router, node] = cluster.members.map((member) => local.memberArgs(cluster, member, '/data').join(' '));
  expect(node).toContain('apps/node/dist/main.js --name n1 --cluster local --nats nats://127.0.0.1:4222 --http-port 7601');
  expect(node).toContain('--data /data/n1');
  expect(router).toContain('apps/router/dist/main.js --name r1');
  expect(router).not.toContain('--data ');
});

test('an anti-entropy worker needs no data, and is known again by its name and the secret', () => {
  const worker: local.Member = { role: 'anti-entropy', name: 'a1', httpPort: 7599 };
  const line = local.memberArgs(cluster, worker, '/data').join(' ');
  expect(line).toContain('apps/anti-entropy/dist/main.js --name a1');
  expect(line).not.toContain('--data ');
  for (const mark of local.marksOf(worker, '/data')) expect(line).toContain(mark);
});

test('a port that is taken, or promised, is passed over', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const taken = new Set<number>();
  const first = await freePort(port, taken);
  expect(first).toBeGreaterThan(port);
  expect(await freePort(first, taken)).toBeGreaterThan(first);
  server.close();
});

test('a binary that a variable names wrongly is an error, not passed over', () => {
  expect(binaryFromEnvironment({}, 'X_BIN')).toBeUndefined();
  expect(binaryFromEnvironment({ X_BIN: process.execPath }, 'X_BIN')).toBe(process.execPath);
  expect(() => binaryFromEnvironment({ X_BIN: directory }, 'X_BIN')).toThrow('not an executable file');
  expect(binaryOnPath({ PATH: directory }, 'no-such-program')).toBeUndefined();
});

describe('a member process', () => {
  test('ends in order when asked, is known by its command line, and leaves its words in the log', async () => {
    const logFile = join(directory, 'logs', 'n1.log');
    const script =
      'console.log("up"); process.on("SIGTERM", () => { console.log("down"); process.exit(0); }); setInterval(() => {}, 1000)';
    const child = startMember({ args: ['-e', script, '--', '--name n1 '], cwd: directory, logFile });
    while (lastLogLines(logFile, 1)[0] !== 'up') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(isStillRunning(child.pid, ['--name n1 '])).toBe(true);
    expect(isStillRunning(child.pid, ['--name n2 '])).toBe(process.platform !== 'linux');
    expect(await child.stop(10_000)).toBe('stopped');
    expect(await child.exited).toBe('exit code 0');
    expect(lastLogLines(logFile, 2)).toEqual(['up', 'down']);
    expect(isStillRunning(child.pid, [])).toBe(false);
  });

  test('is killed when the bound has passed', async () => {
    const logFile = join(directory, 'n1.log');
    const script = 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)';
    const child = startMember({ args: ['-e', script], cwd: directory, logFile });
    while (lastLogLines(logFile, 1)[0] !== 'up') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await child.stop(50)).toBe('killed');
    expect(child.isRunning()).toBe(false);
  });
});
