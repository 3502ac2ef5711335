/**
 * Installs the locked dependencies when they are missing or older than the lockfile, so that a fresh checkout needs
 * no command but `npm start` or `npm test`.
 *
 * `--ignore-scripts`: every package here works without its install script, and none should run code by being
 * installed.
 *
 * `npm ci` begins by deleting `node_modules`, under the feet of whatever runs from it. So it is not done lightly: a lockfile
 * that is merely younger than the tree is compared with what npm noted down when it installed, and only commands
 * that begin something (`npm start`, `npm test`) replace a tree; the others use the one there is, and say so.
 */
import { accessSync, constants, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.mjs';
import { formatDuration, UsageError } from './say.mjs';

/** A cold cache and a slow line take minutes; more than this is a registry that does not answer. */
const INSTALL_TIMEOUT_MS = 900_000;

/**
 * @param {object} options
 * @param {string} options.root
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {boolean} [options.mayReplace] whether a tree that is out of date is installed anew, or used as it is
 * @param {import('./say.mjs').Say} options.say
 * @returns {Promise<void>} rejects with a UsageError when npm fails
 */
export async function ensureDependencies({ root, env = process.env, mayReplace = false, say }) {
  const reason = reasonToInstall(root);
  if (reason === undefined) return;
  if (reason !== MISSING && !mayReplace) {
    say(`dependencies: ${reason}; using what is installed (npm start and npm test update it)`);
    return;
  }
  say(`dependencies: ${reason}; npm ci --ignore-scripts ...`);
  const startedAt = Date.now();
  const [command, ...prefix] = npmCommand(env);
  const result = await runCommand(command, [...prefix, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    env: withHome(root, env),
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  if (result.code !== 0) {
    // npm may fail after it has written its marker; without it the next start tries again.
    rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true });
    throw new UsageError('npm ci failed', [
      ...result.output.trim().split('\n').slice(-15),
      'Once the cause is gone, run the same command again.',
    ]);
  }
  say(`dependencies: installed in ${formatDuration(Date.now() - startedAt)}`);
}

const MISSING = 'node_modules is missing';

/**
 * @param {string} root
 * @returns {string | undefined} why an install is due
 */
export function reasonToInstall(root) {
  const lockfile = join(root, 'package-lock.json');
  const noted = join(root, 'node_modules', '.package-lock.json');
  const installedAt = modifiedAt(noted);
  if (installedAt === undefined) return MISSING;
  const lockedAt = modifiedAt(lockfile);
  if (lockedAt === undefined || lockedAt <= installedAt) return undefined;
  const installed = packagesIn(noted);
  const differs = Object.entries(packagesIn(lockfile)).find(([path, wanted]) => {
    if (!path.startsWith('node_modules/')) return false; // a workspace: linked, not installed
    const mayBeAbsent = wanted.optional === true || wanted.link === true || wanted.extraneous === true;
    return path in installed ? installed[path]?.version !== wanted.version : !mayBeAbsent;
  });
  return differs === undefined ? undefined : `package-lock.json asks for another ${differs[0].slice('node_modules/'.length)}`;
}

/**
 * @param {string} path of a lockfile, or of npm's note of what it installed, which has the same form
 * @returns {Record<string, {version?: string, optional?: boolean, link?: boolean, extraneous?: boolean}>}
 */
function packagesIn(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
}

/** @param {string} path */
function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/**
 * The npm that runs us, else the one on the PATH.
 * @param {NodeJS.ProcessEnv} env
 * @returns {[string, ...string[]]}
 */
function npmCommand(env) {
  const running = env['npm_execpath'];
  return running?.endsWith('npm-cli.js') === true ? [process.execPath, running] : ['npm'];
}

/**
 * npm wants a home directory for its cache. Service accounts and containers may have none, or one that is read-only.
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
function withHome(root, env) {
  const home = env['HOME'];
  try {
    if (home !== undefined && home !== '') {
      accessSync(home, constants.W_OK);
      return env;
    }
  } catch {
    // not writable, or not there: use our own
  }
  const ours = join(root, '.tools', 'home');
  mkdirSync(ours, { recursive: true });
  return { ...env, HOME: ours, npm_config_cache: join(ours, '.npm') };
}
