/**
 * `npm run armature`, `npm run bench`, `npm run dataset`, `npm run simulate`, `npm run chaos`, `npm run compare:conflicts`, `npm
 * run docs:subjects`, `npm run fuzz`, `npm run rooms`: runs one of the workspace's programs, after installing the dependencies
 * when they are missing and compiling what has changed.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtPath, ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { dataDirectoryOf, marksOf, readLocalCluster } from './lib/local-cluster.mjs';
import { isStillRunning } from './lib/member-process.mjs';
import { onStopSignals, runMain } from './lib/run-main.mjs';
import { sayErr, sayOut, UsageError } from './lib/say.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const PROGRAMS = {
  armature: 'apps/cli/src/main.ts',
  bench: 'tools/src/bench/main.ts',
  dataset: 'tools/src/dataset.ts',
  simulate: 'tools/src/simulate/main.ts',
  chaos: 'tools/src/chaos/main.ts',
  'compare:conflicts': 'tools/src/compare/main.ts',
  'simulate:mutations': 'tools/src/mutations/main.ts',
  'docs:subjects': 'tools/src/docs/main.ts',
  fuzz: 'tools/src/fuzz/main.ts',
  rooms: 'tools/src/rooms/main.ts',
};

/** Any of these says which cluster is meant; flags do too, and win over the environment anyway. */
const SAYS_WHICH = ['ARMATURE_NATS', 'ARMATURE_CLUSTER', 'ARMATURE_CONFIG', 'ARMATURE_NATS_CONTEXT', 'NATS_URL', 'NATS_CONTEXT'];

await runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  const program = Object.entries(PROGRAMS).find(([key]) => key === name)?.[1];
  if (program === undefined) {
    throw new UsageError(`usage: node tools/run.mjs <program> [arguments]`, [`Programs: ${Object.keys(PROGRAMS).join(', ')}`]);
  }
  // The tools have no version but that of the whole, and need not be built to tell it.
  if (name !== 'armature' && (args.includes('--version') || args.includes('-V'))) {
    tellVersion(name ?? '', args.includes('--json'));
    return 0;
  }
  await ensureDependencies({ root: ROOT, say: sayErr });
  await ensureBuilt({ root: ROOT, say: sayErr });
  // The user's directory stays the working directory, so that paths in the arguments mean what they say.
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  const child = spawn(process.execPath, [resolve(ROOT, builtPath(program)), ...args], {
    stdio: 'inherit',
    cwd,
    env: { ...runningClusterSettings(cwd), ...process.env },
  });
  // The terminal delivers Ctrl-C to the child itself; a signal sent to us alone is passed on.
  onStopSignals((signal) => signal !== 'SIGINT' && child.kill(signal));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(signal === null ? (code ?? 1) : 130));
  });
});

/**
 * @param {string} name
 * @param {boolean} json
 */
function tellVersion(name, json) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const node = process.versions.node;
  sayOut(json ? JSON.stringify({ armature: version, node }) : `${name} ${version}, Node ${node}`);
}

/**
 * While `npm start` has a cluster running and nothing says otherwise, that is the cluster meant.
 * @param {string} cwd
 * @returns {NodeJS.ProcessEnv}
 */
function runningClusterSettings(cwd) {
  if (SAYS_WHICH.some((name) => (process.env[name] ?? '') !== '') || existsSync(join(cwd, 'armature.json'))) return {};
  const dataDirectory = dataDirectoryOf(ROOT, undefined);
  const cluster = readLocalCluster(dataDirectory);
  if (cluster?.members.some((member) => isStillRunning(member.pid, marksOf(member, dataDirectory))) !== true) return {};
  return {
    ARMATURE_NATS: cluster.natsUrl,
    ARMATURE_CLUSTER: cluster.cluster,
    ARMATURE_SECRET_FILE: join(dataDirectory, 'cluster.key'),
  };
}
