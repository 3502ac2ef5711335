/**
 * Finds a redis-server, in this order: `REDIS_SERVER_BIN`, the PATH, the copy in `.tools/`, a fetch of Debian's
 * packages into `.tools/`. Only the tests of the Redis storage adapter need one; they are skipped without.
 *
 * Debian's `redis-server` is a link to a program in `redis-tools` that needs shared libraries of a few more packages.
 * They are unpacked into the same tree, and a wrapper beside it sets the library path.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchDebianPackage } from './debian.mjs';
import { binaryFromEnvironment, binaryOnPath, isExecutable } from './find-binary.mjs';
import { runCommand } from './run-command.mjs';

/**
 * @typedef {{kind: 'binary', path: string, said: string}
 *   | {kind: 'none', said: string, hints: readonly string[]}} RedisServer
 */

export const REDIS_HINTS = [
  'macOS:   brew install redis',
  'Debian:  sudo apt-get install redis-server',
  'Else:    name one with REDIS_SERVER_BIN=/path/to/redis-server',
];

/** `exec` by the name redis-server: the program behind the link tells by its name what it is to be. */
const WRAPPER = `#!/bin/sh
# Runs the unpacked redis-server with the shared libraries unpacked beside it.
root=$(cd "$(dirname "$0")/.." && pwd)
for directory in "$root"/usr/lib/*/ "$root"/lib/*/; do
  [ -d "$directory" ] && LD_LIBRARY_PATH="$directory\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH
exec "$root/usr/bin/redis-server" "$@"
`;

/**
 * @param {{root: string, env?: NodeJS.ProcessEnv, say: import('./say.mjs').Say}} options
 * @returns {Promise<RedisServer>}
 */
export async function resolveRedisServer({ root, env = process.env, say }) {
  const named = binaryFromEnvironment(env, 'REDIS_SERVER_BIN');
  if (named !== undefined) return { kind: 'binary', path: named, said: `${named} (REDIS_SERVER_BIN)` };

  const installed = binaryOnPath(env, 'redis-server');
  if (installed !== undefined) return { kind: 'binary', path: installed, said: `${installed} (installed)` };

  const target = join(root, '.tools', 'redis');
  const wrapper = join(target, 'bin', 'redis-server');
  if (isExecutable(wrapper)) return { kind: 'binary', path: wrapper, said: `${wrapper} (fetched earlier)` };

  say("redis-server: none installed; fetching Debian's packages into .tools/ (nothing is installed on the system)");
  const fetched = await fetchDebianPackage({ packageName: 'redis-server', target, tools: join(root, '.tools'), env });
  if (!fetched.ok) return { kind: 'none', said: `none: ${fetched.reason}`, hints: REDIS_HINTS };
  mkdirSync(join(target, 'bin'), { recursive: true });
  writeFileSync(wrapper, WRAPPER);
  chmodSync(wrapper, 0o755);
  const version = await runCommand(wrapper, ['--version'], { timeoutMs: 10_000 });
  if (version.code !== 0)
    return { kind: 'none', said: `none: the fetched one does not run here: ${version.output.trim()}`, hints: REDIS_HINTS };
  return { kind: 'binary', path: wrapper, said: `${wrapper} (fetched now)` };
}
