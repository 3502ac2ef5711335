/**
 * A redis-server of a test's own. Looked for in this order: the environment's REDIS_SERVER_BIN, PATH, the cache `.tools/` at the
 * root of the workspace. Where there is none, tests on it are skipped, visibly; under CI they fail.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHED = fileURLToPath(new URL('../../../.tools/redis/usr/bin/redis-server', import.meta.url));

/** The binary to run, or why there is none. */
function locate(): { readonly path: string } | { readonly missing: string } {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'redis-server'));
  const candidates = [process.env['REDIS_SERVER_BIN'], ...onPath, CACHED];
  const path = candidates.find((candidate) => candidate !== undefined && candidate !== '' && existsSync(candidate));
  if (path === undefined)
    return { missing: 'no redis-server: set REDIS_SERVER_BIN, install one, or unpack one into .tools/redis' };
  try {
    execFileSync(path, ['--version'], { env: environment(path), stdio: 'ignore' });
    return { path };
  } catch {
    return { missing: `${path} does not run` };
  }
}

/** An unpacked package finds its libraries beside itself. */
function environment(path: string): NodeJS.ProcessEnv {
  const lib = join(dirname(path), '..', 'lib');
  if (!path.startsWith(dirname(CACHED)) || !existsSync(lib)) return process.env;
  const directories = readdirSync(lib).map((name) => join(lib, name));
  return { ...process.env, LD_LIBRARY_PATH: [...directories, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(delimiter) };
}

const located = locate();

/** For `describe.skipIf`: the reason to skip, undefined where the tests can run. Throws under CI instead. */
export const redisMissing: string | undefined = 'missing' in located ? located.missing : undefined;
if (redisMissing !== undefined && process.env['CI']) throw new Error(redisMissing);

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Where its log is. */
  readonly directory: string;
  /** As a crash does. */
  kill(): Promise<void>;
  /** Over the same directory, at the same port; `args` replace those it had. */
  start(args?: readonly string[]): Promise<void>;
  /** Stops it and removes its directory. */
  dispose(): Promise<void>;
}

export const SYNC_ALWAYS: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Starts a server on a free port of the loopback, in a directory of its own, with further command-line arguments. */
export async function startRedisServer(args: readonly string[] = SYNC_ALWAYS): Promise<RedisServer> {
  if ('missing' in located) throw new Error(located.missing);
  const { path } = located;
  const directory = mkdtempSync(join(tmpdir(), 'armature-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  let current = args;
  const start = async (next: readonly string[]): Promise<void> => {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    const started = spawn(path, [...fixed, ...next], { env: environment(path), stdio: ['ignore', 'pipe', 'inherit'] });
    child = started;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      started.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      started.once('exit', () => reject(new Error(`redis-server ended:\n${output}`)));
    });
    current = next;
  };
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending?.exitCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await gone;
  };
  await start(args);
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    directory,
    kill,
    start: (next = current) => start(next),
    async dispose() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
