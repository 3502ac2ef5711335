import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { BinaryString } from '@armature/kernel';
import { recordingLog, systemClock } from '@armature/runtime';
import { Store, type Engine, type StorageOperation } from '@armature/storage';
import { engineConformance } from '@armature/storage/conformance';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openRedisEngine, type RedisEngineOptions } from './redis-engine.js';
import { redisMissing, startRedisServer, SYNC_ALWAYS, type RedisServer } from './redis-server.test-support.js';

const key = (text: string): BinaryString => text as BinaryString;
const containing = (part: string): unknown => expect.stringContaining(part);
const put = (at: string, value: string | Uint8Array): StorageOperation => ({
  kind: 'put',
  key: key(at),
  value: Buffer.from(value),
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Tries until `attempt` no longer throws, for at most five seconds. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      if (Date.now() > deadline) throw thrown;
      await pause(20);
    }
  }
}

describe.skipIf(redisMissing !== undefined)(`redis (${redisMissing ?? 'a server of its own'})`, () => {
  let server: RedisServer;
  const opened = new Set<Engine>();
  const servers = new Set<RedisServer>();
  let prefixes = 0;
  const fresh = (): string => `p${prefixes++}`;

  async function openAt(prefix: string, options: Partial<RedisEngineOptions> = {}): Promise<Engine> {
    const engine = await openRedisEngine({ url: server.url, prefix, identity: { cluster: 'test', node: 'n1' }, ...options });
    opened.add(engine);
    return engine;
  }

  async function ownServer(args: readonly string[]): Promise<RedisServer> {
    const own = await startRedisServer(args);
    servers.add(own);
    return own;
  }

  /** A client of the test's own. */
  async function admin<T>(work: (redis: Redis) => Promise<T>, at: RedisServer = server): Promise<T> {
    const redis = new Redis(at.url);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  beforeAll(async () => {
    server = await startRedisServer();
  });

  afterEach(async () => {
    for (const engine of opened) await engine.close();
    opened.clear();
    for (const own of servers) await own.dispose();
    servers.clear();
  });

  afterAll(() => server.dispose());

  engineConformance('redis', async () => {
    const prefix = fresh();
    let engine = await openAt(prefix);
    return {
      engine,
      async reopen() {
        await engine.close();
        engine = await openAt(prefix);
        return engine;
      },
      dispose: () => engine.close(),
    };
  });

  test('write: thousands of operations, puts and deletes, in one atomic batch', async () => {
    const engine = await openAt(fresh());
    const names = Array.from({ length: 9_000 }, (_, i) => `k${String(i).padStart(5, '0')}`);
    await engine.write(
      names.map((name) => put(name, name)),
      { sync: true },
    );
    await engine.write(
      names.map((name, i): StorageOperation => (i % 2 === 0 ? { kind: 'delete', key: key(name) } : put(name, 'x'))),
      { sync: true },
    );
    const values = await engine.getMany(names.map(key));
    expect(values.map((value) => value?.length)).toEqual(names.map((_, i) => (i % 2 === 0 ? undefined : 1)));
    let count = 0;
    for (let next: BinaryString | undefined = key(''); next !== undefined;) {
      const page: Awaited<ReturnType<Engine['range']>> = await engine.range({ start: next, limit: 100_000 });
      count += page.entries.length;
      next = page.next;
    }
    expect(count).toBe(4_500);
  });

  describe('whose data it is', () => {
    test('of another node or cluster: storage-foreign', async () => {
      const prefix = fresh();
      await (await openAt(prefix)).close();
      for (const identity of [
        { cluster: 'test', node: 'n2' },
        { cluster: 'other', node: 'n1' },
      ]) {
        await expect(openAt(prefix, { identity })).rejects.toMatchObject({ code: 'storage-foreign' });
      }
      await openAt(prefix);
    });

    test('values without a stamp, or keys of another type: storage-foreign', async () => {
      const prefix = fresh();
      await admin((redis) => redis.hset(`{${prefix}}:values`, 'a', '1'));
      await expect(openAt(prefix)).rejects.toMatchObject({ code: 'storage-foreign' });
      const other = fresh();
      await admin((redis) => redis.lpush(`{${other}}:stamp`, 'a'));
      await expect(openAt(other)).rejects.toMatchObject({ code: 'storage-foreign' });
    });

    test.each(['', 'a{b}', 'with space', 'x'.repeat(201)])('prefix %j: invalid-config', async (prefix) => {
      await expect(openAt(prefix)).rejects.toMatchObject({ code: 'invalid-config' });
    });
  });

  describe('the lease', () => {
    test('a prefix that is open is locked, by a lease that is renewed, until it is closed', async () => {
      const prefix = fresh();
      const engine = await openAt(prefix, { leaseMs: 300 });
      const locked = { code: 'storage-locked', message: containing(`process ${process.pid}`) };
      await expect(openAt(prefix)).rejects.toMatchObject(locked);
      await pause(700);
      await expect(openAt(prefix)).rejects.toMatchObject(locked);
      await engine.close();
      await openAt(prefix);
    });

    test('the prefix of a process that died is free when its lease has ended', async () => {
      const prefix = fresh();
      await admin((redis) => redis.set(`{${prefix}}:lease`, 'elsewhere:1:x', 'PX', 150));
      await expect(openAt(prefix)).rejects.toMatchObject({
        code: 'storage-locked',
        message: containing('elsewhere'),
      });
      await pause(200);
      await openAt(prefix);
    });

    test('a process whose prefix was taken over can neither write nor, soon, read any more', async () => {
      const prefix = fresh();
      const { log, entries } = recordingLog();
      const paused = await openAt(prefix, { leaseMs: 60_000, log });
      await paused.write([put('a', 'old')], { sync: true });
      await admin((redis) => redis.del(`{${prefix}}:lease`)); // as if it had run out
      const successor = await openAt(prefix);
      await expect(paused.write([put('a', 'late')], { sync: true })).rejects.toMatchObject({ code: 'storage-locked' });
      await expect(paused.get(key('a'))).rejects.toMatchObject({ code: 'storage-locked' });
      expect(entries.map((entry) => entry.level)).toEqual(['error']);
      await paused.close();
      expect(await successor.get(key('a'))).toEqual(Buffer.from('old'));
      await expect(openAt(prefix)).rejects.toMatchObject({ code: 'storage-locked' }); // closing it did not free the successor's lease
    });

    test('a lease that ran out and that nobody took is taken up again', async () => {
      const prefix = fresh();
      const engine = await openAt(prefix, { leaseMs: 300 });
      await admin((redis) => redis.del(`{${prefix}}:lease`));
      await eventually(async () => expect(await admin((redis) => redis.exists(`{${prefix}}:lease`))).toBe(1));
      await engine.write([put('a', '1')], { sync: true });
    });
  });

  describe('durability', () => {
    test.each([
      ['each second', ['--appendonly', 'yes', '--appendfsync', 'everysec']],
      ['never', ['--appendonly', 'no']],
    ])('a server that syncs %s: synced writes are refused, others taken, unless its durability is accepted', async (_, args) => {
      const own = await ownServer(args);
      const engine = await openAt('p', { url: own.url, leaseMs: 300 });
      const refused = { code: 'storage-failed', remedy: containing('appendfsync always') };
      await expect(engine.write([put('a', '1')], { sync: true })).rejects.toMatchObject(refused);
      await expect(engine.sync()).rejects.toMatchObject(refused);
      await engine.write([put('a', '2')], { sync: false });
      expect(await engine.get(key('a'))).toEqual(Buffer.from('2'));
      await engine.close();
      const accepting = await openAt('p', { url: own.url, unsyncedServer: 'accept' });
      await accepting.write([put('a', '3')], { sync: true });
      await accepting.sync();
    });

    test('a server that skips syncs while it rewrites its log: refused, also when it is told to while it runs', async () => {
      const own = await ownServer([...SYNC_ALWAYS, '--no-appendfsync-on-rewrite', 'yes']);
      const refused = { code: 'storage-failed', remedy: containing('no-appendfsync-on-rewrite no') };
      const { log, entries } = recordingLog();
      const engine = await openAt('p', { url: own.url, leaseMs: 300, log });
      const write = (): Promise<void> => engine.write([put('a', '1')], { sync: true });
      await expect(write()).rejects.toMatchObject(refused);
      await admin((redis) => redis.config('SET', 'no-appendfsync-on-rewrite', 'no'), own);
      await eventually(write);
      await admin((redis) => redis.config('SET', 'no-appendfsync-on-rewrite', 'yes'), own);
      await eventually(() => expect(write()).rejects.toMatchObject(refused));
      expect(entries.map(({ level }) => level)).toEqual(['warn', 'info', 'warn']);
    });

    test('a server that evicts data is refused', async () => {
      const own = await ownServer(['--maxmemory-policy', 'allkeys-lru']);
      await expect(openAt('p', { url: own.url })).rejects.toMatchObject({
        code: 'storage-failed',
        remedy: containing('noeviction'),
      });
    });

    test('a full memory: storage-full, nothing of the batch is written, reads go on, writes resume', async () => {
      const own = await ownServer([]);
      const engine = await openAt('p', { url: own.url, unsyncedServer: 'accept' });
      await engine.write([put('a', '1'), put('gone', '1')], { sync: true });
      await admin((redis) => redis.config('SET', 'maxmemory', '1mb'), own);
      const batch: StorageOperation[] = [{ kind: 'delete', key: key('gone') }, put('a', '2'), put('b', new Uint8Array(100_000))];
      await expect(engine.write(batch, { sync: true })).rejects.toMatchObject({ code: 'storage-full' });
      expect(await engine.getMany(['a', 'b', 'gone'].map(key))).toEqual([Buffer.from('1'), undefined, Buffer.from('1')]);
      await engine.write([{ kind: 'delete', key: key('gone') }], { sync: true });
      await admin((redis) => redis.config('SET', 'maxmemory', '0'), own);
      await engine.write(batch, { sync: true });
      expect((await engine.get(key('b')))?.length).toBe(100_000);
    });
  });

  describe('a server that goes away', () => {
    test('and comes back with everything: commands fail at once meanwhile, and then work again', async () => {
      const own = await ownServer(['--appendonly', 'yes', '--appendfsync', 'always']);
      const engine = await openAt('p', { url: own.url, leaseMs: 300 });
      await engine.write([put('a', '1')], { sync: true });
      await own.kill();
      await eventually(() => expect(engine.get(key('a'))).rejects.toMatchObject({ code: 'storage-failed' }));
      const startedMs = Date.now();
      await expect(engine.write([put('a', '2')], { sync: true })).rejects.toMatchObject({ code: 'storage-failed' });
      expect(Date.now() - startedMs).toBeLessThan(1_000);
      await own.start();
      expect(await eventually(async () => engine.get(key('a')))).toEqual(Buffer.from('1'));
      await engine.write([put('a', '3')], { sync: true });
    });

    test('the store over it keeps what it acknowledged from memory, and stores it afterwards', async () => {
      const own = await ownServer(['--appendonly', 'yes', '--appendfsync', 'always']);
      const engine = await openAt('p', { url: own.url, leaseMs: 300 });
      const store = new Store({ engine, clock: systemClock });
      await store.write([put('a', '1')], 'fsync');
      await own.kill();
      await store.write([put('a', '2')], 'memory');
      await expect(store.write([put('b', '1')], 'os')).rejects.toMatchObject({ code: 'storage-failed' });
      expect(await store.read(key('a'))).toEqual(Buffer.from('2'));
      await own.start();
      await eventually(() => store.sync());
      expect(await engine.get(key('a'))).toEqual(Buffer.from('2'));
      await store.close();
    });

    describe('and comes back in an older state', () => {
      const behind = { code: 'storage-corrupt', message: containing('lacks writes that it has acknowledged') };

      /** Writes, keeps a copy of the server's log, goes on, and has the server start again from the copy. */
      async function goBack(own: RedisServer, engine: Engine, goOn: () => Promise<unknown>): Promise<void> {
        const kept = join(own.directory, 'kept');
        await engine.write([put('a', '1')], { sync: false });
        await own.kill();
        cpSync(join(own.directory, 'appendonlydir'), kept, { recursive: true });
        await own.start();
        await goOn();
        await own.kill();
        rmSync(join(own.directory, 'appendonlydir'), { recursive: true });
        cpSync(kept, join(own.directory, 'appendonlydir'), { recursive: true });
        await own.start();
      }

      test('lost to this process, whoever started it is told once, and the next opening reports it until it is recorded', async () => {
        const own = await ownServer(SYNC_ALWAYS);
        const lost: string[] = [];
        const engine = await openAt('p', { url: own.url, leaseMs: 300, onLost: ({ code }) => lost.push(code) });
        await goBack(own, engine, () => eventually(() => engine.write([put('b', '1')], { sync: true })));
        await eventually(() => expect(engine.get(key('a'))).rejects.toMatchObject(behind));
        await expect(engine.write([put('a', '2')], { sync: true })).rejects.toMatchObject(behind);
        expect(lost).toEqual(['storage-corrupt']);
        await engine.close();
        await (await reopened(own)).close();
        const again = await reopened(own);
        expect(again.loss?.reason).toMatch(/acknowledged batch 2 of opening 1, and batch 1 of opening 1 is the last one here/);
        expect(await again.get(key('a'))).toEqual(Buffer.from('1'));
        await again.loss?.recorded();
        await again.write([put('b', '2')], { sync: true });
        await again.close();
        expect((await reopened(own)).loss).toBeUndefined();
      });

      test('from before it was opened last: the same', async () => {
        const own = await ownServer(SYNC_ALWAYS);
        const first = await openAt('p', { url: own.url, leaseMs: 300 });
        let engine = first;
        await goBack(own, first, async () => {
          await eventually(async () => first.get(key('a')));
          await first.close();
          engine = await openAt('p', { url: own.url, leaseMs: 300 });
        });
        await eventually(() => expect(engine.get(key('a'))).rejects.toMatchObject(behind));
        await engine.close();
        expect((await reopened(own)).loss?.reason).toContain('of opening 2, and batch 1 of opening 1');
      });

      test('while nobody writes: noticed as soon as the connection is back', async () => {
        const own = await ownServer(SYNC_ALWAYS);
        const lost: string[] = [];
        const engine = await openAt('p', { url: own.url, leaseMs: 60_000, onLost: ({ code }) => lost.push(code) });
        await goBack(own, engine, () => eventually(() => engine.write([put('b', '1')], { sync: true })));
        await eventually(async () => expect(lost).toEqual(['storage-corrupt']));
      });

      test('of a server that does not sync each write: lost to this process, and no loss for the next', async () => {
        const own = await ownServer(['--appendonly', 'yes', '--appendfsync', 'everysec']);
        const engine = await openAt('p', { url: own.url, leaseMs: 300, unsyncedServer: 'accept' });
        await pause(1_200); // so that the opening itself is in the log
        await goBack(own, engine, () => eventually(() => engine.write([put('b', '1')], { sync: true })));
        await eventually(() => expect(engine.get(key('a'))).rejects.toMatchObject({ code: 'storage-corrupt' }));
        await engine.close();
        expect((await reopened(own)).loss).toBeUndefined();
      });

      /** By another process, once the lease of the one before has ended. */
      function reopened(own: RedisServer): Promise<Engine> {
        return eventually(() => openAt('p', { url: own.url, leaseMs: 300, unsyncedServer: 'accept' }));
      }
    });

    test('and comes back empty: storage-corrupt', async () => {
      const own = await ownServer(['--appendonly', 'no']);
      const engine = await openAt('p', { url: own.url, leaseMs: 300 });
      await own.kill();
      await own.start();
      await eventually(() => expect(engine.get(key('a'))).rejects.toMatchObject({ code: 'storage-corrupt' }));
    });

    test('a flush underneath: storage-corrupt at the next write', async () => {
      const own = await ownServer([]);
      const engine = await openAt('p', { url: own.url, leaseMs: 300 });
      await engine.write([put('a', '1')], { sync: false });
      await admin((redis) => redis.flushall(), own);
      await expect(engine.write([put('a', '2')], { sync: false })).rejects.toMatchObject({ code: 'storage-corrupt' });
      await expect(engine.get(key('a'))).rejects.toMatchObject({ code: 'storage-corrupt' });
    });

    test('not there at all: opening says so at once, without the credentials of the URL', async () => {
      const own = await ownServer([]);
      await own.kill();
      const url = own.url.replace('redis://', 'redis://user:secret@');
      const startedMs = Date.now();
      const failure = await openAt('p', { url }).catch((error: unknown) => error as Error);
      expect(failure).toMatchObject({ code: 'storage-failed', message: containing(`127.0.0.1:${own.port}`) });
      expect(inspect(failure, { depth: 10 })).not.toContain('secret');
      expect(Date.now() - startedMs).toBeLessThan(2_000);
    });

    test('that wants a password: storage-failed with what to correct', async () => {
      const own = await ownServer(['--requirepass', 'right']);
      for (const url of [own.url, own.url.replace('redis://', 'redis://:wrong@')]) {
        await expect(openAt('p', { url })).rejects.toMatchObject({
          code: 'storage-failed',
          remedy: containing('password'),
        });
      }
      const failure = await openAt('p', { url: own.url.replace('redis://', 'redis://:wrong@') }).catch((error: unknown) => error);
      expect(inspect(failure, { depth: 10 })).not.toContain('wrong');
      await openAt('p', { url: own.url.replace('redis://', 'redis://:right@') });
    });
  });
});
