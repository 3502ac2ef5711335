/**
 * A real cluster for the benchmark and the integration tests: a nats-server, node and router processes as they are deployed, each
 * with a data directory of its own, and the means to do to them what the world does: end them politely, kill them, stop them in
 * their tracks.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Bus } from '@armature/bus';
import { connectNatsBus } from '@armature/bus-nats';
import { connect, type Client, type ConnectOptions } from '@armature/client';
import type { Secrets } from '@armature/kernel';
import { noTelemetry, silentLog, systemClock } from '@armature/runtime';
import { freePort } from '../lib/free-port.mjs';
import { lastLogLines, startMember, type MemberProcess } from '../lib/member-process.mjs';
import { resolveNatsServer } from '../lib/nats-server.mjs';
import { waitUntil } from '../lib/readiness.mjs';
import { spawnNats, type PrivateNats } from '../lib/spawn-nats.mjs';
import { clockFileOf } from '../lib/wall-clock.mjs';
import { copyDirectoryInUse } from './copy-directory-in-use.js';
import { metricOf } from './metric.js';
import type { ProcessClusterOptions } from './process-cluster-options.js';
import { programArgs } from './program.js';
import { workspaceRoot } from './workspace-root.js';

const ROOT = workspaceRoot(dirname(fileURLToPath(import.meta.url)));
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const FIRST_PORT = 17_600;
/** Loaded into nodes whose wall clock can be set. */
const WALL_CLOCK = pathToFileURL(join(ROOT, 'tools', 'lib', 'wall-clock.mjs')).href;
/** A sweep is done before a test has lost its patience. */
const WORKER_CYCLE = '3s';

type Role = 'node' | 'router' | 'anti-entropy';

interface Running {
  readonly role: Role;
  readonly httpPort: number;
  process: MemberProcess;
}

export { metricOf };

export class ProcessCluster {
  /**
   * Random: processes that an aborted run has left behind may find another cluster's server at the port of theirs, and must not
   * meet it.
   */
  readonly cluster: string;
  readonly secret: string;
  readonly directory: string;
  readonly #options: ProcessClusterOptions;
  readonly #members = new Map<string, Running>();
  readonly #ports = new Set<number>();
  readonly #doubles: MemberProcess[] = [];
  readonly #binary: string;
  /** Undefined when the servers are somebody else's. */
  #nats: PrivateNats | undefined;

  private constructor(
    options: ProcessClusterOptions,
    { cluster, directory, binary }: { readonly cluster: string; readonly directory: string; readonly binary: string },
    nats: PrivateNats | undefined,
  ) {
    this.#options = options;
    this.cluster = cluster;
    this.directory = directory;
    this.#binary = binary;
    this.#nats = nats;
    this.secret = randomBytes(32).toString('hex');
    writeFileSync(this.secretFile, this.secret, { mode: 0o600 });
  }

  /** Starts everything, creates the cluster, and waits until all are ready. */
  static async start(options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const directory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'armature-'));
    mkdirSync(directory, { recursive: true });
    const server = await resolveNatsServer({ root: ROOT, acceptUrl: false, say: () => undefined });
    if (server.kind !== 'binary') throw new Error(`no nats-server: ${server.said}`);
    const place = { cluster: `test-${randomBytes(6).toString('hex')}`, directory, binary: server.path };
    const args = [...natsArgsOf(options, place.cluster)];
    const nats =
      options.network === undefined
        ? await spawnNats({ binary: server.path, args, logFile: join(directory, 'nats.log') })
        : undefined;
    const cluster = new ProcessCluster(options, place, nats);
    try {
      const nodes = options.nodes ?? ['n1', 'n2', 'n3'];
      for (const name of nodes) await cluster.launch('node', name);
      await Promise.all(nodes.map((name) => cluster.untilAnswering(name)));
      if (options.create !== false) {
        const client = await cluster.connect();
        const zoneOf = options.zoneOf ?? (() => 'default');
        await client.admin.create({
          cluster: cluster.cluster,
          members: nodes.map((node) => ({ node, zone: zoneOf(node) })),
          partitionCount: options.partitionCount ?? 64,
        });
        await client.close();
        await Promise.all(nodes.map((name) => cluster.untilReady(name)));
      }
      for (const name of options.routers ?? ['r1']) {
        await cluster.launch('router', name);
        if (options.create !== false) await cluster.untilReady(name);
      }
      for (const name of options.workers ?? []) {
        await cluster.launch('anti-entropy', name);
        await cluster.untilReady(name);
      }
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get natsUrl(): string {
    return this.#urlOf();
  }

  get secretFile(): string {
    return join(this.directory, 'cluster.key');
  }

  /** What a command line needs to reach this cluster, as a holder of its secret. */
  get accessArgs(): readonly string[] {
    return ['--nats', this.natsUrl, '--cluster', this.cluster, '--secret-file', this.secretFile];
  }

  /** For auditors: the secret as processes read it. */
  get secrets(): Secrets {
    return [Buffer.from(this.secret, 'utf8')];
  }

  logFile(name: string): string {
    return join(this.directory, `${name}.log`);
  }

  httpUrl(name: string): string {
    return `http://127.0.0.1:${this.#member(name).httpPort}`;
  }

  pid(name: string): number {
    return this.#member(name).process.pid;
  }

  /** Of all that runs, a nats-server of the cluster's own included. */
  get pids(): readonly number[] {
    const members = [...this.#members.values()].filter(({ process: member }) => member.isRunning());
    return [...members.map(({ process: member }) => member.pid), ...(this.#nats === undefined ? [] : [this.#nats.pid])];
  }

  /** Whether a process of that name was started and has not ended; one that is paused runs. */
  isRunning(name: string): boolean {
    return this.#members.get(name)?.process.isRunning() ?? false;
  }

  /** A client of this cluster; the caller closes it. */
  connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const { build, group } = this.#options;
    const access = { servers: this.natsUrl, cluster: this.cluster, secret: this.secret, group };
    return (build?.connect ?? connect)({ ...access, ...options });
  }

  /** A bare connection, e.g. for an audit; the caller drains it. */
  connectBus(): Promise<Bus> {
    const ports = { clock: systemClock, log: silentLog, telemetry: noTelemetry };
    return connectNatsBus({ servers: [this.natsUrl], name: 'armature-test', ...ports });
  }

  /** Bytes of hints on all nodes that have not been ended. */
  async hintBytes(): Promise<number> {
    const nodes = [...this.#members].filter(([, { role, process: member }]) => role === 'node' && member.isRunning());
    const sizes = await Promise.all(nodes.map(async ([name]) => metricOf(await this.metrics(name), 'armature_hints_bytes')));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Starts a process (again), under the name, port and data directory it has. */
  async launch(role: Role, name: string): Promise<void> {
    const httpPort = this.#members.get(name)?.httpPort ?? (await freePort(FIRST_PORT + (process.pid % 1000) * 10, this.#ports));
    const process_ = startMember({
      args: this.#argsOf(role, name, httpPort, join(this.directory, name)),
      cwd: this.directory,
      logFile: this.logFile(name),
    });
    this.#members.set(name, { role, httpPort, process: process_ });
  }

  /**
   * Starts a second node process under the name of one that runs. Its data directory is empty, or a copy of that of the first,
   * made while that one writes. Its output is in `logFile('<name>-again')`.
   */
  launchDouble(name: string, data: 'empty' | 'copied'): MemberProcess {
    const directory = join(this.directory, `${name}-again-${this.#doubles.length + 1}`);
    if (data === 'copied') copyDirectoryInUse(join(this.directory, name), directory);
    const double = startMember({
      args: this.#argsOf('node', name, 0, directory),
      cwd: this.directory,
      logFile: this.logFile(`${name}-again`),
    });
    this.#doubles.push(double);
    return double;
  }

  /**
   * Sets the wall clock of a node ahead of the machine's by so many ms, or behind it; the monotonic clock goes on as it was.
   * Needs `settableClocks`.
   */
  setClock(name: string, aheadMs: number): void {
    writeFileSync(join(this.directory, clockFileOf(name)), String(aheadMs));
  }

  /** Starts a process again and waits until it is ready. */
  async restart(name: string): Promise<void> {
    await this.launch(this.#member(name).role, name);
    await this.untilReady(name);
  }

  /** SIGKILL: as if the machine's power went, less its disk cache. */
  async kill(name: string): Promise<void> {
    process.kill(this.pid(name), 'SIGKILL');
    await this.#member(name).process.exited;
  }

  /** SIGTERM, and how it ended: 'exit code 0' is a clean stop. */
  async terminate(name: string): Promise<string> {
    const member = this.#member(name);
    await member.process.stop(STOP_TIMEOUT_MS);
    return member.process.exited;
  }

  /** SIGSTOP: there, and silent. */
  pause(name: string): void {
    process.kill(this.pid(name), 'SIGSTOP');
  }

  resume(name: string): void {
    process.kill(this.pid(name), 'SIGCONT');
  }

  /** Whatever was done to it: it runs, and is ready. */
  async revive(name: string): Promise<void> {
    if (!this.#member(name).process.isRunning()) await this.restart(name);
    this.resume(name);
    await this.untilReady(name);
  }

  /** Ends the nats-server; `startNats` brings it back on the same port. */
  stopNats(): Promise<void> {
    return this.#ownNats().stop();
  }

  /** SIGKILL for the nats-server: no goodbye to anybody. */
  async killNats(): Promise<void> {
    const nats = this.#ownNats();
    process.kill(nats.pid, 'SIGKILL');
    await nats.exited;
  }

  async startNats(): Promise<void> {
    const { port } = this.#ownNats();
    this.#nats = await spawnNats({
      binary: this.#binary,
      port,
      args: [...natsArgsOf(this.#options, this.cluster)],
      logFile: join(this.directory, 'nats.log'),
    });
  }

  /** SIGSTOP: the nats-server holds its connections and moves nothing. */
  pauseNats(): void {
    process.kill(this.#ownNats().pid, 'SIGSTOP');
  }

  resumeNats(): void {
    process.kill(this.#ownNats().pid, 'SIGCONT');
  }

  untilReady(name: string): Promise<void> {
    return this.#until(name, ({ ready }) => ready, 'ready');
  }

  /** Ready or not, it answers on its HTTP port, and so has connected and subscribed. */
  untilAnswering(name: string): Promise<void> {
    return this.#until(name, ({ answers }) => answers, 'answering');
  }

  /** What a process says of why it is not ready, or not well. */
  async notes(name: string): Promise<readonly string[]> {
    const response = await fetch(`${this.httpUrl(name)}/readyz`);
    return ((await response.json()) as { notes?: readonly string[] }).notes ?? [];
  }

  async metrics(name: string): Promise<string> {
    return (await fetch(`${this.httpUrl(name)}/metrics`)).text();
  }

  /** Stops everything that runs. */
  async stop(): Promise<void> {
    for (const member of this.#members.values()) {
      if (!member.process.isRunning()) continue;
      process.kill(member.process.pid, 'SIGCONT'); // a paused process cannot leave
    }
    const processes = [...[...this.#members.values()].map(({ process: member }) => member), ...this.#doubles];
    await Promise.all(processes.map((one) => one.stop(STOP_TIMEOUT_MS)));
    await (this.#options.network ?? this.#ownNats()).stop();
    if (this.#options.dataDirectory === undefined) rmSync(this.directory, { recursive: true, force: true });
  }

  #argsOf(role: Role, name: string, httpPort: number, dataDirectory: string): string[] {
    const program = programArgs(role, this.#options.build?.root);
    const { execArgv = [], settableClocks, storage = 'level', nodeFlags = [], flagsOf, workerFlags = [] } = this.#options;
    const clock = settableClocks === true ? ['--import', WALL_CLOCK] : [];
    const shared = ['--name', name, '--cluster', this.cluster, '--nats', this.#urlOf(name), '--http-port', String(httpPort)];
    const common = [...shared, '--secret-file', this.secretFile, '--log-level', 'info', '--log-format', 'json'];
    switch (role) {
      case 'node': {
        const own = ['--storage', storage, '--data', dataDirectory, ...nodeFlags, ...(flagsOf?.(name) ?? [])];
        return [...execArgv, ...clock, ...program, ...common, ...own];
      }
      case 'anti-entropy':
        return [...program, ...common, '--cycle', WORKER_CYCLE, ...workerFlags];
      case 'router':
        return [...program, ...common];
    }
  }

  async #until(
    name: string,
    isEnough: (readiness: { answers: boolean; ready: boolean }) => boolean,
    what: string,
  ): Promise<void> {
    const member = this.#member(name);
    const died = new AbortController();
    void member.process.exited.then(() => died.abort());
    const { reached, last } = await waitUntil(member.httpPort, isEnough, { timeoutMs: READY_TIMEOUT_MS, signal: died.signal });
    if (!reached) throw new Error(`${name} is not ${what}: ${last.words}\n${lastLogLines(this.logFile(name), 15).join('\n')}`);
  }

  #urlOf(member?: string): string {
    const { network, credentialsOf } = this.#options;
    if (network !== undefined) return network.urlOf(member);
    const { url } = this.#ownNats();
    return credentialsOf === undefined ? url : url.replace('//', `//${credentialsOf(member)}@`);
  }

  #ownNats(): PrivateNats {
    if (this.#nats === undefined) throw new Error("the servers are not this cluster's own");
    return this.#nats;
  }

  #member(name: string): Running {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no process named ${name}`);
    return member;
  }
}

function natsArgsOf({ natsArgs = [] }: ProcessClusterOptions, cluster: string): readonly string[] {
  return typeof natsArgs === 'function' ? natsArgs(cluster) : natsArgs;
}
