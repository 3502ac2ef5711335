/**
 * Debian packages without root: fetched with apt into a private corner of this checkout and unpacked there.
 *
 * apt is given its own lists, cache and state directories, so it neither needs nor changes the system's (which may be
 * empty, as in a container image); it still uses the system's sources, keys and list of installed packages. From
 * the last it knows which shared libraries this machine lacks: `install --download-only` brings exactly those along.
 * The whole runs the same as root and as an ordinary user, takes about 3 s, and installs nothing.
 *
 * Each process works in a directory of its own, gone when it ends: two tools may fetch at the same time.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binaryOnPath } from './find-binary.mjs';
import { runCommand } from './run-command.mjs';

const STEP_TIMEOUT_MS = 120_000;

/**
 * @typedef {{ok: true} | {ok: false, reason: string}} FetchResult
 */

/** Work directories whose package lists this process has fetched: a second package needs them no second time. */
const withLists = new Set();

/**
 * Unpacks `packageName` and the dependencies that this machine lacks into `target`, which is complete or absent.
 * @param {{packageName: string, target: string, tools: string, env?: NodeJS.ProcessEnv}} request
 *   `tools` is the checkout's `.tools` directory.
 * @returns {Promise<FetchResult>}
 */
export async function fetchDebianPackage({ packageName, target, tools, env = process.env }) {
  const apt = binaryOnPath(env, 'apt-get');
  const dpkg = binaryOnPath(env, 'dpkg-deb');
  if (apt === undefined || dpkg === undefined) return { ok: false, reason: 'this machine has no apt-get and dpkg-deb' };

  const work = join(tools, `apt-${process.pid}`);
  const lists = join(work, 'lists');
  // A cache per package: the archives in it are then exactly this package and its dependencies.
  const cache = join(work, `cache-${packageName}`);
  const partial = `${target}.partial-${process.pid}`;
  if (!existsSync(work)) process.once('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const directory of [join(lists, 'partial'), join(cache, 'archives', 'partial'), join(work, 'state')]) {
    mkdirSync(directory, { recursive: true });
  }
  const settings = [
    `Dir::State=${join(work, 'state')}`,
    `Dir::State::lists=${lists}`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${cache}`,
    `Dir::Log=${work}`,
    'Debug::NoLocking=true', // the system's lock is root's, and nothing of the system is written
    'APT::Sandbox::User=', // as root, apt would drop to a user who cannot write here
    'Acquire::Languages=none',
    'Acquire::GzipIndexes=true',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=20',
    'Acquire::https::Timeout=20',
  ].flatMap((setting) => ['-o', setting]);
  const aptEnv = { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const runApt = (/** @type {string[]} */ ...args) =>
    runCommand(apt, ['-q', '-y', ...settings, ...args], { env: aptEnv, timeoutMs: STEP_TIMEOUT_MS });

  try {
    if (!withLists.has(work)) {
      const update = await runApt('update');
      if (update.code !== 0) return { ok: false, reason: `apt-get update failed: ${lastLines(update.output)}` };
      withLists.add(work);
    }
    const download = await runApt('install', '--reinstall', '--download-only', '--no-install-recommends', packageName);
    if (download.code !== 0)
      return { ok: false, reason: `apt-get could not fetch ${packageName}: ${lastLines(download.output)}` };

    const archives = join(cache, 'archives');
    mkdirSync(partial, { recursive: true });
    for (const archive of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
      const unpack = await runCommand(dpkg, ['-x', join(archives, archive), partial], { timeoutMs: STEP_TIMEOUT_MS });
      if (unpack.code !== 0) return { ok: false, reason: `could not unpack ${archive}: ${lastLines(unpack.output)}` };
    }
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(cache, { recursive: true, force: true });
    rmSync(partial, { recursive: true, force: true });
  }
}

/** @param {string} output */
function lastLines(output) {
  return output.trim().split('\n').slice(-3).join(' | ');
}
