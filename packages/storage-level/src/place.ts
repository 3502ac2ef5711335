/**
 * Whether the database is still where it was opened. A directory that is removed or replaced under a running process goes
 * unnoticed: its open files live on without a name, take every write, and sync without an error; at the next start nothing of it
 * is there.
 *
 * The lock file is the mark: LevelDB makes it once and never replaces it, so another file of that name is another directory.
 * There is always a log, too.
 */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArmatureError } from '@armature/kernel';
import { isMissing, levelError } from './level-errors.js';

export class Place {
  readonly #database: string;
  readonly #lock: string;
  /** A log that was there when it was last looked for. */
  #log = '';

  private constructor(database: string, lock: string) {
    this.#database = database;
    this.#lock = lock;
  }

  /** Of an open database. */
  static async of(database: string): Promise<Place> {
    return new Place(database, await identityOf(join(database, 'LOCK')));
  }

  /** Error `storage-failed` when the database has been removed or replaced, or the directory cannot be read. */
  async check(): Promise<void> {
    try {
      if ((await identityOf(join(this.#database, 'LOCK'))) !== this.#lock) throw displacedError(this.#database);
      await stat(join(this.#database, 'CURRENT'));
      await this.#findLog();
    } catch (thrown) {
      throw isMissing(thrown) ? displacedError(this.#database) : levelError(thrown, dirname(this.#database));
    }
  }

  async #findLog(): Promise<void> {
    const isThere = await stat(join(this.#database, this.#log)).then(
      () => this.#log !== '',
      () => false,
    );
    if (isThere) return;
    const log = (await readdir(this.#database)).find((name) => name.endsWith('.log'));
    if (log === undefined) throw displacedError(this.#database);
    this.#log = log;
  }
}

/** What no other file has while this one exists. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

export function displacedError(database: string): ArmatureError {
  return new ArmatureError('storage-failed', `the database in ${database} has been removed or replaced while this node runs`, {
    remedy:
      'Put the very directory back, and the node goes on; or restart the node: it finds out that its store is lost, and is filled again from the other replicas.',
  });
}
