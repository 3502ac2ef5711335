/** The effective configuration: every setting, its value, and where that came from. Secrets as stars, also inside URLs. */
import { describeOrigin, type Resolved } from './resolve-settings.js';
import { shownValue, type Shape } from './setting.js';

export interface ShownSetting {
  readonly name: string;
  /** JSON-able; undefined when it is not set. */
  readonly value: unknown;
  readonly origin: string;
}

export function shownSettings<S extends Shape>(shape: S, resolved: Resolved<S>): ShownSetting[] {
  return Object.entries(shape).map(([name, one]) => {
    const value: unknown = resolved.values[name];
    return {
      name,
      value: value === undefined ? undefined : shownValue(one, value),
      origin: describeOrigin(resolved.origins[name] ?? { kind: 'default' }),
    };
  });
}

/** One line each: name, value, origin. */
export function renderSettings(shown: readonly ShownSetting[]): string {
  const words = shown.map(({ name, value, origin }) => [name, value === undefined ? '-' : wordOf(value), origin] as const);
  const widths = [0, 1].map((column) => Math.max(...words.map((row) => row[column as 0 | 1].length)));
  return words
    .map(([name, value, origin]) => `${name.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${origin}\n`)
    .join('');
}

function wordOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '(none)' : value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
