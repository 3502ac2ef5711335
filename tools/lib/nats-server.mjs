/**
 * Finds a nats-server, in this order: `NATS_URL` (one that runs already), `NATS_SERVER_BIN`, the PATH, the copy in
 * `.tools/`, a fetch of Debian's package into `.tools/`. No npm package carries the binary.
 */
import { join } from 'node:path';
import { fetchDebianPackage } from './debian.mjs';
import { binaryFromEnvironment, binaryOnPath, isExecutable } from './find-binary.mjs';
import { runCommand } from './run-command.mjs';

/**
 * @typedef {{kind: 'url', url: string, said: string}
 *   | {kind: 'binary', path: string, said: string}
 *   | {kind: 'none', said: string, hints: readonly string[]}} NatsServer
 * `said` is the choice in words, for the user.
 */

export const NATS_HINTS = [
  'macOS:   brew install nats-server',
  'Docker:  docker run --rm -p 4222:4222 nats:2    and then  NATS_URL=nats://127.0.0.1:4222',
  'Go:      go install github.com/nats-io/nats-server/v2@latest',
  'Else:    a release from https://github.com/nats-io/nats-server/releases, named by NATS_SERVER_BIN=/path/to/nats-server',
];

/**
 * @param {{root: string, env?: NodeJS.ProcessEnv, acceptUrl?: boolean, say: import('./say.mjs').Say}} options
 *   `acceptUrl: false` passes NATS_URL over: tests start and stop servers of their own.
 * @returns {Promise<NatsServer>}
 */
export async function resolveNatsServer({ root, env = process.env, acceptUrl = true, say }) {
  const url = env['NATS_URL'];
  if (acceptUrl && url !== undefined && url !== '') return { kind: 'url', url, said: `${redactUrl(url)} (NATS_URL)` };

  const named = binaryFromEnvironment(env, 'NATS_SERVER_BIN');
  if (named !== undefined) return { kind: 'binary', path: named, said: `${named} (NATS_SERVER_BIN)` };

  const installed = binaryOnPath(env, 'nats-server');
  if (installed !== undefined) return { kind: 'binary', path: installed, said: `${installed} (installed)` };

  const target = join(root, '.tools', 'nats-server');
  const cached = join(target, 'usr', 'sbin', 'nats-server');
  if (isExecutable(cached)) return { kind: 'binary', path: cached, said: `${cached} (fetched earlier)` };

  say("nats-server: none installed; fetching Debian's package into .tools/ (nothing is installed on the system)");
  const fetched = await fetchDebianPackage({ packageName: 'nats-server', target, tools: join(root, '.tools'), env });
  if (!fetched.ok) return { kind: 'none', said: `none: ${fetched.reason}`, hints: NATS_HINTS };
  const version = await runCommand(cached, ['--version'], { timeoutMs: 10_000 });
  if (version.code !== 0)
    return { kind: 'none', said: `none: the fetched one does not run here: ${version.output.trim()}`, hints: NATS_HINTS };
  return { kind: 'binary', path: cached, said: `${cached} (fetched now)` };
}

/**
 * A NATS URL without its password, for printing.
 * @param {string} url
 */
export function redactUrl(url) {
  return url.replace(/\/\/[^@/,]*@/g, '//***@');
}
