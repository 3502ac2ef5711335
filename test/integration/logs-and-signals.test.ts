/** What a process does when nobody takes its log, and when it gets a signal: it goes on, or ends in order; it never hangs. */
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

let cluster: ProcessCluster;
const children: ChildProcess[] = [];

beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: ['n1'], routers: [] });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await cluster.stop();
});

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  /** Exit code and signal. */
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

async function startNode(stdio: SpawnOptions['stdio'], ...args: string[]): Promise<Started> {
  const port = await freePort();
  const common = cluster.accessArgs;
  const child = spawn(
    process.execPath,
    [...programArgs('node'), '--name', 'x1', '--storage', 'memory', ...common, '--http-port', String(port), ...args],
    { cwd: cluster.directory, stdio },
  );
  children.push(child);
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  return { child, url: `http://127.0.0.1:${port}`, ended };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function expectAlive(url: string): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/livez`).catch(() => undefined))?.status, { timeout: 20_000 }).toBe(200);
}

async function linesLost(url: string): Promise<number> {
  const line = (await (await fetch(`${url}/metrics`)).text())
    .split('\n')
    .find((one) => one.startsWith('armature_log_lines_lost{'));
  return Number(line?.split(' ').at(-1));
}

describe('a log that cannot be written', () => {
  test.skipIf(!existsSync('/dev/full'))('on a full disk: the node runs, counts what is lost, and ends on SIGTERM', async () => {
    const full = openSync('/dev/full', 'w');
    const { child, url, ended } = await startNode(['ignore', full, full]);
    closeSync(full);
    await expectAlive(url);
    expect(await linesLost(url)).toBeGreaterThan(0);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  test.skipIf(!existsSync('/dev/full'))('on a full disk: a start that fails ends, by the code of its error', async () => {
    const full = openSync('/dev/full', 'w');
    const { ended } = await startNode(['ignore', full, full], '--http-port', new URL(cluster.httpUrl('n1')).port);
    closeSync(full);
    expect(await ended).toEqual([2, null]);
  });

  test('whose reader is gone: the node runs and ends on SIGTERM, and a start that fails ends', async () => {
    const { child, url, ended } = await startNode(['ignore', 'pipe', 'pipe']);
    child.stdout?.destroy();
    child.stderr?.destroy();
    await expectAlive(url);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    const failing = await startNode(['ignore', 'pipe', 'pipe'], '--http-port', new URL(cluster.httpUrl('n1')).port);
    failing.child.stdout?.destroy();
    failing.child.stderr?.destroy();
    expect(await failing.ended).toEqual([2, null]);
  });

  test('whose reader stands still: the node runs, and ends on SIGTERM', async () => {
    const path = join(cluster.directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK); // nobody reads it
    const { child, url, ended } = await startNode(['ignore', pipe, pipe]);
    await expectAlive(url);
    const hasRoom = (): boolean => {
      try {
        return writeSync(pipe, '\n') > 0;
      } catch {
        return false;
      }
    };
    // Each signal is a line of the log.
    while (hasRoom()) {
      child.kill('SIGUSR2');
      await expectAlive(url);
    }
    for (let i = 0; i < 100; i++) {
      child.kill('SIGUSR2');
      await expectAlive(url);
    }
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    closeSync(pipe);
  });
});

describe('signals', () => {
  test('SIGHUP: the node ends in order, and its store is closed cleanly', async () => {
    const client = await cluster.connect({ routing: 'direct' });
    await client.bucket('default').put('k', 'v', { w: 1 });
    await client.close();
    process.kill(cluster.pid('n1'), 'SIGHUP');
    await expect.poll(() => cluster.isRunning('n1'), { timeout: 20_000 }).toBe(false);
    await cluster.restart('n1');
    const log = readFileSync(cluster.logFile('n1'), 'utf8');
    expect(log).toContain('"reason":"SIGHUP"');
    expect(log).not.toContain('not closed cleanly');
  });

  test('SIGUSR1: opens no debugger', async () => {
    const { child, url, ended } = await startNode(['ignore', 'pipe', 'pipe']);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
    await expectAlive(url);
    child.kill('SIGUSR1');
    await expect.poll(() => output).toContain('SIGUSR1');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(output).not.toContain('Debugger listening');
  });
});
