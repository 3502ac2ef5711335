/** A copy of a data directory whose process goes on writing, as a volume snapshot or a careless `cp -r` makes it. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files that are deleted meanwhile are left out: LevelDB deletes what it has compacted. */
export function copyDirectoryInUse(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) copyDirectoryInUse(from, to);
    else if (entry.isFile()) copyUnlessGone(from, to);
  }
}

function copyUnlessGone(source: string, target: string): void {
  try {
    copyFileSync(source, target);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
