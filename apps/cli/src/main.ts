#!/usr/bin/env node
/**
 * The `armature` command as a process: real streams, Ctrl-C, and readers that go away. What it does is in `run-cli.ts`.
 */
import { EXIT } from '@armature/process';
import { systemClock } from '@armature/runtime';
import { rawArguments } from './raw-arguments.js';
import { runCli } from './run-cli.js';

const interruption = new AbortController();
let isCaught = false;

process.on('SIGINT', () => {
  // A second Ctrl-C is meant, whatever the command is about to finish.
  if (!isCaught || interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort();
});

// Whoever reads our output has had enough (`armature keys b | head`): that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
}

const args = process.argv.slice(2);
const exitCode = await runCli(args, {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  rawArguments: () => rawArguments(args.length),
  clock: systemClock,
  connect: async (options) => (await import('@armature/client')).connect(options), // help and the version need no client
  catchInterrupt() {
    isCaught = true;
    return interruption.signal;
  },
});

// Everything has been written by now. What may still be open (standard input, a resolver that does not answer) must not keep a
// script waiting.
process.exit(exitCode);
