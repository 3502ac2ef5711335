/**
 * Whether what is built is what was meant: every published entry point loads from `dist` in plain Node, without the
 * development condition and without tsx, and every program answers `--help`.
 *
 * Prints one line per failure and ends with `smoke: N passed, N failed`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './lib/run-command.mjs';
import { runMain } from './lib/run-main.mjs';
import { sayOut } from './lib/say.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TIMEOUT_MS = 30_000;

/**
 * @typedef {{name: string, private?: boolean, exports?: Record<string, unknown>, bin?: Record<string, string>}} Manifest
 */

await runMain(async () => {
  let passed = 0;
  let failed = 0;
  const check = async (/** @type {string} */ what, /** @type {string[]} */ args) => {
    const result = await runCommand(process.execPath, args, { cwd: ROOT, timeoutMs: TIMEOUT_MS });
    if (result.code === 0) {
      passed += 1;
      return;
    }
    failed += 1;
    sayOut(`smoke: ${what} failed (exit code ${result.code}):\n${result.output.trim()}`);
  };

  for (const directory of workspaceDirectories()) {
    const manifest = /** @type {Manifest} */ (JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8')));
    if (manifest.private === true) continue;
    const entries = Object.keys(manifest.exports ?? {}).map((door) => manifest.name + door.slice(1));
    // In one process per package, so that a failure names its package; the conformance suites want a test runner.
    const loadable = entries.filter((entry) => !entry.endsWith('/conformance'));
    await check(`import of ${loadable.join(', ')}`, [
      '--input-type=module',
      '--eval',
      loadable.map((entry) => `await import('${entry}');`).join(''),
    ]);
    for (const program of Object.values(manifest.bin ?? {}))
      await check(`${directory}/${program} --help`, [join(directory, program), '--help']);
  }
  sayOut(`smoke: ${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});

function workspaceDirectories() {
  return ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(parent, entry.name)),
  );
}
