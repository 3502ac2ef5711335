/**
 * Arguments as the shell gave them. Node decodes them as UTF-8 and puts U+FFFD in the place of every byte that is none, so the
 * keys of a script in another encoding would all become one. Linux still knows the bytes; elsewhere an argument with that
 * character in it cannot be told from one that was damaged. What is not provably the text that was typed is refused, before
 * anything is done with it.
 */
import { readFileSync } from 'node:fs';
import { exactUtf8Decode, quoted, REPLACEMENT } from '@armature/kernel';
import { invalid } from './parse.js';

/** Where Linux keeps the command line: all arguments, each with a NUL behind it. */
const COMMAND_LINE = '/proc/self/cmdline';

/** The last `count` arguments of this process as bytes, or undefined where the system does not tell. */
export function rawArguments(count: number): readonly Uint8Array[] | undefined {
  let line: Buffer;
  try {
    line = readFileSync(COMMAND_LINE);
  } catch {
    return undefined;
  }
  const all: Uint8Array[] = [];
  for (let start = 0, end = line.indexOf(0); end >= 0; start = end + 1, end = line.indexOf(0, start)) {
    all.push(line.subarray(start, end));
  }
  return count === 0 ? [] : all.slice(-count);
}

/** Throws `invalid-argument` unless every argument is the text that was given. `raw` is asked only where there is a doubt. */
export function checkArguments(args: readonly string[], raw: () => readonly Uint8Array[] | undefined): void {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return;
  const bytes = raw();
  for (const [i, arg] of args.entries()) {
    const given = bytes?.[i];
    if (!arg.includes(REPLACEMENT) || (given !== undefined && exactUtf8Decode(given) === arg)) continue;
    throw invalid(
      `argument ${i + 1} (${quoted(arg)}) is not UTF-8, or cannot be told from one that is not`,
      'Give a key as base64, with --base64-key, and a value with --file or through standard input.',
    );
  }
}
