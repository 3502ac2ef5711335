/**
 * One run of one command: its settings, its way of speaking (words or JSON, colours or not), and its connection, which is made
 * when the command first needs it and closed when it is done.
 */
import type { Client } from '@armature/client';
import {
  errorDocument,
  loadSecrets,
  loadToken,
  natsServerOptions,
  renderError,
  requireSecrets,
  userAtHost,
  type Resolved,
} from '@armature/process';
import type { ArmatureError } from '@armature/kernel';
import { waitAtMost, type Logger } from '@armature/runtime';
import pc from 'picocolors';
import { writeOut, type CliIo, type OutputStream } from './io.js';
import type { cliShape } from './settings.js';

export interface Voice {
  /** JSON on standard output, and nothing else there. */
  readonly json: boolean;
  /** Stack traces, and the log of the connection. */
  readonly debug: boolean;
}

/** A NATS server that does not answer in this time is not there, however long operations may take. */
const MAX_CONNECT_MS = 5_000;
const CLOSE_PATIENCE_MS = 2_000;

export class Session {
  readonly io: CliIo;
  readonly voice: Voice;
  readonly resolved: Resolved<typeof cliShape>;
  #client: Promise<Client> | undefined;

  constructor(io: CliIo, voice: Voice, resolved: Resolved<typeof cliShape>) {
    this.io = io;
    this.voice = voice;
    this.resolved = resolved;
  }

  get settings(): Resolved<typeof cliShape>['values'] {
    return this.resolved.values;
  }

  get timeoutMs(): number {
    return this.settings.timeout;
  }

  /** Colours for standard output: plain functions where there is no terminal. */
  get colors(): ReturnType<typeof pc.createColors> {
    return pc.createColors(useColor(this.io, this.io.stdout));
  }

  client(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** A line, or several, on standard output. */
  print(text: string): Promise<void> {
    return writeOut(this.io.stdout, text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A document on standard output: one line for programs, indented for eyes. */
  printJson(document: unknown): Promise<void> {
    return this.print(JSON.stringify(document, undefined, this.io.stdout.isTTY === true ? 2 : undefined));
  }

  /** Something worth knowing that is not the answer. */
  note(text: string): Promise<void> {
    return this.voice.json ? Promise.resolve() : writeOut(this.io.stderr, `${text}\n`);
  }

  /** All has been said by then, so a NATS server that stands still is not waited for. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    if (client !== undefined) await waitAtMost(this.io.clock, CLOSE_PATIENCE_MS, client.close());
  }

  async #connect(): Promise<Client> {
    const { servers, ...nats } = natsServerOptions(this.settings);
    return this.io.connect({
      servers,
      nats: { ...nats, connectTimeoutMs: Math.min(this.timeoutMs, MAX_CONNECT_MS) },
      name: 'armature-cli',
      cluster: this.settings.cluster,
      prefix: this.settings.prefix,
      group: this.settings.group,
      token: this.settings.direct ? undefined : loadToken(this.settings),
      author: userAtHost(),
      routing: this.settings.direct ? 'direct' : 'router',
      secret: this.settings.direct ? requireSecrets(this.settings) : loadSecrets(this.settings),
      ...(this.voice.debug ? { log: await debugLog(this.io) } : {}),
    });
  }
}

/** Loaded only where it is asked for: without `--debug` a command must not wait for pino. */
async function debugLog(io: CliIo): Promise<Logger> {
  const { pinoLog } = await import('@armature/runtime/observability');
  return pinoLog({ level: 'debug', base: {}, destination: io.stderr });
}

function useColor(io: CliIo, stream: OutputStream): boolean {
  return stream.isTTY === true && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
}

/** How every error is told: words on standard error, or there too, but as JSON. */
export function tellError(io: CliIo, voice: Voice, error: ArmatureError): Promise<void> {
  const text = voice.json
    ? `${JSON.stringify({ error: errorDocument(error, voice.debug) })}\n`
    : renderError(error, { color: useColor(io, io.stderr), debug: voice.debug });
  return writeOut(io.stderr, text);
}
