/**
 * Files that hold a secret and that others of this machine may read. They are named, with the way to mend it; nothing is refused,
 * since a mode may be the best that a volume of some platform can do.
 */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Resolved } from './resolve-settings.js';
import type { Shape } from './setting.js';

export interface ExposedFile {
  readonly file: string;
  /** As `chmod` takes it: `644`. */
  readonly mode: string;
  readonly remedy: string;
}

const OF_OTHERS = 0o077;

/**
 * Of the files that the settings name, and of the configuration file where it holds a secret. Those that are not there are other
 * people's business.
 */
export function exposedFiles<S extends Shape>(shape: S, resolved: Resolved<S>): ExposedFile[] {
  if (process.platform === 'win32') return []; // its modes say nothing
  return [...new Set(privateFilesOf(shape, resolved))].flatMap((file) => {
    const mode = modeOf(file);
    if (mode === undefined || (mode & OF_OTHERS) === 0) return [];
    return [{ file, mode: mode.toString(8), remedy: `Run: chmod 600 ${file}` }];
  });
}

export const EXPOSED = 'other users of this machine may read or change a file that holds a secret';

function privateFilesOf<S extends Shape>(shape: S, resolved: Resolved<S>): string[] {
  return Object.entries(shape).flatMap(([name, { secret, url, privateFile }]) => {
    const value: unknown = resolved.values[name];
    if (typeof value !== 'string') return [];
    if (privateFile) return [value];
    const origin = resolved.origins[name];
    const isSecret = secret || (url && value.includes('@'));
    return isSecret && origin?.kind === 'file' ? [origin.path] : [];
  });
}

function modeOf(file: string): number | undefined {
  try {
    const stat = statSync(file.startsWith('~/') ? join(homedir(), file.slice(2)) : file);
    return stat.isFile() ? stat.mode & 0o777 : undefined; // a pipe or a terminal is nobody else's
  } catch {
    return undefined;
  }
}
