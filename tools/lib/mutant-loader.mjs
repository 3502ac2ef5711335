/**
 * Loaded with `--import`, behind tsx: in this process some modules of the workspace are others. Which ones, and what they are, is
 * in the file that the environment names; without one the loader does nothing.
 *
 * The same file is what runs on the thread of the loaders. Its hook comes before those of tsx, which were registered earlier, and
 * hands out what is compiled already.
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/** Variable of the environment: path of a JSON file with sources by URL. */
export const MUTANT_FILE = 'ARMATURE_MUTANT_FILE';

/** @typedef {Readonly<Record<string, string>>} Sources */

const file = process.env[MUTANT_FILE];
if (file !== undefined && isMainThread) register(import.meta.url, { data: JSON.parse(readFileSync(file, 'utf8')) });

/** @type {Sources} */
let mutant = {};

/** @param {Sources} data */
export function initialize(data) {
  mutant = data;
}

/** @type {import('node:module').LoadHook} */
export function load(url, context, nextLoad) {
  const source = mutant[url.split('?', 1)[0] ?? ''];
  return source === undefined ? nextLoad(url, context) : { format: 'module', source, shortCircuit: true };
}
