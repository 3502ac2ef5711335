/**
 * `npm start`: a whole Armature cluster on this machine, from a fresh checkout, with one command.
 *
 * It installs the dependencies when they are missing, finds or fetches a nats-server, starts three nodes, a router and an
 * anti-entropy worker as processes of their own, creates the cluster the first time, and says where everything is. Ctrl-C stops
 * it all in order; the next start finds the data again.
 */
import { spawn } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtPath, ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { freePort } from './lib/free-port.mjs';
import * as local from './lib/local-cluster.mjs';
import { isStillRunning } from './lib/member-process.mjs';
import { redactUrl, resolveNatsServer } from './lib/nats-server.mjs';
import { onStopSignals, runMain } from './lib/run-main.mjs';
import { formatDuration, sayErr, sayOut, UsageError } from './lib/say.mjs';
import { startBus, startMembers } from './lib/separate-processes.mjs';
import { formatTable } from './lib/table.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DEFAULT_NODES = 3;
const MAX_NODES = 20;

const HELP = `npm start [-- options]: a local Armature cluster, each part a process of its own

  --nodes N        how many nodes a new cluster has (default ${DEFAULT_NODES}, at most ${MAX_NODES})
  --data-dir DIR   where data, logs and the cluster's key are kept (default ${local.DEFAULT_DATA_DIRECTORY}/)
  --json           events as JSON, one per line, on stdout; words go to stderr
  --help           this text

  NATS_URL         use the nats-server there instead of starting one
  NATS_SERVER_BIN  the nats-server program to start

Ctrl-C stops everything; starting again finds the data. Another start needs another --data-dir.`;

/** npm and the terminal may both deliver one Ctrl-C; only a later one means "now". */
const SECOND_SIGNAL_MS = 1_000;

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string' },
      'data-dir': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    sayOut(HELP);
    return 0;
  }
  const startedAt = Date.now();
  const say = values.json ? sayErr : sayOut;
  const tell = (/** @type {string} */ event, /** @type {object} */ details = {}) => {
    if (values.json) sayOut(JSON.stringify({ event, ...details }));
  };
  const dataDirectory = local.dataDirectoryOf(ROOT, values['data-dir']);
  refuseSecondStart(dataDirectory);

  await ensureDependencies({ root: ROOT, mayReplace: true, say });
  await ensureBuilt({ root: ROOT, say });
  const nats = await resolveNatsServer({ root: ROOT, say });
  say(`nats-server: ${nats.said}`);
  if (nats.kind === 'none') {
    say('\nThere is no nats-server, and none could be fetched. To have one:');
    for (const hint of nats.hints) say(`    ${hint}`);
    say('Until then everything runs in this one process.');
    return runInProcess(dataDirectory, values.nodes);
  }

  const stopRequest = stopRequested(say);
  const bus = await startBus({ nats, dataDirectory, say });
  try {
    local.ensureSecret(dataDirectory);
    local.writeLocalCluster(dataDirectory, await plan(dataDirectory, values.nodes, bus));
  } catch (error) {
    await bus.stop();
    throw error;
  }

  say(`starting; logs are in ${shown(join(dataDirectory, 'logs'))}`);
  const running = await startMembers({
    root: ROOT,
    dataDirectory,
    bus,
    signal: stopRequest,
    say,
    onDeath(death) {
      tell('exited', death);
      say(`\n${death.name} ended (${death.how}). The end of ${shown(death.logFile)}:`);
      for (const line of death.lastLines) say(`    ${line}`);
      say(
        death.name === 'nats'
          ? 'Everything waits for it: stop with Ctrl-C and start again.'
          : `The others go on. Restart it with:  npm run node -- ${death.name}`,
      );
    },
  });
  if (!stopRequest.aborted) {
    tell('ready', describe(running.cluster, dataDirectory));
    if (!values.json) say(summary(running.cluster, dataDirectory, Date.now() - startedAt));
  }

  await aborted(stopRequest);
  say('\nstopping: worker, router, nodes, nats-server ...');
  await running.stop();
  tell('stopped');
  say(`stopped. The data is in ${shown(dataDirectory)}; npm start finds it again.`);
  return 0;
});

/**
 * What to start: the cluster found in the data directory, at free ports, or a new one.
 * @param {string} dataDirectory
 * @param {string | undefined} nodesOption
 * @param {{url: string, pid?: number}} bus
 * @returns {Promise<local.LocalCluster>}
 */
async function plan(dataDirectory, nodesOption, bus) {
  const found = local.readLocalCluster(dataDirectory);
  const count = nodesOption === undefined ? undefined : Number(nodesOption);
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MAX_NODES)) {
    throw new UsageError(`--nodes ${nodesOption} is not a number from 1 to ${MAX_NODES}`);
  }
  const nodesFound = found?.members.filter(({ role }) => role === 'node').length;
  if (found?.created === true && count !== undefined && count !== nodesFound) {
    throw new UsageError(`the cluster in ${dataDirectory} has ${nodesFound} nodes, not ${count}`, [
      'Leave --nodes out to start it as it is, or choose another --data-dir for a new cluster.',
      `Add one while it runs:  npm run node -- n${(nodesFound ?? 0) + 1}`,
    ]);
  }
  /** @type {local.Member} */
  const worker = { role: 'anti-entropy', name: 'a1', httpPort: local.WORKER_HTTP_PORT };
  /** @type {readonly local.Member[]} */
  const wanted =
    found?.created === true
      ? // A cluster of an earlier version has no worker.
        [...found.members, ...(found.members.some(({ role }) => role === worker.role) ? [] : [worker])]
      : [
          worker,
          { role: 'router', name: 'r1', httpPort: local.FIRST_HTTP_PORT },
          ...Array.from({ length: count ?? nodesFound ?? DEFAULT_NODES }, (_, index) => ({
            role: /** @type {const} */ ('node'),
            name: `n${index + 1}`,
            httpPort: local.FIRST_HTTP_PORT + index + 1,
          })),
        ];
  /** @type {Set<number>} */
  const taken = new Set();
  /** @type {local.Member[]} */
  const members = [];
  for (const { role, name, httpPort } of wanted) members.push({ role, name, httpPort: await freePort(httpPort, taken) });
  return {
    format: 1,
    cluster: local.CLUSTER_NAME,
    created: found?.created ?? false,
    natsUrl: bus.url,
    ...(bus.pid === undefined ? {} : { natsPid: bus.pid }),
    supervisorPid: process.pid,
    members,
  };
}

/**
 * The cluster in one process, over the in-process bus. Its end is ours.
 * @param {string} dataDirectory
 * @param {string | undefined} nodesOption
 * @returns {Promise<number>} the exit code
 */
function runInProcess(dataDirectory, nodesOption) {
  local.ensureSecret(dataDirectory);
  const nodes = Array.from({ length: Number(nodesOption ?? DEFAULT_NODES) }, (_, index) => `n${index + 1}`);
  const program = join(ROOT, builtPath('tools/src/in-process.ts'));
  const child = spawn(process.execPath, [program, dataDirectory, local.CLUSTER_NAME, ...nodes], { stdio: 'inherit' });
  onStopSignals((signal) => signal !== 'SIGINT' && child.kill(signal)); // the terminal sends SIGINT to the child itself
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/**
 * Two starts on one data directory would fight for its locks. Members that a killed start left behind count too.
 * @param {string} dataDirectory
 */
function refuseSecondStart(dataDirectory) {
  const cluster = local.readLocalCluster(dataDirectory);
  if (cluster === undefined) return;
  const alive = cluster.members.filter((member) => isStillRunning(member.pid, local.marksOf(member, dataDirectory)));
  if (alive.length === 0) return;
  const supervisor = isStillRunning(cluster.supervisorPid, ['start.mjs']) ? cluster.supervisorPid : undefined;
  const orphans = [
    ...alive.map(({ pid }) => pid),
    ...(isStillRunning(cluster.natsPid, ['nats-server']) ? [cluster.natsPid] : []),
  ];
  throw new UsageError(
    `the cluster in ${dataDirectory} is running already (${alive.map(({ name, pid }) => `${name}: pid ${pid}`).join(', ')})`,
    [
      supervisor === undefined
        ? `Its npm start is gone. Stop them with:  kill ${orphans.join(' ')}`
        : `Stop it with Ctrl-C there, or:  kill ${supervisor}`,
      'Or start another one:  npm start -- --data-dir .armature-2',
    ],
  );
}

/**
 * @param {local.LocalCluster} cluster
 * @param {string} dataDirectory
 */
function describe(cluster, dataDirectory) {
  return {
    cluster: cluster.cluster,
    nats: { url: redactUrl(cluster.natsUrl), pid: cluster.natsPid, log: local.logFileOf(dataDirectory, 'nats') },
    dataDirectory,
    secretFile: join(dataDirectory, 'cluster.key'),
    members: cluster.members.map(({ role, name, httpPort, pid }) => ({
      role,
      name,
      pid,
      subject: `armature.${cluster.cluster}.${role === 'anti-entropy' ? 'status' : 'link'}.${role}.${name}`,
      http: `http://127.0.0.1:${httpPort}`,
      ...(role === 'node' ? { data: local.dataOf(dataDirectory, name) } : {}),
      log: local.logFileOf(dataDirectory, name),
    })),
  };
}

/**
 * @param {local.LocalCluster} cluster
 * @param {string} dataDirectory
 * @param {number} tookMs
 */
function summary(cluster, dataDirectory, tookMs) {
  const facts = describe(cluster, dataDirectory);
  const natsRow = [
    'nats',
    facts.nats.pid === undefined ? '-' : String(facts.nats.pid),
    facts.nats.url,
    '',
    '',
    facts.nats.pid === undefined ? '' : shown(facts.nats.log),
  ];
  const rows = facts.members.map(({ name, pid, subject, http, data, log }) => [
    name,
    String(pid),
    subject,
    http,
    data === undefined ? '' : shown(data),
    shown(log),
  ]);
  const nodes = facts.members.filter(({ role }) => role === 'node');
  const copies = nodes.length === 1 ? ' --n 1 --r 1 --w 1' : '';
  const victim = nodes.at(-1);
  const kill =
    nodes.length < 3 ? '' : `\n  kill -9 ${victim?.pid}          and read again; then  npm run node -- ${victim?.name}`;
  return `
${formatTable(['', 'pid', 'bus', 'http', 'data', 'log'], [natsRow, ...rows])}

Cluster "${cluster.cluster}" is ready (${formatDuration(tookMs)}). Try, in another terminal:

  npm run armature -- bucket create greetings${copies}
  npm run armature -- put greetings hello '"world"'
  npm run armature -- get greetings hello${kill}

Ctrl-C here stops everything.`;
}

/**
 * Aborted by the first SIGINT, SIGTERM or SIGHUP; another one, later, ends the process at once.
 * @param {import('./lib/say.mjs').Say} say
 */
function stopRequested(say) {
  const controller = new AbortController();
  let firstAt = 0;
  onStopSignals(() => {
    if (!controller.signal.aborted) {
      firstAt = Date.now();
      controller.abort();
    } else if (Date.now() - firstAt > SECOND_SIGNAL_MS) {
      say('asked again while stopping, so the rest is left to itself');
      process.exit(130);
    }
  });
  return controller.signal;
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function aborted(signal) {
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * A path as the user can type it.
 * @param {string} path
 */
function shown(path) {
  const short = relative(process.env['INIT_CWD'] ?? process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
