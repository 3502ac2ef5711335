/**
 * A redis-server for the integration tests, in a directory of its own, that syncs each write, and that can be sent back to an
 * older state: what a failover to a replica that lagged gives, or a volume that was restored.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../lib/free-port.mjs';
import { resolveRedisServer } from '../lib/redis-server.mjs';
import { workspaceRoot } from './workspace-root.js';

const ROOT = workspaceRoot(dirname(fileURLToPath(import.meta.url)));
const FIRST_PORT = 16_400;
const SYNC_ALWAYS = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];

export class RedisProcess {
  readonly port: number;
  readonly #binary: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'armature-redis-'));
  #child: ChildProcess | undefined;

  /** Undefined where there is no redis-server, and none can be fetched. */
  static async start(): Promise<RedisProcess | undefined> {
    const found = await resolveRedisServer({ root: ROOT, say: () => undefined });
    if (found.kind !== 'binary') return undefined;
    const redis = new RedisProcess(found.path, await freePort(FIRST_PORT + (process.pid % 1000), new Set()));
    await redis.start();
    return redis;
  }

  private constructor(binary: string, port: number) {
    this.#binary = binary;
    this.port = port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const where = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory];
    const child = spawn(this.#binary, [...where, ...SYNC_ALWAYS], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended:\n${output}`)));
    });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Keeps a copy of what is stored; the server is away for a moment. */
  async keepCopy(): Promise<void> {
    await this.kill();
    cpSync(this.#log(), this.#kept(), { recursive: true });
    await this.start();
  }

  /** Kills the server and starts it on the copy. */
  async goBack(): Promise<void> {
    await this.kill();
    rmSync(this.#log(), { recursive: true });
    cpSync(this.#kept(), this.#log(), { recursive: true });
    await this.start();
  }

  /** Ends it, and removes what it stored. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #log(): string {
    return join(this.#directory, 'appendonlydir');
  }

  #kept(): string {
    return join(this.#directory, 'kept');
  }
}
