/**
 * The workspace's programs as they are deployed: compiled. A compiled program starts three times as fast as its source under a
 * loader, and runs as it will in production. When nothing has changed, the compiler is not run (`build-stamp.mjs`).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beginBuild, isUpToDate } from './build-stamp.mjs';
import { runCommand } from './run-command.mjs';
import { UsageError } from './say.mjs';

const PROJECTS = [
  'apps/node/tsconfig.lib.json',
  'apps/router/tsconfig.lib.json',
  'apps/anti-entropy/tsconfig.lib.json',
  'apps/cli/tsconfig.lib.json',
  'tools',
];
const BUILD_TIMEOUT_MS = 300_000;

/**
 * Compiles what has changed since the last time.
 * @param {{root: string, say: import('./say.mjs').Say, compile?: typeof runCompiler}} options
 */
export async function ensureBuilt({ root, say, compile = runCompiler }) {
  if (isUpToDate(root)) return;
  if (!existsSync(join(root, builtPath('apps/node/src/main.ts')))) say('building (the first time takes some seconds)');
  const noteSuccess = beginBuild(root);
  const { code, output } = await compile(root);
  if (code !== 0)
    throw new UsageError(`the sources do not compile:\n${output.trim()}`, ['Correct them; npm run build shows the same.']);
  noteSuccess();
}

/** @param {string} root */
function runCompiler(root) {
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  return runCommand(compiler, ['-b', ...PROJECTS.map((path) => join(root, path))], { timeoutMs: BUILD_TIMEOUT_MS });
}

/**
 * Where the compiled form of a program is.
 * @param {string} source path of a TypeScript file in the workspace, e.g. `apps/cli/src/main.ts`
 */
export function builtPath(source) {
  const compiled = source.replace(/\.ts$/, '.js');
  return compiled.startsWith('tools/') ? compiled.replace(/^tools\//, 'tools/dist/') : compiled.replace('/src/', '/dist/');
}
