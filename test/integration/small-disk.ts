/**
 * A disk that can be filled: a file system in memory of a given size, and a ballast file that takes its space away. Mounting
 * needs root; without it, the file system is mounted in a user namespace of its own and reached through /proc from outside, so
 * nothing has to be installed or allowed in most places.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SmallDisk {
  /** Where its files are. */
  readonly path: string;
  /** Leaves about so much free space. */
  fill(freeBytes: number): void;
  /** Gives back what `fill` took. */
  free(): void;
  /** Unmounts it. Nothing may be open on it. */
  dispose(): void;
}

const BALLAST = 'ballast';
const MIB = 1024 * 1024;
const NAMESPACE_TIMEOUT_MS = 5_000;

/** Undefined, and a line that says why, where neither way works. */
export async function mountSmallDisk(mountPoint: string, sizeMib: number): Promise<SmallDisk | undefined> {
  mkdirSync(mountPoint, { recursive: true });
  const options = ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'armature-test', mountPoint];
  try {
    execFileSync('mount', options, { stdio: 'pipe' });
    return diskAt(mountPoint, () => execFileSync('umount', [mountPoint]));
  } catch (refused) {
    const holder = await namespaceWith(options);
    if (holder !== undefined) return diskAt(join('/proc', String(holder.pid), 'root', mountPoint), () => holder.kill('SIGKILL'));
    console.warn(`no small disk: mount is refused (${String(refused)}), and so is a user namespace`);
    return undefined;
  }
}

/** A process that holds a namespace in which the file system is mounted. */
function namespaceWith(mountOptions: readonly string[]): Promise<ChildProcess | undefined> {
  const script = 'mount "$@" && echo mounted && exec sleep 1000000';
  const holder = spawn('unshare', ['-Urm', 'sh', '-c', script, 'sh', ...mountOptions], { stdio: ['ignore', 'pipe', 'ignore'] });
  process.once('exit', () => holder.kill('SIGKILL'));
  return new Promise((resolve) => {
    const give = (result: ChildProcess | undefined): void => {
      clearTimeout(timer);
      if (result === undefined) holder.kill('SIGKILL');
      resolve(result);
    };
    const timer = setTimeout(() => give(undefined), NAMESPACE_TIMEOUT_MS);
    holder.once('error', () => give(undefined));
    holder.once('exit', () => give(undefined));
    holder.stdout.once('data', () => give(holder));
  });
}

function diskAt(path: string, unmount: () => unknown): SmallDisk {
  const ballasts = (): string[] => readdirSync(path).filter((name) => name.startsWith(BALLAST));
  return {
    path,
    fill(freeBytes) {
      const { bavail, bsize } = statfsSync(path);
      const chunks = Math.floor((bavail * bsize - freeBytes) / MIB);
      for (let i = 0; i < chunks; i++) writeFileSync(join(path, `${BALLAST}-${ballasts().length}`), new Uint8Array(MIB));
    },
    free() {
      for (const name of ballasts()) rmSync(join(path, name));
    },
    dispose: () => void unmount(),
  };
}
