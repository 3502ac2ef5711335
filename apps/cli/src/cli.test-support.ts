/** Runs commands inside the test's process, against a cluster in the same process, and keeps what they say. */
import { PassThrough, Readable, Writable } from 'node:stream';
import { connectOver, type Client, type ConnectOptions } from '@armature/client';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { startLocalCluster, type LocalCluster, type LocalClusterOptions } from '@armature/server';
import type { CliIo } from './io.js';
import { runCli } from './run-cli.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as bytes. */
  readonly bytes: Buffer;
  json(): unknown;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly terminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** What the system says the arguments are; nothing by default. */
  readonly rawArguments?: readonly Uint8Array[];
  readonly interrupt?: AbortSignal;
  /** Called with what goes to standard output, as it goes. */
  readonly onOut?: (text: string) => void;
}

export type Run = (args: readonly string[], options?: RunOptions) => Promise<Ran>;

/** A runner whose commands find the cluster of `connect`. */
export function runnerOver(connect: (options: ConnectOptions) => Promise<Client>): Run {
  return async (args, options = {}) => {
    const stdout = capture(options.terminal ?? false, options.onOut);
    const stderr = capture(options.terminal ?? false);
    const io: CliIo = {
      stdin: options.stdin === undefined ? new PassThrough().end() : Readable.from([Buffer.from(options.stdin)]),
      stdout: stdout.stream,
      stderr: stderr.stream,
      env: options.env ?? { ARMATURE_SECRET: 'sixteen bytes, or more' },
      rawArguments: () => options.rawArguments,
      clock: systemClock,
      connect,
      catchInterrupt: () => options.interrupt ?? new AbortController().signal,
    };
    const code = await runCli(args, io);
    const bytes = Buffer.concat(stdout.chunks);
    const out = bytes.toString('utf8');
    return { code, out, err: Buffer.concat(stderr.chunks).toString('utf8'), bytes, json: () => JSON.parse(out) as unknown };
  };
}

/** A runner for commands that must not connect. */
export const offline: Run = runnerOver(() => Promise.reject(new Error('this command was not to connect')));

export async function localRunner(options?: LocalClusterOptions): Promise<{ cluster: LocalCluster; run: Run }> {
  const cluster = await startLocalCluster(options);
  return { cluster, run: runnerOver((asked) => connectTo(cluster, asked)) };
}

function connectTo(cluster: LocalCluster, { routing, author }: ConnectOptions): Promise<Client> {
  const ports = {
    bus: cluster.broker.connect(),
    clock: systemClock,
    random: systemRandom(),
    log: silentLog,
    telemetry: noTelemetry,
  };
  return connectOver(ports, { ...cluster.options, secret: cluster.options.secrets, author, routing: routing ?? 'router' });
}

function capture(isTTY: boolean, tell?: (text: string) => void): { stream: Writable & { isTTY: boolean }; chunks: Buffer[] } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      tell?.(chunk.toString('utf8'));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY }), chunks };
}
