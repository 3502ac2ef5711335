/**
 * A setting: one thing that can be configured, described once. From the description come its command line flag, its
 * environment variable, its key in the configuration file, its check, its help, and the words in which a wrong value is
 * refused.
 *
 * Flags and variables bring text, the file brings JSON; one function reads both. A setting that is secret has no flag, because
 * command lines are visible to every user of the machine.
 */
import { redactUrl, STARS, type ArmatureError, type Result } from '@armature/kernel';

export interface Setting<T> {
  /** Reads text or a JSON value; undefined where it is not allowed. */
  readonly parse: (given: unknown) => T | undefined;
  /** What `parse` takes, to end the sentence "must be ...". */
  readonly allowed: string;
  /** `--http-port <port>`, as in commander. Its camel-cased name is the setting's name. */
  readonly flag: string | undefined;
  /** Other spellings of the flag, not shown in help. */
  readonly flagAliases: readonly string[];
  /** Variables other than `ARMATURE_<NAME>`, which wins over them. */
  readonly envAliases: readonly string[];
  readonly help: string;
  /** Shown as stars. */
  readonly secret: boolean;
  /** Holds URLs, whose credentials are shown as stars. */
  readonly url: boolean;
  /** Names a file with a secret in it, which others of the machine must not read. */
  readonly privateFile: boolean;
  readonly fallback: T | undefined;
  readonly required: boolean;
}

/** Settings by name. */
export type Shape = Readonly<Record<string, Setting<unknown>>>;

export type ValueOf<S> = S extends Setting<infer T> ? T : never;
export type ValuesOf<S extends Shape> = { readonly [K in keyof S]: ValueOf<S[K]> };

export interface Kind<T> {
  readonly parse: (given: unknown) => T | undefined;
  readonly allowed: string;
}

interface Spec {
  readonly flag?: string;
  readonly flagAliases?: readonly string[];
  readonly envAliases?: readonly string[];
  readonly help: string;
  readonly secret?: boolean;
  readonly url?: boolean;
  readonly privateFile?: boolean;
}

function described<T>(kind: Kind<T>, spec: Spec, more: { fallback: T | undefined; required: boolean }): Setting<T> {
  return {
    ...kind,
    flag: spec.flag,
    flagAliases: spec.flagAliases ?? [],
    envAliases: spec.envAliases ?? [],
    help: spec.help,
    secret: spec.secret ?? false,
    url: spec.url ?? false,
    privateFile: spec.privateFile ?? false,
    ...more,
  };
}

/** Has a default. */
export function setting<T>(kind: Kind<T>, fallback: T, spec: Spec): Setting<T> {
  return described(kind, spec, { fallback, required: false });
}

/** Undefined unless it is given. */
export function optional<T>(kind: Kind<T>, spec: Spec): Setting<T | undefined> {
  return described<T | undefined>(kind, spec, { fallback: undefined, required: false });
}

/** Refused unless it is given. */
export function required<T>(kind: Kind<T>, spec: Spec): Setting<T> {
  return described(kind, spec, { fallback: undefined, required: true });
}

/** A value of a setting, right or wrong, without what is secret in it. */
export function shownValue({ secret, url }: Pick<Setting<unknown>, 'secret' | 'url'>, value: unknown): unknown {
  if (secret) return STARS;
  if (!url) return value;
  // What is no text is a mistake in the configuration file, and may hold a URL all the same.
  return redactUrl(typeof value === 'string' ? value : JSON.stringify(value));
}

// --- kinds of values --------------------------------------------------------------------------------------------------

/** Text that a pattern matches, of at most `maxChars` characters. */
export function textLike(pattern: RegExp, maxChars: number, allowed: string): Kind<string> {
  return {
    parse: (given) => (typeof given === 'string' && given.length <= maxChars && pattern.test(given) ? given : undefined),
    allowed,
  };
}

export const text: Kind<string> = textLike(/./s, Infinity, 'text that is not empty');

export function integer(low: number, high: number): Kind<number> {
  return {
    parse(given) {
      const value = typeof given === 'string' && /^-?\d{1,15}$/.test(given) ? Number(given) : given;
      return Number.isSafeInteger(value) ? within(value, low, high) : undefined;
    },
    allowed: `a whole number from ${low} to ${high}`,
  };
}

export function oneOf<const W extends string>(...words: readonly [W, ...W[]]): Kind<W> {
  return { parse: (given) => words.find((word) => word === given), allowed: `one of ${words.join(', ')}` };
}

const SWITCH_WORDS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 'true', '1'].map((word) => [word, true] as const),
  ...[false, 'false', '0'].map((word) => [word, false] as const),
]);

/** A switch: given or not on the command line, spelled out elsewhere. */
export const flag: Kind<boolean> = { parse: (given) => SWITCH_WORDS.get(given), allowed: 'true or false' };

/** Values separated by commas, or a JSON list. */
export function listOf<T>(one: Kind<T>): Kind<readonly T[]> {
  return {
    parse(given) {
      const items: unknown = typeof given === 'string' ? wordsOf(given) : given;
      if (!Array.isArray(items)) return undefined;
      const values = items.map((item) => one.parse(item)).filter((value) => value !== undefined);
      return values.length === items.length ? values : undefined;
    },
    allowed: `a list, separated by commas, of which each is ${one.allowed}`,
  };
}

/** Something that the kernel parses: names, mostly. `allowed` is its rule. */
export function parsed<T>(parse: (text: string) => Result<T, ArmatureError>, allowed: string): Kind<T> {
  return {
    parse(given) {
      const result = typeof given === 'string' ? parse(given) : undefined;
      return result?.ok === true ? result.value : undefined;
    },
    allowed,
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A length of time in ms: a number of ms, or `500ms`, `5s`, `2m`, `1h`. */
export function duration(lowMs: number, highMs: number): Kind<number> {
  return {
    parse: (given) => within(amountOf(given, /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?$/, UNIT_MS), lowMs, highMs),
    allowed: `a time from ${lowMs}ms to ${highMs / 1_000}s, such as 500ms, 5s, 2m`,
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  ...{ B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 },
  ...{ kB: 1_000, MB: 1_000_000, GB: 1_000_000_000 },
};

/** Bytes per second: a number, or `500kB/s`, `32MiB/s`; the `/s` may be left out. */
export function byteRate(lowest: number): Kind<number> {
  return {
    parse(given) {
      const rate = amountOf(given, /^(\d{1,12}(?:\.\d{1,6})?)(B|[KMG]iB|[kMG]B)?(?:\/s)?$/, UNIT_BYTES);
      return within(rate, lowest, Number.MAX_SAFE_INTEGER);
    },
    allowed: `bytes per second, at least ${lowest}, such as 500kB/s or 32MiB/s`,
  };
}

function wordsOf(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** A number as it is, or text of a number and a unit; a text without a unit counts in the smallest one. */
function amountOf(given: unknown, pattern: RegExp, units: Readonly<Record<string, number>>): unknown {
  if (typeof given !== 'string') return given;
  const [whole, amount, unit] = pattern.exec(given) ?? [];
  return whole === undefined ? undefined : Number(amount) * (unit === undefined ? 1 : (units[unit] ?? NaN));
}

function within(value: unknown, low: number, high: number): number | undefined {
  return typeof value === 'number' && value >= low && value <= high ? value : undefined;
}
