/**
 * The data directory of a node: `ARMATURE`, the stamp that says whose it is, and `level/`, the database.
 *
 * The order of things makes every half-done first start recognisable. The stamp is written last, under the database's lock,
 * so: a stamp without a database means that the database was lost (to start empty under the old name would reuse its dots),
 * and a database without a stamp is an interrupted first start if it is empty, and somebody else's if not.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ArmatureError, quoted } from '@armature/kernel';
import { stampText, verifyStamp, type StorageIdentity } from '@armature/storage';
import { corruptError, ignoreMissing, levelError } from './level-errors.js';

const STAMP = 'ARMATURE';
const STAMP_DRAFT = 'ARMATURE.draft';
const DATABASE = 'level';

/** `lost+found` is what a fresh file system contains. */
const HARMLESS: readonly string[] = [DATABASE, STAMP_DRAFT, 'lost+found'];

export function databasePath(directory: string): string {
  return join(directory, DATABASE);
}

/**
 * Creates the directory if it is missing and checks that it is ours, before anything in it is touched. Whether it has a
 * stamp: if not, the caller opens the database, and if that is empty, stamps the directory.
 */
export async function inspectDirectory(directory: string, identity: StorageIdentity): Promise<{ readonly stamped: boolean }> {
  try {
    await mkdir(directory, { recursive: true });
    const names = await readdir(directory);
    if (names.includes(STAMP)) {
      verifyStamp(await readFile(join(directory, STAMP), 'utf8'), identity, directory);
      const database = names.includes(DATABASE) ? await readdir(databasePath(directory)) : [];
      if (!database.includes('CURRENT')) throw corruptError(`${directory} has a stamp but its database is gone`);
      return { stamped: true };
    }
    const strange = names.find((name) => !HARMLESS.includes(name));
    if (strange !== undefined) throw foreignFiles(directory, `it contains ${quoted(strange)} and no stamp`);
    return { stamped: false };
  } catch (thrown) {
    throw levelError(thrown, directory);
  }
}

/**
 * Stamps the directory, durably; the caller holds the database's lock. Another process may have stamped it between the inspection
 * and the lock: then it is to be ours. The stamp gets its name by a rename, because not every file system has hard links.
 */
export async function stampDirectory(directory: string, identity: StorageIdentity): Promise<void> {
  const [draft, stamp] = [join(directory, STAMP_DRAFT), join(directory, STAMP)];
  try {
    const present = await readFile(stamp, 'utf8').catch(ignoreMissing);
    if (present !== undefined) {
      verifyStamp(present, identity, directory);
      return;
    }
    await rm(draft, { force: true });
    const file = await open(draft, 'wx');
    try {
      await file.writeFile(stampText(identity, Date.now()));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, stamp);
    await syncDirectory(directory);
  } catch (thrown) {
    throw levelError(thrown, directory);
  }
}

export function foreignFiles(directory: string, why: string): ArmatureError {
  return new ArmatureError('storage-foreign', `${directory} is not a data directory of Armature: ${why}`, {
    remedy: 'Choose an empty directory, or the one this node used before.',
  });
}

/** Makes names created in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
