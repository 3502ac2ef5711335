/**
 * What the `MANIFEST` of a LevelDB database says about its logs. It is a log of version edits, of which each is a sequence of
 * tagged fields; the last log number counts: batches from that log on are in no table yet. (LevelDB, `db/version_edit.cc`.)
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, unusableFileError } from './level-errors.js';
import { readLog } from './log-format.js';

/** How the fields of an edit are made up: `n` a number, `s` bytes behind their length. */
const FIELDS: Readonly<Record<number, string>> = {
  1: 's', // name of the comparator
  2: 'n', // log number
  3: 'n', // next file number
  4: 'n', // last sequence number
  5: 'ns', // where the next compaction of a level begins
  6: 'nn', // a table that is gone: level, number
  7: 'nnnss', // a new table: level, number, size, smallest key, largest key
  9: 'n', // number of an earlier log, not used any more
};
const LOG_NUMBER = 2;

/**
 * The number of the oldest log that is still needed; 0 before there is one. Undefined where the manifest cannot be made out:
 * LevelDB, which needs all of it, says what is wrong. Error `storage-failed` where a file cannot be read.
 */
export async function oldestNeededLog(database: string): Promise<number | undefined> {
  let path = join(database, 'CURRENT');
  try {
    const name = (await readFile(path, 'latin1')).trimEnd();
    if (!/^MANIFEST-\d+$/.test(name)) return undefined;
    path = join(database, name);
    return await lastLogNumber(path);
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw unusableFileError(path, thrown);
  }
}

async function lastLogNumber(manifest: string): Promise<number | undefined> {
  let last: number | undefined;
  let isDamaged = false;
  for await (const events of readLog(manifest)) {
    for (const event of events) {
      if (event.kind === 'damage') {
        isDamaged = true; // or the end of an edit that was being written
        continue;
      }
      const edit = readEdit(Buffer.concat(event.fragments));
      if (isDamaged || edit === undefined) return undefined;
      last = edit.logNumber ?? last;
    }
  }
  return last;
}

/** Undefined for what is no edit, of a version of LevelDB that we know. */
export function readEdit(bytes: Uint8Array): { readonly logNumber: number | undefined } | undefined {
  let at = 0;
  let logNumber: number | undefined;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? NaN;
      value += (byte & 0x7f) * factor;
      if (!(byte >= 0x80)) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const form = FIELDS[tag];
    if (form === undefined) return undefined;
    for (const part of form) {
      const value = number();
      if (part === 's') at += value;
      else if (tag === LOG_NUMBER) logNumber = value;
    }
  }
  return at === bytes.length ? { logNumber } : undefined;
}
