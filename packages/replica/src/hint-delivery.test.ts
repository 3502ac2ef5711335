import { ArmatureError, seededRandom, type ErrorCode, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET, type Change, type MergeRequest, type ReplyTo, type Request } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { ManualClock, memoryTelemetry, recordingLog, silentLog, sleep } from '@armature/runtime';
import { memoryEngine, Store } from '@armature/storage';
import { describe, expect, test } from 'vitest';
import { createdWith, joinOf, node, viewAfter } from './history.test-support.js';
import { HintDelivery } from './hint-delivery.js';
import { HintStore } from './hint-store.js';
import { hintSpaceOn } from './stored-records.js';
import { BUCKET, TestNode, addressFor, finish } from './replica.test-support.js';

const [N1, N2, N3, N4] = ['n1', 'n2', 'n3', 'n4'].map(node) as [NodeId, NodeId, NodeId, NodeId];
const THREE = createdWith([N1, N2, N3]);

class World {
  readonly clock = new ManualClock();
  readonly random = seededRandom('delivery');
  readonly telemetry = memoryTelemetry();
  readonly log = recordingLog();
  readonly suspects = new Set<NodeId>();
  readonly refusing = new Map<NodeId, ErrorCode>();
  readonly asked: { readonly to: NodeId; readonly request: MergeRequest; readonly timeoutMs: number }[] = [];
  refusedForGood: Address | undefined;
  /** These time out, whoever is asked to merge them: too large for the link, say. */
  readonly tooSlow = new Set<Address>();
  /** Who says that it holds something of whatever it is asked about. */
  readonly holding = new Set<NodeId>();
  /** Merges under way now, and the most there ever were. */
  underWay = 0;
  most = 0;
  view = viewAfter(THREE);
  slices = 0;
  mayDeliver = true;
  /** When slices are granted. */
  admitted: Promise<void> = Promise.resolve();
  hints!: HintStore;
  delivery!: HintDelivery;
  #maker!: TestNode;

  async open(): Promise<this> {
    const { clock, random, telemetry } = this;
    const store = new Store({ engine: memoryEngine(), clock });
    const space = hintSpaceOn(store);
    const parts = { node: node('fallback'), space, clock, random, telemetry, log: silentLog, limitBytes: 1_000_000 };
    this.hints = await finish(clock, HintStore.open(parts));
    this.delivery = new HintDelivery({
      ...{ node: node('fallback'), hints: this.hints, clock, telemetry, log: this.log.log },
      view: () => this.view,
      isSuspect: (one) => this.suspects.has(one),
      mayDeliver: () => this.mayDeliver,
      slice: async (kind) => {
        expect(kind).toBe('hints');
        this.slices++;
        await this.admitted;
      },
      ask: async <Q extends Request>(to: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> => {
        if (request.kind === 'read')
          return { kind: 'read', set: this.holding.has(to) ? new Uint8Array(1) : undefined } as ReplyTo<Q>;
        if (request.kind !== 'merge') throw new Error('hints are merged');
        this.asked.push({ to, request, timeoutMs });
        this.most = Math.max(this.most, ++this.underWay);
        await sleep(clock, 1);
        this.underWay--;
        if (this.tooSlow.has(request.address)) throw new ArmatureError('timeout', `${to} does not answer`);
        const refusal = request.address === this.refusedForGood ? 'invalid-argument' : this.refusing.get(to);
        if (refusal !== undefined) throw new ArmatureError(refusal, `${to} refuses`);
        return { kind: 'merge', durable: true } as ReplyTo<Q>;
      },
    });
    this.#maker = await TestNode.open({ clock, random: random.fork('maker') });
    return this;
  }

  async keep(owner: NodeId, ...keys: string[]): Promise<void> {
    for (const key of keys) {
      const { encoded } = await this.#maker.put(key, `for ${owner}`);
      await finish(this.clock, this.hints.merge(owner, addressFor(key), encoded, BUCKET, 'fsync'));
    }
  }

  async left(owner: NodeId): Promise<Address[]> {
    const found: Address[] = [];
    for await (const page of this.hints.pages(owner)) found.push(...page.entries.map(({ address }) => address));
    return found;
  }

  to(one: NodeId): Address[] {
    return this.asked.filter(({ to }) => to === one).map(({ request }) => request.address);
  }

  get delivered(): number {
    return this.telemetry.value('armature_hints_delivered_total');
  }

  happen(...changes: Change[]): void {
    this.view = viewAfter(THREE, ...changes);
  }
}

const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key ${i}`);

/** A key that the newcomer is to own. */
function movingKey(world: World): string {
  return keys(500).find((key) => world.view.placement(addressFor(key), 3).pending.includes(N4))!;
}

describe('hints go home', () => {
  test('when the owner answers again: each as a merge, then deleted here', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(50));
    await world.keep(N2, 'other');
    world.delivery.recovered(N1);
    await world.clock.advance(500);
    expect(world.to(N1).sort()).toEqual(keys(50).map(addressFor).sort());
    expect(
      world.asked.every(({ request }) => request.hintFor === undefined),
      'as its own, not as a hint',
    ).toBe(true);
    expect(await world.left(N1)).toEqual([]);
    expect(await world.left(N2)).toHaveLength(1);
    expect(world.delivered).toBe(50);
    expect(world.most).toBeLessThanOrEqual(16);
  });

  test('a large one is given the time in addition that its bytes may take', async () => {
    const world = await new World().open();
    await world.keep(N1, 'small');
    const large = (await (await TestNode.open({ clock: world.clock })).put('large', 'x'.repeat(500_000))).encoded;
    await finish(world.clock, world.hints.merge(N1, addressFor('large'), large, BUCKET, 'fsync'));
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    const given = (key: string): number => world.asked.find(({ request }) => request.address === addressFor(key))!.timeoutMs;
    expect(given('large') - given('small')).toBeGreaterThan(450);
    expect(given('small')).toBeLessThan(5_010);
  });

  test('durable where the bucket is buffered: what is deleted here may be the one durable copy', async () => {
    const world = await new World().open();
    world.happen({ kind: 'bucket', bucket: DEFAULT_BUCKET, properties: { ...BUCKET, durability: 'buffered' } });
    await world.keep(N1, 'a');
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(world.asked.map(({ request }) => request.durability)).toEqual(['fsync']);
  });

  test('without a word from the detector, at start and every ten seconds, to all that are not suspect', async () => {
    const world = await new World().open();
    await world.keep(N1, 'a');
    await world.keep(N2, 'b');
    world.suspects.add(N2);
    world.delivery.start();
    await world.clock.advance(1_000);
    expect(world.to(N1)).toHaveLength(1);
    expect(world.to(N2)).toEqual([]);
    world.suspects.clear();
    await world.clock.advance(10_000);
    expect(world.to(N2)).toHaveLength(1);
    world.delivery.stop();
    await world.clock.advance(60_000);
    expect(world.clock.pending).toBe(0);
  });

  test('the owner goes away in the middle: what it has not acknowledged is still here, and goes out the next time', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(60));
    world.delivery.recovered(N1);
    await world.clock.advance(2);
    world.refusing.set(N1, 'unreachable');
    await world.clock.advance(1_000);
    const left = await world.left(N1);
    expect(left.length).toBeGreaterThan(0);
    expect(left.length + world.delivered).toBe(60);
    expect(world.asked.length, 'it is not hammered').toBeLessThan(60);
    world.refusing.clear();
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect(await world.left(N1)).toEqual([]);
    expect(world.delivered).toBe(60);
  });

  test('what is added to a hint while it is under way stays, and goes out the next time', async () => {
    const world = await new World().open();
    await world.keep(N1, 'k');
    world.delivery.recovered(N1);
    await world.keep(N1, 'k');
    await world.clock.advance(100);
    expect(await world.left(N1)).toHaveLength(1);
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(await world.left(N1)).toEqual([]);
  });

  test('a hint that the owner refuses for good stays, and does not hold up the others', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(40));
    const [bad] = await world.left(N1);
    world.refusedForGood = bad;
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect(await world.left(N1)).toEqual([bad]);
    expect(world.delivered).toBe(39);
  });

  test('hints that time out stay, and do not hold up those behind them; what stays is reported', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(60));
    const slow = (await world.left(N1)).slice(0, 20);
    for (const one of slow) world.tooSlow.add(one);
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect((await world.left(N1)).sort()).toEqual([...slow].sort());
    const [stuck] = world.delivery.stuck;
    expect(stuck).toMatchObject({ owner: N1, count: 20, reason: expect.stringMatching(/^timeout: n1/) as string });
    expect(stuck?.keyHash).toMatch(/^[0-9a-f]{32}$/);
    expect(stuck?.oldestMs).toBeLessThanOrEqual(world.clock.nowMs());
    expect(world.log.entries.filter(({ level }) => level === 'warn')).toHaveLength(1);
    world.tooSlow.clear();
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect(world.delivery.stuck).toEqual([]);
  });

  test('slice by slice: without one nothing goes out, and five hundred do not take one each', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(500));
    let admit = (): void => undefined;
    world.admitted = new Promise((resolve) => {
      admit = resolve;
    });
    world.delivery.recovered(N1);
    await world.clock.advance(5_000);
    expect(world.asked).toEqual([]);
    admit();
    await world.clock.advance(5_000);
    expect(world.delivered).toBe(500);
    expect(world.slices).toBeGreaterThan(1);
    expect(world.slices).toBeLessThan(10);
  });

  test('of a node that may not deliver: none go out, and in the middle they stop', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(100));
    world.mayDeliver = false;
    world.delivery.recovered(N1);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked).toEqual([]);
    world.mayDeliver = true;
    world.delivery.recovered(N1);
    await world.clock.advance(1);
    world.mayDeliver = false;
    await world.clock.advance(10_000);
    expect(world.asked.length).toBeLessThan(100);
    expect((await world.left(N1)).length + world.delivered).toBe(100);
  });

  test('stopping: nothing more goes out, and what was under way is kept', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(100));
    world.delivery.recovered(N1);
    await world.clock.advance(1);
    world.delivery.stop();
    const asked = world.asked.length;
    await world.clock.advance(10_000);
    expect(world.asked.length).toBe(asked);
    expect((await world.left(N1)).length + world.delivered).toBe(100);
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect(world.asked.length).toBe(asked);
  });
});

describe('when the ring has changed meanwhile', () => {
  test('an owner that was removed: its hints go to all present owners, and are deleted when all have them', async () => {
    const world = await new World().open();
    await world.keep(N1, 'k');
    world.happen(joinOf(N4), { kind: 'remove', node: N1 });
    const { owners } = world.view.placement(addressFor('k'), 3);
    expect(owners).not.toContain(N1);
    world.refusing.set(owners[0]!, 'timeout');
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(await world.left(N1)).toHaveLength(1);
    world.refusing.clear();
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    for (const owner of owners) expect(world.to(owner)).toContain(addressFor('k'));
    expect(await world.left(N1)).toEqual([]);
  });

  test('of an owner that was removed: what waits for another owner of its key does not hold up what does not', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(200));
    world.view = viewAfter(createdWith([N1, N2, N3, N4, node('n5')]), { kind: 'remove', node: N1 });
    world.suspects.add(N4);
    world.refusing.set(N4, 'unreachable');
    world.delivery.recovered(N1);
    await world.clock.advance(5_000);
    const left = await world.left(N1);
    const concerns = (address: Address): boolean => {
      const { owners, pending } = world.view.placement(address, 3);
      return [...owners, ...pending].includes(N4);
    };
    expect(left.length).toBeGreaterThan(0);
    expect(left.filter((address) => !concerns(address))).toEqual([]);
    expect(world.to(N4).length, 'it is not asked for each of them').toBeLessThanOrEqual(16);
    expect(world.delivery.stuck[0]?.count).toBe(left.length);
  });

  test('an owner that was removed and is taken for failed: nobody waits for it, the scan takes its hints to the present owners', async () => {
    const world = await new World().open();
    await world.keep(N1, 'k');
    world.suspects.add(N1);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked, 'while it is a member it may come back').toEqual([]);
    world.happen(joinOf(N4), { kind: 'remove', node: N1 });
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.to(N1)).toEqual([]);
    expect(await world.left(N1)).toEqual([]);
  });

  test('a pending owner gets the hint too: it may have copied the partition already', async () => {
    const world = await new World().open();
    world.happen(joinOf(N4));
    const key = movingKey(world);
    await world.keep(N1, key);
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(world.to(N1)).toEqual([addressFor(key)]);
    expect(world.to(N4)).toEqual([addressFor(key)]);
    expect(await world.left(N1)).toEqual([]);
  });

  test('a pending owner that is down: the hint stays, and the owner gets its other hints all the same', async () => {
    const world = await new World().open();
    world.happen(joinOf(N4));
    const key = movingKey(world);
    await world.keep(N1, key, ...keys(60));
    world.refusing.set(N4, 'unreachable');
    world.delivery.recovered(N1);
    await world.clock.advance(1_000);
    expect(new Set(world.to(N1)).size).toBe(new Set([key, ...keys(60)]).size);
    const left = await world.left(N1);
    expect(left).toContain(addressFor(key));
    for (const address of left) expect(world.view.placement(address, 3).pending).toContain(N4);
  });

  test('a bucket that is not known here yet: its hints wait, the others do not', async () => {
    const world = await new World().open();
    await world.keep(N1, ...keys(5));
    const known = world.view;
    const buckets = new Map(known.buckets);
    buckets.clear();
    world.view = Object.create(known, { buckets: { value: buckets } }) as typeof known;
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(world.asked).toEqual([]);
    world.view = known;
    world.delivery.recovered(N1);
    await world.clock.advance(100);
    expect(await world.left(N1)).toEqual([]);
  });
});

describe('a node that is leaving', () => {
  const FALLBACK = node('fallback');
  const leaving = async (): Promise<World> => {
    const world = await new World().open();
    world.view = viewAfter(createdWith([N1, N2, N3, N4]), joinOf(FALLBACK), { kind: 'leave', node: FALLBACK });
    return world;
  };
  /** A key of which N1 is an owner, and somebody who stays is not. */
  const keyOf = (world: World, owner: NodeId): string =>
    keys(500).find((key) =>
      world.view.ring!.preferenceList(world.view.ring!.partitionOf(addressFor(key)), 3).primaries.includes(owner),
    )!;

  test('does not wait for an owner that is down: a node that stays keeps the hint for it, and it is deleted here', async () => {
    const world = await leaving();
    const key = keyOf(world, N1);
    await world.keep(N1, key);
    world.suspects.add(N1);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.to(N1)).toEqual([]);
    const [handed] = world.asked.filter(({ request }) => request.hintFor === N1);
    expect(world.view.placement(addressFor(key), 3).fallbacks).toContain(handed?.to);
    expect(handed?.request.durability).toBe('fsync');
    expect(await world.left(N1)).toEqual([]);
  });

  test('an owner that only seemed to be up: likewise; and to one that is up, hints go home', async () => {
    const world = await leaving();
    const key = keyOf(world, N1);
    await world.keep(N1, key);
    world.refusing.set(N1, 'timeout');
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked.some(({ request }) => request.hintFor === N1)).toBe(true);
    expect(await world.left(N1)).toEqual([]);
    await world.keep(N2, key);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked.some(({ request }) => request.hintFor === N2)).toBe(false);
    expect(await world.left(N2)).toEqual([]);
  });

  test('W other owners have it: it is deleted here whether or not somebody keeps it for the one that is down', async () => {
    const world = await leaving();
    const key = keyOf(world, N1);
    await world.keep(N1, key);
    const { owners, fallbacks } = world.view.placement(addressFor(key), 3);
    world.suspects.add(N1);
    for (const one of fallbacks) world.suspects.add(one);
    await finish(world.clock, world.delivery.deliverAll());
    const others = owners.filter((one) => one !== N1);
    for (const one of others) {
      const own = world.asked.filter(({ to, request }) => to === one && request.hintFor === undefined);
      expect(own.map(({ request }) => request.durability)).toEqual(['fsync']);
    }
    expect(await world.left(N1)).toEqual([]);
  });

  test('fewer than W have it: whoever is to keep it must have nothing of the key, or two copies would be one; else the hint stays, and says why', async () => {
    const world = await leaving();
    const key = keyOf(world, N1);
    await world.keep(N1, key);
    const { owners, fallbacks } = world.view.placement(addressFor(key), 3);
    const heirs = fallbacks.filter((one) => one !== FALLBACK);
    const [away] = owners.filter((one) => one !== N1);
    world.suspects.add(N1).add(away!);
    for (const one of heirs) world.holding.add(one);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked.some(({ request }) => request.hintFor !== undefined)).toBe(false);
    expect(await world.left(N1)).toHaveLength(1);
    expect(world.delivery.stuck[0]?.reason).toMatch(/^unavailable: 1 of the 2 owners/);
    world.holding.clear();
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked.filter(({ request }) => request.hintFor === N1).map(({ to }) => to)).toEqual(heirs.slice(0, 1));
    expect(await world.left(N1)).toEqual([]);
  });

  test('whoever is to keep it must be up and stay: the next is asked when one refuses, and with nobody left the hint stays', async () => {
    const world = await leaving();
    const key = keyOf(world, N1);
    await world.keep(N1, key);
    for (const one of [N1, N2, N3, N4]) world.suspects.add(one);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked).toEqual([]);
    world.suspects.clear();
    world.suspects.add(N1);
    const [first] = world.view.placement(addressFor(key), 3).fallbacks;
    world.refusing.set(first!, 'overloaded');
    await finish(world.clock, world.delivery.deliverAll());
    const asked = world.asked.filter(({ request }) => request.hintFor === N1).map(({ to }) => to);
    expect(asked[0]).toBe(first);
    expect(asked).toHaveLength(2);
    expect(asked).not.toContain(FALLBACK);
    expect(await world.left(N1)).toEqual([]);
  });

  test('a node that stays does not give away what it keeps', async () => {
    const world = await new World().open();
    world.view = viewAfter(createdWith([N1, N2, N3, N4]), joinOf(FALLBACK));
    await world.keep(N1, keyOf(world, N1));
    world.suspects.add(N1);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked).toEqual([]);
    expect(await world.left(N1)).toHaveLength(1);
  });
});

describe('hints that have grown too old', () => {
  const DAY = 24 * 3_600_000;

  /** N1 is away, and a key of which it is an owner has waited for it since yesterday. */
  const waiting = async (...more: string[]): Promise<World> => {
    const world = await new World().open();
    await world.keep(N1, 'a', ...more);
    world.suspects.add(N1);
    return world;
  };
  const agedOut = (world: World): number => world.telemetry.value('armature_hints_aged_out_total');
  const oldestSeconds = (world: World): number => world.telemetry.value('armature_hints_oldest_seconds');

  test('stay while they are younger than a day', async () => {
    const world = await waiting();
    await world.clock.advance(DAY - 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.asked).toEqual([]);
    expect(await world.left(N1)).toHaveLength(1);
    expect(oldestSeconds(world)).toBeCloseTo(DAY / 1_000, -1);
  });

  test('go to all other owners that are up, as their own and durably, and are deleted when these have acknowledged; the owner is asked nothing', async () => {
    const world = await waiting('b', 'c');
    await world.clock.advance(DAY + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    for (const to of [N2, N3]) expect(world.to(to).sort()).toEqual(['a', 'b', 'c'].map(addressFor).sort());
    expect(world.to(N1)).toEqual([]);
    expect(world.asked.every(({ request }) => request.hintFor === undefined && request.durability === 'fsync')).toBe(true);
    expect(await world.left(N1)).toEqual([]);
    expect(agedOut(world)).toBe(3);
    expect(oldestSeconds(world)).toBe(0);
  });

  test('stay while one of the others refuses, or none is up', async () => {
    const world = await waiting();
    await world.clock.advance(DAY + 1_000);
    world.refusing.set(N3, 'storage-full');
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.to(N2), 'N2 has it, which is not enough').toHaveLength(1);
    expect(await world.left(N1)).toHaveLength(1);
    world.suspects.add(N2).add(N3);
    await finish(world.clock, world.delivery.deliverAll());
    expect(await world.left(N1)).toHaveLength(1);
    expect(agedOut(world)).toBe(0);
    world.suspects.delete(N2);
    await finish(world.clock, world.delivery.deliverAll());
    expect(await world.left(N1), 'one copy beside this one is not W = 2').toHaveLength(1);
    expect(world.delivery.stuck[0]).toMatchObject({
      owner: N1,
      count: 1,
      reason: expect.stringContaining('1 of the 2 owners') as string,
    });
    world.refusing.clear();
    world.suspects.delete(N3);
    await finish(world.clock, world.delivery.deliverAll());
    expect(await world.left(N1)).toEqual([]);
    expect(world.delivery.stuck).toEqual([]);
  });

  test('only those: what was written to since waits on, and nothing is asked before it is old itself', async () => {
    const world = await waiting();
    await world.clock.advance(DAY / 2);
    await world.keep(N1, 'young');
    await world.clock.advance(DAY / 2 + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(await world.left(N1)).toEqual([addressFor('young')]);
    expect(oldestSeconds(world)).toBeCloseTo(DAY / 2_000, -1);
    const { slices } = world;
    await finish(world.clock, world.delivery.deliverAll());
    expect(world.slices, 'the survey has put the age right').toBe(slices);
  });

  test('an owner that is up and cannot take them does not keep them for ever either', async () => {
    const world = await waiting();
    world.suspects.clear();
    world.refusing.set(N1, 'storage-full');
    await world.clock.advance(DAY + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(await world.left(N1)).toEqual([]);
    expect(agedOut(world)).toBe(1);
  });

  test('one warning for each absence, however many they are', async () => {
    const world = await waiting('b');
    const warnings = (): number => world.log.entries.filter(({ level }) => level === 'warn').length;
    await world.clock.advance(DAY + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(warnings()).toBe(1);
    await world.keep(N1, 'c');
    await world.clock.advance(DAY + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(agedOut(world)).toBe(3);
    expect(warnings()).toBe(1);
    world.delivery.recovered(N1);
    await world.keep(N1, 'd');
    await world.clock.advance(DAY + 1_000);
    await finish(world.clock, world.delivery.deliverAll());
    expect(warnings()).toBe(2);
  });
});
