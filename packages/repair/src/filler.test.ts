import { ArmatureError, type BucketName, type ErrorCode, type NodeId, type PartitionId } from '@armature/kernel';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type Change, type SynchronisationRequest } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Filler } from './filler.js';
import { TransferPace } from './token-bucket.js';
import { TransferLedger } from './transfer-ledger.js';
import { addressFor, encoded, ToyNode, type Asked, type Toy } from './transfer.test-support.js';
import { createdWith, joinOf, node, viewAfter } from './view.test-support.js';

const NEWCOMER = node('new');
const OLD = [node('n1'), node('n2'), node('n3')];
const created = createdWith(OLD, 16);
const joined = joinOf(NEWCOMER);
const PENDING = viewAfter([created, joined]).pendingFor(NEWCOMER);

class World {
  readonly clock = new ManualClock();
  readonly log = recordingLog();
  readonly telemetry = memoryTelemetry();
  readonly changes: Change[] = [created, joined];
  view = viewAfter(this.changes);
  readonly own = new ToyNode(this.clock, () => this.view, NEWCOMER);
  readonly owners = new Map(OLD.map((one) => [one, new ToyNode(this.clock, () => this.view, one)]));
  readonly down = new Map<NodeId, ErrorCode>();
  readonly suspects = new Set<NodeId>();
  /** Whom nothing can be heard from about the membership. */
  readonly mute = new Set<NodeId>();
  readonly asks: Asked[] = [];
  readonly ready: { readonly change: string; readonly partitions: readonly PartitionId[]; readonly atMs: number }[] = [];
  /** Called before an answer is made. */
  meddle: (asked: Asked) => void = () => undefined;
  delayMs = 1;
  declareFailure: ErrorCode | undefined;
  isOwnStore = true;
  endless = false;
  slices = 0;
  /** How long a slice has to be waited for; undefined: there are none any more. */
  sliceMs: number | undefined = 0;
  synced = 0;
  bytesPerSecond: number | undefined;
  atOnce = 2;
  ledger = new TransferLedger(this.clock, this.telemetry, () => 0);
  filler = this.start();

  /** Another process over the same store. */
  start(): Filler {
    this.ledger = new TransferLedger(this.clock, this.telemetry, () => 0);
    this.filler = new Filler({
      node: NEWCOMER,
      view: () => this.view,
      ask: async (to, request) => {
        this.asks.push({ to, request });
        await sleep(this.clock, this.delayMs);
        this.meddle({ to, request });
        const failure = this.down.get(to);
        if (failure !== undefined) throw new ArmatureError(failure, `${to} is down`);
        if ('ring' in request && request.ring !== this.view.ringVersion) throw new ArmatureError('stale-ring', 'behind');
        const reply = await this.owners.get(to)!.answer(request);
        return this.endless && request.kind === 'digests' ? { ...reply, next: request.start } : reply;
      },
      isSuspect: (one) => this.suspects.has(one),
      isOwnStore: () => this.isOwnStore,
      catchUp: async (source) => {
        await sleep(this.clock, 1);
        if (this.mute.has(source)) throw new ArmatureError('timeout', `${source} does not answer`);
      },
      local: this.own.share,
      replica: this.own,
      sync: async () => {
        await sleep(this.clock, 1);
        this.synced++;
      },
      dropsEnded: () => Promise.resolve(),
      declareReady: async (change, partitions) => {
        if (this.declareFailure !== undefined) throw new ArmatureError(this.declareFailure, 'cannot declare');
        expect(this.synced, 'what is declared is on stable storage').toBeGreaterThan(this.ready.length);
        this.ready.push({ change, partitions, atMs: this.clock.monotonicMs() });
        // As a node does: the record becomes part of the history, and every change of the view wakes the filler.
        this.happen({ kind: 'ready', node: NEWCOMER, change, partitions });
        this.filler.wake();
      },
      slice: async (kind) => {
        expect(kind).toBe('fill');
        if (this.sliceMs === undefined) throw new ArmatureError('closed', 'no more slices');
        await sleep(this.clock, this.sliceMs);
        this.slices++;
      },
      pace: new TransferPace(this.clock, this.bytesPerSecond),
      ledger: this.ledger,
      atOnce: this.atOnce,
      clock: this.clock,
      log: this.log.log,
    });
    return this.filler;
  }

  /** Keys 0 to count - 1; each at the owners that `holds` picks. */
  fill(count: number, holds: (key: number) => readonly NodeId[] = () => OLD, toy: Toy = [1]): void {
    for (let key = 0; key < count; key++) {
      for (const one of holds(key)) this.owners.get(one)!.store.set(addressFor(key), encoded(toy));
    }
  }

  happen(change: Change): void {
    this.changes.push(change);
    this.view = viewAfter(this.changes);
  }

  get pendingPartitions(): PartitionId[] {
    return PENDING.map(({ partition }) => partition);
  }

  /** Of all keys, those in partitions that the newcomer is to own. */
  wanted(count: number, bucket?: string): Address[] {
    const pending = new Set(this.pendingPartitions);
    return Array.from({ length: count }, (_, key) => addressFor(key, bucket)).filter((one) =>
      pending.has(this.view.ring!.partitionOf(one)),
    );
  }

  get declared(): PartitionId[] {
    return this.ready.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
  }

  /** Of all owners. */
  get sent(): number {
    return this.telemetry.value('armature_transfer_records_total{direction="received"}');
  }

  asksOf(kind: SynchronisationRequest['kind']): Asked[] {
    return this.asks.filter(({ request }) => request.kind === kind);
  }
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', note);
afterEach(() => {
  expect(unhandled.splice(0)).toEqual([]);
});

describe('filling', () => {
  test('asks all owners of its partitions, gets every record once, declares them ready, once, and is quiet', async () => {
    const world = new World();
    world.fill(300);
    world.filler.wake();
    await world.clock.advance(5_000);
    const wanted = world.wanted(300);
    expect(wanted.length).toBeGreaterThan(50);
    expect([...world.own.merged.keys()].sort()).toEqual([...wanted].sort());
    expect(new Set(world.own.merged.values()), 'the others send digests').toEqual(new Set([1]));
    expect(world.sent).toBe(wanted.length);
    expect(world.telemetry.value('armature_transfer_compared_records_total')).toBe(wanted.length * 3);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.ledger.status(0)).toMatchObject({ filledPartitions: PENDING.length, records: wanted.length, lastProblem: '' });
    const sources = world.asksOf('sets').map(({ to }) => to);
    for (const one of OLD) expect(sources, 'the data comes from all of them').toContain(one);
    const asked = world.asks.length;
    await world.clock.advance(60_000);
    expect(world.asks.length, 'then it is quiet').toBe(asked);
    expect(world.clock.pending).toBe(0);
  });

  test('what only one owner holds is copied too: nobody knows where an acknowledged write is', async () => {
    const world = new World();
    world.fill(200, (key) => [OLD[key % 3]!]);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect([...world.own.merged.keys()].sort()).toEqual([...world.wanted(200)].sort());
  });

  test('any divergence, any pages: the join of what was here and of all owners, and nothing was sent that was here', async () => {
    const side = fc.array(fc.tuple(fc.nat(39), fc.uniqueArray(fc.nat(4), { minLength: 1 })), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(side, side, side, side), fc.integer({ min: 1, max: 9 }), async (sides, pageEntries) => {
        const world = new World();
        const nodes = [world.own, ...world.owners.values()];
        for (const [i, one] of nodes.entries()) {
          one.pageEntries = pageEntries;
          for (const [key, toy] of sides[i]!) one.store.set(addressFor(key), encoded(toy));
        }
        const before = nodes.map((one) => one.contents());
        world.meddle = ({ to, request }) => {
          if (request.kind !== 'sets') return;
          for (const address of request.addresses) {
            expect(world.own.contents()[address]).not.toEqual(world.owners.get(to)!.contents()[address]);
          }
        };
        world.filler.wake();
        await world.clock.advance(20_000);
        expect(world.declared).toEqual(world.pendingPartitions);
        const wanted = new Set(world.wanted(40));
        for (let key = 0; key < 40; key++) {
          const address = addressFor(key);
          const all = (wanted.has(address) ? before : before.slice(0, 1)).flatMap((held) => [...(held[address] ?? [])]);
          expect(world.own.contents()[address] ?? []).toEqual([...encoded(all)]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('what it holds is on stable storage before it says so, whatever the durability of the bucket', async () => {
    const world = new World();
    world.happen({ kind: 'bucket', bucket: DEFAULT_BUCKET, properties: { ...DEFAULT_BUCKET_PROPERTIES, durability: 'memory' } });
    world.fill(50);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.own.durabilities).toEqual(new Set(['fsync']));
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('a node with nothing to fill asks nobody', async () => {
    const world = new World();
    world.view = viewAfter([created]);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.asks).toEqual([]);
    expect(world.ready).toEqual([]);
  });

  test('a long fill declares what it has every five seconds', async () => {
    const world = new World();
    world.fill(100);
    world.delayMs = 400;
    world.filler.wake();
    await world.clock.advance(120_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.ready.length).toBeGreaterThan(1);
    expect(world.sent, 'each statement turns the ring, and nothing is sent again for that').toBe(world.wanted(100).length);
  });

  test('so many partitions at a time', async () => {
    for (const atOnce of [1, 3]) {
      const world = new World();
      world.atOnce = atOnce;
      world.fill(100);
      world.start();
      let most = 0;
      world.meddle = () => void (most = Math.max(most, world.ledger.status(0).active.length));
      world.filler.wake();
      await world.clock.advance(20_000);
      expect(world.declared).toEqual(world.pendingPartitions);
      expect(most).toBe(atOnce);
    }
  });
});

describe('interruptions', () => {
  test('ended anywhere and started again: nothing that arrived is sent twice, nothing is declared too early', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(150), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 30 }),
        async (stops, pageEntries) => {
          const world = new World();
          world.fill(200);
          for (const one of world.owners.values()) one.pageEntries = pageEntries;
          for (const afterMs of stops) {
            world.filler.wake();
            await world.clock.advance(afterMs);
            world.filler.stop();
            await world.clock.advance(1_000);
            for (const partition of world.declared) {
              const inside = world.wanted(200).filter((address) => world.view.ring!.partitionOf(address) === partition);
              for (const address of inside) expect(world.own.store.has(address)).toBe(true);
            }
            world.start();
          }
          world.filler.wake();
          await world.clock.advance(60_000);
          expect(world.declared).toEqual(world.pendingPartitions);
          expect(world.sent).toBe(world.wanted(200).length);
          expect(new Set(world.own.merged.values())).toEqual(new Set([1]));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a stopped filler wakes no more, nor does a retry that was waiting', async () => {
    const world = new World();
    for (const one of OLD) world.down.set(one, 'unreachable');
    world.filler.wake();
    await world.clock.advance(500);
    world.filler.stop();
    const asked = world.asks.length;
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.asks.length).toBe(asked);
    expect(world.clock.pending).toBe(0);
  });
});

describe('room and pace', () => {
  test('no page is asked for without a slice', async () => {
    const world = new World();
    world.fill(60);
    world.sliceMs = 500;
    world.filler.wake();
    await world.clock.advance(499);
    expect(world.asks).toEqual([]);
    await world.clock.advance(600_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.slices).toBeGreaterThanOrEqual(world.asks.length / 20);
  });

  test('stopped while it waits for a slice: it ends without a word, and declares nothing', async () => {
    const world = new World();
    world.fill(60);
    world.sliceMs = undefined;
    world.filler.wake();
    world.filler.stop();
    await world.clock.advance(60_000);
    expect(world.ready).toEqual([]);
    expect(world.log.entries.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('an owner that has no room is asked again until it has, and nobody is left out for that', async () => {
    const world = new World();
    world.fill(60);
    for (const one of OLD) world.down.set(one, 'overloaded');
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.ready).toEqual([]);
    expect(world.asks.length).toBeLessThan(30);
    world.down.clear();
    await world.clock.advance(20_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.log.entries.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('a limit of bytes per second is kept, second by second, and shows in the status', async () => {
    const world = new World();
    const count = 400;
    world.fill(
      count,
      () => OLD,
      Array.from({ length: 250 }, (_, i) => i),
    );
    world.bytesPerSecond = 5_000;
    world.start().wake();
    const received = (): number => world.telemetry.value('armature_transfer_bytes_total{direction="received"}');
    let before = 0;
    for (let second = 1; second <= 12; second++) {
      await world.clock.advance(1_000);
      // A burst is a quarter of a second's worth, and one answer for each of the two partitions in flight may be as large.
      expect(received() - before).toBeLessThanOrEqual(5_000 + 4 * 1_250);
      before = received();
    }
    expect(before / 12).toBeLessThan(5_000 * 1.2);
    expect(before / 12).toBeGreaterThan(5_000 * 0.6);
    const { bytesPerSecond, active } = world.ledger.status(0);
    expect(bytesPerSecond).toBeGreaterThan(2_500);
    expect(bytesPerSecond).toBeLessThan(6_500);
    expect(active.length).toBe(2);
    await world.clock.advance(60_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.sent).toBe(world.wanted(count).length);
  });
});

describe('owners that do not answer', () => {
  test('W = 2 of 3, one down: two have every acknowledged write among them, and an operator can read about it', async () => {
    const world = new World();
    world.fill(60);
    world.down.set(node('n2'), 'unreachable');
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(
      world.log.entries.some(({ level, message }) => level === 'warn' && message.includes('without some of its owners')),
    ).toBe(true);
  });

  test('a source that goes down before a batch is declared: what the others vouch for is declared, without a second copy', async () => {
    const world = new World();
    world.fill(60);
    world.mute.add(node('n2'));
    world.filler.wake();
    await world.clock.advance(800);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('two sources do: it is not ready', async () => {
    const world = new World();
    world.fill(60);
    world.mute.add(node('n2')).add(node('n3'));
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.ready).toEqual([]);
  });

  test('a W that was raised: what was acknowledged by fewer is copied from wherever it is', async () => {
    const world = new World();
    const properties = { ...DEFAULT_BUCKET_PROPERTIES, w: 1 };
    world.happen({ kind: 'bucket', bucket: DEFAULT_BUCKET, properties });
    world.happen({ kind: 'bucket', bucket: DEFAULT_BUCKET, properties: { ...properties, w: 3 } });
    world.fill(60, () => [node('n2')]);
    world.down.set(node('n2'), 'timeout');
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.ready).toEqual([]);
    world.down.clear();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('one that is known to be down is not asked at all', async () => {
    const world = new World();
    world.fill(60);
    world.suspects.add(node('n2'));
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.asks.filter(({ to }) => to === node('n2'))).toEqual([]);
  });

  test('one of three removed, and one of the others down: a write that the removed one acknowledged may be on that one only, which is waited for', async () => {
    const world = new World();
    world.fill(60, () => [node('n2')]);
    world.happen({ kind: 'remove', node: node('n1') });
    world.down.set(node('n2'), 'timeout');
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.ready).toEqual([]);
    world.down.clear();
    await world.clock.advance(5_000);
    expect(world.view.pendingFor(NEWCOMER)).toEqual([]);
    expect(world.own.store.size).toBe(60);
  });

  test('two of three down: not ready, tried again every second, ready once they are back; meanwhile the reason is told', async () => {
    const world = new World();
    world.fill(60);
    world.down.set(node('n2'), 'timeout').set(node('n3'), 'unreachable');
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.ready).toEqual([]);
    expect(world.ledger.status(0).lastProblem).toContain('2 are needed');
    world.down.clear();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.ledger.status(0).lastProblem).toBe('');
    expect(world.sent, 'what the first had sent is here').toBe(world.wanted(60).length);
  });

  test('waking while it fails does not multiply the retries', async () => {
    const world = new World();
    world.fill(10);
    for (const one of OLD) world.down.set(one, 'unreachable');
    for (let i = 0; i < 50; i++) {
      world.filler.wake();
      await world.clock.advance(100);
    }
    const asked = world.asks.length;
    await world.clock.advance(20_000);
    expect(world.asks.length - asked).toBeLessThanOrEqual(PENDING.length * 3 * 21);
    expect(world.clock.pending).toBeLessThanOrEqual(1);
  });

  test('a source that fails in the middle of its pages: the next one goes on from what is here', async () => {
    const world = new World();
    world.fill(200);
    for (const one of world.owners.values()) one.pageEntries = 5;
    world.down.set(node('n1'), 'unreachable');
    world.meddle = ({ to }) => {
      if (to === node('n3') && world.sent > 20) world.down.set(node('n3'), 'timeout');
      if (to === node('n2') && world.sent > 40) world.down.clear();
    };
    world.filler.wake();
    await world.clock.advance(60_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.sent).toBe(world.wanted(200).length);
  });

  test('the ring turns in the middle of a copy: it goes on under the new one, and what is declared counts under it', async () => {
    const world = new World();
    world.fill(300);
    for (const one of world.owners.values()) one.pageEntries = 3;
    world.filler.wake();
    await world.clock.advance(30);
    expect(world.ready).toEqual([]);
    world.happen({ kind: 'weight', node: node('n1'), weight: 1.5 });
    world.filler.wake();
    await world.clock.advance(30_000);
    expect(world.view.pendingFor(NEWCOMER)).toEqual([]);
    for (const { partition } of PENDING) {
      if (!world.view.placementOf(partition, 3).owners.includes(NEWCOMER)) continue;
      for (const address of world.wanted(300)) {
        if (world.view.ring!.partitionOf(address) === partition) expect(world.own.store.has(address)).toBe(true);
      }
    }
  });

  test.each(['leave', 'remove'] as const)(
    '%s: what has ceased to be its own in the middle of a copy is not kept when it comes',
    async (kind) => {
      const world = new World();
      world.fill(300);
      for (const one of world.owners.values()) one.pageEntries = 3;
      world.filler.wake();
      await world.clock.advance(30);
      const held = world.own.store.size;
      expect(held).toBeGreaterThan(0);
      world.happen({ kind, node: NEWCOMER });
      await world.clock.advance(30_000);
      expect(world.own.store.size).toBe(held);
      expect(world.ready).toEqual([]);
      expect(world.ledger.status(0).lastProblem).toBe('');
    },
  );

  test('pages that lead nowhere end the copy; it does not go round for ever', async () => {
    const world = new World();
    world.fill(30);
    world.endless = true;
    world.filler.wake();
    await world.clock.advance(3_000);
    expect(world.asks.length).toBeLessThan(PENDING.length * 3 * 4 + 1);
    expect(world.ready).toEqual([]);
  });
});

describe('its own trouble', () => {
  test('a store that is not known to be its own: nothing is copied, a retry that was waiting included', async () => {
    const world = new World();
    world.fill(40);
    for (const one of OLD) world.down.set(one, 'unreachable');
    world.filler.wake();
    await world.clock.advance(500);
    world.isOwnStore = false;
    world.down.clear();
    const asked = world.asks.length;
    world.filler.wake();
    await world.clock.advance(20_000);
    expect(world.asks.length).toBe(asked);
    world.isOwnStore = true;
    world.filler.wake();
    await world.clock.advance(20_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('a merge fails: not ready, and tried again', async () => {
    const world = new World();
    world.fill(300);
    world.own.mergeFailure = 'storage-full';
    world.filler.wake();
    await world.clock.advance(3_500);
    expect(world.ready).toEqual([]);
    expect(world.ledger.status(0).lastProblem).toContain('storage-full');
    world.own.mergeFailure = undefined;
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('the record cannot be stored: not ready, and tried again', async () => {
    const world = new World();
    world.fill(40);
    world.declareFailure = 'storage-failed';
    world.filler.wake();
    await world.clock.advance(3_500);
    expect(world.ready).toEqual([]);
    world.declareFailure = undefined;
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('a bucket that only the sources know when it asks: its records are copied before anything is declared', async () => {
    const bucket = 'pair' as BucketName;
    const properties = { ...DEFAULT_BUCKET_PROPERTIES, n: 2, r: 1, w: 1, pr: 0, pw: 0, dw: 0 };
    const world = new World();
    // Its record is older than the join, so `ready` will hold for its share too; the newcomer hears of it in the middle.
    const known = viewAfter([created, { kind: 'bucket', bucket, properties }, joined]);
    for (const one of world.owners.values())
      for (let key = 0; key < 60; key++) one.store.set(addressFor(key, bucket), encoded([1]));
    world.fill(60);
    world.filler.wake();
    await world.clock.advance(3);
    world.changes.splice(1, 0, { kind: 'bucket', bucket, properties });
    world.view = viewAfter(world.changes);
    world.filler.wake();
    await world.clock.advance(30_000);
    expect(world.view.pendingFor(NEWCOMER)).toEqual([]);
    const ours = known.pendingFor(NEWCOMER).filter(({ groups }) => groups.some(({ n }) => n === 2));
    expect(ours.length).toBeGreaterThan(0);
    for (let key = 0; key < 60; key++) {
      const address = addressFor(key, bucket);
      const isOurs = ours.some(({ partition }) => partition === known.ring!.partitionOf(address));
      expect(world.own.store.has(address)).toBe(isOurs);
    }
  });

  test('a change of the view during the copy is looked at after it', async () => {
    const world = new World();
    world.fill(40);
    world.filler.wake();
    await world.clock.advance(2);
    world.filler.wake();
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });
});
