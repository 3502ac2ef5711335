/**
 * The local cluster as separate processes: a nats-server, the nodes, the router, an anti-entropy worker, each with its own log
 * and data.
 *
 * Up: nats-server, then all the others together, then (the first time) `cluster create`, then everybody ready.
 * Down, in the opposite order, each step bounded: worker and router first, so that no request meets a node that is leaving;
 * then the nodes; the bus last. A member that dies in between is reported and left to the user, who
 * may have killed it to see what happens; the others go on.
 */
import { builtPath } from './build.mjs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.mjs';
import { logFileOf, marksOf, memberArgs, readLocalCluster, updateLocalCluster, withMember } from './local-cluster.mjs';
import { isStillRunning, lastLogLines, startMember } from './member-process.mjs';
import { waitUntil } from './readiness.mjs';
import { runCommand } from './run-command.mjs';
import { UsageError } from './say.mjs';
import { spawnNats } from './spawn-nats.mjs';

/** Four processes compile their sources on two cores in about 10 s; ten times that is a fault. */
const READY_TIMEOUT_MS = 120_000;
const CREATE_ATTEMPTS = 5;
const ROUTER_STOP_MS = 10_000;
const NODE_STOP_MS = 20_000;
const LAST_LINES = 8;
const DEFAULT_NATS_PORT = 4222;

/**
 * @typedef {import('./local-cluster.mjs').LocalCluster} LocalCluster
 * @typedef {import('./local-cluster.mjs').Member} Member
 * @typedef {import('./member-process.mjs').MemberProcess} MemberProcess
 * @typedef {{name: string, how: string, logFile: string, lastLines: readonly string[]}} Death
 */

/**
 * @typedef {object} RunningCluster
 * @property {LocalCluster} cluster as written to the data directory
 * @property {() => Promise<void>} stop
 */

/**
 * Starts nats-server when there is a binary to start, else uses the one that runs. @param {{nats: {kind: 'url', url: string} |
 * {kind: 'binary', path: string}, dataDirectory: string, say: import('./say.mjs').Say}} options @returns {Promise<{url: string,
 * pid?: number, exited?: Promise<string>, stop: () => Promise<void>}>}
 */
export async function startBus({ nats, dataDirectory, say }) {
  if (nats.kind === 'url') return { url: nats.url, stop: () => Promise.resolve() };
  const port = await freePort(DEFAULT_NATS_PORT, new Set());
  if (port !== DEFAULT_NATS_PORT)
    say(`port ${DEFAULT_NATS_PORT} is in use (set NATS_URL to use the server there); nats-server takes ${port}`);
  return spawnNats({ binary: nats.path, port, logFile: logFileOf(dataDirectory, 'nats') });
}

/**
 * Starts every member and waits until all can serve.
 * @param {object} options
 * @param {string} options.root
 * @param {string} options.dataDirectory its `local-cluster.json` says what to start
 * @param {{url: string, exited?: Promise<string>, stop: () => Promise<void>}} options.bus stopped with the cluster
 * @param {AbortSignal} options.signal gives up waiting
 * @param {(death: Death) => void} options.onDeath once for each member that ends by itself after the start
 * @param {import('./say.mjs').Say} options.say
 * @returns {Promise<RunningCluster>} rejects when a member ends or is not ready in time; everything is then stopped
 */
export async function startMembers({ root, dataDirectory, bus, signal, onDeath, say }) {
  const cluster = readLocalCluster(dataDirectory);
  if (cluster === undefined) throw new Error(`no local-cluster.json in ${dataDirectory}`);
  /** @type {Map<string, MemberProcess>} */
  const processes = new Map();
  let phase = /** @type {'starting' | 'running' | 'stopping'} */ ('starting');
  const over = new AbortController();
  /** @type {(error: Error) => void} */
  let giveUp = () => undefined;
  const givenUp = /** @type {Promise<never>} */ (new Promise((_resolve, reject) => (giveUp = reject)));
  givenUp.catch(() => undefined); // observed below, while starting

  const died = (/** @type {string} */ name, /** @type {string} */ how) => {
    const logFile = logFileOf(dataDirectory, name);
    const death = { name, how, logFile, lastLines: lastLogLines(logFile, LAST_LINES) };
    if (phase === 'running') onDeath(death);
    if (phase === 'starting')
      giveUp(new UsageError(`${name} ended while starting (${how}); the end of ${logFile}:`, death.lastLines));
  };
  const stop = async () => {
    phase = 'stopping';
    over.abort();
    await stopMembers(cluster, dataDirectory, processes, say);
    await bus.stop();
  };
  void bus.exited?.then((how) => died('nats', how));

  try {
    for (const member of cluster.members) {
      const logFile = logFileOf(dataDirectory, member.name);
      const child = startMember({ args: memberArgs(cluster, member, dataDirectory), cwd: root, logFile });
      processes.set(member.name, child);
      updateLocalCluster(dataDirectory, (now) => withMember(now, member.name, { pid: child.pid }));
      void child.exited.then((how) => died(member.name, how));
    }
    const given = AbortSignal.any([signal, over.signal]);
    const bound = { timeoutMs: READY_TIMEOUT_MS, signal: given };
    const ready = async () => {
      if (!cluster.created) {
        await Promise.all(cluster.members.map((member) => waitUntil(member.httpPort, ({ answers }) => answers, bound)));
        if (!given.aborted) await createCluster({ root, dataDirectory, cluster, signal: given, say });
      }
      const all = await Promise.all(
        cluster.members.map(async (member) => ({ member, ...(await waitUntil(member.httpPort, (now) => now.ready, bound)) })),
      );
      const late = all.filter(({ reached }) => !reached);
      if (late.length > 0 && !given.aborted) {
        throw new UsageError(
          `not ready after ${READY_TIMEOUT_MS / 1000} s: ${late.map(({ member }) => member.name).join(', ')}`,
          late.map(({ member, last }) => `${member.name} says: ${last.words}; its log: ${logFileOf(dataDirectory, member.name)}`),
        );
      }
    };
    await Promise.race([ready(), givenUp]);
    phase = 'running';
    return { cluster: readLocalCluster(dataDirectory) ?? cluster, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {{root: string, dataDirectory: string, cluster: LocalCluster, signal: AbortSignal, say: import('./say.mjs').Say}}
 * options
 */
async function createCluster({ root, dataDirectory, cluster, signal, say }) {
  const nodes = cluster.members.filter(({ role }) => role === 'node').map(({ name }) => name);
  say(`creating cluster "${cluster.cluster}" of ${nodes.join(', ')}`);
  const connection = [
    '--nats',
    cluster.natsUrl,
    '--cluster',
    cluster.cluster,
    '--secret-file',
    join(dataDirectory, 'cluster.key'),
  ];
  const args = [builtPath('apps/cli/src/main.ts'), ...connection, 'cluster', 'create', '--nodes', nodes.join(',')];
  for (let attempt = 1; ; attempt++) {
    const result = await runCommand(process.execPath, args, { cwd: root, timeoutMs: 60_000 });
    if (result.code === 0) break;
    if (signal.aborted) return;
    if (attempt === CREATE_ATTEMPTS)
      throw new UsageError('cluster create failed', result.output.trim().split('\n').slice(-LAST_LINES));
    await sleep(1_000); // a node may answer HTTP a moment before it listens on the bus
  }
  updateLocalCluster(dataDirectory, (now) => ({ ...now, created: true }));
}

/**
 * Stops the worker, the router, then the nodes; also those that `npm run node` has restarted since.
 * @param {LocalCluster} cluster
 * @param {string} dataDirectory
 * @param {Map<string, MemberProcess>} processes
 * @param {import('./say.mjs').Say} say
 */
async function stopMembers(cluster, dataDirectory, processes, say) {
  const members = (readLocalCluster(dataDirectory) ?? cluster).members;
  for (const [role, boundMs] of /** @type {const} */ ([
    ['anti-entropy', ROUTER_STOP_MS],
    ['router', ROUTER_STOP_MS],
    ['node', NODE_STOP_MS],
  ])) {
    await Promise.all(
      members
        .filter((member) => member.role === role)
        .map(async (member) => {
          const own = processes.get(member.name);
          const how = own?.isRunning() === true ? await own.stop(boundMs) : await stopForeign(member, dataDirectory, boundMs);
          if (how === 'killed')
            say(`${member.name} did not leave within ${boundMs / 1000} s and was killed; its data is as after a crash`);
        }),
    );
  }
}

/**
 * @param {Member} member
 * @param {string} dataDirectory
 * @param {number} boundMs
 * @returns {Promise<'stopped' | 'killed'>}
 */
async function stopForeign(member, dataDirectory, boundMs) {
  const marks = marksOf(member, dataDirectory);
  if (member.pid === undefined || !isStillRunning(member.pid, marks)) return 'stopped';
  process.kill(member.pid, 'SIGTERM');
  const deadline = Date.now() + boundMs;
  while (isStillRunning(member.pid, marks)) {
    if (Date.now() > deadline) {
      process.kill(member.pid, 'SIGKILL');
      return 'killed';
    }
    await sleep(50);
  }
  return 'stopped';
}
