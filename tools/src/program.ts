/**
 * How the programs of this workspace are run: Node's arguments for them.
 *
 * What is built starts in half the time of the sources, and is what production runs; so the benchmark runs it, and so do the
 * integration tests, which build it first (`test/integration/build.setup.ts`) and say so in the environment. Whoever runs a
 * source file otherwise gets the sources.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workspaceRoot } from './workspace-root.js';

export type Program = 'node' | 'router' | 'anti-entropy' | 'cli';

const HERE = fileURLToPath(import.meta.url);
const ROOT = workspaceRoot(dirname(HERE));
const RUNS_BUILT = !HERE.endsWith('.ts') || process.env['ARMATURE_PROGRAMS'] === 'built';

/** `root`: of another checkout, which is built; by default this one. */
export function programArgs(program: Program, root: string = ROOT): readonly string[] {
  const home = join(root, 'apps', program);
  if (RUNS_BUILT || root !== ROOT) return [join(home, 'dist', 'main.js')];
  return ['--conditions=@armature/source', '--import', import.meta.resolve('tsx'), join(home, 'src', 'main.ts')];
}
