/** Where the workspace is, seen from a source file as well as from its compiled form. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The nearest directory, from `directory` upwards, that holds `nx.json`. */
export function workspaceRoot(directory: string): string {
  return existsSync(join(directory, 'nx.json')) ? directory : workspaceRoot(dirname(directory));
}
