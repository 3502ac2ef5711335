import {
  ArmatureError,
  HLC_ZERO,
  utf8Encode,
  type BucketName,
  type ErrorCode,
  type NodeId,
  type PartitionId,
} from '@armature/kernel';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type Change, type PullReply, type PullRequest } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import {
  EMPTY_VECTOR,
  encodeVersionSet,
  emptyVersionSet,
  mint,
  valueVersion,
  type ActorId,
  type OperationId,
} from '@armature/versioning';
import { afterEach, describe, expect, test } from 'vitest';
import { createdWith, joinOf, node, viewAfter } from './history.test-support.js';
import { Filler, SLICE_RECORDS } from './index.js';

const NEWCOMER = node('new');
const OLD = [node('n1'), node('n2'), node('n3')];
const created = createdWith(OLD);
const joined = joinOf(NEWCOMER);

/** A version set of one version, told apart by `who`. */
const setOf = (who: string): Uint8Array => {
  const version = valueVersion({ value: utf8Encode(who), at: HLC_ZERO, operation: '0'.repeat(16) as OperationId });
  return encodeVersionSet(
    mint(emptyVersionSet, Buffer.from(who.padEnd(8)).toString('hex') as ActorId, EMPTY_VECTOR, version).set,
  );
};

class World {
  readonly clock = new ManualClock();
  readonly log = recordingLog();
  readonly telemetry = memoryTelemetry();
  readonly changes: Change[] = [created, joined];
  view = viewAfter(...this.changes);
  readonly held = new Map<NodeId, Map<Address, Uint8Array>>(OLD.map((one) => [one, new Map()]));
  readonly down = new Map<NodeId, ErrorCode>();
  readonly asks: { readonly to: NodeId; readonly request: PullRequest }[] = [];
  readonly merged = new Map<Address, number>();
  readonly durabilities = new Set<string>();
  readonly ready: { readonly change: string; readonly partitions: readonly PartitionId[] }[] = [];
  pageEntries = 3;
  delayMs = 1;
  declareFailure: ErrorCode | undefined;
  /** What `merge` rejects with. */
  mergeFailure: ErrorCode | undefined;
  endless = false;
  slices = 0;
  /** How long a slice has to be waited for; undefined: there are none any more. */
  sliceMs: number | undefined = 0;

  readonly filler = new Filler({
    node: NEWCOMER,
    view: () => this.view,
    ask: (to, request) => this.#answer(to, request),
    replica: {
      merge: async (address, set, bucket, durability) => {
        expect(set.length).toBeGreaterThan(0);
        expect(bucket.n).toBe(3);
        await sleep(this.clock, 1);
        if (this.mergeFailure !== undefined) throw new ArmatureError(this.mergeFailure, 'cannot merge');
        this.durabilities.add(durability);
        this.merged.set(address, (this.merged.get(address) ?? 0) + 1);
      },
    },
    slice: async (kind) => {
      expect(kind).toBe('fill');
      if (this.sliceMs === undefined) throw new ArmatureError('closed', 'no more slices');
      await sleep(this.clock, this.sliceMs);
      this.slices++;
    },
    declareReady: async (change, partitions) => {
      if (this.declareFailure !== undefined) throw new ArmatureError(this.declareFailure, 'cannot declare');
      this.ready.push({ change, partitions });
      // As a node does: the record becomes part of the history, and every change of the view wakes the filler.
      this.happen({ kind: 'ready', node: NEWCOMER, change, partitions });
      this.filler.wake();
    },
    clock: this.clock,
    log: this.log.log,
    telemetry: this.telemetry,
  });

  /** Keys 0 to count - 1; each at the owners that `holds` picks. */
  async fill(count: number, holds: (key: number) => readonly NodeId[] = () => OLD): Promise<void> {
    for (let key = 0; key < count; key++) {
      for (const one of holds(key)) this.held.get(one)!.set(addressFor(key), setOf(one));
    }
  }

  happen(change: Change): void {
    this.changes.push(change);
    this.view = viewAfter(...this.changes);
  }

  get pendingPartitions(): PartitionId[] {
    return viewAfter(created, joined)
      .pendingFor(NEWCOMER)
      .map(({ partition }) => partition);
  }

  /** Of all keys, those in partitions that the newcomer is to own. */
  wanted(count: number): Address[] {
    const pending = new Set(this.pendingPartitions);
    return Array.from({ length: count }, (_, key) => addressFor(key)).filter((one) =>
      pending.has(this.view.ring!.partitionOf(one)),
    );
  }

  get declared(): PartitionId[] {
    return this.ready.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
  }

  async #answer(to: NodeId, request: PullRequest): Promise<PullReply> {
    this.asks.push({ to, request });
    await sleep(this.clock, this.delayMs);
    const failure = this.down.get(to);
    if (failure !== undefined) throw new ArmatureError(failure, `${to} is down`);
    const inside = [...this.held.get(to)!]
      .filter(([address]) => address >= request.start && (request.end === undefined || address < request.end))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const page = inside.slice(0, Math.min(this.pageEntries, request.limit));
    const last = page.at(-1)?.[0];
    const next = this.endless ? request.start : inside.length > page.length ? (`${last}\0` as Address) : undefined;
    return { kind: 'pull', entries: page.map(([address, set]) => ({ address, set })), next };
  }
}

const addressFor = (key: number): Address => addressOf(DEFAULT_BUCKET, utf8Encode(String(key)));

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', note);
afterEach(() => {
  expect(unhandled.splice(0)).toEqual([]);
});

describe('filling', () => {
  test('copies its partitions from all their owners, page by page, and declares them ready, once', async () => {
    const world = new World();
    await world.fill(300);
    world.filler.wake();
    await world.clock.advance(5_000);
    const wanted = world.wanted(300);
    expect(wanted.length).toBeGreaterThan(50);
    expect([...world.merged.keys()].sort()).toEqual([...wanted].sort());
    expect(new Set(world.merged.values()), 'from each of the three owners').toEqual(new Set([3]));
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(world.telemetry.value('armature_replica_filled_records_total')).toBe(wanted.length * 3);
    const asked = world.asks.length;
    await world.clock.advance(60_000);
    expect(world.asks.length, 'then it is quiet').toBe(asked);
    expect(world.clock.pending).toBe(0);
  });

  test('what only one owner holds is copied too: nobody knows where an acknowledged write is', async () => {
    const world = new World();
    await world.fill(200, (key) => [OLD[key % 3]!]);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect([...world.merged.keys()].sort()).toEqual([...world.wanted(200)].sort());
  });

  test('what it holds is on stable storage before it says so, whatever the durability of the bucket', async () => {
    const world = new World();
    world.happen({ kind: 'bucket', bucket: DEFAULT_BUCKET, properties: { ...DEFAULT_BUCKET_PROPERTIES, durability: 'memory' } });
    expect(world.view.buckets.get(DEFAULT_BUCKET)!.durability).toBe('memory');
    await world.fill(50);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.durabilities).toEqual(new Set(['fsync']));
  });

  test('asks under the ring that made it an owner, for exactly the arcs of its partitions', async () => {
    const world = new World();
    const { ring, ringVersion } = world.view;
    world.filler.wake();
    await world.clock.advance(5_000);
    const arcs = new Set(world.pendingPartitions.map((partition) => ring!.rangeOf(partition).start));
    for (const { request } of world.asks) {
      expect(request.ring).toBe(ringVersion);
      expect(arcs.has(request.start)).toBe(true);
    }
    expect(new Set(world.asks.map(({ request }) => request.start))).toEqual(arcs);
  });

  test('a node with nothing to fill asks nobody', async () => {
    const world = new World();
    world.view = viewAfter(created);
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.asks).toEqual([]);
    expect(world.ready).toEqual([]);
  });
});

describe('admission control', () => {
  test('no page is asked for without a slice, and each has one for its records', async () => {
    const world = new World();
    await world.fill(60);
    world.sliceMs = 500;
    world.filler.wake();
    await world.clock.advance(499);
    expect(world.asks).toEqual([]);
    await world.clock.advance(600_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    const copies = [...world.merged.values()].reduce((sum, count) => sum + count, 0);
    expect(world.slices).toBeGreaterThanOrEqual(copies / SLICE_RECORDS);
    expect(world.slices).toBeGreaterThanOrEqual(world.asks.length / 20);
  });

  test('stopped while it waits for a slice: it ends without a word, and declares nothing', async () => {
    const world = new World();
    await world.fill(60);
    world.sliceMs = undefined;
    world.filler.wake();
    world.filler.stop();
    await world.clock.advance(60_000);
    expect(world.ready).toEqual([]);
    expect(world.log.entries.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

describe('owners that do not answer', () => {
  test('W = 2 of 3, one down: two have every acknowledged write among them, and an operator can read about it', async () => {
    const world = new World();
    await world.fill(60);
    world.down.set(node('n2'), 'unreachable');
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
    expect(new Set(world.merged.values())).toEqual(new Set([2]));
    expect(
      world.log.entries.some(({ level, message }) => level === 'warn' && message.includes('without some of its owners')),
    ).toBe(true);
  });

  test('two of three down: not ready, tried again every second, ready once they are back', async () => {
    const world = new World();
    await world.fill(60);
    world.down.set(node('n2'), 'timeout').set(node('n3'), 'unreachable');
    world.filler.wake();
    await world.clock.advance(10_000);
    expect(world.ready).toEqual([]);
    expect(world.asks.length).toBeGreaterThan(20);
    expect(world.asks.length, 'and not in a loop').toBeLessThan(60);
    world.down.clear();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('waking while it fails does not multiply the retries', async () => {
    const world = new World();
    await world.fill(10);
    for (const one of OLD) world.down.set(one, 'unreachable');
    for (let i = 0; i < 50; i++) {
      world.filler.wake();
      await world.clock.advance(100);
    }
    const asked = world.asks.length;
    await world.clock.advance(20_000);
    expect(world.asks.length - asked).toBeLessThanOrEqual(3 * 21);
    expect(world.clock.pending).toBeLessThanOrEqual(1);
  });

  test('an owner with another ring refuses: the copy starts again under the ring that both have then', async () => {
    const world = new World();
    await world.fill(30);
    for (const one of OLD) world.down.set(one, 'stale-ring');
    world.filler.wake();
    await world.clock.advance(500);
    expect(world.ready).toEqual([]);
    world.down.clear();
    const before = world.asks.length;
    world.happen({ kind: 'weight', node: node('n1'), weight: 1.5 });
    const { ringVersion } = world.view;
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.ready.length).toBeGreaterThan(0);
    expect(world.asks[before]!.request.ring).toBe(ringVersion);
    expect(world.view.pendingFor(NEWCOMER)).toEqual([]);
  });

  test('pages that lead nowhere end the copy; it does not go round for ever', async () => {
    const world = new World();
    await world.fill(30);
    world.endless = true;
    world.filler.wake();
    await world.clock.advance(3_000);
    expect(world.asks.length).toBeLessThan(20);
    expect(world.ready).toEqual([]);
  });
});

describe('its own trouble', () => {
  test.each([
    ['a merge fails', 'mergeFailure', 'storage-full'],
    ['the record cannot be stored', 'declareFailure', 'storage-failed'],
  ] as const)('%s: not ready, and tried again', async (_, which, code) => {
    const world = new World();
    await world.fill(40);
    world[which] = code;
    world.filler.wake();
    await world.clock.advance(3_500);
    expect(world.ready).toEqual([]);
    world[which] = undefined;
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('records of a bucket it has not heard of: not ready until it has', async () => {
    const world = new World();
    await world.fill(40);
    const bucket = 'later' as BucketName;
    for (let key = 0; key < 40; key++) world.held.get(node('n1'))!.set(addressOf(bucket, utf8Encode(String(key))), setOf('n1'));
    for (const one of OLD.slice(1)) world.held.set(one, world.held.get(node('n1'))!);
    world.filler.wake();
    await world.clock.advance(3_000);
    expect(world.ready).toEqual([]);
    world.happen({ kind: 'bucket', bucket, properties: DEFAULT_BUCKET_PROPERTIES });
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });

  test('a change of the view during the copy is looked at after it', async () => {
    const world = new World();
    await world.fill(40);
    world.filler.wake();
    await world.clock.advance(2);
    world.filler.wake();
    world.filler.wake();
    await world.clock.advance(5_000);
    expect(world.declared).toEqual(world.pendingPartitions);
  });
});

describe('stopping', () => {
  test('at any moment of the copy: what was cut short is not declared', async () => {
    const count = 120;
    for (let stopMs = 0; stopMs < 400; stopMs += 3) {
      const world = new World();
      await world.fill(count, () => [node('n1')]);
      world.pageEntries = 1;
      world.filler.wake();
      await world.clock.advance(stopMs);
      world.filler.stop();
      await world.clock.advance(20_000);
      for (const partition of world.declared) {
        const inside = world.wanted(count).filter((address) => world.view.ring!.partitionOf(address) === partition);
        for (const address of inside) expect(world.merged.has(address)).toBe(true);
      }
      expect(world.clock.pending).toBe(0);
    }
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
  });
});
