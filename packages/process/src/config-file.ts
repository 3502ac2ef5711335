/**
 * The configuration file: one JSON object whose keys are the names of settings. One file may serve all processes of a
 * cluster, so a key that this process has no use for is fine; one that no process knows is a typing error and refused.
 */
import { existsSync, readFileSync } from 'node:fs';
import { ArmatureError, quoted } from '@armature/kernel';
import type { Environment } from './resolve-settings.js';

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Used when it is there and no other is named. */
const DEFAULT_CONFIG_FILE = 'armature.json';

/** A hundred times as much as all settings take. */
const MAX_CHARS = 256 * 1024;
/**
 * Settings are texts, numbers and lists of these. What is wrong is shown in words, by functions that call themselves for each
 * level.
 */
const MAX_DEPTH = 8;

/** The file named by `--config` or `ARMATURE_CONFIG`, or `armature.json` if there is one. Throws `invalid-config`. */
export function readConfigFile(named: unknown, env: Environment, knownNames: readonly string[]): ConfigFile | undefined {
  const asked = typeof named === 'string' ? named : env['ARMATURE_CONFIG'];
  const explicit = asked !== undefined && asked !== '';
  const path = explicit ? asked : DEFAULT_CONFIG_FILE;
  if (!explicit && !existsSync(path)) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    const why = (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read: ${String(thrown)}`;
    throw refused(path, why, 'Correct --config (ARMATURE_CONFIG).', thrown);
  }
  return { path, values: parseConfig(path, text, knownNames) };
}

export function parseConfig(path: string, text: string, knownNames: readonly string[]): Readonly<Record<string, unknown>> {
  if (text.length > MAX_CHARS)
    throw refused(path, `has more than ${MAX_CHARS} characters`, 'Correct --config (ARMATURE_CONFIG): this is another file.');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (thrown) {
    // The parser's words may quote the text, and with it a password; so they are cut, and no cause is kept.
    const why = (thrown as Error).message.replace(/, [^,]*is not valid JSON$/s, '');
    throw refused(path, `is not JSON: ${why}`, 'Correct the file; it is one JSON object.');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw refused(path, 'is not a JSON object', 'Write it as { "cluster": "...", "nats": "..." }.');
  }
  if (isDeeperThan(document, MAX_DEPTH))
    throw refused(path, `is nested more than ${MAX_DEPTH} levels deep`, 'Write each setting as a text, a number or a list.');
  const unknown = Object.keys(document).find((name) => !knownNames.includes(name));
  if (unknown !== undefined) {
    const close = knownNames.find((name) => name.toLowerCase() === unknown.replaceAll(/[-_]/g, '').toLowerCase());
    const remedy = close === undefined ? `Known settings: ${knownNames.join(', ')}.` : `Write "${close}".`;
    throw refused(path, `has the key ${quoted(unknown)}, which is no setting`, remedy);
  }
  return document as Readonly<Record<string, unknown>>;
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((one) => isDeeperThan(one, depth - 1));
}

function refused(path: string, why: string, remedy: string, cause?: unknown): ArmatureError {
  return new ArmatureError('invalid-config', `the configuration file ${path} ${why}`, { remedy, cause, details: { path } });
}
