import { ArmatureError, type BinaryString } from '@armature/kernel';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import type { CommitFailure } from './commit-queue.js';
import type { Engine, StorageOperation } from './engine.js';
import { faultyEngine, type EngineCall, type Fault, type FaultPlan } from './faulty-engine.js';
import { MemoryDisk } from './memory-engine.js';
import { Store, type StoreOptions } from './store.js';

const key = (text: string): BinaryString => text as BinaryString;
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const put = (at: string, value: string): StorageOperation => ({ kind: 'put', key: key(at), value: bytes(value) });
const del = (at: string): StorageOperation => ({ kind: 'delete', key: key(at) });
const FULL: Fault = { code: 'storage-full', applied: false };

interface Rig {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly disk: MemoryDisk;
  readonly engine: Engine;
  /** Calls of the engine, oldest first. */
  readonly calls: EngineCall[];
  readonly writes: () => { keys: string[]; sync: boolean }[];
  /** Replaces the plan of faults. */
  fault(plan: FaultPlan): void;
  read(at: string): string | undefined;
}

function rig(options: Partial<StoreOptions> = {}): Rig {
  const clock = new ManualClock();
  const disk = new MemoryDisk();
  const calls: EngineCall[] = [];
  let plan: FaultPlan = () => undefined;
  const engine = faultyEngine(disk.open(), (call) => {
    calls.push(call);
    return plan(call);
  });
  const store = new Store({ engine, clock, ...options });
  return {
    store,
    clock,
    disk,
    engine,
    calls,
    writes: () =>
      calls.flatMap((call) =>
        call.kind === 'write' ? [{ keys: call.batch.map((operation) => operation.key), sync: call.sync }] : [],
      ),
    fault: (next) => (plan = next),
    read(at) {
      const value = store.read(key(at));
      if (value instanceof Promise) throw new Error('expected a plain value');
      return value === undefined ? undefined : Buffer.from(value).toString('latin1');
    },
  };
}

/** Whether a promise has settled, and how, without waiting for it. */
function watch(promise: Promise<void>): { state: string } {
  const watched = { state: 'pending' };
  promise.then(
    () => (watched.state = 'ok'),
    (error: unknown) => (watched.state = (error as ArmatureError).code),
  );
  return watched;
}

/** Each write takes 10 ms. */
const slow =
  (clock: ManualClock, fault?: Fault): FaultPlan =>
  (call) =>
    call.kind === 'write' ? sleep(clock, 10).then(() => fault) : undefined;

describe('group commit', () => {
  test('writes of one turn are one commit, started without a delay', async () => {
    const r = rig();
    const a = watch(r.store.write([put('a', '1')], 'os'));
    const b = watch(r.store.write([put('b', '1'), put('c', '1')], 'os'));
    await r.clock.advance(0);
    expect(r.writes()).toEqual([{ keys: ['a', 'b', 'c'], sync: false }]);
    expect([a.state, b.state]).toEqual(['ok', 'ok']);
  });

  test('one commit is in flight at a time; what gathers meanwhile is the next', async () => {
    const r = rig();
    r.fault(slow(r.clock));
    const first = watch(r.store.write([put('a', '1')], 'os'));
    await r.clock.advance(5);
    const rest = ['b', 'c', 'd'].map((k) => watch(r.store.write([put(k, '1')], 'os')));
    await r.clock.advance(4);
    expect(r.writes()).toHaveLength(1);
    expect(first.state).toBe('pending');
    await r.clock.advance(1);
    expect(first.state).toBe('ok');
    await r.clock.advance(10);
    expect(r.writes().map((write) => write.keys)).toEqual([['a'], ['b', 'c', 'd']]);
    expect(rest.map((w) => w.state)).toEqual(['ok', 'ok', 'ok']);
  });

  test('a batch is synced when any write in it asks for it, and not otherwise', async () => {
    const r = rig();
    void r.store.write([put('a', '1')], 'os');
    void r.store.write([put('b', '1')], 'fsync');
    await r.clock.advance(0);
    void r.store.write([put('c', '1')], 'os');
    await r.clock.advance(0);
    expect(r.writes().map((write) => write.sync)).toEqual([true, false]);
  });

  test('memory: acknowledged at once, stored after the write-behind delay, not synced', async () => {
    const r = rig({ writeBehindMs: 20 });
    const written = watch(r.store.write([put('a', '1')], 'memory'));
    await Promise.resolve();
    expect(written.state).toBe('ok');
    await r.clock.advance(19);
    expect(r.writes()).toEqual([]);
    await r.clock.advance(1);
    expect(r.writes()).toEqual([{ keys: ['a'], sync: false }]);
  });

  test('a write is never split over two commits, and commits are bounded', async () => {
    const r = rig();
    const group = (name: string): StorageOperation[] => Array.from({ length: 400 }, (_, i) => put(`${name}${i}`, ''));
    for (const name of ['a', 'b', 'c', 'd', 'e']) void r.store.write(group(name), 'os');
    await r.clock.advance(0);
    expect(r.writes().map((write) => [write.keys.length, write.keys[0]?.[0]])).toEqual([
      [800, 'a'],
      [800, 'c'],
      [400, 'e'],
    ]);
  });

  test('a write of nothing is done', async () => {
    const r = rig();
    await r.store.write([], 'fsync');
    expect(r.clock.pending).toBe(0);
  });
});

describe('reads', () => {
  test('a write is visible at once, whatever its durability, and never asks the engine', async () => {
    for (const durability of ['fsync', 'os', 'memory', 'buffered'] as const) {
      const r = rig({ bufferFlushMs: 40 });
      void r.store.write([put('a', '1')], durability);
      expect(r.read('a')).toBe('1');
      void r.store.write([del('a')], durability);
      expect(r.read('a')).toBeUndefined();
      expect(r.calls).toEqual([]);
      await r.clock.advance(50);
      expect(r.read('a')).toBeUndefined();
    }
  });

  test('a stored record is answered from the cache, an evicted one by the engine', async () => {
    const r = rig({ cacheBytes: 2000 });
    void r.store.write([put('a', '1')], 'os');
    await r.clock.advance(0);
    expect(r.read('a')).toBe('1');
    expect(r.calls.filter((call) => call.kind === 'get')).toHaveLength(0);
    void r.store.write(
      Array.from({ length: 20 }, (_, i) => put(`k${i}`, 'x'.repeat(50))),
      'os',
    );
    await r.clock.advance(0);
    expect(r.read('a')).toBe('1');
    expect(r.calls.filter((call) => call.kind === 'get')).toHaveLength(1);
    expect(r.read('a')).toBe('1');
    expect(r.calls.filter((call) => call.kind === 'get')).toHaveLength(1);
  });

  test('readMany: overlay, cache and engine together, in the order of the keys', async () => {
    const r = rig({ cacheBytes: 0 });
    void r.store.write([put('a', 'old'), put('b', 'b'), put('gone', '1')], 'os');
    await r.clock.advance(0);
    void r.store.write([put('a', 'new'), del('gone')], 'os');
    const values = await r.store.readMany(['b', 'gone', 'a', 'none', 'b'].map(key));
    expect(values.map((value) => value && Buffer.from(value).toString())).toEqual(['b', undefined, 'new', undefined, 'b']);
  });

  test('an engine that answers later: concurrent reads share one question', async () => {
    const r = rig();
    r.fault((call) => (call.kind === 'get' ? sleep(r.clock, 10).then(() => undefined) : undefined));
    const reads = [r.store.read(key('a')), r.store.read(key('a'))];
    await r.clock.advance(20);
    for (const read of reads) expect(await read).toBeUndefined();
    expect(r.calls).toHaveLength(1);
  });

  test('an engine that answers later: a read overtaken by a commit leaves nothing in the cache', async () => {
    const r = rig();
    void r.store.write([put('a', 'old')], 'os');
    await r.clock.advance(0);
    // The answer is taken now and arrives 10 ms later.
    const late: Engine = {
      ...r.engine,
      get: (k) => Promise.resolve(r.engine.get(k)).then((v) => sleep(r.clock, 10).then(() => v)),
    };
    const store = new Store({ engine: late, clock: r.clock });
    const reading = store.read(key('a'));
    await r.clock.advance(5);
    void store.write([put('a', 'new')], 'os');
    await r.clock.advance(0);
    void store.write([del('b')], 'os');
    await r.clock.advance(50);
    expect(await reading).toEqual(bytes('old'));
    expect(store.read(key('a'))).toEqual(bytes('new'));
  });

  test('of what the engine is asked, the watch is told when it began, once it has ended, well or not; of the rest nothing', async () => {
    const ended: number[] = [];
    let due = true;
    const readWatch = { isReadDue: () => due, readEnded: (startedMs: number) => void ended.push(startedMs) };
    const { store, clock, fault, read } = rig({ readWatch, cacheBytes: 0 });
    const startedMs = clock.monotonicMs();
    expect(read('at once')).toBeUndefined();
    expect(ended).toEqual([startedMs]);
    fault(() => sleep(clock, 30).then(() => FULL));
    const failing = expect(store.read(key('later'))).rejects.toMatchObject({ code: FULL.code });
    expect(ended).toHaveLength(1);
    await clock.advance(30);
    await failing;
    expect(ended).toEqual([startedMs, startedMs]);
    fault(() => undefined);
    due = false;
    read('at once');
    due = true;
    void store.write([put('pending', 'value')], 'os');
    expect(read('pending')).toBe('value'); // from memory
    expect(ended).toHaveLength(2);
  });

  test('an engine error reaches the reader', async () => {
    const r = rig();
    r.fault((call) => (call.kind === 'get' ? { code: 'storage-corrupt', applied: false } : undefined));
    expect(() => r.store.read(key('a'))).toThrow(expect.objectContaining({ code: 'storage-corrupt' }));
  });
});

describe('ranges', () => {
  const keysOf = async (r: Rig, limit: number): Promise<string[]> => {
    const found: string[] = [];
    let next: BinaryString | undefined = key('');
    while (next !== undefined) {
      const page: Awaited<ReturnType<Store['range']>> = await r.store.range({ start: next, limit });
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      found.push(...page.entries.map((entry) => `${entry.key}=${Buffer.from(entry.value).toString('latin1')}`));
      next = page.next;
    }
    return found;
  };

  test.each([1, 2, 3, 100])('pages of %d show pending puts and deletes in their places', async (limit) => {
    const r = rig();
    void r.store.write(
      ['b', 'd', 'f', 'h'].map((k) => put(k, 'old')),
      'os',
    );
    await r.clock.advance(0);
    void r.store.write([put('a', 'new'), put('d', 'new'), put('e', 'new'), del('f'), put('z', 'new')], 'os');
    expect(await keysOf(r, limit)).toEqual(['a=new', 'b=old', 'd=new', 'e=new', 'h=old', 'z=new']);
  });

  test('a write accepted before the call is seen even when it is stored while the page is read', async () => {
    const r = rig();
    r.fault((call) => (call.kind === 'write' ? sleep(r.clock, 1).then(() => undefined) : undefined));
    void r.store.write([put('a', '1')], 'os');
    // A page of the state before the commit that arrives only after it.
    const late: Engine = {
      ...r.engine,
      get: (k) => r.engine.get(k),
      range: async (query) => {
        const page = await r.engine.range(query);
        await sleep(r.clock, 50);
        return page;
      },
    };
    const store = new Store({ engine: late, clock: r.clock });
    void store.write([put('b', '2')], 'os');
    const reading = store.range({ start: key(''), limit: 10 });
    await r.clock.advance(100);
    expect((await reading).entries.map((entry) => entry.key)).toEqual(['b']);
  });

  test('a pending write that fails while the page is read is not in it', async () => {
    const r = rig();
    r.fault((call) => {
      if (call.kind === 'write') return FULL;
      return call.kind === 'range' ? sleep(r.clock, 50).then(() => undefined) : undefined;
    });
    const written = watch(r.store.write([put('a', '1')], 'os'));
    const reading = r.store.range({ start: key(''), limit: 10 });
    await r.clock.advance(100);
    expect(written.state).toBe('storage-full');
    expect((await reading).entries).toEqual([]);
  });
});

describe('failing commits', () => {
  test('each waiting write of the batch learns the error, and reads show what is stored', async () => {
    const r = rig();
    void r.store.write([put('a', 'old')], 'fsync');
    await r.clock.advance(0);
    r.fault((call) => (call.kind === 'write' ? FULL : undefined));
    const writes = [put('a', 'new'), put('b', 'new'), del('a')].map((operation) => watch(r.store.write([operation], 'os')));
    expect(r.read('a')).toBeUndefined();
    await r.clock.advance(0);
    expect(writes.map((w) => w.state)).toEqual(['storage-full', 'storage-full', 'storage-full']);
    expect(r.read('a')).toBe('old');
    expect(r.read('b')).toBeUndefined();
  });

  test('a failed commit that took effect all the same: reads show what the engine holds, not what was cached', async () => {
    const r = rig();
    void r.store.write([put('a', 'old')], 'fsync');
    await r.clock.advance(0);
    r.fault((call) => (call.kind === 'write' ? { code: 'storage-failed', applied: true } : undefined));
    const written = watch(r.store.write([put('a', 'new')], 'fsync'));
    await r.clock.advance(0);
    expect(written.state).toBe('storage-failed');
    expect(r.read('a')).toBe('new');
  });

  test('a later write of the same key, queued behind the failed commit, stays', async () => {
    const r = rig();
    r.fault(slow(r.clock, FULL));
    const first = watch(r.store.write([put('a', '1')], 'os'));
    await r.clock.advance(5);
    const second = watch(r.store.write([put('a', '2')], 'os'));
    r.fault(() => undefined);
    await r.clock.advance(5);
    expect(first.state).toBe('storage-full');
    expect(r.read('a')).toBe('2');
    await r.clock.advance(5);
    expect(second.state).toBe('ok');
    expect(r.read('a')).toBe('2');
  });

  test.each(['memory', 'buffered'] as const)(
    'an acknowledged %s write stays readable, and is tried again until it is stored',
    async (durability) => {
      const r = rig({ writeBehindMs: 10, bufferFlushMs: 10 });
      let failures = 4;
      r.fault((call) => (call.kind === 'write' && failures-- > 0 ? FULL : undefined));
      void r.store.write([put('a', 'kept')], durability);
      const waiting = watch(r.store.write([put('a', 'lost'), put('b', 'lost')], 'fsync'));
      expect(r.read('a')).toBe('lost');
      await r.clock.advance(0);
      expect(waiting.state).toBe('storage-full');
      expect([r.read('a'), r.read('b')]).toEqual(['kept', undefined]);
      await r.clock.advance(10 + 99);
      expect(r.writes()).toHaveLength(2);
      await r.clock.advance(1 + 200);
      expect(r.writes()).toHaveLength(4);
      expect(r.read('a')).toBe('kept');
      await r.clock.advance(400);
      expect(r.writes().map((write) => write.keys)).toEqual([['a', 'b'], ['a'], ['a'], ['a'], ['a']]);
      expect(r.clock.pending).toBe(0);
      expect(await r.engine.get(key('a'))).toEqual(bytes('kept'));
    },
  );

  test('while memory writes are retried, a write that is waited for is tried, and told, at once', async () => {
    const r = rig();
    r.fault((call) => (call.kind === 'write' ? FULL : undefined));
    for (let i = 0; i < 60; i++) void r.store.write([put(`m${i}`, 'x'.repeat(200_000))], 'memory');
    await r.clock.advance(10_000);
    const waiting = watch(r.store.write([put('w', '1')], 'os'));
    await r.clock.advance(0);
    expect(waiting.state).toBe('storage-full');
    r.fault(() => undefined);
    await r.clock.advance(10_000);
    for (let i = 0; i < 60; i++) expect(await r.engine.get(key(`m${i}`))).toHaveLength(200_000);
    expect(await r.engine.get(key('w'))).toBeUndefined();
  });

  test('the listener hears of it before the writers do, with what was undone and what is kept', async () => {
    const r = rig();
    const heard: (CommitFailure | string)[] = [];
    const unsubscribe = r.store.onCommitFailure((failure) => heard.push(failure));
    r.fault((call) => (call.kind === 'write' ? FULL : undefined));
    void r.store.write([put('m', '1')], 'memory');
    r.store.write([put('a', '1'), put('b', '1')], 'os').catch(() => heard.push('writer'));
    await r.clock.advance(20);
    expect(heard).toEqual([
      expect.objectContaining({ failed: 2, retained: 0 }),
      'writer',
      expect.objectContaining({ failed: 0, retained: 1 }),
    ]);
    unsubscribe();
    await r.clock.advance(1000);
    expect(heard).toHaveLength(3);
  });

  test('probe: while the engine does not find what it opened, the store is failing, whatever commits say; the log has each once', async () => {
    const clock = new ManualClock();
    const { log, entries } = recordingLog();
    let gone: ArmatureError | undefined;
    const engine: Engine = {
      ...new MemoryDisk().open(),
      write: () => Promise.resolve(),
      probe: () => (gone === undefined ? Promise.resolve() : Promise.reject(gone)),
    };
    const store = new Store({ engine, clock, log });
    expect(store.isProbed).toBe(true);
    await store.probe();
    expect(store.health()).toEqual({ status: 'ok' });
    gone = new ArmatureError('storage-failed', 'the directory was removed');
    const sinceMs = clock.nowMs();
    await store.probe();
    await clock.advance(1_000);
    await store.probe();
    const written = store.write([put('a', '1')], 'os');
    await clock.advance(0);
    await written;
    expect(store.health()).toEqual({ status: 'failing', error: gone, sinceMs });
    gone = undefined;
    await store.probe();
    expect(store.health()).toEqual({ status: 'ok' });
    expect(entries.map(({ message }) => message)).toEqual(['the storage is gone', 'the storage is there again']);
  });

  test('health and log: failing since the first failure, ok again after a commit, one entry each', async () => {
    const { log, entries } = recordingLog();
    const r = rig({ log });
    expect(r.store.health()).toEqual({ status: 'ok' });
    const sinceMs = r.clock.nowMs();
    r.fault((call) => (call.kind === 'write' ? FULL : undefined));
    for (let i = 0; i < 3; i++) {
      r.store.write([put('a', '1')], 'os').catch(() => undefined);
      await r.clock.advance(10);
    }
    expect(r.store.health()).toMatchObject({ status: 'failing', sinceMs, error: { code: 'storage-full' } });
    r.fault(() => undefined);
    void r.store.write([put('a', '1')], 'os');
    await r.clock.advance(0);
    expect(r.store.health()).toEqual({ status: 'ok' });
    expect(entries.map((entry) => entry.level)).toEqual(['error', 'info']);
  });

  test('an engine closed underneath ends the retries', async () => {
    const r = rig();
    void r.store.write([put('a', '1')], 'memory');
    r.disk.crash();
    const waiting = watch(r.store.write([put('b', '1')], 'os'));
    await r.clock.advance(0);
    expect(waiting.state).toBe('closed');
    expect(r.clock.pending).toBe(0);
    await expect(r.store.write([put('c', '1')], 'memory')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('bounds', () => {
  test('beyond the overlay limit writes of every durability fail with a hint, until commits have caught up', async () => {
    const r = rig({ overlayLimitBytes: 10_000 });
    r.fault(slow(r.clock));
    expect(r.store.queueShare).toBe(0);
    for (let i = 0; i < 9; i++) void r.store.write([put(`k${i}`, 'x'.repeat(900))], 'memory');
    expect(r.store.queueShare).toBeGreaterThan(0.9);
    for (const durability of ['fsync', 'os', 'memory'] as const) {
      const refused = r.store.write([put('more', 'x'.repeat(900))], durability);
      await expect(refused).rejects.toMatchObject({
        code: 'overloaded',
        details: { retryAfterMs: expect.any(Number) as unknown },
      });
    }
    expect(r.read('more')).toBeUndefined();
    await r.clock.advance(40);
    await r.store.write([put('more', 'x'.repeat(900))], 'memory');
    expect(r.read('more')).toHaveLength(900);
  });

  test('a write larger than the limit is taken when nothing else waits', async () => {
    const r = rig({ overlayLimitBytes: 10_000 });
    const large = watch(r.store.write([put('a', 'x'.repeat(50_000))], 'os'));
    await r.clock.advance(0);
    expect(large.state).toBe('ok');
  });

  test('the overlay is empty, to the byte, when everything is stored', async () => {
    const telemetry = memoryTelemetry();
    const r = rig({ telemetry });
    for (let i = 0; i < 50; i++)
      void r.store.write([put(`k${i % 7}`, 'x'.repeat(i)), del(`k${i % 3}`)], i % 2 === 0 ? 'os' : 'memory');
    expect(telemetry.value('armature_storage_overlay_bytes{engine="memory"}')).toBeGreaterThan(0);
    await r.clock.advance(20);
    for (const gauge of ['overlay_bytes', 'buffer_bytes', 'buffer_objects'])
      expect(telemetry.value(`armature_storage_${gauge}{engine="memory"}`), gauge).toBe(0);
    expect(await r.engine.get(key('k1'))).toBeUndefined();
    expect(await r.engine.get(key('k3'))).toHaveLength(45);
  });
});

describe('the buffer', () => {
  const many = (count: number, size = 0): StorageOperation[] =>
    Array.from({ length: count }, (_, i) => put(`m${String(i).padStart(5, '0')}`, 'x'.repeat(size)));
  const fill = (r: Rig, operations: readonly StorageOperation[]): void => {
    for (const operation of operations) void r.store.write([operation], 'buffered');
  };

  test('what gathers within the interval is flushed together, unsynced, and a key written often is stored once', async () => {
    const telemetry = memoryTelemetry();
    const r = rig({ bufferFlushMs: 1_000, telemetry });
    for (let i = 0; i < 50; i++) {
      fill(r, [put('hot', String(i)), put(`k${i}`, '')]);
      await r.clock.advance(10);
    }
    expect(telemetry.value('armature_storage_buffer_objects{engine="memory"}')).toBe(51);
    await r.clock.advance(499);
    expect(r.writes()).toEqual([]);
    await r.clock.advance(1);
    expect(r.writes()).toHaveLength(1);
    expect(r.writes()[0]).toMatchObject({ sync: false });
    expect(r.writes()[0]?.keys).toHaveLength(51);
    expect(await r.engine.get(key('hot'))).toEqual(bytes('49'));
    expect(telemetry.value('armature_storage_flushes_total{engine="memory"}')).toBe(1);
    expect(r.clock.pending).toBe(0);
  });

  test('a write that is waited for is committed alone, and never behind more than one batch of the buffer', async () => {
    const r = rig({ bufferFlushMs: 100 });
    fill(r, many(3_000));
    r.fault(slow(r.clock));
    await r.clock.advance(105);
    const written = watch(r.store.write([put('waited-for', '1')], 'fsync'));
    await r.clock.advance(15);
    expect(written.state).toBe('ok');
    expect(r.writes().map(({ keys, sync }) => [keys.length, sync])).toEqual([
      [512, false],
      [1, true],
      [512, false],
    ]);
  });

  test('under writes that are waited for without end it is flushed all the same', async () => {
    const r = rig({ bufferFlushMs: 100 });
    r.fault(slow(r.clock));
    fill(r, many(1_000));
    for (let i = 0; i < 40; i++) {
      void r.store.write([put(`w${i}`, '')], 'fsync');
      await r.clock.advance(5);
    }
    expect(r.writes().filter(({ sync }) => !sync)).toHaveLength(2);
  });

  test('an older buffered write never overwrites a later one that was stored before it', async () => {
    const r = rig({ bufferFlushMs: 100 });
    fill(r, [put('a', 'old'), put('b', 'b')]);
    void r.store.write([put('a', 'new')], 'fsync');
    await r.clock.advance(100);
    expect(r.writes().map(({ keys }) => keys)).toEqual([['a'], ['b']]);
    expect(await r.engine.get(key('a'))).toEqual(bytes('new'));
  });

  test('a buffered write waits for an older one of its key that somebody waits for', async () => {
    const r = rig({ bufferFlushMs: 5 });
    r.fault(slow(r.clock));
    void r.store.write([put('x', '')], 'os');
    await r.clock.advance(1);
    void r.store.write([put('a', 'old')], 'os');
    fill(r, [put('a', 'new'), put('b', 'b')]);
    await r.clock.advance(100);
    expect(r.writes().map(({ keys }) => keys)).toEqual([['x'], ['b'], ['a'], ['a']]);
    expect(await r.engine.get(key('a'))).toEqual(bytes('new'));
  });

  test.each([
    ['bytes', 9, 400, { overlayLimitBytes: 20_000 }],
    ['objects', 25, 0, { bufferLimit: 100 }],
  ])('a quarter of the bound in %s is flushed before its time', async (_, count, size, bounds) => {
    const r = rig({ bufferFlushMs: 1_000, ...bounds });
    fill(r, many(count - 1, size));
    await r.clock.advance(0);
    expect(r.writes()).toHaveLength(0);
    fill(r, [put('last', 'x'.repeat(size))]);
    await r.clock.advance(0);
    expect(r.writes()[0]?.keys).toHaveLength(count);
  });

  test('each batch takes a slice, and none does once half of the bound is reached', async () => {
    const r = rig({ bufferFlushMs: 10, bufferLimit: 4_000 });
    const asked: (() => void)[] = [];
    r.store.askBeforeFlush(() => new Promise((grant) => asked.push(grant)));
    fill(r, many(700));
    await r.clock.advance(10);
    expect([asked.length, r.writes().length]).toEqual([1, 0]);
    asked[0]?.();
    await r.clock.advance(0);
    expect([asked.length, r.writes().length]).toEqual([2, 1]);
    await r.clock.advance(60_000);
    expect(r.writes(), 'the slice is waited for').toHaveLength(1);
    fill(
      r,
      many(2_200).map((operation) => ({ ...operation, key: key(`n${operation.key}`) })),
    );
    await r.clock.advance(0);
    expect(r.store.queueShare).toBeLessThan(0.5);
    expect(r.writes().length).toBeGreaterThan(1);
    expect(asked.length).toBe(2);
  });

  test('nobody to ask for a slice: it is flushed', async () => {
    const r = rig({ bufferFlushMs: 10 });
    r.store.askBeforeFlush(() => Promise.reject(new Error('stopped')));
    fill(r, many(700));
    await r.clock.advance(10);
    expect(r.writes()).toHaveLength(2);
  });

  test('sync and close do not wait for slices, nor for the interval', async () => {
    for (const end of ['sync', 'close'] as const) {
      const r = rig({ bufferFlushMs: 60_000 });
      r.store.askBeforeFlush(() => new Promise(() => undefined));
      fill(r, many(700));
      const ended = watch(r.store[end]());
      await r.clock.advance(0);
      expect(ended.state).toBe('ok');
      expect(await (end === 'sync' ? r.engine : r.disk.open()).get(key('m00699'))).toBeDefined();
    }
  });

  test('beyond its bound in objects buffered writes are refused; others are not', async () => {
    const r = rig({ bufferLimit: 10 });
    r.fault(slow(r.clock));
    fill(r, many(10));
    for (const durability of ['memory', 'buffered'] as const)
      await expect(r.store.write([put('more', '')], durability)).rejects.toMatchObject({
        code: 'overloaded',
        details: { pending: 10, limit: 10, unit: 'objects' },
      });
    const synced = watch(r.store.write([put('more', '')], 'fsync'));
    await r.clock.advance(30);
    expect(synced.state).toBe('ok');
  });

  test('a write of several keys is stored whole, though one of them is written again before its flush', async () => {
    const r = rig({ bufferFlushMs: 10 });
    const asked: (() => void)[] = [];
    r.store.askBeforeFlush(() => new Promise((grant) => asked.push(grant)));
    void r.store.write([put('a', '1'), put('b', '1')], 'buffered');
    fill(r, [...many(600), put('a', '2')]);
    await r.clock.advance(10);
    asked[0]?.(); // for the first batch, which the second write of a is not in
    await r.clock.advance(0);
    r.disk.crash(10);
    expect(await r.disk.open().getMany([key('a'), key('b')])).toEqual([bytes('1'), bytes('1')]);
  });

  test('a key that is written again while its flush waits: sync stores what was there before it, and the next flush the rest', async () => {
    const r = rig({ bufferFlushMs: 10 });
    const asked: (() => void)[] = [];
    r.store.askBeforeFlush(() => new Promise((grant) => asked.push(grant)));
    fill(r, [put('a', '1')]);
    await r.clock.advance(10);
    r.fault(slow(r.clock));
    const synced = watch(r.store.sync());
    fill(r, [put('a', '2')]);
    await r.clock.advance(10);
    expect(synced.state).toBe('ok');
    expect(await r.engine.get(key('a'))).toEqual(bytes('1'));
    for (let i = 0; i < 5; i++) {
      for (const grant of asked) grant();
      await r.clock.advance(20);
    }
    expect(await r.engine.get(key('a'))).toEqual(bytes('2'));
    expect(r.clock.pending).toBe(0);
  });

  test('a hot key that is written while its flush waits for a slice is flushed when that is granted', async () => {
    const r = rig({ bufferFlushMs: 10 });
    let grant = (): void => undefined;
    r.store.askBeforeFlush(() => new Promise((granted) => (grant = granted)));
    fill(r, [put('hot', '1')]);
    await r.clock.advance(10);
    fill(r, [put('hot', '2')]);
    for (let i = 0; i < 3; i++) {
      grant();
      await r.clock.advance(20);
    }
    expect(await r.engine.get(key('hot'))).toEqual(bytes('2'));
  });

  test('what is buffered, and nothing else, is lost with the process', async () => {
    const r = rig({ bufferFlushMs: 1_000 });
    fill(r, [put('a', 'buffered'), put('b', 'buffered')]);
    void r.store.write([put('a', 'stored')], 'fsync');
    await r.clock.advance(0);
    r.disk.crash(10);
    const after = r.disk.open();
    expect(await after.getMany([key('a'), key('b')])).toEqual([bytes('stored'), undefined]);
  });
});

describe('sync and close', () => {
  test('sync: everything accepted before is on stable storage', async () => {
    const r = rig();
    void r.store.write([put('a', '1')], 'memory');
    const synced = watch(r.store.sync());
    await r.clock.advance(0);
    expect(synced.state).toBe('ok');
    r.disk.crash();
    expect(await r.disk.open().get(key('a'))).toEqual(bytes('1'));
  });

  test('sync: waits for the commit in flight too', async () => {
    const r = rig();
    r.fault(slow(r.clock));
    void r.store.write([put('a', '1')], 'os');
    await r.clock.advance(1);
    const synced = watch(r.store.sync());
    await r.clock.advance(5);
    expect(synced.state).toBe('pending');
    await r.clock.advance(5);
    expect(synced.state).toBe('ok');
    expect(r.disk.unsyncedBatches).toBe(0);
  });

  test('close: drains, then every call fails with closed', async () => {
    const r = rig();
    void r.store.write([put('a', '1')], 'memory');
    const written = watch(r.store.write([put('b', '1')], 'os'));
    const closed = watch(r.store.close());
    await expect(r.store.write([put('c', '1')], 'memory')).rejects.toMatchObject({ code: 'closed' });
    await r.clock.advance(0);
    expect([written.state, closed.state]).toEqual(['ok', 'ok']);
    expect(() => r.store.read(key('a'))).toThrow(expect.objectContaining({ code: 'closed' }));
    await expect(r.store.range({ start: key(''), limit: 1 })).rejects.toMatchObject({ code: 'closed' });
    await expect(r.store.readMany([key('a')])).rejects.toMatchObject({ code: 'closed' });
    await expect(r.store.sync()).rejects.toMatchObject({ code: 'closed' });
    const reopened = r.disk.open();
    expect(await reopened.getMany([key('a'), key('b')])).toEqual([bytes('1'), bytes('1')]);
  });

  test('close: says how much of what it had acknowledged could not be stored, and closes all the same', async () => {
    const r = rig();
    r.fault((call) => (call.kind === 'write' ? FULL : undefined));
    void r.store.write([put('a', '1'), put('b', '1')], 'memory');
    const closing = r.store.close();
    const outcome = expect(closing).rejects.toMatchObject({ code: 'storage-full', details: { lost: 2 } });
    await r.clock.advance(10_000);
    await outcome;
    expect(r.clock.pending).toBe(0);
    expect(() => r.disk.open()).not.toThrow();
  });
});
