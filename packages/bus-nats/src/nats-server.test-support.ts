/**
 * A real nats-server for tests, on a free port, with whatever configuration a test needs. Where none can be found the tests are
 * skipped visibly, and fail under CI.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const CACHED = '.tools/nats-server/usr/sbin/nats-server';
const START_PATIENCE_MS = 10_000;

/** `NATS_SERVER_BIN`, the PATH, or the workspace's cached copy. */
function findNatsServer(): string | undefined {
  const named = process.env['NATS_SERVER_BIN'];
  if (named !== undefined && named !== '') return named;
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'nats-server'));
  const cached: string[] = [];
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    cached.push(join(folder, CACHED));
    if (folder === dirname(folder)) break;
  }
  return [...onPath, ...cached].find((path) => existsSync(path));
}

/** Whether tests on a real server run here. Under CI they must. */
export const NATS_SERVER_MISSING = findNatsServer() === undefined && (process.env['CI'] ?? '') === '';

export class NatsServer {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(folder: string, child: ChildProcess, port: number) {
    this.#folder = folder;
    this.#process = child;
    this.port = port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** `config` is the text of a server configuration; `port` 0 is any free one. */
  static async start(config = '', port = 0): Promise<NatsServer> {
    const binary = findNatsServer();
    if (binary === undefined) throw new Error('no nats-server: set NATS_SERVER_BIN, or have it on the PATH');
    const folder = mkdtempSync(join(tmpdir(), 'armature-nats-'));
    const file = join(folder, 'server.conf');
    writeFileSync(file, configText(folder, port === 0 ? -1 : port, config));
    const child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    const untilMs = performance.now() + START_PATIENCE_MS;
    for (;;) {
      const found = readdirSync(folder).find((name) => name.endsWith('.ports'));
      const text = found === undefined ? '' : readFileSync(join(folder, found), 'utf8');
      if (text !== '' && said.includes('Server is ready')) {
        const { nats } = JSON.parse(text) as { nats: string[] };
        return new NatsServer(folder, child, Number(new URL(nats[0] as string).port));
      }
      if (child.exitCode !== null || performance.now() > untilMs) {
        child.kill('SIGKILL');
        rmSync(folder, { recursive: true, force: true });
        throw new Error(`nats-server did not start: ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Another configuration for the same server and its connections; port and folder stay. */
  reload(config: string): void {
    writeFileSync(join(this.#folder, 'server.conf'), configText(this.#folder, this.port, config));
    this.signal('SIGHUP');
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configText(folder: string, port: number, config: string): string {
  return `host: "127.0.0.1"\nport: ${port}\nports_file_dir: "${folder}"\n${config}\n`;
}
