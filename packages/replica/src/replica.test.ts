import { ArmatureError, hlcFromMs } from '@armature/kernel';
import { ManualClock } from '@armature/runtime';
import { contextOf, counterOf, emptyVersionSet, encodeVersionSet, type OperationId } from '@armature/versioning';
import { describe, expect, test } from 'vitest';
import { spaceKey } from '@armature/storage';
import { openRecord, sealRecord } from './record.js';
import { BUCKET, LWW, TestNode, addressFor, finish, valuesOf } from './replica.test-support.js';

const open = (options: Partial<Parameters<typeof TestNode.open>[0]> = {}): Promise<TestNode> =>
  TestNode.open({ clock: new ManualClock(), ...options });

const raise = (error: Error): never => {
  throw error;
};

/** Another node in the same instant, with actors of its own. */
const other = (node: TestNode, name = 'other'): Promise<TestNode> =>
  TestNode.open({ clock: node.clock, random: node.random.fork(name) });

describe.each([{ isSlowToRead: false }, { isSlowToRead: true }])('an engine that answers (late: $isSlowToRead)', (options) => {
  test('put, then read: the value, under the first dot of the actor', async () => {
    const node = await open(options);
    const minted = await node.put('k', 'one');
    expect(minted.dot).toEqual({ actor: node.epoch.current, counter: 1 });
    expect(await node.values('k')).toEqual(['one']);
    expect(await node.values('never written')).toEqual([]);
  });

  test('a put with the context of a read replaces what was read; a blind one stands beside it', async () => {
    const node = await open(options);
    await node.put('k', 'one');
    await node.put('k', 'two', { context: await node.contextOf('k') });
    expect(await node.values('k')).toEqual(['two']);
    await node.put('k', 'three');
    expect(await node.values('k')).toEqual(['three', 'two']);
    await node.put('k', '', { tombstone: true, context: await node.contextOf('k') });
    expect(await node.values('k')).toEqual(['(deleted)']);
  });

  test('a hundred puts of one key at once are made one after the other: a hundred dots, no write lost', async () => {
    const node = await open(options);
    const mints = await finish(
      node.clock,
      Promise.all(Array.from({ length: 100 }, (_, i) => node.replica.mint(node.request('k', String(i))))),
    );
    await finish(node.clock, Promise.all(mints.map(({ committed }) => committed)));
    expect(new Set(mints.map(({ dot }) => dot!.counter)).size).toBe(100);
    expect(await node.values('k')).toHaveLength(100);
  });

  test('puts and merges of one key at once: all of it is there in the end', async () => {
    const node = await open(options);
    const peers = await Promise.all(['a', 'b', 'c'].map((name) => other(node, name)));
    const sets = await Promise.all(peers.map(async (peer, i) => (await peer.put('k', `peer ${i}`)).encoded));
    const work = sets.flatMap((set, i) => [
      node.replica.merge(addressFor('k'), set, BUCKET, 'fsync'),
      node.replica.mint(node.request('k', `own ${i}`)),
    ]);
    await finish(node.clock, Promise.all(work as Promise<unknown>[]));
    expect(await node.values('k')).toEqual(['own 0', 'own 1', 'own 2', 'peer 0', 'peer 1', 'peer 2']);
  });

  test('a retry with the same operation id is the same write: one version, the first dot, though the value were another', async () => {
    const node = await open(options);
    const operation = '00000000000000aa' as OperationId;
    const first = await node.put('k', 'one', { operation });
    const again = await node.put('k', 'changed', { operation });
    expect(again.dot).toEqual(first.dot);
    expect(await node.values('k')).toEqual(['one']);
  });

  test('merging is idempotent and in any order the same', async () => {
    const node = await open(options);
    const peer = await other(node);
    const one = await peer.put('k', 'one');
    const two = await peer.put('k', 'two', { context: await peer.contextOf('k') });
    await node.merge('k', two.encoded);
    await node.merge('k', one.encoded);
    await node.merge('k', two.encoded);
    expect(await node.values('k')).toEqual(['two']);
    expect(node.counted('armature_replica_merges_total{changed="yes"}')).toBe(1);
    expect(node.counted('armature_replica_merges_total{changed="no"}')).toBe(2);
  });
});

test('a put that is past its deadline when its turn comes is not minted', async () => {
  const node = await open();
  const deadlineMs = node.clock.monotonicMs() + 10;
  await node.replica.mint({ ...node.request('k', 'in time'), deadlineMs });
  await node.clock.advance(10);
  await expect(node.replica.mint({ ...node.request('k', 'too late'), deadlineMs })).rejects.toMatchObject({
    code: 'unavailable',
  });
  expect(await node.values('k')).toEqual(['in time']);
});

describe('durability', () => {
  test('a put is readable and may be sent before it is stored; committed says when it is', async () => {
    const node = await open();
    node.plan.delayMs = 20;
    const minted = await node.replica.mint(node.request('k', 'one'));
    expect(valuesOf(await node.held('k'))).toEqual(['one']);
    let stored = false;
    void minted.committed.then(() => (stored = true));
    await node.clock.advance(10);
    expect(stored).toBe(false);
    await node.clock.advance(20);
    expect(stored).toBe(true);
  });

  test('a merge of what is held already waits until that is on stable storage too', async () => {
    const node = await open();
    const peer = await other(node);
    const { encoded } = await peer.put('k', 'one');
    node.plan.delayMs = 20;
    const done: string[] = [];
    void node.replica.merge(addressFor('k'), encoded, BUCKET, 'memory').then(() => done.push('from memory'));
    void node.replica.merge(addressFor('k'), encoded, BUCKET, 'fsync').then(() => done.push('synced'));
    await node.clock.advance(5);
    expect(done).toEqual(['from memory']);
    await node.clock.advance(40);
    expect(done).toEqual(['from memory', 'synced']);
    node.disk.crash();
    const again = await TestNode.open({ clock: node.clock, disk: node.disk });
    expect(await again.values('k')).toEqual(['one']);
  });

  test('a merge whose commit fails rejects with the storage error, and is not held', async () => {
    const node = await open();
    const peer = await other(node);
    const { encoded } = await peer.put('k', 'one');
    node.plan.fault = { code: 'storage-full', applied: false };
    await expect(node.merge('k', encoded)).rejects.toMatchObject({ code: 'storage-full' });
    node.plan.fault = undefined;
    expect(await node.values('k')).toEqual([]);
  });
});

describe('when the store is not what it was', () => {
  test.each([true, false])(
    'a commit that fails (applied: %s) retires the actor: the next put has a fresh one and another dot',
    async (applied) => {
      const node = await open();
      const before = node.epoch.current;
      node.plan.fault = { code: 'storage-failed', applied };
      const lost = await node.replica.mint(node.request('k', 'lost'));
      await expect(finish(node.clock, lost.committed)).rejects.toMatchObject({ code: 'storage-failed' });
      expect(node.epoch.current).not.toBe(before);
      node.plan.fault = undefined;
      const next = await node.put('k', 'next');
      expect(next.dot!.actor).not.toBe(before);
      // The peers that got the lost write and those that got the next agree on both.
      const peer = await other(node);
      await peer.merge('k', lost.encoded);
      await peer.merge('k', next.encoded);
      expect(await peer.values('k')).toEqual(['lost', 'next']);
    },
  );

  test('while no fresh actor can be stored, puts fail with the storage error, and work again when it can', async () => {
    const node = await open();
    node.plan.fault = { code: 'storage-full', applied: false };
    const lost = await node.replica.mint(node.request('k', 'lost'));
    await expect(finish(node.clock, lost.committed)).rejects.toMatchObject({ code: 'storage-full' });
    await expect(node.put('k', 'refused')).rejects.toMatchObject({ code: 'storage-full' });
    node.plan.fault = undefined;
    await node.put('k', 'kept');
    expect(await node.values('k')).toEqual(['kept']);
  });

  test('a put that the store does not accept makes no dot: two such puts of a key cannot share one, and the actor stays', async () => {
    const node = await open({ overlayLimitBytes: 2_000 });
    const actor = node.epoch.current;
    node.plan.delayMs = 50;
    const first = await node.replica.mint(node.request('k', 'x'.repeat(1_700)));
    const refused = await Promise.allSettled([
      node.replica.mint(node.request('k', 'y'.repeat(1_700))),
      node.replica.mint(node.request('k', 'z'.repeat(1_700))),
    ]);
    for (const one of refused) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'overloaded' } });
    await finish(node.clock, first.committed);
    const next = await node.put('k', 'next');
    expect(next.dot).toEqual({ actor, counter: 2 });
    expect(node.counted('armature_replica_actors_retired_total')).toBe(0);
  });

  test('a put to a closed store is refused, and nothing leaves the node', async () => {
    const node = await open();
    await node.close();
    await expect(node.replica.mint(node.request('k', 'late'))).rejects.toMatchObject({ code: 'closed' });
  });

  test('after a crash that lost writes, the same puts get other dots', async () => {
    const node = await open();
    const bucket = { ...BUCKET, durability: 'os' } as const;
    const lost = await node.put('k', 'lost', { bucket });
    node.disk.crash();
    const again = await TestNode.open({ clock: node.clock, disk: node.disk, random: node.random });
    expect(await again.values('k')).toEqual([]);
    const next = await again.put('k', 'next', { bucket });
    expect(next.dot).not.toEqual(lost.dot);
    await again.merge('k', lost.encoded);
    expect(await again.values('k')).toEqual(['lost', 'next']);
  });

  test('after a clean close and open the actor goes on counting', async () => {
    const node = await open();
    const first = await node.put('k', 'one');
    await node.close();
    const again = await TestNode.open({ clock: node.clock, disk: node.disk, random: node.random });
    const second = await again.put('k', 'two');
    expect(second.dot).toEqual({ actor: first.dot!.actor, counter: 2 });
  });

  test('a peer that knows more of our writes than we do: merged, and the actor retired', async () => {
    const node = await open();
    const before = node.epoch.current;
    const one = await node.put('k', 'one');
    const two = await node.put('k', 'two', { context: await node.contextOf('k') });
    // The store forgets: an older record comes back under it.
    await finish(
      node.clock,
      node.store.write([{ kind: 'put', key: spaceKey('data', addressFor('k')), value: sealRecord(one.encoded) }], 'fsync'),
    );
    await node.merge('k', two.encoded);
    expect(await node.values('k')).toEqual(['two']);
    expect(node.epoch.current).not.toBe(before);
  });

  test('a client that has read more of our writes than we hold: the put is minted all the same, under a fresh actor', async () => {
    const node = await open();
    const before = node.epoch.current;
    await node.put('k', 'one');
    const context = await node.contextOf('k');
    await finish(node.clock, node.store.write([{ kind: 'delete', key: spaceKey('data', addressFor('k')) }], 'fsync'));
    const minted = await node.put('k', 'two', { context });
    expect(minted.dot!.actor).not.toBe(before);
    expect(await node.values('k')).toEqual(['two']);
    expect(counterOf(minted.set.clock, before!), 'what the context has seen stays seen').toBe(1);
  });
});

describe('a ring that changes while a write waits for a slow store', () => {
  test('merge and mint are refused at the moment of storing, and nothing of them is there', async () => {
    const node = await open({ isSlowToRead: true });
    const { encoded } = await (await other(node)).put('k', 'late');
    let isValid = true;
    const merged = node.replica.merge(addressFor('k'), encoded, BUCKET, 'fsync', () => isValid);
    const minted = node.replica.mint({ ...node.request('k', 'late too'), stillValid: () => isValid });
    isValid = false;
    await expect(finish(node.clock, merged)).rejects.toMatchObject({ code: 'stale-ring', retryable: true });
    await expect(finish(node.clock, minted)).rejects.toMatchObject({ code: 'stale-ring' });
    expect(await node.values('k')).toEqual([]);
    isValid = true;
    await finish(
      node.clock,
      node.replica.merge(addressFor('k'), encoded, BUCKET, 'fsync', () => isValid),
    );
    expect(await node.values('k')).toEqual(['late']);
  });
});

describe('damage', () => {
  test('a damaged record: reading fails typed, a merge heals it and retires the actor', async () => {
    const node = await open();
    const before = node.epoch.current;
    const { encoded } = await node.put('k', 'one');
    await node.damage('k');
    await expect(node.held('k')).rejects.toMatchObject({ code: 'storage-corrupt' });
    expect(node.epoch.current, 'reading changes nothing').toBe(before);
    await node.merge('k', encoded);
    expect(await node.values('k')).toEqual(['one']);
    expect(node.epoch.current).not.toBe(before);
    expect(node.counted('armature_replica_damaged_records_total')).toBe(2);
    expect(node.log.entries.some(({ level, message }) => level === 'error' && message.includes('damaged'))).toBe(true);
  });

  test('the empty set takes a damaged record away, and the actor with it; a whole one it leaves as it is', async () => {
    const node = await open();
    const before = node.epoch.current;
    const nothing = encodeVersionSet(emptyVersionSet);
    await node.put('k', 'one');
    await node.merge('k', nothing);
    expect(await node.values('k')).toEqual(['one']);
    await node.damage('k');
    await node.merge('k', nothing);
    expect(await node.values('k')).toEqual([]);
    expect(node.epoch.current).not.toBe(before);
    expect(node.log.entries.some(({ level, message }) => level === 'error' && message.includes('was dropped'))).toBe(true);
  });

  test('puts over a damaged record succeed under a fresh actor, and many at once do not spend one each', async () => {
    const node = await open();
    const lost = await node.put('k', 'lost');
    await node.damage('k');
    const requests = Array.from({ length: 50 }, (_, i) => node.request('k', String(i)));
    const minted = await finish(node.clock, Promise.all(requests.map((request) => node.replica.mint(request))));
    for (const { dot } of minted) expect(dot!.actor).not.toBe(lost.dot!.actor);
    expect(new Set(minted.map(({ dot }) => `${dot!.actor} ${dot!.counter}`)).size).toBe(50);
    expect(node.counted('armature_replica_actors_retired_total')).toBeLessThanOrEqual(2);
    await node.merge('k', lost.encoded);
    expect(await node.values('k')).toHaveLength(51);
  });

  test('a whole envelope around what is no version set is damage too, for a put and for a merge', async () => {
    const node = await open();
    const { encoded } = await node.put('k', 'one');
    const nonsense = (): Promise<void> =>
      finish(
        node.clock,
        node.store.write(
          [{ kind: 'put', key: spaceKey('data', addressFor('k')), value: sealRecord(Buffer.from('nonsense')) }],
          'fsync',
        ),
      );
    await nonsense();
    await node.put('k', 'two');
    await node.merge('k', encoded);
    expect(await node.values('k')).toEqual(['one', 'two']);
    await nonsense();
    await node.merge('k', encoded);
    expect(await node.values('k')).toEqual(['one']);
    expect(node.counted('armature_replica_actors_retired_total')).toBe(2);
  });

  test.each([false, true])("bytes that failed the engine's own check (late: %s) are damage too", async (late) => {
    const node = await open();
    await node.put('k', 'one');
    const peer = await other(node);
    const { encoded } = await peer.put('k', 'two');
    const read = node.store.read.bind(node.store);
    let broken = true;
    node.store.read = (key) => {
      const value = read(key);
      if (!broken || value === undefined) return value;
      const error = new ArmatureError('storage-corrupt', 'checksum');
      return late ? Promise.reject(error) : raise(error);
    };
    await expect(node.held('k')).rejects.toMatchObject({ code: 'storage-corrupt' });
    const merged = node.replica.merge(addressFor('k'), encoded, BUCKET, 'fsync');
    broken = false;
    await finish(node.clock, merged);
    expect(await node.values('k')).toEqual(['two']);
    expect(node.counted('armature_replica_actors_retired_total')).toBe(1);
    expect(node.counted('armature_replica_damaged_records_total'), 'by the read, and by the merge').toBe(2);
  });

  test('a page leaves out what stands under a damaged key: it would spread as a key that nobody ever wrote', async () => {
    const node = await open();
    const { encoded } = await node.put('a', 'a');
    const address = addressFor('a');
    for (const at of [3, address.length - 1]) {
      const flipped = address.slice(0, at) + String.fromCharCode(address.charCodeAt(at) ^ 1) + address.slice(at + 1);
      const key = spaceKey('data', flipped);
      await finish(node.clock, node.store.write([{ kind: 'put', key, value: sealRecord(encoded) }], 'fsync'));
    }
    const page = await finish(node.clock, node.replica.page({ start: '' as never, limit: 10 }));
    expect(page.entries.map((entry) => entry.address)).toEqual([address]);
    expect(node.counted('armature_replica_damaged_records_total')).toBe(2);
  });

  test('a page leaves damaged records out and counts them; the rest arrives', async () => {
    const node = await open();
    for (const key of ['a', 'b', 'c']) await node.put(key, key);
    await node.damage('b');
    const page = await finish(node.clock, node.replica.page({ start: '' as never, limit: 10 }));
    expect(page.entries.map(({ address }) => address).sort()).toEqual([addressFor('a'), addressFor('c')].sort());
    expect(page.next).toBeUndefined();
    expect(node.counted('armature_replica_damaged_records_total')).toBe(1);
    expect(node.counted('armature_replica_actors_retired_total')).toBe(0);
  });

  test('what the disk has damaged and memory whole is served, and written anew by the page that finds it', async () => {
    const node = await open({ cacheBytes: 1_000_000 });
    const { encoded } = await node.put('a', 'a');
    await node.damage('a');
    const page = await finish(node.clock, node.replica.page({ start: '' as never, limit: 10 }));
    expect(page.entries).toEqual([{ address: addressFor('a'), set: encoded }]);
    await finish(node.clock, node.store.sync());
    expect(openRecord(node.disk.get(spaceKey('data', addressFor('a'))) as Uint8Array)).toEqual(encoded);
    expect(node.counted('armature_replica_damaged_records_total')).toBe(1);
    expect(node.counted('armature_replica_actors_retired_total')).toBe(0);
  });

  test('any other storage error keeps a merge and a put from happening', async () => {
    const node = await open();
    const { encoded } = await (await other(node)).put('k', 'one');
    node.store.read = () => raise(new ArmatureError('storage-failed', 'no answer'));
    await expect(node.merge('k', encoded)).rejects.toMatchObject({ code: 'storage-failed' });
    await expect(node.put('k', 'two')).rejects.toMatchObject({ code: 'storage-failed' });
  });
});

describe('limits', () => {
  test('a put that would leave too many siblings is refused and leaves no trace; one that merges them is taken', async () => {
    const node = await open();
    const bucket = { ...BUCKET, maxSiblings: 3 };
    for (const value of ['a', 'b', 'c']) await node.put('k', value, { bucket });
    await expect(node.put('k', 'd', { bucket })).rejects.toMatchObject({ code: 'too-large', details: { siblings: 4 } });
    expect(await node.values('k')).toEqual(['a', 'b', 'c']);
    await node.put('k', 'abcd', { bucket, context: await node.contextOf('k') });
    expect(await node.values('k')).toEqual(['abcd']);
  });

  test('a merge is never refused for siblings, nor is the retry of a put that made it', async () => {
    const node = await open();
    const bucket = { ...BUCKET, maxSiblings: 2 };
    const operation = '00000000000000bb' as OperationId;
    await node.put('k', 'own', { bucket, operation });
    for (const name of ['a', 'b', 'c']) await node.merge('k', (await (await other(node, name)).put('k', name)).encoded, bucket);
    expect(await node.values('k')).toHaveLength(4);
    expect((await node.put('k', 'own', { bucket, operation })).dot!.counter).toBe(1);
  });

  /** Of a bucket of three replicas, a set may have 1,000 bytes: room for two of these. */
  const MESSAGE_BYTES = 6_000;
  const value = (letter: string): string => letter.repeat(400);

  test('a put that would leave too many bytes is refused and leaves no trace; one that merges is taken', async () => {
    const node = await open({ messageBytes: MESSAGE_BYTES });
    for (const letter of ['a', 'b']) await node.put('k', value(letter));
    const refused = node.put('k', value('c'));
    await expect(refused).rejects.toMatchObject({ code: 'too-large', details: { siblings: 3, maxSetBytes: 1_000 } });
    expect(await node.values('k')).toEqual([value('a'), value('b')]);
    await node.put('k', value('c'), { context: await node.contextOf('k') });
    expect(await node.values('k')).toEqual([value('c')]);
  });

  test('a key that merges have made too large: a put that leaves less is taken, one that adds is not; a delete always is', async () => {
    const node = await open({ messageBytes: MESSAGE_BYTES });
    const merge = async (name: string): Promise<void> =>
      node.merge('k', (await (await other(node, name)).put('k', value(name))).encoded);
    for (const name of ['a', 'b', 'c']) await merge(name);
    const seen = await node.contextOf('k');
    for (const name of ['d', 'e', 'f', 'g']) await merge(name);
    await expect(node.put('k', value('h'))).rejects.toMatchObject({ code: 'too-large', details: { siblings: 8 } });
    await node.put('k', value('h'), { context: seen });
    expect(await node.values('k')).toHaveLength(5);
    await node.put('k', '', { context: await node.contextOf('k'), tombstone: true });
    expect(await node.values('k')).toEqual(['(deleted)']);
  });

  describe('a repetition of something large', () => {
    const large = 'x'.repeat(20_000);
    const operation = '00000000000000cc' as OperationId;

    /** How often the store was written to meanwhile, and what was told to the observer. */
    const writesDuring = async (node: TestNode, work: () => Promise<unknown>): Promise<number> => {
      const write = node.store.write.bind(node.store);
      let writes = 0;
      node.store.write = (...args) => {
        writes++;
        return write(...args);
      };
      await work();
      node.store.write = write;
      return writes;
    };

    test('is not stored again, while the first is being committed or afterwards, and ends when that is stored', async () => {
      const node = await open({ cacheBytes: 100_000 });
      node.plan.delayMs = 10;
      const first = node.replica.mint(node.request('k', large, { operation }));
      const { committed, encoded } = await finish(node.clock, first);
      let isStored = false;
      void committed.then(() => (isStored = true));
      const again = await writesDuring(node, async () => {
        const repeated = await finish(node.clock, node.replica.mint(node.request('k', large, { operation })));
        expect(repeated.encoded).toEqual(encoded);
        const merged = node.merge('k', encoded);
        await finish(node.clock, repeated.committed);
        expect(isStored).toBe(true);
        await merged;
        await node.merge('k', encoded);
        await node.put('k', large, { operation });
      });
      expect(again).toBe(0);
    });

    test('is stored again where it is to be more durable, where an earlier life stored it, and where the first was not stored', async () => {
      const node = await open({ cacheBytes: 100_000 });
      const { encoded } = await (await other(node)).put('k', large);
      await node.merge('k', encoded, { ...BUCKET, durability: 'os' });
      expect(await writesDuring(node, () => node.merge('k', encoded, { ...BUCKET, durability: 'fsync' }))).toBe(1);
      expect(await writesDuring(node, () => node.merge('k', encoded, { ...BUCKET, durability: 'os' }))).toBe(0);

      await node.close();
      const reopened = await open({ disk: node.disk, clock: node.clock });
      expect(await writesDuring(reopened, () => reopened.merge('k', encoded))).toBe(1);

      const failing = await open({ cacheBytes: 100_000 });
      failing.plan.fault = { code: 'storage-failed', applied: false };
      await expect(failing.merge('k', encoded)).rejects.toMatchObject({ code: 'storage-failed' });
      failing.plan.fault = undefined;
      expect(await writesDuring(failing, () => failing.merge('k', encoded))).toBe(1);
      expect(await failing.values('k')).toEqual([large]);
    });
  });

  test('bytes that are no version set are refused, and what is held stays', async () => {
    const node = await open();
    await node.put('k', 'one');
    await expect(node.merge('k', Buffer.from('no set'))).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(node.merge('empty', new Uint8Array(0))).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await node.values('k')).toEqual(['one']);
    expect(node.counted('armature_replica_actors_retired_total')).toBe(0);
  });
});

describe('last write wins', () => {
  const lww = { bucket: LWW } as const;

  test('the latest put stays alone, blind as it may be', async () => {
    const node = await open();
    await node.put('k', 'one', lww);
    await node.put('k', 'two', lww);
    expect(await node.values('k')).toEqual(['two']);
  });

  test('a version from far in the future is merged like any other, and does not drag the clock along', async () => {
    const node = await open();
    const ahead = await TestNode.open({
      clock: new ManualClock(node.clock.nowMs() + 3_600_000),
      random: node.random.fork('ahead'),
    });
    const { encoded } = await ahead.put('k', 'future', lww);
    await node.merge('k', encoded, LWW);
    expect(await node.values('k')).toEqual(['future']);
    const minted = await node.put('other', 'now', lww);
    expect(minted.set.siblings[0]!.version.at).toBeLessThan(hlcFromMs(node.clock.nowMs() + 1_000));
  });

  test('a put over a version from far in the future wins against it, blind or having read it, and sets no other key ahead', async () => {
    for (const hasRead of [false, true]) {
      const node = await open();
      const ahead = await TestNode.open({
        clock: new ManualClock(node.clock.nowMs() + 3_600_000),
        random: node.random.fork('ahead'),
      });
      const future = await ahead.put('k', 'future', lww);
      if (!hasRead) await node.merge('k', future.encoded, LWW);
      const later = await node.put('k', 'later', hasRead ? { ...lww, context: contextOf(future.set) } : lww);
      await ahead.merge('k', later.encoded, LWW);
      await node.merge('k', future.encoded, LWW);
      expect([await node.values('k'), await ahead.values('k')]).toEqual([['later'], ['later']]);
      const minted = await node.put('other', 'now', lww);
      expect(minted.set.siblings[0]!.version.at).toBeLessThan(hlcFromMs(node.clock.nowMs() + 1_000));
    }
  });

  test('a node whose clock was ahead for one put stamps the next as before once it is right again', async () => {
    const node = await open();
    node.clock.setWallAhead(3_600_000);
    await node.put('k', 'ahead', lww);
    node.clock.setWallAhead(0);
    const minted = await node.put('other', 'now', lww);
    expect(minted.set.siblings[0]!.version.at).toBeLessThan(hlcFromMs(node.clock.nowMs() + 1_000));
    await node.put('k', 'later', lww);
    expect(await node.values('k')).toEqual(['later']);
  });

  test('nothing is minted, nor kept, while the clock is said to be wrong; merges go on', async () => {
    const node = await open();
    node.isClockWrong = true;
    await expect(node.put('k', 'x', lww)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await node.values('k')).toEqual([]);
    const other = await TestNode.open({ clock: node.clock, random: node.random.fork('other') });
    await node.merge('k', (await other.put('k', 'of another', lww)).encoded, LWW);
    expect(await node.values('k')).toEqual(['of another']);
    node.isClockWrong = false;
    await node.put('k', 'x', lww);
    expect(await node.values('k')).toEqual(['x']);
  });

  test('a version a little ahead is taken, and the next put here wins against it', async () => {
    const node = await open();
    const ahead = await TestNode.open({ clock: new ManualClock(node.clock.nowMs() + 30_000), random: node.random.fork('ahead') });
    await node.merge('k', (await ahead.put('k', 'ahead', lww)).encoded, LWW);
    await node.put('k', 'later', lww);
    expect(await node.values('k')).toEqual(['later']);
  });

  test('what a mint hands out is what it holds, byte for byte', async () => {
    const node = await open();
    await node.put('k', 'one', lww);
    const minted = await node.put('k', 'two', lww);
    expect(minted.encoded).toEqual(encodeVersionSet(minted.set));
    expect(encodeVersionSet(await node.held('k'))).toEqual(minted.encoded);
  });
});
