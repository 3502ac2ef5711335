/**
 * What the command line touches of the world, as one value: streams, environment, the way to a cluster. Tests hand in
 * their own, and run every command inside their process.
 */
import type { Readable, Writable } from 'node:stream';
import type { Client, ConnectOptions } from '@armature/client';
import type { Environment } from '@armature/process';
import type { Clock } from '@armature/runtime';

export type OutputStream = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };
export type InputStream = Readable & { readonly isTTY?: boolean | undefined };

export interface CliIo {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Environment;
  /** The arguments as bytes, in their order; undefined where the system does not tell. */
  readonly rawArguments: () => readonly Uint8Array[] | undefined;
  readonly clock: Clock;
  readonly connect: (options: ConnectOptions) => Promise<Client>;
  /**
   * Called by commands that end in good order on Ctrl-C: the signal to watch. Until it is called, Ctrl-C ends the
   * process at once.
   */
  readonly catchInterrupt: () => AbortSignal;
}

/** Writes, and waits while the reader is slower than we are. Rejects when the stream breaks. */
export function writeOut(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
