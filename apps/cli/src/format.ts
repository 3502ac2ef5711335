/**
 * Figures and bytes as people read them. Keys and values are any bytes and may come from anybody: nothing is shown on a
 * terminal before it is known to be plain text, or escaped.
 */
import { exactUtf8Decode, isPlainLine, toBase64Url, utf8Encode } from '@armature/kernel';
import Table from 'cli-table3';
import type { Session } from './session.js';

/** `1.5 MB`: powers of 1000, as disks and networks are sold. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `350 ms`, `4.2 s`, `3 m 20 s`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${Math.round((ms % 60_000) / 1_000)} s`;
}

export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

export function percentText(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** `1 key`, `2 keys`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** Columns under dim headings, no lines: the same text can be read and cut up. */
export function tableText(session: Session, headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const blank = Object.fromEntries(
    [
      ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid'],
      ...['mid', 'mid-mid', 'right', 'right-mid'],
    ].map((place) => [place, '']),
  );
  const table = new Table({
    head: headings.map((heading) => session.colors.dim(heading)),
    chars: { ...blank, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Bytes as a field of a JSON document: `{ [name]: text }`, or `{ [name + 'Base64']: ... }` where they are no text. */
export function bytesField(name: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  const text = exactUtf8Decode(bytes);
  return text === undefined ? { [`${name}Base64`]: toBase64Url(bytes) } : { [name]: text };
}

/** A key for the eye: itself where it is plain text, else escaped, in double quotes. */
export function keyText(key: Uint8Array): string {
  const text = exactUtf8Decode(key);
  if (text !== undefined && isPlainLine(text)) return text;
  const escaped = [...(text === undefined ? key : utf8Encode(text))].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `"${escaped.join('')}"`;
}
