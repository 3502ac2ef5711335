/**
 * Loaded with `--import`: writes down which modules a process has loaded, ES modules as they come and CommonJS ones at its end,
 * one URL a line, into the file that the environment names.
 *
 * The same file is what runs on the thread of the loaders.
 */
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** Variable of the environment: path of the file to write. */
export const MODULES_FILE = 'ARMATURE_MODULES_FILE';

const file = process.env[MODULES_FILE];
if (file !== undefined && isMainThread) {
  register(import.meta.url);
  process.on('exit', () => {
    for (const path of Object.keys(createRequire(import.meta.url).cache)) note(pathToFileURL(path).href);
  });
}

/** @type {import('node:module').LoadHook} */
export function load(url, context, nextLoad) {
  note(url);
  return nextLoad(url, context);
}

/** @param {string} url */
function note(url) {
  if (file !== undefined) appendFileSync(file, `${url}\n`);
}
