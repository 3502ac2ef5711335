import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, type BinaryString } from '@armature/kernel';
import type { Engine } from '@armature/storage';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { databasePath } from './data-directory.js';
import { checkDatabase } from './database-check.js';
import { openLevelEngine } from './level-engine.js';
import { LogParser, type LogEvent } from './log-format.js';

const IDENTITY = { cluster: 'test', node: 'n1' };
const BLOCK_BYTES = 32 * 1024;
const root = mkdtempSync(join(tmpdir(), 'armature-check-'));
const opened: Engine[] = [];
let directories = 0;

afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
});
afterAll(() => rm(root, { recursive: true, force: true }));

const fresh = (): string => join(root, `d${directories++}`);
const containing = (part: string): unknown => expect.stringContaining(part);

async function openAt(directory: string): Promise<Engine> {
  const engine = await openLevelEngine({ directory, identity: IDENTITY });
  opened.push(engine);
  return engine;
}

const write = (engine: Engine, at: string, value: Uint8Array | string, sync = true): Promise<void> =>
  engine.write([{ kind: 'put', key: at as BinaryString, value: Buffer.from(value) }], { sync });

/** The files of a database whose log has the writes that `fill` made: closed cleanly, or as `kill -9` leaves it. */
async function written(fill: (engine: Engine) => Promise<void>, end: 'closed' | 'killed' = 'closed'): Promise<string> {
  const directory = fresh();
  const engine = await openAt(directory);
  await fill(engine);
  const copy = fresh();
  if (end === 'killed') await cp(directory, copy, { recursive: true });
  await engine.close();
  return end === 'killed' ? copy : directory;
}

async function logOf(directory: string): Promise<string> {
  const name = (await readdir(databasePath(directory))).find((file) => file.endsWith('.log'));
  return join(databasePath(directory), name as string);
}

async function contents(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(databasePath(directory))).sort();
  const files = names.filter((name) => name !== 'LOCK').map(async (name) => [name, await hexOf(databasePath(directory), name)]);
  return Object.fromEntries((await Promise.all(files)) as [string, string][]);
}

async function hexOf(directory: string, name: string): Promise<string> {
  return readFile(join(directory, name), 'hex').catch(String);
}

async function flipByte(path: string, at: number): Promise<void> {
  const content = await readFile(path);
  content[at] = (content[at] as number) ^ 0x10;
  await writeFile(path, content);
}

/** Refused with `error`, before anything in it is touched. */
async function expectRefused(directory: string, error: Readonly<Record<string, unknown>>): Promise<void> {
  const before = await contents(directory);
  await expect(openAt(directory)).rejects.toMatchObject(error);
  expect(await contents(directory)).toEqual(before);
}

describe('a file that cannot be opened: storage-failed with its name, and nothing is touched', () => {
  const three = async (engine: Engine): Promise<void> => {
    for (const name of ['a', 'b', 'c']) await write(engine, name, 'x');
  };

  /** One file of each kind. */
  async function files(directory: string): Promise<readonly string[]> {
    const names = await readdir(databasePath(directory));
    return names.filter((name) => /\.(log|ldb)$|^(CURRENT|LOCK|MANIFEST.*)$/.test(name));
  }

  async function withTableAndLog(): Promise<string> {
    const directory = await written(three);
    const again = await openAt(directory); // the log becomes a table
    await write(again, 'd', 'x');
    await again.close();
    return directory;
  }

  test.each(['a directory', 'a link that leads nowhere'])('%s in its place', async (what) => {
    const directory = await withTableAndLog();
    for (const name of await files(directory)) {
      const path = join(databasePath(directory), name);
      const content = await readFile(path);
      await rm(path);
      await (what === 'a directory' ? mkdir(path) : symlink(join(root, 'nowhere'), path));
      await expectRefused(directory, {
        code: 'storage-failed',
        message: containing(path),
        remedy: containing('Put the file back'),
      });
      await rm(path, { recursive: true });
      await writeFile(path, content);
    }
    expect(await (await openAt(directory)).get('d' as BinaryString)).toBeDefined();
  });

  /** Root may open everything, so it takes another user's place for the attempt. */
  async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(12_345);
    try {
      await work();
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  }

  test.each([
    ['may not be read by this user', 0o200],
    ['may not be written by this user', 0o444],
  ])('it %s', async (_, mode) => {
    const directory = await withTableAndLog();
    for (const path of [root, directory, databasePath(directory)]) await chmod(path, 0o777);
    const names = await files(directory);
    for (const name of await readdir(databasePath(directory))) await chmod(join(databasePath(directory), name), 0o666);
    await chmod(join(directory, 'ARMATURE'), 0o666);
    for (const name of names) {
      const path = join(databasePath(directory), name);
      const before = await contents(directory);
      await chmod(path, mode);
      await asOrdinaryUser(() =>
        expect(openAt(directory)).rejects.toMatchObject({
          code: 'storage-failed',
          message: containing(path),
          remedy: containing('chown'),
        }),
      );
      await chmod(path, 0o666);
      expect(await contents(directory)).toEqual(before);
    }
    await asOrdinaryUser(async () => {
      const engine = await openAt(directory);
      expect(await engine.get('d' as BinaryString)).toBeDefined();
      await engine.close();
    });
  });
});

test('too few descriptors for LevelDB to open its logs with: storage-failed, and the log is still there', async (context) => {
  const directory = await written((engine) => write(engine, 'a', 'x'));
  const limit = (soft: string): unknown =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`], { stdio: 'ignore' });
  let before = '';
  try {
    before = /^Max open files +(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8'))?.[1] as string;
    limit('512');
  } catch {
    context.skip('the limit cannot be changed here');
  }
  const taken: number[] = [];
  try {
    expect(() => {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    }).toThrow('EMFILE');
    for (const descriptor of taken.splice(0, 8)) closeSync(descriptor);
    await expectRefused(directory, {
      code: 'storage-failed',
      message: containing('EMFILE'),
      remedy: containing('limit of open files'),
    });
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
    limit(before);
  }
  expect(await (await openAt(directory)).get('a' as BinaryString)).toBeDefined();
});

describe('a log that is damaged', () => {
  const synced = async (engine: Engine): Promise<void> => {
    for (let i = 0; i < 6; i++) await write(engine, `k${i}`, `value ${i}`);
  };

  test.each(['closed', 'killed'] as const)(
    'whichever byte it is, a store that was %s does not open without a synced batch, save the last, which a crash may tear',
    async (end) => {
      const directory = await written(synced, end);
      const path = await logOf(directory);
      const whole = await readFile(path);
      const last = whole.lastIndexOf('k5') - 'xxxxxxxSSSSSSSSCCCCMMKL'.length; // header, sequence, count, mark, kind, length of the key
      expect(last).toBeGreaterThan(100);
      for (let at = 0; at < whole.length; at++) {
        await flipByte(path, at);
        const checked = checkDatabase(databasePath(directory));
        if (at < last)
          await expect(checked, `byte ${at}`).rejects.toMatchObject({ code: 'storage-corrupt', message: containing(path) });
        else await expect(checked, `byte ${at}`).resolves.toBeUndefined();
        await writeFile(path, whole);
      }
      await flipByte(path, 60);
      await expectRefused(directory, {
        code: 'storage-corrupt',
        remedy: containing('empty one'),
        details: { file: path, offset: 0 },
      });
      await writeFile(path, whole);
      await flipByte(path, whole.length - 1);
      const torn = await openAt(directory);
      expect(await torn.get('k4' as BinaryString)).toBeDefined();
      expect(await torn.get('k5' as BinaryString)).toBeUndefined();
    },
  );

  test('wherever it is cut off: it opens with what is before the cut, as after a crash', async () => {
    const directory = await written(synced);
    const path = await logOf(directory);
    const whole = await readFile(path);
    for (let size = 0; size < whole.length; size++) {
      await writeFile(path, whole.subarray(0, size));
      await expect(checkDatabase(databasePath(directory)), `${size} bytes`).resolves.toBeUndefined();
    }
  });

  test('among batches that were not synced: it opens, for a power cut may leave that; once they have been synced it does not', async () => {
    const unsynced = async (engine: Engine): Promise<void> => {
      for (let i = 0; i < 6; i++) await write(engine, `k${i}`, `value ${i}`, false);
    };
    const lost = await written(unsynced);
    await flipByte(await logOf(lost), 60);
    await openAt(lost);
    const kept = await written(async (engine) => {
      await unsynced(engine);
      await engine.sync();
      await write(engine, 'after', 'x', false);
    });
    await flipByte(await logOf(kept), 60);
    await expectRefused(kept, { code: 'storage-corrupt' });
  });

  test('a batch that is asked for while another is being synced is not said to come after it', async () => {
    const directory = await written(async (engine) => {
      for (let i = 0; i < 3; i++) await write(engine, `k${i}`, 'x', false);
      const racing = write(engine, 'racing', 'x', false);
      const syncing = engine.sync();
      const late = write(engine, 'late', 'x', false);
      await Promise.all([racing, syncing, late]);
    });
    await flipByte(await logOf(directory), 60);
    await openAt(directory);
  });

  test('in a batch of many blocks: found too', async () => {
    const noise = seededRandom(1).bytes(5 * BLOCK_BYTES);
    const directory = await written(async (engine) => {
      await write(engine, 'small', 'x');
      await write(engine, 'large', noise);
      await write(engine, 'after', 'x');
    });
    const path = await logOf(directory);
    for (const block of [0, 2, 4]) {
      const at = block * BLOCK_BYTES + 1_000;
      await flipByte(path, at);
      await expectRefused(directory, { code: 'storage-corrupt', details: { offset: block * BLOCK_BYTES } });
      await flipByte(path, at);
    }
    expect(await (await openAt(directory)).get('large' as BinaryString)).toHaveLength(noise.length);
  });

  test('zeros in place of a block, as a file system may leave after a power cut: found like any other damage', async () => {
    const directory = await written(async (engine) => {
      for (let i = 0; i < 8; i++) await write(engine, `k${i}`, seededRandom(i).bytes(20_000));
    });
    const path = await logOf(directory);
    const content = await readFile(path);
    await writeFile(path, content.fill(0, BLOCK_BYTES, 2 * BLOCK_BYTES));
    await expectRefused(directory, { code: 'storage-corrupt', details: { offset: BLOCK_BYTES } });
  });

  test('that is gone: storage-corrupt, where LevelDB would go on without it', async () => {
    const directory = await written(synced);
    await rm(await logOf(directory));
    await expectRefused(directory, { code: 'storage-corrupt', message: containing('lacks its log') });
  });
});

test('the mark in the log is no entry: ranges and reads do not see it', async () => {
  const engine = await openAt(fresh());
  for (const name of ['a', 'b', '\0']) await write(engine, name, 'x');
  const page = await engine.range({ start: '' as BinaryString, limit: 10 });
  expect(page.entries.map((entry) => entry.key)).toEqual(['\0', 'a', 'b']);
});

test('LogParser: fragments at every place in a block make up the batches that were written', async () => {
  const random = seededRandom(7);
  const sizes = Array.from({ length: 300 }, () => random.int(3_000)).concat(70_000, BLOCK_BYTES, BLOCK_BYTES - 7, 0);
  const directory = await written(async (engine) => {
    for (const [index, size] of sizes.entries()) await write(engine, `k${index}`, random.bytes(size), false);
  });
  const events = [...new LogParser().parse(await readFile(await logOf(directory)))];
  expect(events.filter(({ kind }) => kind === 'damage')).toEqual([]);
  expect(events.filter((event) => event.kind === 'record').map(keyOf)).toEqual(sizes.map((_, index) => `k${index}`));
});

/** Of a batch with one operation. */
function keyOf(event: LogEvent): string {
  const batch = Buffer.concat(event.kind === 'record' ? event.fragments : []);
  return batch.toString('latin1', 14, 14 + (batch[13] as number));
}
