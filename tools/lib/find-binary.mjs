/**
 * Where a server's program is: named by an environment variable, on the PATH, or in this checkout's `.tools/`.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { UsageError } from './say.mjs';

/** Debian keeps servers in sbin, which a user's PATH leaves out. */
const EXTRA_DIRECTORIES = ['/usr/local/bin', '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];

/**
 * @param {string} path
 * @returns {boolean} whether it is a file we may execute
 */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The program that an environment variable names, or undefined where it is unset or empty.
 * A variable that names nothing runnable is the user's mistake, and is not passed over in silence.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} variable
 * @returns {string | undefined}
 */
export function binaryFromEnvironment(env, variable) {
  const value = env[variable];
  if (value === undefined || value === '') return undefined;
  const path = resolve(value);
  if (isExecutable(path)) return path;
  throw new UsageError(`${variable}=${value} is not an executable file`, [`Correct it, or unset ${variable}.`]);
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name
 * @returns {string | undefined}
 */
export function binaryOnPath(env, name) {
  const directories = [...(env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== ''), ...EXTRA_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}
