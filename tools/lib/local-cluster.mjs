/**
 * What the local cluster of `npm start` consists of: its members, where each keeps data and log, and how each is started.
 *
 * It is written to `local-cluster.json` in the data directory. From it the next `npm start` finds the same cluster
 * again, `npm run node -- n2` starts one member with the settings it had, and `npm run armature` knows where to
 * connect. The file is replaced as a whole, so a reader never sees half of it.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { builtPath } from './build.mjs';
import { UsageError } from './say.mjs';

const FORMAT = 1;
export const CLUSTER_NAME = 'local';
export const DEFAULT_DATA_DIRECTORY = '.armature';
export const FIRST_HTTP_PORT = 7600;
export const WORKER_HTTP_PORT = 7599;
/** A cluster for trying things out is small, and whoever kills a node in it wants to see it catch up. */
const WORKER_CYCLE = '2m';
const NODE_NAME = /^n[1-9][0-9]?$/;

/**
 * @typedef {object} Member
 * @property {'node' | 'router' | 'anti-entropy'} role
 * @property {string} name
 * @property {number} httpPort
 * @property {number} [pid] of its latest process, which may be gone
 */

/**
 * @typedef {object} LocalCluster
 * @property {number} format
 * @property {string} cluster
 * @property {boolean} created whether `cluster create` has succeeded
 * @property {string} natsUrl of the latest start
 * @property {number} [natsPid] of the nats-server we started, if we did
 * @property {number} [supervisorPid] of the latest `npm start`
 * @property {readonly Member[]} members
 */

/**
 * The data directory that the user means: relative to where npm was called, not to where it changed to.
 * @param {string} root
 * @param {string | undefined} option
 */
export function dataDirectoryOf(root, option) {
  return option === undefined ? join(root, DEFAULT_DATA_DIRECTORY) : resolve(process.env['INIT_CWD'] ?? process.cwd(), option);
}

/** @param {string} dataDirectory */
export function stateFileOf(dataDirectory) {
  return join(dataDirectory, 'local-cluster.json');
}

/**
 * @param {string} dataDirectory
 * @returns {LocalCluster | undefined} undefined where no cluster was started yet
 */
export function readLocalCluster(dataDirectory) {
  const path = stateFileOf(dataDirectory);
  if (!existsSync(path)) return undefined;
  const remedy = `Remove ${dataDirectory} to begin anew (its data is then gone), or choose another with --data-dir.`;
  /** @type {unknown} */
  let parsed;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new UsageError(`${path} is not JSON`, [remedy]);
  }
  if (/** @type {{format?: unknown} | null} */ (parsed)?.format !== FORMAT) {
    throw new UsageError(`${path} is of another version of these tools`, [remedy]);
  }
  return /** @type {LocalCluster} */ (parsed);
}

/**
 * @param {string} dataDirectory
 * @param {LocalCluster} cluster
 */
export function writeLocalCluster(dataDirectory, cluster) {
  mkdirSync(dataDirectory, { recursive: true });
  const path = stateFileOf(dataDirectory);
  const next = `${path}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(cluster, null, 2)}\n`);
  renameSync(next, path);
}

/**
 * Notes one change in the file, keeping what others wrote meanwhile.
 * @param {string} dataDirectory
 * @param {(cluster: LocalCluster) => LocalCluster} change
 */
export function updateLocalCluster(dataDirectory, change) {
  const current = readLocalCluster(dataDirectory);
  if (current !== undefined) writeLocalCluster(dataDirectory, change(current));
}

/**
 * @param {LocalCluster} cluster
 * @param {string} name
 * @param {Partial<Member>} values
 * @returns {LocalCluster}
 */
export function withMember(cluster, name, values) {
  return { ...cluster, members: cluster.members.map((member) => (member.name === name ? { ...member, ...values } : member)) };
}

/** @param {string} name */
export function isNodeName(name) {
  return NODE_NAME.test(name);
}

/**
 * The cluster's shared secret, made on the first start and readable by its owner only.
 * @param {string} dataDirectory
 * @returns {string} its path
 */
export function ensureSecret(dataDirectory) {
  const path = join(dataDirectory, 'cluster.key');
  mkdirSync(dataDirectory, { recursive: true });
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  return path;
}

/**
 * @param {string} dataDirectory
 * @param {string} name
 */
export function logFileOf(dataDirectory, name) {
  return join(dataDirectory, 'logs', `${name}.log`);
}

/**
 * @param {string} dataDirectory
 * @param {string} name
 */
export function dataOf(dataDirectory, name) {
  return join(dataDirectory, name);
}

/**
 * Texts that together only this member's command line has, by which its process is known again.
 * @param {Member} member
 * @param {string} dataDirectory
 * @returns {string[]}
 */
export function marksOf(member, dataDirectory) {
  return [`--name ${member.name} `, join(dataDirectory, 'cluster.key')];
}

/**
 * The arguments after `node` that start a member; run them in the checkout's root.
 * @param {LocalCluster} cluster
 * @param {Member} member
 * @param {string} dataDirectory
 * @returns {string[]}
 */
export function memberArgs(cluster, member, dataDirectory) {
  const shared = [
    ...['--name', member.name, '--cluster', cluster.cluster, '--nats', cluster.natsUrl],
    ...['--http-port', String(member.httpPort)],
  ];
  const secret = ['--secret-file', join(dataDirectory, 'cluster.key')];
  switch (member.role) {
    case 'router':
      return [builtPath('apps/router/src/main.ts'), ...shared, ...secret];
    case 'anti-entropy':
      return [builtPath('apps/anti-entropy/src/main.ts'), ...shared, ...secret, '--cycle', WORKER_CYCLE];
    case 'node':
      return [
        builtPath('apps/node/src/main.ts'),
        ...shared,
        ...secret,
        ...['--storage', 'level', '--data', dataOf(dataDirectory, member.name)],
      ];
  }
}
