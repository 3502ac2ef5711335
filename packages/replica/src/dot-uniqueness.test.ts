/**
 * No dot ever names two writes: a node against everything that happens to nodes, in virtual time. Random interleavings of puts,
 * merges, slow and failing commits, crashes that lose what was not synced, clean restarts, flipped bits, wiped disks and old
 * copies put back; every (dot, write) that ever left the node is kept, and none may contradict another.
 *
 * The peer stands for the rest of the cluster: it holds the join of what it was sent, and sends it back. If a dot did name two
 * writes, its join would drop one of them, which is what the whole matter is about.
 */
import { seededRandom, type Random } from '@armature/kernel';
import { ManualClock } from '@armature/runtime';
import { MemoryDisk, type Durability } from '@armature/storage';
import {
  EMPTY_CONTEXT,
  contextAfter,
  contextOf,
  emptyVersionSet,
  encodeVersionSet,
  join,
  type CausalContext,
  type VersionSet,
} from '@armature/versioning';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_REST_MS } from './actor-epoch.js';
import type { MintResult } from './mint-request.js';
import { BUCKET, TestNode, addressFor, copyOf, decoded } from './replica.test-support.js';

type Step =
  | { readonly kind: 'put'; readonly key: string; readonly context: 'blind' | 'read' | 'peer' | 'own'; readonly reaches: boolean }
  | { readonly kind: 'merge'; readonly key: string }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'engine'; readonly fault: 'none' | 'unapplied' | 'applied'; readonly delayMs: number }
  | { readonly kind: 'crash'; readonly keep: number }
  | { readonly kind: 'restart' | 'wipe' | 'backup' | 'restore' }
  | { readonly kind: 'damage'; readonly key: string };

const KEYS = ['a', 'b'];
const key = fc.constantFrom(...KEYS);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key,
      context: fc.constantFrom('blind' as const, 'read' as const, 'peer' as const, 'own' as const),
      reaches: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('merge' as const), key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 0, 1, 5, 40) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('engine' as const),
      fault: fc.constantFrom('none' as const, 'none' as const, 'unapplied' as const, 'applied' as const),
      delayMs: fc.constantFrom(0, 3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), keep: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('wipe' as const, 'backup' as const, 'restore' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('damage' as const), key }) },
);

interface Setup {
  readonly durability: Durability;
  readonly isSlowToRead: boolean;
  readonly overlayLimitBytes: number;
}

const setup: fc.Arbitrary<Setup> = fc.record({
  durability: fc.constantFrom<Durability>('fsync', 'os', 'memory', 'buffered'),
  isSlowToRead: fc.boolean(),
  // The smaller one is full after a few puts, which are then refused.
  overlayLimitBytes: fc.constantFrom(1_500, 1_000_000),
});

class World {
  readonly clock = new ManualClock();
  readonly random: Random = seededRandom('dots');
  readonly bucket;
  /** Which write each dot has ever named, by key. */
  readonly named = new Map<string, string>();
  /** What must never happen, and did. */
  readonly broken: string[] = [];
  readonly peer = new Map<string, VersionSet>();
  /** What this world's one client holds of each key. */
  readonly own = new Map<string, CausalContext>();
  readonly setup: Setup;
  node!: TestNode;
  backup: MemoryDisk | undefined;
  #inHand: Promise<unknown>[] = [];

  constructor(each: Setup) {
    this.setup = each;
    this.bucket = { ...BUCKET, durability: each.durability, maxSiblings: 10_000 };
  }

  async open(disk: MemoryDisk): Promise<void> {
    this.#inHand = [];
    const { clock, random, setup: options } = this;
    this.node = await TestNode.open({ clock, disk, random, ...options });
  }

  /** A put by a client of `node`; what comes of it counts only while that is still the running process. */
  put(each: Extract<Step, { kind: 'put' }>): void {
    const { node } = this;
    const work = async (): Promise<void> => {
      const context = await this.#contextFor(each);
      const request = node.request(each.key, 'v', { context, bucket: this.bucket });
      const minted = await node.replica.mint(request);
      minted.committed.catch(() => undefined);
      if (this.node !== node) return;
      this.#emit(each.key, minted, request.operation);
      this.own.set(each.key, contextAfter(minted.set, context, minted.dot));
      if (each.reaches) this.peer.set(each.key, join(this.#peerOf(each.key), minted.set));
    };
    this.#inHand.push(work().catch(() => undefined));
  }

  merge(at: string): void {
    const merged = this.node.replica.merge(
      addressFor(at),
      encodeVersionSet(this.#peerOf(at)),
      this.bucket,
      this.bucket.durability,
    );
    this.#inHand.push(merged.catch(() => undefined));
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.open(new MemoryDisk());
    for (const each of steps) {
      if (each.kind === 'put') this.put(each);
      else if (each.kind === 'merge') this.merge(each.key);
      else if (each.kind === 'advance') await this.clock.advance(each.ms);
      else if (each.kind === 'engine') {
        this.node.plan.fault = each.fault === 'none' ? undefined : { code: 'storage-failed', applied: each.fault === 'applied' };
        this.node.plan.delayMs = each.delayMs;
      } else if (each.kind === 'damage') {
        await this.#damage(each.key);
      } else {
        await this.#restart(each);
      }
    }
    await this.#quiet();
  }

  async #contextFor({ context, key: at }: Extract<Step, { kind: 'put' }>): Promise<CausalContext> {
    if (context === 'peer') return contextOf(this.#peerOf(at));
    if (context === 'own') return this.own.get(at) ?? EMPTY_CONTEXT;
    if (context === 'read') return contextOf(decoded(await this.node.replica.read(addressFor(at))));
    return EMPTY_CONTEXT;
  }

  #peerOf(at: string): VersionSet {
    return this.peer.get(at) ?? emptyVersionSet;
  }

  #emit(at: string, { set, dot }: MintResult, operation: string): void {
    const name = (each: typeof dot): string => `${at} ${each!.actor} ${each!.counter}`;
    for (const sibling of set.siblings) {
      const known = this.named.get(name(sibling.dot));
      if (known !== undefined && known !== sibling.version.operation) this.broken.push(`${name(sibling.dot)} names two writes`);
    }
    if (this.named.has(name(dot))) this.broken.push(`${name(dot)} is given out twice`);
    this.named.set(name(dot), operation);
  }

  async #restart(each: { kind: 'restart' | 'wipe' | 'backup' | 'restore' } | { kind: 'crash'; keep: number }): Promise<void> {
    const { disk } = this.node;
    if (each.kind === 'crash') {
      disk.crash(each.keep);
      await this.open(disk);
    } else if (each.kind === 'wipe') {
      disk.crash();
      await this.open(new MemoryDisk());
    } else if (each.kind === 'restore') {
      if (this.backup === undefined) return;
      disk.crash();
      // Nobody puts an hour-old copy back faster than a node restarts; see MAX_REST_MS.
      await this.clock.advance(MAX_REST_MS + 1);
      await this.open(await copyOf(this.backup));
    } else {
      await this.#stop();
      if (each.kind === 'backup') this.backup = await copyOf(disk);
      await this.open(disk);
    }
  }

  /** A clean stop where the disk allows it; otherwise the process just ends. */
  async #stop(): Promise<void> {
    await this.#quiet();
    const { node } = this;
    try {
      await node.close();
    } catch {
      node.disk.crash(1_000_000);
    }
  }

  /** Everything in hand is done, the disk works. */
  async #quiet(): Promise<void> {
    this.node.plan.fault = undefined;
    this.node.plan.delayMs = 0;
    await this.clock.advance(12_000);
    await Promise.all(this.#inHand);
  }

  /** As it is found after a clean stop: the mark vouches for a store that has rotted since. */
  async #damage(at: string): Promise<void> {
    await this.#quiet();
    await this.node.damage(at);
  }
}

test('no dot ever names two writes, whatever happens to the node', async () => {
  let puts = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), setup, async (steps, each) => {
      const world = new World(each);
      await world.run(steps);
      expect(world.broken).toEqual([]);
      puts += world.named.size;
    }),
    { numRuns: 1_000 },
  );
  expect(puts, 'the histories do mint').toBeGreaterThan(5_000);
});

test('a node that is only ever stopped cleanly keeps one actor for all its puts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const world = new World({ durability: 'fsync', isSlowToRead: false, overlayLimitBytes: 1_000_000 });
      await world.run(steps.filter(({ kind }) => ['put', 'merge', 'advance', 'restart', 'backup'].includes(kind)));
      expect(new Set([...world.named.keys()].map((name) => name.split(' ')[1])).size).toBeLessThanOrEqual(1);
    }),
    { numRuns: 100 },
  );
});
