import { ArmatureError, type BucketName, type ErrorCode, type NodeId, type PartitionId } from '@armature/kernel';
import type { AbsorbReply, Change } from '@armature/protocol';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import type { Address } from '@armature/ring';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Relinquisher } from './relinquish.js';
import { dutyOf } from './stray-shares.js';
import { TransferPace } from './token-bucket.js';
import { TransferLedger } from './transfer-ledger.js';
import { addressFor, encoded, ToyNode } from './transfer.test-support.js';
import { createdWith, joinOf, node, viewAfter } from './view.test-support.js';

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5'].map(node);
const SELF = node('n1');
/** n1 leaves, all others own everything that was its own, and all of that is settled. */
const CREATED = createdWith(NAMES, 16);
const LEFT: readonly Change[] = settled([CREATED, { kind: 'leave', node: SELF }]);

/** With everybody ready for what he is to own. */
function settled(changes: readonly Change[]): Change[] {
  const all = [...changes];
  for (const one of NAMES) {
    const pending = viewAfter(changes).pendingFor(one);
    for (const { partition, change } of pending) all.push({ kind: 'ready', node: one, change, partitions: [partition] });
  }
  return all;
}

const nOf = (address: Address): number => (address.charCodeAt(16) === 'pair'.length ? 2 : 3);

class World {
  readonly clock = new ManualClock();
  readonly log = recordingLog();
  readonly telemetry = memoryTelemetry();
  readonly changes: Change[];
  view;
  readonly own: ToyNode;
  readonly others: Map<NodeId, ToyNode>;
  readonly suspects = new Set<NodeId>();
  readonly down = new Map<NodeId, ErrorCode>();
  /** What the next asks meet with, one after the other; then nothing. */
  luck: ('well' | 'refuses' | 'fails' | 'busy' | 'turns' | 'written')[] = [];
  asks = 0;
  isOwnStore = true;
  areTreesBuilt = true;
  drops = 0;
  /** What must never happen, and did. */
  readonly broken: string[] = [];
  readonly ledger: TransferLedger;
  readonly relinquisher: Relinquisher;

  constructor(changes: readonly Change[] = LEFT) {
    this.changes = [...changes];
    this.view = viewAfter(this.changes);
    this.own = new ToyNode(this.clock, () => this.view, NAMES[0]!);
    this.others = new Map(NAMES.slice(1).map((one) => [one, new ToyNode(this.clock, () => this.view, one)]));
    this.ledger = new TransferLedger(this.clock, this.telemetry, () => 0);
    this.relinquisher = new Relinquisher({
      node: SELF,
      view: () => this.view,
      ask: async (to, request) => {
        this.asks++;
        await sleep(this.clock, 1);
        const failure = this.down.get(to);
        if (failure !== undefined) throw new ArmatureError(failure, 'down');
        const luck = this.luck.shift() ?? 'well';
        if (luck === 'fails') throw new ArmatureError('timeout', 'gone');
        if (luck === 'busy') throw new ArmatureError('overloaded', 'busy');
        if (luck === 'turns') this.happen({ kind: 'weight', node: node('n2'), weight: 1 + this.changes.length / 100 });
        if (luck === 'written') for (const [address, set] of this.own.store) this.own.store.set(address, encoded([...set, 9]));
        if ('ring' in request && request.ring !== this.view.ringVersion) throw new ArmatureError('stale-ring', 'behind');
        if (request.kind === 'absorb' && !request.durable) this.broken.push('handed over into memory');
        if (luck === 'refuses' && request.kind === 'absorb') {
          const none: AbsorbReply = { kind: 'absorb', merged: 0, refused: request.entries.length };
          return none as never;
        }
        return this.others.get(to)!.answer(request);
      },
      isSuspect: (one) => this.suspects.has(one),
      isOwnStore: () => this.isOwnStore,
      local: this.own.share,
      trees: { sizeOf: (partition, n) => this.#sizeOf(partition, n) },
      replica: {
        page: async ({ start, end, limit }) => ({
          ...(await this.own.page({ start, end, limit, limitBytes: 1 })),
          damaged: [],
        }),
        drop: async (address, set) => {
          const partition = this.view.ring!.partitionOf(address);
          if (dutyOf(this.view, SELF, partition, nOf(address)) !== 'relinquish') this.broken.push(`${address}: is to be kept`);
          await sleep(this.clock, 1 + (this.drops++ % 7));
          const dropped = await this.own.drop(address, set);
          if (dropped) this.#checkDrop(address, set);
          return dropped;
        },
      },
      slice: async (kind) => expect(kind).toBe('fill'),
      pace: new TransferPace(this.clock, undefined),
      ledger: this.ledger,
      clock: this.clock,
      log: this.log.log,
    });
  }

  happen(change: Change): void {
    this.changes.push(change);
    this.view = viewAfter(this.changes);
  }

  ownersOf(key: number, n = 3, bucket?: string): readonly NodeId[] {
    return this.view.placementOf(this.view.ring!.partitionOf(addressFor(key, bucket)), n).owners;
  }

  async settle(): Promise<void> {
    this.relinquisher.wake();
    await this.clock.advance(120_000);
  }

  /** Everything that was dropped, when it was, must be at all owners that the key has under the view of the moment. */
  #checkDrop(address: Address, set: Uint8Array): void {
    const { owners } = this.view.placementOf(this.view.ring!.partitionOf(address), nOf(address));
    for (const owner of owners) {
      const there = [...(this.others.get(owner)?.store.get(address) ?? [])];
      if (![...set].every((one) => there.includes(one))) this.broken.push(`${address}: dropped, and ${owner} lacks something`);
    }
  }

  #sizeOf(partition: PartitionId, n: number): { records: number; bytes: number } | undefined {
    if (!this.areTreesBuilt) return undefined;
    const records = [...this.own.store.keys()].filter(
      (address) => this.view.ring!.partitionOf(address) === partition && nOf(address) === n,
    ).length;
    return { records, bytes: 0 };
  }
}

describe('what is a node to do with a share', () => {
  test('keep what it owns or is to own, give up what settled owners have, and wait while owners are still to come', () => {
    const duties = (changes: readonly Change[]): Set<string> => {
      const view = viewAfter(changes);
      return new Set(Array.from({ length: 16 }, (_, p) => dutyOf(view, SELF, p as PartitionId, 3)));
    };
    expect(duties(LEFT)).toEqual(new Set(['relinquish']));
    expect(duties([CREATED])).toEqual(new Set(['keep', 'relinquish']));
    const moving = viewAfter([...LEFT, joinOf(node('n6'))]);
    for (let p = 0; p < 16; p++) {
      const { pending } = moving.placementOf(p as PartitionId, 3);
      expect(dutyOf(moving, SELF, p as PartitionId, 3)).toBe(pending.length > 0 ? 'wait' : 'relinquish');
    }
    expect(duties([...LEFT, joinOf(SELF)])).toContain('keep');
  });
});

describe('relinquishing', () => {
  test('what all owners hold is dropped after digests alone; what one lacks is handed to it first', async () => {
    const world = new World();
    for (let key = 0; key < 200; key++) {
      world.own.store.set(addressFor(key), encoded([1, 2]));
      for (const owner of world.ownersOf(key)) world.others.get(owner)!.store.set(addressFor(key), encoded([1, 2]));
    }
    const [lacking] = world.ownersOf(7);
    world.others.get(lacking!)!.store.delete(addressFor(7));
    world.others.get(world.ownersOf(8)[1]!)!.store.set(addressFor(8), encoded([1]));
    await world.settle();
    expect(world.own.store.size).toBe(0);
    expect(world.others.get(lacking!)!.contents()[addressFor(7)]).toEqual([1, 2]);
    expect(world.telemetry.value('armature_transfer_records_total{direction="handed-over"}')).toBe(2);
    expect(world.ledger.status(0)).toMatchObject({ strayPartitions: 0, relinquishedRecords: 200, lastProblem: '' });
    expect(world.relinquisher.isClear).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  test('random holdings, failures, refusals, writes and turns of the ring: nothing is dropped that an owner lacks, and in the end all is given up', async () => {
    const toys = fc.array(fc.tuple(fc.nat(29), fc.uniqueArray(fc.nat(4), { minLength: 1 })), { maxLength: 25 });
    const luck = fc.array(fc.constantFrom('well', 'well', 'well', 'refuses', 'fails', 'busy', 'turns', 'written'), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(toys, { minLength: 5, maxLength: 5 }),
        luck,
        fc.integer({ min: 1, max: 8 }),
        async (sides, chances, pageEntries) => {
          const world = new World();
          world.luck = chances;
          const nodes = [world.own, ...world.others.values()];
          for (const [i, one] of nodes.entries()) {
            one.pageEntries = pageEntries;
            for (const [key, toy] of sides[i]!) one.store.set(addressFor(key), encoded(toy));
          }
          const before = world.own.contents();
          world.relinquisher.wake();
          for (let turns = world.changes.length; ; turns = world.changes.length) {
            await world.clock.advance(60_000);
            if (world.changes.length === turns) break;
            // What those who are to own something do, and what a node does at each change of the view.
            const ready = settled(world.changes).slice(world.changes.length);
            for (const one of ready) world.happen(one);
            world.relinquisher.wake();
          }
          await world.settle();
          expect(world.own.store.size).toBe(0);
          expect(world.relinquisher.isClear).toBe(true);
          for (const [address, toy] of Object.entries(before)) {
            const { owners } = world.view.placementOf(world.view.ring!.partitionOf(address as never), 3);
            for (const owner of owners)
              expect(world.others.get(owner)!.contents()[address]).toEqual(expect.arrayContaining([...toy]));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('an owner that is down: everything stays until it is back, and the reason is told', async () => {
    const world = new World();
    for (let key = 0; key < 50; key++) world.own.store.set(addressFor(key), encoded([1]));
    for (const one of NAMES.slice(1)) world.down.set(one, 'unreachable');
    await world.settle();
    expect(world.own.store.size).toBe(50);
    expect(world.ledger.status(0).lastProblem).toContain('unreachable');
    expect(world.ledger.strayPartitions).toBeGreaterThan(5);
    world.down.clear();
    for (const one of NAMES.slice(1)) world.suspects.add(one);
    const { asks } = world;
    await world.clock.advance(20_000);
    expect(world.asks, 'who is known to be down is not asked').toBe(asks);
    world.suspects.clear();
    await world.clock.advance(20_000);
    expect(world.own.store.size).toBe(0);
    expect(world.ledger.status(0).lastProblem).toBe('');
  });

  test('a store that is not known to be its own hands nothing on, and drops nothing: what it holds may have been deleted since', async () => {
    const world = new World();
    for (let key = 0; key < 50; key++) world.own.store.set(addressFor(key), encoded([1]));
    for (const one of NAMES.slice(1)) world.down.set(one, 'unreachable');
    world.relinquisher.wake();
    await world.clock.advance(1_000);
    world.isOwnStore = false;
    world.down.clear();
    await world.settle();
    expect(world.own.store.size).toBe(50);
    expect([...world.others.values()].every(({ store }) => store.size === 0)).toBe(true);
  });

  test('while a new owner is still copying nothing is given up, and it is when the partition has flipped', async () => {
    const joining = [...LEFT, joinOf(node('n6'))];
    const world = new World(joining);
    world.others.set(node('n6'), new ToyNode(world.clock, () => world.view, node('n6')));
    const moving = Array.from({ length: 60 }, (_, key) => key).filter(
      (key) => world.view.placementOf(world.view.ring!.partitionOf(addressFor(key)), 3).pending.length > 0,
    );
    expect(moving.length).toBeGreaterThan(5);
    for (const key of moving) world.own.store.set(addressFor(key), encoded([1]));
    await world.settle();
    expect(world.own.store.size).toBe(moving.length);
    expect(world.relinquisher.isClear).toBe(false);
    for (const { partition, change } of world.view.pendingFor(node('n6'))) {
      world.happen({ kind: 'ready', node: node('n6'), change, partitions: [partition] });
    }
    await world.settle();
    expect(world.own.store.size).toBe(0);
    expect(world.relinquisher.isClear).toBe(true);
  });

  test('the view turns while it drops: none begins then, and whoever waits for the drops to end finds no more of them', async () => {
    let partly = 0;
    for (let turnMs = 1; turnMs < 200; turnMs += 3) {
      const world = new World();
      for (let key = 0; key < 100; key++) {
        world.own.store.set(addressFor(key), encoded([1]));
        for (const owner of world.ownersOf(key)) world.others.get(owner)!.store.set(addressFor(key), encoded([1]));
      }
      world.relinquisher.wake();
      await world.clock.advance(turnMs);
      world.happen(joinOf(SELF));
      let ended = false;
      void world.relinquisher.dropsEnded().then(() => (ended = true));
      while (!ended) await world.clock.advance(1);
      const left = [...world.own.store.keys()];
      if (left.length > 0 && left.length < 100) partly++;
      world.relinquisher.wake();
      await world.settle();
      for (const address of left) {
        const isOurs = dutyOf(world.view, SELF, world.view.ring!.partitionOf(address), 3) === 'keep';
        if (isOurs) expect(world.own.store.has(address)).toBe(true);
      }
      expect(world.broken).toEqual([]);
    }
    expect(partly).toBeGreaterThan(3);
  });

  describe('a partition held for one N, and keys of another N in it', () => {
    const pair = 'pair' as BucketName;
    const properties = {
      n: 2,
      r: 1,
      w: 1,
      pr: 0,
      pw: 0,
      dw: 0,
      resolver: 'siblings',
      maxSiblings: 100,
      durability: 'fsync',
    } as const;
    const bucket = { kind: 'bucket', bucket: pair, properties } as unknown as Change;
    const keys = Array.from({ length: 200 }, (_, key) => key);
    const start = (): World => {
      const world = new World([CREATED, bucket]);
      for (const name of ['default', 'pair'] as const) {
        for (const key of keys) world.own.store.set(addressFor(key, name), encoded([1]));
      }
      return world;
    };
    const isOurs = ({ view }: World, key: number, n: number, name: string): boolean =>
      dutyOf(view, SELF, view.ring!.partitionOf(addressFor(key, name)), n) === 'keep';
    const expectGivenUp = (world: World): void => {
      expect(world.broken).toEqual([]);
      expect(world.ledger.status(0).lastProblem).toBe('');
      for (const [name, n] of [
        ['default', 3],
        ['pair', 2],
      ] as const) {
        for (const key of keys) expect(world.own.store.has(addressFor(key, name))).toBe(isOurs(world, key, n, name));
      }
      expect(keys.some((key) => isOurs(world, key, 3, 'default') && !isOurs(world, key, 2, 'default'))).toBe(true);
      expect(world.relinquisher.isClear).toBe(true);
    };

    test('they are given up, its own stay', async () => {
      const world = start();
      await world.settle();
      expectGivenUp(world);
    });

    test('also where its hash trees are still to be built, as after a start: it is not clear until they tell', async () => {
      const world = start();
      world.areTreesBuilt = false;
      await world.settle();
      expect(world.relinquisher.isClear).toBe(false);
      world.areTreesBuilt = true;
      await world.clock.advance(120_000);
      expectGivenUp(world);
    });
  });

  test('a node that is no member gives nothing to anybody: it may hold what has been deleted and reaped since', async () => {
    const world = new World([...LEFT, { kind: 'remove', node: SELF }]);
    world.own.store.set(addressFor(1), encoded([1]));
    await world.settle();
    expect(world.asks).toBe(0);
    expect(world.own.store.has(addressFor(1))).toBe(true);
  });

  test('a node that owns all it holds asks nobody', async () => {
    const world = new World([CREATED]);
    for (let key = 0; key < 100; key++) {
      if (world.ownersOf(key).includes(SELF)) world.own.store.set(addressFor(key), encoded([1]));
    }
    await world.settle();
    expect(world.asks).toBe(0);
    expect(world.relinquisher.isClear).toBe(true);
  });
});
