import { execFileSync, fork } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, toHex, type BinaryString } from '@armature/kernel';
import { systemClock } from '@armature/runtime';
import { Store, type Engine, type StorageOperation } from '@armature/storage';
import { engineConformance } from '@armature/storage/conformance';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openLevelEngine, type LevelEngineOptions } from './level-engine.js';

const IDENTITY = { cluster: 'test', node: 'n1' };
const key = (text: string): BinaryString => text as BinaryString;
const containing = (part: string): unknown => expect.stringContaining(part);
const put = (at: string, value: string | Uint8Array): StorageOperation => ({
  kind: 'put',
  key: key(at),
  value: Buffer.from(value),
});
const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();

const root = mkdtempSync(join(tmpdir(), 'armature-level-'));
let directories = 0;
const fresh = (): string => join(root, `d${directories++}`);
const opened = new Set<Engine>();

async function openAt(directory: string, options: Partial<LevelEngineOptions> = {}): Promise<Engine> {
  const engine = await openLevelEngine({ directory, identity: IDENTITY, ...options });
  opened.add(engine);
  return engine;
}

afterEach(async () => {
  for (const engine of opened) await engine.close();
  opened.clear();
});

afterAll(() => rm(root, { recursive: true, force: true }));

engineConformance('level', async () => {
  const directory = fresh();
  let engine = await openAt(directory);
  return {
    engine,
    async reopen() {
      await engine.close();
      engine = await openAt(directory);
      return engine;
    },
    async dispose() {
      await engine.close();
      await rm(directory, { recursive: true });
    },
  };
});

test('get: answers with a plain value', async () => {
  const engine = await openAt(fresh());
  await engine.write([put('a', '1')], { sync: false });
  expect(engine.get(key('a'))).toEqual(Buffer.from('1'));
});

describe('data directory', () => {
  test('is created with its parents, and stamped with its owner', async () => {
    const directory = join(fresh(), 'deep', 'er');
    await openAt(directory);
    expect(JSON.parse(await readFile(join(directory, 'ARMATURE'), 'utf8'))).toMatchObject({
      format: 1,
      cluster: 'test',
      node: 'n1',
    });
  });

  test('of another node or cluster: storage-foreign, and nothing in it is touched', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await engine.close();
    const before = await readdir(join(directory, 'level'));
    await expect(openAt(directory, { identity: { cluster: 'test', node: 'n2' } })).rejects.toMatchObject({
      code: 'storage-foreign',
    });
    await expect(openAt(directory, { identity: { cluster: 'other', node: 'n1' } })).rejects.toMatchObject({
      code: 'storage-foreign',
    });
    expect(await readdir(join(directory, 'level'))).toEqual(before);
    expect(text(await (await openAt(directory)).get(key('a')))).toBe('1');
  });

  test('with files that are not ours: storage-foreign, and no database is made there', async () => {
    const directory = fresh();
    await mkdir(directory);
    await writeFile(join(directory, 'thesis.txt'), 'mine');
    await expect(openAt(directory)).rejects.toMatchObject({
      code: 'storage-foreign',
      message: containing('thesis.txt'),
    });
    expect(await readdir(directory)).toEqual(['thesis.txt']);
  });

  test('a database with content but without a stamp: storage-foreign', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await engine.close();
    await rm(join(directory, 'ARMATURE'));
    await expect(openAt(directory)).rejects.toMatchObject({ code: 'storage-foreign' });
  });

  test('a first start that was interrupted before the stamp can be repeated', async () => {
    const directory = fresh();
    await (await openAt(directory)).close();
    await rm(join(directory, 'ARMATURE'));
    await writeFile(join(directory, 'ARMATURE.draft'), '{"for');
    await openAt(directory);
    expect((await readdir(directory)).sort()).toEqual(['ARMATURE', 'level']);
  });

  test("two first starts at once, of two nodes: one has the directory, the other is refused, and the stamp is the owner's", async () => {
    for (let i = 0; i < 20; i++) {
      const directory = fresh();
      const names = ['n1', 'n2'];
      const outcomes = await Promise.allSettled(
        names.map((node) => openAt(directory, { identity: { cluster: 'test', node } }).then((engine) => engine.close())),
      );
      const owners = names.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      expect(owners).toHaveLength(1);
      expect(JSON.parse(await readFile(join(directory, 'ARMATURE'), 'utf8'))).toMatchObject({ node: owners[0] });
    }
  });

  test('a stamp whose database is gone: storage-corrupt, not an empty node under the old name', async () => {
    const directory = fresh();
    await (await openAt(directory)).close();
    await rm(join(directory, 'level'), { recursive: true });
    await expect(openAt(directory)).rejects.toMatchObject({ code: 'storage-corrupt' });
  });

  test('a file in its place: storage-failed with a remedy', async () => {
    const path = fresh();
    await writeFile(path, '');
    await expect(openAt(path)).rejects.toMatchObject({ code: 'storage-failed', remedy: containing('directory') });
    await expect(openAt(join(path, 'below'))).rejects.toMatchObject({ code: 'storage-failed' });
  });

  test('open in this process already: storage-locked, naming the directory', async () => {
    const directory = fresh();
    await openAt(directory);
    const error = { code: 'storage-locked', message: containing(directory) };
    await expect(openAt(directory)).rejects.toMatchObject(error);
  });

  test('open in another process: storage-locked until that one is gone', async () => {
    const directory = fresh();
    await (await openAt(directory)).close();
    const script = join(root, 'holder.cjs');
    const level = JSON.stringify(import.meta.resolve('level').replace('file://', ''));
    await writeFile(
      script,
      `const { Level } = require(${level}); new Level(process.argv[2]).open().then(() => process.send('held')); setInterval(() => {}, 1000);`,
    );
    const holder = fork(script, [join(directory, 'level')], { execArgv: [] });
    await new Promise((resolve) => holder.once('message', resolve));
    await expect(openAt(directory)).rejects.toMatchObject({ code: 'storage-locked' });
    const gone = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await gone;
    await openAt(directory);
  });
});

describe('a data directory that is removed under the running node', () => {
  const gone = { code: 'storage-failed', message: containing('removed or replaced'), remedy: containing('restart') };

  test.each([
    ['all of it', (directory: string) => rm(directory, { recursive: true })],
    ['what is in it', (directory: string) => rm(join(directory, 'level'), { recursive: true })],
    [
      'the files of the database',
      async (directory: string) => {
        const database = join(directory, 'level');
        for (const name of await readdir(database)) await rm(join(database, name));
      },
    ],
    [
      'the logs',
      async (directory: string) => {
        const database = join(directory, 'level');
        for (const name of await readdir(database)) if (name.endsWith('.log')) await rm(join(database, name));
      },
    ],
    [
      'and an older copy put there',
      async (directory: string) => {
        await cp(directory, `${directory}.copy`, { recursive: true });
        await rm(directory, { recursive: true });
        await rename(`${directory}.copy`, directory);
      },
    ],
  ])('%s: the next probe fails, and from then on nothing is said to be stored', async (_, remove) => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await engine.probe?.();
    await remove(directory);
    await expect(engine.probe?.()).rejects.toMatchObject(gone);
    for (const sync of [true, false]) await expect(engine.write([put('b', '2')], { sync })).rejects.toMatchObject(gone);
  });

  test('put back as it was: the node goes on', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await rename(directory, `${directory}.aside`);
    await expect(engine.probe?.()).rejects.toMatchObject(gone);
    await rename(`${directory}.aside`, directory);
    await engine.probe?.();
    await engine.write([put('b', '2')], { sync: true });
    await engine.close();
    const again = await openAt(directory);
    expect(text(await again.get(key('b')))).toBe('2');
  });

  test('found out by a sync before it is by a probe: it fails too', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: false });
    for (const name of await readdir(join(directory, 'level'))) await rm(join(directory, 'level', name));
    await expect(engine.sync()).rejects.toMatchObject(gone);
  });

  test('a probe of a database that grows and compacts finds it every time', async () => {
    const engine = await openAt(fresh(), { writeBufferBytes: 64 * 1024 });
    for (let i = 0; i < 60; i++) {
      await engine.write([put(`k${i}`, seededRandom(i).bytes(20_000))], { sync: false });
      await engine.probe?.();
    }
  });
});

describe('corruption', () => {
  /** Flips a bit of `pattern` in the one file of the directory that contains it. */
  async function flipBit(directory: string, pattern: Uint8Array): Promise<void> {
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const content = await readFile(path);
      const at = content.indexOf(pattern);
      if (at < 0) continue;
      content[at] = (content[at] as number) ^ 1;
      await writeFile(path, content);
      return;
    }
    throw new Error('the pattern is in no file');
  }

  test('a flipped bit in a table: storage-corrupt, where LevelDB itself would answer with it', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    // Noise, so that the block is stored uncompressed and the flipped byte is in the value and in nothing else.
    const noise = Buffer.from(seededRandom(1).bytes(300));
    await engine.write([put('a', 'before'), put('b', noise), put('c', 'after')], { sync: true });
    await engine.close();
    await (await openAt(directory)).close(); // the log becomes a table when it is opened again
    await flipBit(join(directory, 'level'), noise.subarray(100, 120));
    const again = await openAt(directory);
    expect(() => again.get(key('b'))).toThrow(expect.objectContaining({ code: 'storage-corrupt' }));
    await expect(again.getMany([key('b')])).rejects.toMatchObject({ code: 'storage-corrupt' });
    expect(text(await again.get(key('a')))).toBe('before');
    const page = await again.range({ start: key(''), limit: 10 });
    expect(page).toMatchObject({ entries: [{ key: 'a' }], next: 'b' });
    const resumeAt = toHex(Buffer.from('b\0'));
    await expect(again.range({ start: key('b'), limit: 10 })).rejects.toMatchObject({
      code: 'storage-corrupt',
      details: { resumeAt },
    });
    expect((await again.range({ start: key('b\0'), limit: 10 })).entries.map((entry) => entry.key)).toEqual(['c']);
    await again.write([put('b', 'repaired')], { sync: true });
    expect(text(await again.get(key('b')))).toBe('repaired');
  });

  test('a block that cannot be read hides its own keys only: pages go on behind it, and each of its keys is storage-corrupt', async () => {
    const directory = fresh();
    const random = seededRandom(2);
    const engine = await openAt(directory);
    const names = Array.from({ length: 400 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    // Compressible, so that damage breaks the block and not a value: hex of noise.
    await engine.write(
      names.map((name) => put(name, toHex(random.bytes(100)))),
      { sync: true },
    );
    await engine.close();
    await (await openAt(directory)).close();
    const table = (await readdir(join(directory, 'level'))).find((name) => name.endsWith('.ldb')) as string;
    const path = join(directory, 'level', table);
    const content = await readFile(path);
    content.fill(0xff, 20_000, 20_100);
    await writeFile(path, content);
    const again = await openAt(directory);
    const isCorrupt = (name: string): boolean => {
      try {
        void again.get(key(name));
        return false;
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'storage-corrupt' });
        return true;
      }
    };
    const readable = names.filter((name) => !isCorrupt(name));
    expect(readable.length).toBeLessThan(names.length);
    expect(readable.length).toBeGreaterThan(names.length / 2);
    expect(readable).toContain(names.at(-1));
    for (const limit of [7, 150, 1_000]) {
      const found: string[] = [];
      for (let start: BinaryString | undefined = key(''); start !== undefined;) {
        const page = await again.range({ start, limit });
        found.push(...page.entries.map((entry) => entry.key));
        start = page.next;
      }
      // A key at the edge of the damage may be found by walking there and not by searching.
      expect(found).toEqual(names.filter((name) => found.includes(name)));
      expect(readable.filter((name) => !found.includes(name))).toEqual([]);
      expect(found.length).toBeLessThan(names.length);
    }
  });

  test('a table that is missing: the database does not open, with storage-corrupt and what to do', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await engine.close();
    await (await openAt(directory)).close();
    for (const name of await readdir(join(directory, 'level'))) {
      if (name.endsWith('.ldb')) await rm(join(directory, 'level', name));
    }
    await expect(openAt(directory)).rejects.toMatchObject({ code: 'storage-corrupt', remedy: containing('replica') });
  });

  test('a file that cannot be read: the database does not open, and the remedy is for one that does not', async () => {
    const directory = fresh();
    await (await openAt(directory)).close();
    const manifest = (await readdir(join(directory, 'level'))).find((name) => name.startsWith('MANIFEST')) as string;
    await rm(join(directory, 'level', manifest));
    await mkdir(join(directory, 'level', manifest));
    await expect(openAt(directory)).rejects.toMatchObject({ code: 'storage-failed', remedy: containing('could not start') });
  });

  test('a damaged database does not open, and is not repaired silently', async () => {
    const directory = fresh();
    const engine = await openAt(directory);
    await engine.write([put('a', '1')], { sync: true });
    await engine.close();
    // The second has the form of a name, of a file that is not there.
    for (const garbage of ['garbage', 'garbage\n']) {
      await writeFile(join(directory, 'level', 'CURRENT'), garbage);
      await expect(openAt(directory)).rejects.toMatchObject({
        code: 'storage-corrupt',
        remedy: containing('replica'),
      });
      expect(await readFile(join(directory, 'level', 'CURRENT'), 'utf8')).toBe(garbage);
    }
  });
});

test('a write that resolved is with the operating system: a copy of the files taken at that moment has it', async () => {
  const directory = fresh();
  const engine = await openAt(directory);
  for (let i = 0; i < 100; i++) await engine.write([put(`k${i}`, `v${i}`)], { sync: false });
  const copy = fresh();
  await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
  const restored = await openAt(copy);
  for (let i = 0; i < 100; i++) expect(text(await restored.get(key(`k${i}`)))).toBe(`v${i}`);
});

/** A file system of a few megabytes, where this user may mount one. */
function mountSmall(): string | undefined {
  const directory = join(root, 'small');
  try {
    execFileSync('mkdir', ['-p', directory]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'armature-test', directory], { stdio: 'ignore' });
    return directory;
  } catch {
    return undefined;
  }
}

const small = mountSmall();

describe.skipIf(small === undefined)('a full device (skipped where no tmpfs can be mounted)', () => {
  afterAll(async () => {
    for (const engine of opened) await engine.close();
    execFileSync('umount', [small as string]);
  });

  test.each([
    ['while the log grows', 64 * 1024 * 1024],
    ['while tables are written', 256 * 1024],
  ])(
    '%s: writes fail with storage-full, reads go on, writes resume when there is space; nothing acknowledged is lost',
    async (_, writeBufferBytes) => {
      const ballast = join(small as string, 'ballast');
      const directory = join(small as string, 'data');
      await rm(directory, { recursive: true, force: true });
      await writeFile(ballast, new Uint8Array(14_000_000));
      const engine = await openAt(directory, { writeBufferBytes });
      const value = seededRandom(1).bytes(50_000); // does not compress
      const acknowledged: string[] = [];
      const errors = new Set<string>();
      const write = async (name: string): Promise<boolean> => {
        try {
          await engine.write([put(name, value)], { sync: acknowledged.length % 5 === 0 });
          acknowledged.push(name);
          return true;
        } catch (thrown) {
          errors.add((thrown as { code: string }).code);
          return false;
        }
      };
      for (let i = 0; i < 1000 && (await write(`k${i}`)); i++);
      expect(errors).toEqual(new Set(['storage-full']));
      expect(acknowledged.length).toBeGreaterThan(20);
      for (let i = 0; i < 20; i++) {
        expect(await write(`refused${i}`)).toBe(false);
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(await engine.get(key('k3'))).toHaveLength(50_000);
        expect((await engine.range({ start: key('k1'), limit: 3 })).entries).toHaveLength(3);
      }
      expect(errors).toEqual(new Set(['storage-full']));
      await rm(ballast);
      const deadline = Date.now() + 5_000;
      while (!(await write('resumed')) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(acknowledged.at(-1)).toBe('resumed');
      await engine.sync();
      await engine.close();
      const again = await openAt(directory);
      for (const name of acknowledged) expect(await again.get(key(name)), name).toHaveLength(50_000);
    },
  );

  test('the store over it retains what it acknowledged from memory, and stores it when there is space', async () => {
    const ballast = join(small as string, 'ballast');
    await rm(join(small as string, 'data'), { recursive: true });
    const engine = await openAt(join(small as string, 'data'));
    const store = new Store({ engine, clock: systemClock, cacheBytes: 0 });
    await store.write([put('before', 'x')], 'fsync');
    await writeFile(ballast, new Uint8Array(24_000_000)).catch(() => undefined);
    const names = Array.from({ length: 100 }, (_, i) => `m${i}`);
    for (const name of names) await store.write([put(name, new Uint8Array(100_000).fill(3))], 'memory');
    await expect(store.write([put('waited', new Uint8Array(5_000_000))], 'os')).rejects.toMatchObject({ code: 'storage-full' });
    expect(store.health()).toMatchObject({ status: 'failing', error: { code: 'storage-full' } });
    for (const name of names) expect(await store.read(key(name))).toHaveLength(100_000);
    expect(await store.read(key('before'))).toHaveLength(1);
    await rm(ballast);
    const deadline = Date.now() + 10_000;
    while (store.health().status === 'failing' && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
    await store.sync();
    await store.close();
    const again = await openAt(join(small as string, 'data'));
    for (const name of names) expect(await again.get(key(name))).toHaveLength(100_000);
  });
});
