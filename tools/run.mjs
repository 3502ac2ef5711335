/**
 * `npm run armature`, `npm run bench`, `npm run dataset`: runs one of the workspace's TypeScript programs as it stands,
 * after installing the dependencies when they are missing.
 */
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDependencies } from './lib/dependencies.mjs';
import { SOURCE_FLAGS } from './lib/local-cluster.mjs';
import { onStopSignals, runMain } from './lib/run-main.mjs';
import { sayErr, UsageError } from './lib/say.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const PROGRAMS = {
  armature: 'apps/cli/src/main.ts',
  bench: 'tools/src/bench/main.ts',
  dataset: 'tools/src/dataset.ts',
};

await runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  const program = Object.entries(PROGRAMS).find(([key]) => key === name)?.[1];
  if (program === undefined) {
    throw new UsageError(`usage: node tools/run.mjs <program> [arguments]`, [`Programs: ${Object.keys(PROGRAMS).join(', ')}`]);
  }
  await ensureDependencies({ root: ROOT, say: sayErr });
  // The user's directory stays the working directory, so that paths in the arguments mean what they say. `--import` is
  // resolved from the program's own place by naming tsx in full.
  const flags = SOURCE_FLAGS.map((flag) => (flag === 'tsx' ? import.meta.resolve('tsx') : flag));
  const child = spawn(process.execPath, [...flags, resolve(ROOT, program), ...args], {
    stdio: 'inherit',
    cwd: process.env['INIT_CWD'] ?? process.cwd(),
  });
  // The terminal delivers Ctrl-C to the child itself; a signal sent to us alone is passed on.
  onStopSignals((signal) => signal !== 'SIGINT' && child.kill(signal));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(signal === null ? (code ?? 1) : 130));
  });
});
