/**
 * Resolving settings: flags win over the environment, the environment over the configuration file, the file over
 * defaults. Each value remembers where it came from, so that a wrong one is refused with its place, and `config show` can
 * say why a process is configured as it is.
 */
import { ArmatureError, clipped } from '@armature/kernel';
import type { ConfigFile } from './config-file.js';
import { shownValue, type Setting, type Shape, type ValuesOf } from './setting.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Origin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly name: string; readonly path: string }
  | { readonly kind: 'default' };

export interface SettingsInput {
  /** By attribute name, as commander gives them: those that were given, and no defaults. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Environment;
  readonly file: ConfigFile | undefined;
}

export interface Resolved<S extends Shape> {
  readonly values: ValuesOf<S>;
  readonly origins: { readonly [K in keyof S]: Origin };
}

/** Throws `invalid-config`, about every setting that is wrong or missing. */
export function resolveSettings<S extends Shape>(shape: S, input: SettingsInput): Resolved<S> {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const problems: Problem[] = [];
  for (const [name, one] of Object.entries(shape)) {
    const found = find(name, one, input);
    origins[name] = found.origin;
    if (found.origin.kind === 'default') {
      values[name] = one.fallback;
      if (one.required) problems.push(missing(name, one));
      continue;
    }
    const value = one.parse(found.value);
    if (value !== undefined) values[name] = value;
    else problems.push(wrong(name, one, found.value, found.origin));
  }
  if (problems.length > 0) throw refusal(problems);
  return { values: values as ValuesOf<S>, origins: origins as Resolved<S>['origins'] };
}

/** `httpPort` -> `ARMATURE_HTTP_PORT`. */
export function variableOf(name: string): string {
  return `ARMATURE_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** `--http-port <port>` -> `--http-port`. */
export function longFlag(flag: string): string {
  return flag.split(/[ ,]+/).find((word) => word.startsWith('--')) ?? flag;
}

/** `--http-port` -> `httpPort`. */
export function attributeOf(longName: string): string {
  return longName.replace(/^--/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return origin.name;
    case 'env':
      return origin.name;
    case 'file':
      return `"${origin.name}" in ${origin.path}`;
    case 'default':
      return 'default';
  }
}

function find(name: string, one: Setting<unknown>, input: SettingsInput): { value: unknown; origin: Origin } {
  for (const flag of [...(one.flag === undefined ? [] : [longFlag(one.flag)]), ...one.flagAliases.map(longFlag)]) {
    const value = input.flags[attributeOf(flag)];
    if (value !== undefined) return { value, origin: { kind: 'flag', name: flag } };
  }
  for (const variable of [variableOf(name), ...one.envAliases]) {
    const value = input.env[variable];
    // An empty variable is what `FOO= command` and compose files mean by "not set".
    if (value !== undefined && value !== '') return { value, origin: { kind: 'env', name: variable } };
  }
  const { file } = input;
  if (file !== undefined && Object.hasOwn(file.values, name)) {
    return { value: file.values[name], origin: { kind: 'file', name, path: file.path } };
  }
  return { value: undefined, origin: { kind: 'default' } };
}

// --- words for what is wrong ------------------------------------------------------------------------------------------

interface Problem {
  readonly field: string;
  readonly source: string;
  readonly allowed: string;
  readonly message: string;
  readonly remedy: string;
}

function wrong(field: string, one: Setting<unknown>, value: unknown, origin: Origin): Problem {
  const source = describeOrigin(origin);
  const shown = one.secret ? 'not valid' : clipped(JSON.stringify(shownValue(one, value)) ?? 'undefined');
  return {
    field,
    source,
    allowed: one.allowed,
    message: `${field} is ${shown} (from ${source}), but must be ${one.allowed}`,
    remedy: `Correct ${source}.`,
  };
}

function missing(field: string, one: Setting<unknown>): Problem {
  const places = [...(one.flag === undefined ? [] : [one.flag]), variableOf(field)].join(' or ');
  return {
    field,
    source: 'nowhere',
    allowed: one.allowed,
    message: `${field} is not set; it must be ${one.allowed}`,
    remedy: `Give ${places}, or "${field}" in the configuration file.`,
  };
}

function refusal(problems: readonly Problem[]): ArmatureError {
  return new ArmatureError('invalid-config', problems.map(({ message }) => message).join('\n'), {
    remedy: problems.map(({ remedy }) => remedy).join('\n'),
    details: { problems: problems.map(({ field, source, allowed }) => ({ field, source, allowed })) },
  });
}
