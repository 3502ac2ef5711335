/**
 * The conformance suite of the engine port: what the store and the replica rely on, as tests that each adapter runs over
 * its own engine. It ships with the port, so that an adapter written elsewhere can be held to the same promises.
 *
 *   engineConformance('mine', async () => ({ engine, reopen, dispose }));
 */
import { seededRandom, type BinaryString } from '@armature/kernel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyAfter, type Engine, type StorageEntry, type StorageOperation } from './engine.js';

export interface EngineFixture {
  /** Open and empty. */
  readonly engine: Engine;
  /** Closes the engine that is open and opens one over the same stored bytes. */
  reopen(): Promise<Engine>;
  /** Closes whatever is open and removes what was stored. */
  dispose(): Promise<void>;
}

const key = (text: string): BinaryString => text as BinaryString;
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const put = (at: string, value: string | Uint8Array): StorageOperation => ({
  kind: 'put',
  key: key(at),
  value: typeof value === 'string' ? bytes(value) : value,
});
const del = (at: string): StorageOperation => ({ kind: 'delete', key: key(at) });
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('latin1');

const SYNC = { sync: true };
const NO_SYNC = { sync: false };

/** All of a range, page by page. The bound on pages catches an engine whose `next` does not move on. */
async function all(engine: Engine, limit: number, start = '', end?: string, limitBytes?: number): Promise<StorageEntry[]> {
  const entries: StorageEntry[] = [];
  let next: BinaryString | undefined = key(start);
  for (let pages = 0; next !== undefined; pages++) {
    expect(pages).toBeLessThan(1000);
    const page = await engine.range({ start: next, end: end === undefined ? undefined : key(end), limit, limitBytes });
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    entries.push(...page.entries);
    next = page.next;
  }
  return entries;
}

export function engineConformance(name: string, open: () => Promise<EngineFixture>): void {
  describe(`${name}: engine conformance`, () => {
    let fixture: EngineFixture;
    let engine: Engine;

    beforeEach(async () => {
      fixture = await open();
      engine = fixture.engine;
    });

    afterEach(async () => {
      await fixture.dispose();
    });

    describe('reads and writes', () => {
      test('get: a key never written is absent, one that was has its value, a deleted one is absent again', async () => {
        expect(await engine.get(key('k'))).toBeUndefined();
        await engine.write([put('k', 'v')], NO_SYNC);
        expect(text(await engine.get(key('k')))).toBe('v');
        await engine.write([del('k')], SYNC);
        expect(await engine.get(key('k'))).toBeUndefined();
      });

      test('write: a later value replaces an earlier one, also by a shorter', async () => {
        await engine.write([put('k', 'a longer value')], NO_SYNC);
        await engine.write([put('k', 'short')], NO_SYNC);
        expect(text(await engine.get(key('k')))).toBe('short');
      });

      test('write: deleting an absent key is no error', async () => {
        await engine.write([del('absent')], NO_SYNC);
        expect(await engine.get(key('absent'))).toBeUndefined();
      });

      test('write: an empty batch is no error, synced or not', async () => {
        await engine.write([], NO_SYNC);
        await engine.write([], SYNC);
        expect(await all(engine, 10)).toEqual([]);
      });

      test('write: of two operations on one key in a batch the later wins', async () => {
        await engine.write([put('a', '1'), put('a', '2'), put('b', '1'), del('b'), del('c'), put('c', '1')], NO_SYNC);
        expect(text(await engine.get(key('a')))).toBe('2');
        expect(await engine.get(key('b'))).toBeUndefined();
        expect(text(await engine.get(key('c')))).toBe('1');
        expect((await all(engine, 10)).map((entry) => entry.key)).toEqual(['a', 'c']);
      });

      test('write: a batch becomes visible as a whole', async () => {
        const size = 200;
        const batch = (value: string): StorageOperation[] => Array.from({ length: size }, (_, i) => put(`k${i}`, value));
        const keys = Array.from({ length: size }, (_, i) => key(`k${i}`));
        await engine.write(batch('old'), NO_SYNC);
        const writing = engine.write(batch('new'), SYNC);
        for (let round = 0; round < 5; round++) {
          const seen = new Set((await engine.getMany(keys)).map(text));
          expect(seen.size).toBe(1);
          const entries = (await engine.range({ start: key(''), limit: size })).entries;
          if (entries.length === size) expect(new Set(entries.map((entry) => text(entry.value))).size).toBe(1);
        }
        await writing;
        expect(new Set((await engine.getMany(keys)).map(text))).toEqual(new Set(['new']));
      });

      test('write: the batch array belongs to the caller again afterwards', async () => {
        const batch = [put('a', '1'), put('b', '2')];
        await engine.write(batch, NO_SYNC);
        batch.splice(0, 2, put('c', '3'));
        expect((await all(engine, 10)).map((entry) => entry.key)).toEqual(['a', 'b']);
      });

      test('getMany: values come in the order of the keys, absent and repeated ones included', async () => {
        await engine.write([put('a', '1'), put('b', '2'), put('c', '3')], NO_SYNC);
        const values = await engine.getMany(['c', 'nope', 'a', 'c', 'b'].map(key));
        expect(values.map(text)).toEqual(['3', undefined, '1', '3', '2']);
        expect(await engine.getMany([])).toEqual([]);
      });

      test('write: writes under way at the same time all take effect', async () => {
        await Promise.all(Array.from({ length: 64 }, (_, i) => engine.write([put(`k${i}`, `v${i}`)], { sync: i % 8 === 0 })));
        const values = await engine.getMany(Array.from({ length: 64 }, (_, i) => key(`k${i}`)));
        expect(values.map(text)).toEqual(Array.from({ length: 64 }, (_, i) => `v${i}`));
      });
    });

    describe('bytes', () => {
      test('keys: every byte value is kept and ordered as memcmp orders, a prefix before what it begins', async () => {
        const keys = ['', ...Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))];
        keys.push('\0\0', '\0a', '\x7f\x80', '\x80\x7f', '\xc3\xa9', '\xff\xff', 'a\0', 'a\0b', 'ab');
        const present = keys.filter((k) => k !== '');
        await engine.write(
          present.map((k) => put(k, `v${k}`)),
          NO_SYNC,
        );
        const sorted = present.toSorted((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')));
        expect((await all(engine, 7)).map((entry) => entry.key)).toEqual(sorted);
        for (const k of present) expect(text(await engine.get(key(k)))).toBe(`v${k}`);
      });

      test('keys: lengths around powers of two, high bytes at the end, each find their own value', async () => {
        // An adapter that encodes into a reused buffer may cut off a key whose last byte takes two in its encoding.
        for (const length of [1, 60, 61, 62, 63, 64, 65, 66, 67, 68, 127, 128, 129, 255, 256, 257, 1023, 1024]) {
          const own = `${'a'.repeat(length - 1)}\xff`;
          await engine.write([put(own, `v${length}`)], NO_SYNC);
          expect(text(await engine.get(key(own)))).toBe(`v${length}`);
          expect(await engine.get(key(`${own}\xff`))).toBeUndefined();
        }
      });

      test('keys: 64 KiB', async () => {
        const long = '\xfe'.repeat(65_536);
        await engine.write([put(long, 'v'), put(`${long}a`, 'w')], SYNC);
        expect(text(await engine.get(key(long)))).toBe('v');
        expect((await all(engine, 1)).map((entry) => entry.key.length)).toEqual([65_536, 65_537]);
      });

      test('values: empty is a value, not absence', async () => {
        await engine.write([put('empty', '')], NO_SYNC);
        const value = await engine.get(key('empty'));
        expect(value).toBeInstanceOf(Uint8Array);
        expect(value).toHaveLength(0);
        expect((await engine.getMany([key('empty')])).map((v) => v?.length)).toEqual([0]);
        expect((await all(engine, 10)).map((entry) => entry.value.length)).toEqual([0]);
      });

      test('values: every byte value is kept', async () => {
        const value = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
        await engine.write([put('k', value)], SYNC);
        expect(Buffer.compare((await engine.get(key('k'))) as Uint8Array, value)).toBe(0);
        expect(Buffer.compare((await all(engine, 1))[0]?.value as Uint8Array, value)).toBe(0);
      });

      test('values: a view into a larger buffer stores its own bytes only', async () => {
        await engine.write([put('k', bytes('..value..').subarray(2, 7))], NO_SYNC);
        expect(text(await engine.get(key('k')))).toBe('value');
      });

      test('values: 1 MiB', async () => {
        const value = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 31 + (i >>> 8)) & 0xff);
        await engine.write([put('k', value)], SYNC);
        expect(Buffer.compare((await engine.get(key('k'))) as Uint8Array, value)).toBe(0);
        expect(Buffer.compare((await engine.getMany([key('k')]))[0] as Uint8Array, value)).toBe(0);
      });
    });

    describe('ranges', () => {
      const names = Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, '0')}`);

      beforeEach(async () => {
        await engine.write(
          names.map((n) => put(n, `v${n}`)),
          NO_SYNC,
        );
      });

      test.each([1, 2, 7, 24, 25, 26, 100])('range: pages of %d join to the whole, in order, nothing twice', async (limit) => {
        const entries = await all(engine, limit);
        expect(entries.map((entry) => entry.key)).toEqual(names);
        expect(entries.map((entry) => text(entry.value))).toEqual(names.map((n) => `v${n}`));
      });

      test('range: start is inclusive, end exclusive', async () => {
        expect((await all(engine, 100, 'k05', 'k08')).map((entry) => entry.key)).toEqual(['k05', 'k06', 'k07']);
        expect((await all(engine, 100, keyAfter(key('k05')), 'k08')).map((entry) => entry.key)).toEqual(['k06', 'k07']);
        expect((await all(engine, 100, 'k05', keyAfter(key('k05')))).map((entry) => entry.key)).toEqual(['k05']);
        expect((await all(engine, 2, 'k23')).map((entry) => entry.key)).toEqual(['k23', 'k24']);
      });

      test('range: an empty one is empty, whichever way it is empty', async () => {
        for (const [start, end] of [
          ['k05', 'k05'],
          ['k08', 'k05'],
          ['k24a', 'z'],
          ['', ''],
          ['z', undefined],
        ] as const) {
          expect(await all(engine, 10, start, end)).toEqual([]);
        }
      });

      test('range: the byte limit ends a page early, but never before its first entry', async () => {
        const page = await engine.range({ start: key(''), limit: 100, limitBytes: 30 });
        expect(page.entries.length).toBeGreaterThanOrEqual(1);
        expect(page.entries.length).toBeLessThan(25);
        expect(page.next).toBeDefined();
        expect((await all(engine, 100, '', undefined, 1)).map((entry) => entry.key)).toEqual(names);
        expect((await all(engine, 100, '', undefined, 30)).map((entry) => entry.key)).toEqual(names);
      });

      test('range: resuming after writes sees keys ahead that came, and not those that went', async () => {
        const page = await engine.range({ start: key(''), limit: 10 });
        await engine.write([put('k00a', 'behind'), put('k15a', 'ahead'), del('k16')], NO_SYNC);
        const rest = (await all(engine, 10, page.next)).map((entry) => entry.key);
        const expected = [...names.filter((n) => n !== 'k16'), 'k15a'].sort();
        expect([...page.entries.map((entry) => entry.key), ...rest]).toEqual(expected);
      });

      test('range: large values page by bytes', async () => {
        const big = new Uint8Array(300_000).fill(7);
        await engine.write(
          ['x1', 'x2', 'x3', 'x4', 'x5'].map((k) => put(k, big)),
          NO_SYNC,
        );
        const page = await engine.range({ start: key('x'), limit: 100, limitBytes: 500_000 });
        expect(page.entries.length).toBe(2);
        expect((await all(engine, 100, 'x', undefined, 500_000)).map((entry) => entry.value.length)).toEqual(
          Array(5).fill(300_000),
        );
      });
    });

    describe('life', () => {
      test('reopen: what was written is there after sync() and close', async () => {
        await engine.write([put('a', '1'), put('b', '2'), put('c', '3')], NO_SYNC);
        await engine.write([del('b')], NO_SYNC);
        await engine.sync();
        engine = await fixture.reopen();
        expect((await all(engine, 10)).map((entry) => [entry.key, text(entry.value)])).toEqual([
          ['a', '1'],
          ['c', '3'],
        ]);
        await engine.write([put('d', '4')], SYNC);
        engine = await fixture.reopen();
        expect(text(await engine.get(key('d')))).toBe('4');
      });

      test('close: every later call fails with `closed`, closing again does not', async () => {
        await engine.write([put('k', 'v')], NO_SYNC);
        await engine.close();
        await engine.close();
        const calls: (() => unknown)[] = [
          () => engine.get(key('k')),
          () => engine.getMany([key('k')]),
          () => engine.write([put('k', 'v')], NO_SYNC),
          () => engine.range({ start: key(''), limit: 1 }),
          () => engine.sync(),
          () => engine.sizeBytes(),
        ];
        // In an async function, so that an engine may throw as well as reject.
        for (const call of calls) await expect((async () => await call())()).rejects.toMatchObject({ code: 'closed' });
      });

      test('sizeBytes: grows with what is stored', async () => {
        const before = await engine.sizeBytes();
        const noise = seededRandom(1).bytes(200_000);
        await engine.write([put('k', noise)], SYNC);
        expect((await engine.sizeBytes()) - before).toBeGreaterThan(100_000);
      });
    });
  });
}
