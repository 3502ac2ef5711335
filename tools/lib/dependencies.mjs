/**
 * Installs the locked dependencies when they are missing or older than the lockfile, so that a fresh checkout needs
 * no command but `npm start` or `npm test`.
 *
 * `--ignore-scripts`: every package here works without its install script, and none should run code by being
 * installed. npm leaves `node_modules/.package-lock.json` behind; its age tells whether the tree is current.
 */
import { accessSync, constants, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.mjs';
import { formatDuration, UsageError } from './say.mjs';

/** A cold cache and a slow line take minutes; more than this is a registry that does not answer. */
const INSTALL_TIMEOUT_MS = 900_000;

/**
 * @param {{root: string, env?: NodeJS.ProcessEnv, say: import('./say.mjs').Say}} options
 * @returns {Promise<void>} rejects with a UsageError when npm fails
 */
export async function ensureDependencies({ root, env = process.env, say }) {
  const reason = reasonToInstall(root);
  if (reason === undefined) return;
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

/**
 * @param {string} root
 * @returns {string | undefined} why an install is due
 */
export function reasonToInstall(root) {
  const installedAt = modifiedAt(join(root, 'node_modules', '.package-lock.json'));
  if (installedAt === undefined) return 'node_modules is missing';
  const lockedAt = modifiedAt(join(root, 'package-lock.json'));
  return lockedAt !== undefined && lockedAt > installedAt ? 'node_modules is older than package-lock.json' : undefined;
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
