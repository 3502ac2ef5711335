/**
 * What is looked at before LevelDB opens a database, because LevelDB would not say.
 *
 * It recovers what is in no table yet from its logs. A log that it cannot open, for whatever reason, it passes over, and then
 * deletes; so it does with the rest of a block in a log that does not match its checksum; and a log that is gone it does not
 * miss. All of that is acknowledged data. (`paranoid_checks` would end some of it, and classic-level does not expose it.) So, in
 * this order, and without changing a byte:
 *
 * - every file of the database is opened for reading and writing, as this user. One that cannot be is `storage-failed`, whatever
 *   the reason: its owner, its permissions, a directory or a dangling link in its place, too few descriptors, a device that
 *   fails;
 * - the logs that the manifest asks for are there, and are read. Damage in front of a batch with the durability mark is a loss of
 *   what was on stable storage, and `storage-corrupt`. Damage at the end of a log is what a crash leaves; LevelDB passes over it,
 *   and the store, which carries no mark of a clean close then, takes a fresh actor.
 *
 * Another process may have the database open, which shows only when LevelDB asks for the lock; files that disappear meanwhile are
 * its.
 */
import { constants } from 'node:fs';
import { access, lstat, open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isMarked } from './durability-mark.js';
import { corruptError, isMissing, unusableFileError } from './level-errors.js';
import { readLog } from './log-format.js';
import { oldestNeededLog } from './manifest.js';

/** Files that LevelDB reads, writes or replaces; it ignores all others. */
const OWN_FILE = /^(CURRENT|LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/;
const LOG_FILE = /^(\d+)\.log$/;

/** Of tables there may be tens of thousands. */
const FILES_AT_ONCE = 16;

/** More than LevelDB holds open at once while it recovers: log, table, info log, lock, and both manifests. */
const DESCRIPTORS = 16;

/** Errors: `storage-failed` naming the file and the user, `storage-corrupt`. A database that does not exist yet passes. */
export async function checkDatabase(database: string): Promise<void> {
  const names = await namesIn(database);
  const files = names.filter((name) => OWN_FILE.test(name));
  for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
    await Promise.all(files.slice(i, i + FILES_AT_ONCE).map((name) => checkFile(join(database, name))));
  }
  if (!files.includes('CURRENT')) return;
  await checkDescriptors(join(database, 'CURRENT'));
  const oldest = await oldestNeededLog(database);
  if (oldest === undefined) return;
  const logs = files.filter((name) => numberOf(name) >= oldest);
  if (oldest > 0 && !logs.some((name) => numberOf(name) === oldest)) await checkMissing(database, oldest);
  for (const name of logs) await checkLog(join(database, name));
}

/** Where the manifest has moved on since the directory was listed, another process has the database. */
async function checkMissing(database: string, log: number): Promise<void> {
  const names = await readdir(database);
  if (names.some((name) => numberOf(name) === log) || (await oldestNeededLog(database)) !== log) return;
  throw corruptError(`the database in ${database} lacks its log number ${log}: writes that were in no table yet are lost`);
}

/** The number of a log; NaN for other files. */
function numberOf(name: string): number {
  return Number(LOG_FILE.exec(name)?.[1] ?? NaN);
}

async function namesIn(database: string): Promise<readonly string[]> {
  try {
    const names = await readdir(database);
    await access(database, constants.R_OK | constants.W_OK | constants.X_OK);
    return names;
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw unusableFileError(database, thrown);
  }
}

async function checkFile(path: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r+');
  } catch (thrown) {
    if (isMissing(thrown) && !(await isThere(path))) return;
    throw unusableFileError(path, thrown);
  } finally {
    await file?.close();
  }
}

/**
 * That as many files can be opened as LevelDB needs: it takes a log that it cannot open for want of a descriptor for an empty
 * one.
 */
async function checkDescriptors(path: string): Promise<void> {
  const held: FileHandle[] = [];
  try {
    while (held.length < DESCRIPTORS) held.push(await open(path, 'r'));
  } catch (thrown) {
    throw unusableFileError(path, thrown);
  } finally {
    for (const file of held) await file.close();
  }
}

async function checkLog(path: string): Promise<void> {
  let damagedAt: number | undefined;
  try {
    for await (const events of readLog(path)) {
      for (const event of events) {
        if (event.kind === 'damage') damagedAt ??= event.offset;
        else if (damagedAt !== undefined && isMarked(event.fragments)) throw lossError(path, damagedAt);
      }
    }
  } catch (thrown) {
    if (!isMissing(thrown)) throw unusableFileError(path, thrown);
  }
}

function lossError(path: string, offset: number): Error {
  return corruptError(`${path} is damaged in the 32 KiB from byte ${offset} on: writes that were on stable storage are lost`, {
    file: path,
    offset,
  });
}

/** A link that leads nowhere is there, and cannot be opened. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
