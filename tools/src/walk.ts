/**
 * The commands of a page of documentation, run by a shell as they stand there, in a directory of their own, with a nats-server
 * and the programs of this workspace on the path. So what a newcomer is told to type is known to work.
 *
 * Changed are only the port of nats-server, the paths of programs that are run with `node apps/...`, and where the output of what
 * runs in the background goes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../lib/free-port.mjs';
import { resolveNatsServer } from '../lib/nats-server.mjs';
import { programArgs, type Program } from './program.js';
import { workspaceRoot } from './workspace-root.js';

const ROOT = workspaceRoot(dirname(fileURLToPath(import.meta.url)));
const FIRST_PORT = 18_600;

export interface Outcome {
  /** Of standard output and standard error. */
  readonly output: string;
  readonly code: number;
}

export class Walk {
  readonly directory = mkdtempSync(join(tmpdir(), 'armature-walk-'));
  readonly natsUrl: string;
  readonly #port: number;
  readonly #natsServer: string;
  #shell: ChildProcess | undefined;
  #said = '';

  /**
   * Runs the first block of shell commands below a heading of a page, to its end. What it starts in the background runs until
   * `stop`.
   */
  static async along(page: string, heading: string): Promise<Walk> {
    const server = await resolveNatsServer({ root: ROOT, acceptUrl: false, say: () => undefined });
    if (server.kind !== 'binary') throw new Error(`no nats-server: ${server.said}`);
    const walk = new Walk(server.path, await freePort(FIRST_PORT + (process.pid % 1_000), new Set()));
    try {
      await walk.#run(blockBelow(readFileSync(join(ROOT, page), 'utf8'), heading));
    } catch (thrown) {
      await walk.stop();
      throw thrown;
    }
    return walk;
  }

  private constructor(natsServer: string, port: number) {
    this.#natsServer = natsServer;
    this.#port = port;
    this.natsUrl = `nats://127.0.0.1:${port}`;
  }

  /** All that was typed and said. */
  get said(): string {
    return this.#said;
  }

  get natsLog(): string {
    return readFileSync(join(this.directory, 'nats.log'), 'utf8');
  }

  /** What the processes in the background have said. */
  get processLog(): string {
    return readFileSync(join(this.directory, 'processes.log'), 'utf8');
  }

  /** Has nats-server read its configuration again. */
  reloadNats(): void {
    process.kill(Number(readFileSync(join(this.directory, 'nats.pid'), 'utf8')), 'SIGHUP');
  }

  /** What became of the first command that has these words in it. Throws where there was none. */
  outcomeOf(words: string): Outcome {
    for (const part of this.#said.split(/^\$ /m)) {
      const [command = '', ...lines] = part.split('\n');
      const code = lines.findIndex((line) => /^= \d+$/.test(line));
      if (command.includes(words) && code >= 0)
        return { output: lines.slice(0, code).join('\n').trimEnd(), code: Number(lines[code]?.slice(2)) };
    }
    throw new Error(`no command with ${JSON.stringify(words)} has ended:\n${this.#said}`);
  }

  /** The command line once more, in the same directory. */
  armature(...args: readonly string[]): Promise<Outcome> {
    return new Promise((resolve) => {
      const env = { ...process.env, NATS_URL: this.natsUrl };
      const child = spawn(process.execPath, [...programArgs('cli'), ...args], { cwd: this.directory, env });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
      child.once('close', (code) => resolve({ output, code: code ?? -1 }));
    });
  }

  async stop(): Promise<void> {
    const shell = this.#shell;
    if (shell?.exitCode === null && shell.signalCode === null) {
      const ended = new Promise((resolve) => shell.once('exit', resolve));
      shell.stdin?.end('\n');
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #run(lines: readonly string[]): Promise<void> {
    const script = join(this.directory, 'walk.sh');
    writeFileSync(
      script,
      [...this.#prologue(), ...lines.flatMap((line) => this.#typed(line)), 'echo walked', 'read -r _', ''].join('\n'),
    );
    const shell = spawn('bash', [script], { cwd: this.directory, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#shell = shell;
    await new Promise<void>((resolve, reject) => {
      const listen = (text: string): void => {
        this.#said += text;
        if (this.#said.endsWith('walked\n')) resolve();
      };
      shell.stdout.setEncoding('utf8').on('data', listen);
      shell.stderr.setEncoding('utf8').on('data', listen);
      shell.once('exit', () => reject(new Error(`the shell ended:\n${this.#said}`)));
    });
  }

  #prologue(): readonly string[] {
    return [
      `export PATH='${dirname(this.#natsServer)}':"$PATH" NATS_URL=${this.natsUrl}`,
      `trap 'kill $(jobs -p); wait' EXIT`,
      `armature() { '${process.execPath}' ${shellWords('cli')} "$@"; }`,
      `until_nats() { until (exec 3<>/dev/tcp/127.0.0.1/${this.#port}) 2>/dev/null; do sleep 0.1; done; }`,
    ];
  }

  /** The line as a reader sees it, then the line, then how it ended if it has. */
  #typed(line: string): readonly string[] {
    const ours = line
      .replace('nats-server ', `nats-server -p ${this.#port} -P nats.pid -l nats.log `)
      .replace(/\bapps\/(node|router|anti-entropy)\/dist\/main\.js/, (_whole, program: Program) => shellWords(program))
      .replace(/ &( done)?$/, ' >>processes.log 2>&1 &$1');
    const shown = `printf '%s\\n' '$ ${line.replaceAll("'", `'\\''`)}'`;
    if (!/&( done)?$/.test(ours)) return [shown, ours, `printf '\\n= %s\\n' $?`];
    return line.startsWith('nats-server') ? [shown, ours, 'until_nats'] : [shown, ours];
  }
}

function blockBelow(page: string, heading: string): readonly string[] {
  const block = page.split(`\n${heading}\n`)[1]?.split('```sh\n')[1]?.split('```')[0];
  if (block === undefined) throw new Error(`there are no commands below "${heading}"`);
  return block.split('\n').filter((line) => line.trim() !== '');
}

function shellWords(program: Program): string {
  return programArgs(program)
    .map((word) => `'${word}'`)
    .join(' ');
}
