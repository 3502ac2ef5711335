import { ArmatureError, hlcFromMs, utf8Decode, utf8Encode, type BucketName, type NodeId } from '@armature/kernel';
import { RING_UNKNOWN, type FetchReply, type WriteReply, type WriteRequest } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import {
  MAX_CONTEXT_ENTRIES,
  MAX_META_BYTES,
  encodeVersionSet,
  valueVersion,
  versionSet,
  versionVector,
  type ActorId,
  type Version,
} from '@armature/versioning';
import { describe, expect, test, vi } from 'vitest';
import { createSealer } from './sealer.js';
import {
  BUCKET,
  type CLUSTER,
  N1,
  N2,
  N3,
  SECRET,
  THREE,
  TestCluster,
  addressFor,
  bucketOf,
  created,
  joined,
  node,
} from './cluster.test-support.js';

const READ = { r: 'default', pr: 'default' } as const;
const WRITE = { w: 'default', pw: 'default', dw: 'default', returnContext: true } as const;
const NONE = new Uint8Array(0);

class Client {
  readonly cluster: TestCluster;
  /** Through which node it talks; undefined for a router of its own. */
  readonly at: NodeId | undefined;
  readonly #router;

  constructor(cluster: TestCluster, at: NodeId | undefined) {
    this.cluster = cluster;
    this.at = at;
    this.#router = cluster.coordinator(cluster.outside());
  }

  get coordinator() {
    return this.at === undefined ? this.#router : this.cluster.at(this.at).coordinator;
  }

  get(key: string): Promise<FetchReply> {
    return this.cluster.finish(this.coordinator.fetch({ kind: 'fetch', address: addressFor(key), options: READ }, 1_000));
  }

  put(key: string, value: string, parts: Partial<WriteRequest> = {}): Promise<WriteReply> {
    const request: WriteRequest = {
      ...{ kind: 'write', ring: RING_UNKNOWN, address: addressFor(key), context: NONE, operation: this.cluster.operation() },
      ...{ tombstone: false, value: utf8Encode(value), meta: [], options: WRITE },
      ...parts,
    };
    return this.cluster.finish(this.coordinator.write(request, 1_000));
  }

  async values(key: string): Promise<string[]> {
    return (await this.get(key)).siblings.map((one) => (one.tombstone ? '(deleted)' : utf8Decode(one.value))).sort();
  }
}

describe.each([
  ['a node that owns the key', N1],
  ['a router', undefined],
] as const)('through %s', (_, at) => {
  test('read, change, write with the context, read: one value', async () => {
    const client = new Client(await TestCluster.open(), at);
    await client.put('k', 'one');
    const { context } = await client.get('k');
    await client.put('k', 'two', { context });
    expect(await client.values('k')).toEqual(['two']);
  });

  test('a key never written: no siblings and no context', async () => {
    const client = new Client(await TestCluster.open(), at);
    const reply = await client.get('k');
    expect(reply.siblings).toEqual([]);
    expect(reply.context).toHaveLength(0);
  });

  test('two blind writers: both values; a put with the context of both leaves one', async () => {
    const client = new Client(await TestCluster.open(), at);
    await client.put('k', 'one');
    await client.put('k', 'two');
    const { context, siblings } = await client.get('k');
    expect(siblings).toHaveLength(2);
    await client.put('k', 'both', { context });
    expect(await client.values('k')).toEqual(['both']);
  });

  test('a delete is a sibling that says so; a write that had not seen it survives it', async () => {
    const client = new Client(await TestCluster.open(), at);
    await client.put('k', 'one');
    const { context } = await client.get('k');
    await client.put('k', 'meanwhile', { context });
    await client.put('k', '', { context, tombstone: true, value: NONE });
    expect(await client.values('k')).toEqual(['(deleted)', 'meanwhile']);
  });
});

describe('the context after a put', () => {
  test('alone with its value: the next put with it replaces that, without a read', async () => {
    const client = new Client(await TestCluster.open(), N1);
    let { context } = await client.put('k', '0');
    for (let i = 1; i <= 5; i++) ({ context } = await client.put('k', String(i), { context }));
    expect(await client.values('k')).toEqual(['5']);
  });

  test('beside siblings that the writer has not read: the next put replaces its own value and spares theirs', async () => {
    const cluster = await TestCluster.open();
    const [ours, theirs] = [new Client(cluster, N1), new Client(cluster, N2)];
    await theirs.put('k', 'unread');
    await cluster.clock.advance(10);
    let { context } = await ours.put('k', 'first');
    for (let i = 0; i < 5; i++) ({ context } = await ours.put('k', `own ${i}`, { context }));
    await cluster.clock.advance(10);
    expect(await ours.values('k')).toEqual(['own 4', 'unread']);
  });

  test('two who never read and go on from their own last put: two siblings, whatever the interleaving', async () => {
    const cluster = await TestCluster.open();
    const clients = [new Client(cluster, N1), new Client(cluster, N3)];
    const contexts = [NONE, NONE] as Uint8Array[];
    for (let i = 0; i < 60; i++) {
      const who = cluster.random.int(2);
      contexts[who] = (await clients[who]!.put('k', `${who}:${i}`, { context: contexts[who]! })).context;
      if (cluster.random.int(3) === 0) await cluster.clock.advance(10);
    }
    await cluster.clock.advance(10);
    const values = await clients[0]!.values('k');
    expect(values.map((one) => one[0])).toEqual(['0', '1']);
  });

  test('is not made when it is not asked for', async () => {
    const client = new Client(await TestCluster.open(), N1);
    expect((await client.put('k', 'one', { options: { ...WRITE, returnContext: false } })).context).toHaveLength(0);
  });
});

describe('what comes in is checked', () => {
  const open = async (): Promise<Client> =>
    new Client(await TestCluster.open({ changes: [created(THREE), bucketOf({ maxValueBytes: 100 })] }), N1);

  test('a value larger than the bucket allows', async () => {
    const client = await open();
    await client.put('k', 'x'.repeat(100));
    await expect(client.put('k', 'x'.repeat(101))).rejects.toMatchObject({ code: 'too-large', details: { maxValueBytes: 100 } });
  });

  test('metadata beyond its bound, or not expressible in UTF-8', async () => {
    const client = await open();
    await client.put('k', 'v', { meta: [['content-type', 'text/plain']] });
    expect((await client.get('k')).siblings[0]!.meta).toEqual([['content-type', 'text/plain']]);
    await expect(client.put('k', 'v', { meta: [['a', 'x'.repeat(MAX_META_BYTES)]] })).rejects.toMatchObject({
      code: 'too-large',
    });
    await expect(client.put('k', 'v', { meta: [['a', '\ud800']] })).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test.each(['', 'short', 'X'.repeat(16), '0'.repeat(17)])('%j as an operation id', async (operation) => {
    const client = await open();
    await expect(client.put('k', 'v', { operation })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(client.cluster.values(N1, 'k'), 'and nothing was written').toEqual([]);
  });

  test('a position that is not the hash of the key', async () => {
    const client = await open();
    const address = `${addressFor('other').slice(0, 16)}${addressFor('k').slice(16)}` as Address;
    await expect(client.put('k', 'v', { address })).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('a context that is forged, cut, of another key, or of another cluster', async () => {
    const client = await open();
    await client.put('k', 'v');
    const { context } = await client.get('k');
    const forged = Uint8Array.from(context);
    forged[7]! ^= 1;
    const foreign = createSealer([SECRET], 'other' as typeof CLUSTER).seal(
      { clock: [] as never, at: 0 as never, fastest: undefined },
      addressFor('k'),
    );
    for (const bad of [forged, context.subarray(0, -1), foreign]) {
      await expect(client.put('k', 'w', { context: bad })).rejects.toMatchObject({ code: 'invalid-context' });
    }
    await expect(client.put('elsewhere', 'w', { context })).rejects.toMatchObject({ code: 'invalid-context' });
    expect(await client.values('k')).toEqual(['v']);
  });

  test('a bucket that nobody knows: asked for once, then refused by name', async () => {
    const client = await open();
    const address = addressOf('unheard-of' as BucketName, utf8Encode('k'));
    await expect(client.put('k', 'v', { address })).rejects.toMatchObject({
      code: 'unknown-bucket',
      details: { bucket: 'unheard-of' },
    });
    expect(client.cluster.refreshes).toBe(1);
  });

  test('a bucket that was made a moment ago elsewhere: caught up with', async () => {
    const client = await open();
    client.cluster.happen({ kind: 'bucket', bucket: 'new' as BucketName, properties: BUCKET });
    const address = addressOf('new' as BucketName, utf8Encode('k'));
    await client.put('k', 'v', { address });
    expect(client.cluster.refreshes).toBeGreaterThanOrEqual(1);
  });

  test('before the cluster is created: no-cluster, and how to create one', async () => {
    const cluster = await TestCluster.open({ changes: [], nodes: [N1] });
    await expect(new Client(cluster, N1).put('k', 'v')).rejects.toMatchObject({
      code: 'no-cluster',
      remedy: expect.stringContaining('armature') as string,
    });
    await expect(new Client(cluster, undefined).get('k')).rejects.toMatchObject({ code: 'no-cluster' });
  });
});

describe('an owner whose store is full', () => {
  async function openWithFullN1(): Promise<TestCluster> {
    const cluster = await TestCluster.open();
    vi.spyOn(cluster.at(N1).replica, 'mint').mockRejectedValue(new ArmatureError('storage-full', 'no space left'));
    return cluster;
  }

  test('has another owner mint what came to it by chance', async () => {
    const cluster = await openWithFullN1();
    const client = new Client(cluster, N1);
    const reply = await client.put('k', 'v');
    expect(reply.receipt.coordinator).not.toBe(N1);
    expect(await client.values('k')).toEqual(['v']);
  });

  test('says so to whoever has picked it by its ring, and can pick another', async () => {
    const cluster = await openWithFullN1();
    const put = new Client(cluster, N1).put('k', 'v', { ring: cluster.view.ringVersion });
    await expect(put).rejects.toMatchObject({ code: 'storage-full' });
    expect(cluster.asksOf('write'), 'it was not passed on').toEqual([]);
  });
});

describe('a node that does not own the key', () => {
  const N4 = node('n4');
  const open = (): Promise<TestCluster> => TestCluster.open({ changes: [created([...THREE, N4])], nodes: [...THREE, N4] });
  const foreignKey = (cluster: TestCluster, to: NodeId): string => {
    for (let i = 0; ; i++) if (!cluster.view.placement(addressFor(`key ${i}`), 3).owners.includes(to)) return `key ${i}`;
  };

  test('passes on a write that came to it by chance', async () => {
    const cluster = await open();
    const key = foreignKey(cluster, N4);
    const reply = await new Client(cluster, N4).put(key, 'v');
    expect(reply.receipt.coordinator).not.toBe(N4);
    expect(cluster.values(N4, key)).toEqual([]);
  });

  test('refuses one that was sent to it by its ring, after catching up when it is the one behind', async () => {
    const cluster = await open();
    const key = foreignKey(cluster, N4);
    await expect(new Client(cluster, N4).put(key, 'v', { ring: cluster.view.ringVersion })).rejects.toMatchObject({
      code: 'stale-ring',
    });
    expect(cluster.asksOf('write'), 'it was not passed on').toEqual([]);
  });

  test('takes one that was sent to it by its ring, once it has caught up and is an owner', async () => {
    const cluster = await TestCluster.open({ nodes: [...THREE, N4] });
    const before = cluster.view;
    cluster.happen(joined(N4));
    for (const { partition, change } of cluster.view.pendingFor(N4)) {
      cluster.happen({ kind: 'ready', node: N4, change, partitions: [partition] });
    }
    const owned = Array.from({ length: 500 }, (_, i) => `key ${i}`).find((key) =>
      cluster.view.placement(addressFor(key), 3).owners.includes(N4),
    )!;
    expect(cluster.at(N4).view).toBe(before);
    const reply = await new Client(cluster, N4).put(owned, 'v', { ring: cluster.view.ringVersion });
    expect(reply.receipt.coordinator).toBe(N4);
  });
});

test('a key whose clock has more actors than a context may name is read, written and deleted like any other', async () => {
  const cluster = await TestCluster.open();
  const client = new Client(cluster, N1);
  const actors = Array.from({ length: MAX_CONTEXT_ENTRIES + 100 }, (_, i) => ({
    actor: i.toString(16).padStart(16, '0') as ActorId,
    counter: 1,
  }));
  const version = (text: string): Version =>
    valueVersion({ value: utf8Encode(text), at: hlcFromMs(1_000), operation: cluster.operation() });
  // The last actor in the order of the clock is one that matters.
  const siblings = [actors[0]!, actors.at(-1)!].map((dot, i) => ({ dot, version: version(`old ${i}`) }));
  const crowd = encodeVersionSet(versionSet(versionVector(actors), siblings));
  for (const one of THREE) await cluster.finish(cluster.at(one).replica.merge(addressFor('k'), crowd, BUCKET, 'os'));

  const read = await client.get('k');
  expect(read.siblings).toHaveLength(2);
  const written = await client.put('k', 'new', { context: read.context });
  expect(cluster.values(N1, 'k')).toEqual(['new']);
  await client.put('k', 'newer', { context: written.context });
  expect(cluster.values(N1, 'k')).toEqual(['newer']);
  const { context } = await client.get('k');
  await client.put('k', '', { context, tombstone: true });
  expect(cluster.values(N1, 'k')).toEqual(['(deleted)']);
});

test('an unknown bucket, and nobody tells of the membership: the request ends at its deadline', async () => {
  const cluster = await TestCluster.open();
  cluster.refreshMs = 3_600_000;
  const address = addressOf('nowhere' as BucketName, utf8Encode('k'));
  const beganMs = cluster.clock.monotonicMs();
  const { coordinator } = cluster.at(N1);
  const fetched = coordinator.fetch({ kind: 'fetch', address, options: READ }, 1_000);
  await expect(cluster.finish(fetched)).rejects.toMatchObject({ code: 'timeout' });
  expect(cluster.clock.monotonicMs() - beganMs).toBeLessThan(2_000);
});
