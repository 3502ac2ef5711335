/**
 * `npm run node -- n2`: starts one member of the local cluster again, with the settings it had, after it was killed or
 * has died; or, by a new name (`n4`), one more node, which then waits to be let in.
 *
 * It runs in the foreground of this terminal and ends with Ctrl-C, or when the cluster's `npm start` stops everything.
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { freePort } from './lib/free-port.mjs';
import * as local from './lib/local-cluster.mjs';
import { isStillRunning, lastLogLines, startMember } from './lib/member-process.mjs';
import { waitUntil } from './lib/readiness.mjs';
import { onStopSignals, runMain } from './lib/run-main.mjs';
import { sayErr, sayOut, UsageError } from './lib/say.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STOP_MS = 20_000;
const READY_TIMEOUT_MS = 120_000;

const HELP = `npm run node -- NAME [--data-dir DIR]: starts a member of the local cluster again

  NAME             n1, n2, ... r1 (the router) or a1 (the anti-entropy worker); a new nX becomes one more node
  --data-dir DIR   the one given to npm start (default ${local.DEFAULT_DATA_DIRECTORY}/)`;

await runMain(async () => {
  const { values, positionals } = parseArgs({
    options: { 'data-dir': { type: 'string' }, help: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (values.help || name === undefined) {
    sayOut(HELP);
    return values.help ? 0 : 1;
  }
  const dataDirectory = local.dataDirectoryOf(ROOT, values['data-dir']);
  const cluster = local.readLocalCluster(dataDirectory);
  if (cluster?.created !== true)
    throw new UsageError(`there is no cluster in ${dataDirectory} yet`, ['Start one first:  npm start']);
  if (!cluster.members.some((member) => isStillRunning(member.pid, local.marksOf(member, dataDirectory)))) {
    throw new UsageError('the cluster is not running', ['Start it with  npm start,  which starts this member too.']);
  }
  await ensureDependencies({ root: ROOT, say: sayErr });
  await ensureBuilt({ root: ROOT, say: sayErr });

  const known = cluster.members.find((member) => member.name === name);
  const member = known ?? (await newNode(dataDirectory, cluster, name));
  if (isStillRunning(member.pid, local.marksOf(member, dataDirectory))) {
    throw new UsageError(`${name} is running already (pid ${member.pid})`, [
      `To see it come back, first:  kill -9 ${member.pid}`,
    ]);
  }
  const logFile = local.logFileOf(dataDirectory, name);
  const child = startMember({ args: local.memberArgs(cluster, member, dataDirectory), cwd: ROOT, logFile });
  local.updateLocalCluster(dataDirectory, (now) => local.withMember(now, name, { pid: child.pid }));
  sayOut(`${name}: pid ${child.pid}, http://127.0.0.1:${member.httpPort}, log ${relative(process.cwd(), logFile)}`);

  const done = new AbortController();
  const asked = new AbortController();
  onStopSignals(() => {
    asked.abort();
    void child.stop(STOP_MS);
  });
  const ended = child.exited.finally(() => done.abort());
  const enough = known === undefined ? 'answers' : 'ready';
  const { reached, last } = await waitUntil(member.httpPort, (now) => now[enough], {
    timeoutMs: READY_TIMEOUT_MS,
    signal: done.signal,
  });
  if (reached && known === undefined) sayOut(`${name} runs. Let it in:  npm run armature -- cluster join ${name}`);
  else if (reached) sayOut(`${name} is ready. Ctrl-C stops it.`);
  else if (child.isRunning()) sayOut(`${name} is not ready after ${READY_TIMEOUT_MS / 1000} s: ${last.words}`);

  const how = await ended;
  if (asked.signal.aborted || how === 'exit code 0') {
    sayOut(`${name} has stopped.`);
    return 0;
  }
  sayErr([`${name} ended (${how}). The end of its log:`, ...lastLogLines(logFile, 8).map((line) => `    ${line}`)].join('\n'));
  return 1;
});

/**
 * Adds a node to the local cluster's file, so that the next `npm start` starts it too.
 * @param {string} dataDirectory
 * @param {local.LocalCluster} cluster
 * @param {string} name
 * @returns {Promise<local.Member>}
 */
async function newNode(dataDirectory, cluster, name) {
  const names = cluster.members.map((member) => member.name).join(', ');
  if (!local.isNodeName(name))
    throw new UsageError(`${name} is not a member`, [`Members: ${names}. A new node's name is n1 to n99.`]);
  const taken = new Set(cluster.members.map(({ httpPort }) => httpPort));
  /** @type {local.Member} */
  const member = { role: 'node', name, httpPort: await freePort(local.FIRST_HTTP_PORT + Number(name.slice(1)), taken) };
  local.updateLocalCluster(dataDirectory, (now) => ({ ...now, members: [...now.members, member] }));
  return member;
}
