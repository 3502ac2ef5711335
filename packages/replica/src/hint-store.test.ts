import { seededRandom, utf8Encode, type NodeId } from '@armature/kernel';
import { ManualClock, memoryTelemetry, recordingLog } from '@armature/runtime';
import { MemoryDisk, Store, spaceKey } from '@armature/storage';
import { encodeVersionSet as encoded, join } from '@armature/versioning';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HintStore } from './hint-store.js';
import type { MintRequest, MintResult } from './mint-request.js';
import { hintSpaceOn } from './stored-records.js';
import { BUCKET, TestNode, addressFor, decoded, finish, valuesOf } from './replica.test-support.js';

const A = 'a' as NodeId;
const B = 'b' as NodeId;

class World {
  readonly clock = new ManualClock();
  readonly disk = new MemoryDisk();
  readonly random = seededRandom('hints');
  readonly log = recordingLog();
  readonly telemetry = memoryTelemetry();
  limitBytes = 1_000_000;
  store!: Store;
  hints!: HintStore;
  failing = false;

  async open(): Promise<this> {
    const engine = this.disk.open();
    const { write } = engine;
    engine.write = async (batch, options) => {
      if (this.failing) throw new Error('the device fails');
      await write.call(engine, batch, options);
    };
    const { clock, random, limitBytes, telemetry } = this;
    this.store = new Store({ engine, clock, cacheBytes: 0 });
    const space = hintSpaceOn(this.store);
    const parts = { node: 'n9' as NodeId, space, clock, random, telemetry, limitBytes };
    this.hints = await finish(clock, HintStore.open({ ...parts, log: this.log.log }));
    this.store.onCommitFailure(() => {
      this.hints.commitFailed();
    });
    return this;
  }

  request(key: string, value: string, options: Partial<MintRequest> = {}): MintRequest {
    return new RequestMaker(this.random).make(key, value, options);
  }

  async mint(owner: NodeId, key: string, value: string, options: Partial<MintRequest> = {}): Promise<MintResult> {
    const minted = await finish(this.clock, this.hints.mint(owner, this.request(key, value, options)));
    await finish(this.clock, minted.committed);
    return minted;
  }

  /** A version set of one version, made elsewhere. */
  async made(value: string, key = 'k'): Promise<Uint8Array> {
    const maker = await TestNode.open({ clock: this.clock, random: this.random.fork(value) });
    return (await maker.put(key, value)).encoded;
  }

  merge(owner: NodeId, set: Uint8Array, key = 'k'): Promise<void> {
    return finish(this.clock, this.hints.merge(owner, addressFor(key), set, BUCKET, 'fsync'));
  }

  async values(owners: readonly NodeId[], key = 'k'): Promise<string[]> {
    return valuesOf(decoded(await finish(this.clock, this.hints.read(addressFor(key), owners))));
  }
}

class RequestMaker {
  readonly #random;
  constructor(random: ReturnType<typeof seededRandom>) {
    this.#random = random;
  }

  make(key: string, value: string, options: Partial<MintRequest>): MintRequest {
    return {
      ...{ address: addressFor(key), bucket: BUCKET, context: { clock: [] as never, at: 0 as never } },
      ...{ operation: Buffer.from(this.#random.bytes(8)).toString('hex') as never, tombstone: false },
      ...{ value: utf8Encode(value), meta: [] },
      ...options,
    };
  }
}

describe('hints', () => {
  test('are kept by owner, merged like records, and read together', async () => {
    const world = await new World().open();
    await world.merge(A, await world.made('one'));
    await world.merge(A, await world.made('two'));
    await world.merge(B, await world.made('three'));
    expect(await world.values([A])).toEqual(['one', 'two']);
    expect(await world.values([B])).toEqual(['three']);
    expect(await world.values([A, B])).toEqual(['one', 'three', 'two']);
    expect(await world.values([A], 'other')).toEqual([]);
    expect([...(await finish(world.clock, world.hints.owners()))].sort()).toEqual([A, B]);
  });

  test('what is kept of a key, for whomever, is found; what is kept of no key is not', async () => {
    const world = await new World().open();
    await world.merge(B, await world.made('one'));
    const kept = await finish(world.clock, world.hints.kept([addressFor('other'), addressFor('k')]));
    expect([...kept]).toEqual([addressFor('k')]);
  });

  test('one that was delivered is dropped, unless something was added to it meanwhile', async () => {
    const world = await new World().open();
    const one = await world.made('one');
    await world.merge(A, one);
    await world.merge(A, await world.made('two'));
    expect(await finish(world.clock, world.hints.drop(A, addressFor('k'), one))).toBe(false);
    expect(await world.values([A])).toEqual(['one', 'two']);
    const both = (await finish(world.clock, world.hints.read(addressFor('k'), [A]))) as Uint8Array;
    expect(await finish(world.clock, world.hints.drop(A, addressFor('k'), both))).toBe(true);
    expect(await world.values([A])).toEqual([]);
    expect(world.hints.sizeBytes).toBe(0);
  });

  test('they survive a restart, and are counted again', async () => {
    const world = await new World().open();
    for (const key of ['x', 'y', 'z']) await world.merge(A, await world.made(key, key), key);
    const { sizeBytes } = world.hints;
    expect(sizeBytes).toBeGreaterThan(100);
    await finish(world.clock, world.store.close());
    await world.open();
    expect(world.hints.sizeBytes).toBe(sizeBytes);
    expect(await world.values([A], 'y')).toEqual(['y']);
  });

  test('written at once, of one key and of several, are counted as what they leave, down to nothing when all were taken home', async () => {
    const world = await new World().open();
    const keys = ['k', 'k', 'k', 'x', 'y'];
    const sets = await Promise.all(keys.map((key, i) => world.made(`v${i}`, key)));
    await Promise.all(sets.map((set, i) => world.merge(A, set, keys[i])));
    const kept = await Promise.all(
      ['k', 'x', 'y'].map(async (key) => {
        const set = (await finish(world.clock, world.hints.read(addressFor(key), [A]))) as Uint8Array;
        return { address: addressFor(key), set };
      }),
    );
    const sizesBytes = kept.map(({ address, set }) => address.length + set.length);
    expect(world.hints.sizeBytes).toBe(sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes));
    const twice = [...kept, ...kept];
    await finish(world.clock, Promise.all(twice.map(({ address, set }) => world.hints.drop(A, address, set))));
    expect(world.hints.sizeBytes).toBe(0);
  });

  test('whose commit failed are not counted for long', async () => {
    const world = await new World().open();
    await world.merge(A, await world.made('kept', 'other'), 'other');
    const { sizeBytes } = world.hints;
    world.failing = true;
    await expect(world.merge(A, await world.made('one'))).rejects.toThrow();
    world.failing = false;
    await world.clock.advance(60_000);
    expect(world.hints.sizeBytes).toBe(sizeBytes);
  });

  test('their age is known at once, and again after a restart; a hint that is written to is as old as its newest version', async () => {
    const world = await new World().open();
    const oldestSeconds = (): number => world.telemetry.value('armature_hints_oldest_seconds');
    expect(oldestSeconds()).toBe(0);
    const old = await world.made('old');
    await world.clock.advance(3_600_000);
    await world.merge(A, old);
    expect(oldestSeconds()).toBeCloseTo(3_600, -1);
    await world.mint(B, 'k', 'young');
    expect(oldestSeconds()).toBeCloseTo(3_600, -1);
    await world.mint(A, 'k', 'younger');
    await world.clock.advance(1_800_000);
    await finish(world.clock, world.store.close());
    await world.open();
    expect(oldestSeconds()).toBeCloseTo(1_800, -1);
  });

  test('they are bounded: past the bound a new one is overloaded, with one warning, until there is room', async () => {
    const world = new World();
    world.limitBytes = 400;
    await world.open();
    const refused: string[] = [];
    for (let i = 0; i < 10; i++) {
      const key = `key ${i}`;
      await world
        .merge(A, await world.made(String(i), key), key)
        .catch((thrown: unknown) => refused.push((thrown as { code: string }).code));
    }
    expect(refused.length).toBeGreaterThan(3);
    expect(new Set(refused)).toEqual(new Set(['overloaded']));
    expect(world.hints.sizeBytes).toBeLessThanOrEqual(400);
    expect(world.log.entries.filter(({ level }) => level === 'warn')).toHaveLength(1);
    const kept = (await finish(world.clock, world.hints.read(addressFor('key 0'), [A]))) as Uint8Array;
    await finish(world.clock, world.hints.drop(A, addressFor('key 0'), kept));
    await world.merge(A, await world.made('again', 'key 0'), 'key 0');
  });

  test('damage in one is a hint lost, not a key that can take no more hints', async () => {
    const world = await new World().open();
    await world.merge(A, await world.made('one'));
    const stored = (spaceKey('hints', `${A}/`) + addressFor('k')) as never;
    const flipped = Buffer.from(world.disk.get(stored)!);
    flipped[flipped.length - 1]! ^= 1;
    world.disk.apply([{ kind: 'put', key: stored, value: flipped }], true);
    await world.merge(A, await world.made('two'));
    expect(await world.values([A])).toEqual(['two']);
  });

  test('a damaged one is told apart in its page, and dropped when asked for, unless it has been written anew', async () => {
    const world = await new World().open();
    const damage = (): void => {
      const stored = (spaceKey('hints', `${A}/`) + addressFor('k')) as never;
      const flipped = Buffer.from(world.disk.get(stored)!);
      flipped[flipped.length - 1]! ^= 1;
      world.disk.apply([{ kind: 'put', key: stored, value: flipped }], true);
    };
    const dropped = (): Promise<number> => finish(world.clock, world.hints.dropDamaged(A, [addressFor('k')]));
    await world.merge(A, await world.made('one'));
    damage();
    const first = await finish(world.clock, world.hints.pages(A).next());
    expect(first.value).toMatchObject({ entries: [], damaged: [addressFor('k')] });
    await world.merge(A, await world.made('two'));
    expect(await dropped()).toBe(0);
    damage();
    expect(await dropped()).toBe(1);
    expect(await finish(world.clock, world.hints.isEmpty())).toBe(true);
  });
});

describe('minting for absent owners', () => {
  test('puts of a key kept for one owner count on; a restart begins under another actor', async () => {
    const world = await new World().open();
    const one = await world.mint(A, 'k', 'one');
    const two = await world.mint(A, 'k', 'two');
    expect(two.dot).toEqual({ actor: one.dot!.actor, counter: 2 });
    await finish(world.clock, world.store.close());
    await world.open();
    expect((await world.mint(A, 'k', 'three')).dot!.actor).not.toBe(one.dot!.actor);
    expect(await world.values([A])).toEqual(['one', 'three', 'two']);
  });

  type Step =
    | { readonly kind: 'mint'; readonly owner: NodeId; readonly key: string }
    | { readonly kind: 'merge'; readonly owner: NodeId; readonly key: string }
    | { readonly kind: 'deliver'; readonly owner: NodeId; readonly key: string }
    | { readonly kind: 'device'; readonly failing: boolean }
    | { readonly kind: 'restart' | 'crash' | 'advance' };
  const owner = fc.constantFrom(A, B);
  const key = fc.constantFrom('k', 'l');
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('mint' as const), owner, key }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('merge' as const, 'deliver' as const), owner, key }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('device' as const), failing: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('restart' as const, 'crash' as const, 'advance' as const, 'advance' as const),
      }),
    },
  );

  test('no dot ever names two writes, for whichever owner they are kept, and whatever is delivered, deleted or lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const world = await new World().open();
        const named = new Map<string, string>();
        const broken: string[] = [];
        /** What the rest of the cluster holds of each key. */
        const home = new Map<string, Uint8Array>();
        const homeJoined = (at: string, set: Uint8Array): Uint8Array => {
          const before = home.get(at);
          return before === undefined ? set : encoded(join(decoded(before), decoded(set)));
        };
        for (const one of steps) {
          if (one.kind === 'mint') {
            const { hints } = world;
            const request = world.request(one.key, 'v');
            const note = (minted: MintResult): void => {
              minted.committed.catch(() => undefined);
              if (world.hints !== hints) return;
              const name = `${one.key} ${minted.dot!.actor} ${minted.dot!.counter}`;
              if (named.has(name)) broken.push(name);
              named.set(name, request.operation);
              home.set(one.key, homeJoined(one.key, minted.encoded));
            };
            hints.mint(one.owner, request).then(note, () => undefined);
            await world.clock.advance(0);
          } else if (one.kind === 'merge') {
            const set = home.get(one.key);
            if (set !== undefined) world.hints.merge(one.owner, addressFor(one.key), set, BUCKET, 'os').catch(() => undefined);
          } else if (one.kind === 'deliver') {
            const kept = await finish(world.clock, world.hints.read(addressFor(one.key), [one.owner]));
            if (kept === undefined) continue;
            home.set(one.key, homeJoined(one.key, kept));
            world.hints.drop(one.owner, addressFor(one.key), kept).catch(() => undefined);
          } else if (one.kind === 'device') {
            world.failing = one.failing;
          } else if (one.kind === 'advance') {
            await world.clock.advance(3);
          } else {
            world.failing = false;
            if (one.kind === 'crash') world.disk.crash();
            else await finish(world.clock, world.store.close()).catch(() => world.disk.crash());
            await world.open();
          }
        }
        await world.clock.advance(10);
        expect(broken).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
