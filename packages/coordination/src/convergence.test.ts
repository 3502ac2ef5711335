/**
 * A tiny world against its promise: four nodes, of which one joins when it likes, clients that read and write through any of them
 * or a router, and a network that loses, delays and refuses; commits that fail, suspicions true and false. Then everything heals:
 * hints go home, the newcomer is filled, every key is read from all its owners. The promise:
 *
 * - all owners of a key hold the same bytes;
 * - every write that was acknowledged is there, or something that had seen it is, or something that had seen that, and so on;
 * - nothing that the writer of an acknowledged write had read comes back;
 * - no dot ever named two writes, in any store of any node at any time.
 *
 * The oracle knows nothing of clocks: it knows which writes each writer had seen, by their operation ids.
 */
import { seededRandom, utf8Encode, type NodeId, type Random } from '@armature/kernel';
import { RING_UNKNOWN, type WriteRequest } from '@armature/protocol';
import { Filler, TransferLedger, TransferPace } from '@armature/repair';
import { HintDelivery } from '@armature/replica';
import { noTelemetry, silentLog } from '@armature/runtime';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Coordinator } from './coordinator.js';
import { N1, N2, N3, TestCluster, addressFor, created, decoded, joined, node, valuesOf } from './cluster.test-support.js';

const N4 = node('n4');
const NODES = [N1, N2, N3, N4];
const KEYS = ['a', 'b'];

type Step =
  | {
      readonly kind: 'write';
      readonly key: string;
      readonly via: number;
      readonly client: number;
      readonly context: 'blind' | 'own' | 'read';
    }
  | { readonly kind: 'read'; readonly key: string; readonly via: number; readonly client: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'suspicion'; readonly who: number; readonly isHeld: boolean }
  | { readonly kind: 'commits'; readonly who: number; readonly fail: boolean }
  | { readonly kind: 'join'; readonly told: number }
  | { readonly kind: 'deliver'; readonly who: number };

const key = fc.constantFrom(...KEYS);
const who = fc.nat(3);
const client = fc.nat(2);
/** 0 to 3: through that node; 4: through a router. */
const via = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      ...{ kind: fc.constant('write' as const), key, via, client },
      context: fc.constantFrom('blind' as const, 'own' as const, 'read' as const, 'read' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), key, via, client }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 2, 20, 200) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('suspicion' as const), who, isHeld: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('commits' as const), who, fail: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('join' as const), told: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deliver' as const), who }) },
);

/** What a client knows of a key: a context, and which writes that context covers. */
interface Knowledge {
  readonly context: Uint8Array;
  readonly seen: ReadonlySet<string>;
  /**
   * Those that came from a read. A writer's own last event is in its context too, but a replica that has not heard of that and of
   * events before it cannot say so in a vector: there the writer's next version stands beside its last. Nothing is lost by it.
   */
  readonly read: ReadonlySet<string>;
}

interface Write {
  readonly key: string;
  readonly operation: string;
  readonly seen: ReadonlySet<string>;
  readonly read: ReadonlySet<string>;
  outcome: 'open' | 'acknowledged' | 'failed';
}

const KNOWS_NOTHING: Knowledge = { context: new Uint8Array(0), seen: new Set(), read: new Set() };
const WRITE = { w: 'default', pw: 'default', dw: 'default', returnContext: true } as const;
const READ = { r: 'default', pr: 'default' } as const;

class World {
  readonly cluster: TestCluster;
  readonly writes: Write[] = [];
  /** By client and key: what its last read gave, and what its last put left. */
  readonly read = new Map<string, Knowledge>();
  readonly own = new Map<string, Knowledge>();
  readonly named = new Map<string, string>();
  readonly broken: string[] = [];
  readonly deliveries = new Map<NodeId, HintDelivery>();
  readonly fillers = new Map<NodeId, Filler>();
  readonly #random: Random;
  readonly #router: Coordinator;
  #joined = false;
  readonly #inHand: Promise<unknown>[] = [];

  private constructor(cluster: TestCluster, seed: number) {
    this.cluster = cluster;
    this.#random = seededRandom(`network ${seed}`);
    this.#router = cluster.coordinator(cluster.outside());
    for (const [one, member] of cluster.members) {
      this.#watch(member.store.records);
      const { hints, env, replica } = member;
      const parts = { view: env.view, ask: env.ask, clock: cluster.clock, log: silentLog, telemetry: noTelemetry };
      this.deliveries.set(
        one,
        new HintDelivery({
          ...{ ...parts, node: one, hints },
          slice: () => Promise.resolve(),
          isSuspect: (other) => cluster.suspects.has(other),
          mayDeliver: () => true,
        }),
      );
      this.fillers.set(
        one,
        new Filler({
          ...{ ...parts, node: one, replica, slice: () => Promise.resolve(), local: member.share, atOnce: 2 },
          ask: (peer, request, timeoutMs) => cluster.askShare(one, peer, request, timeoutMs),
          isSuspect: (other) => cluster.suspects.has(other),
          isOwnStore: () => true,
          catchUp: () => cluster.catchUp(one),
          sync: () => Promise.resolve(),
          dropsEnded: () => Promise.resolve(),
          pace: new TransferPace(cluster.clock, undefined),
          ledger: new TransferLedger(cluster.clock, noTelemetry, () => 0),
          declareReady: async (change, partitions) => {
            cluster.happen({ kind: 'ready', node: one, change, partitions }, [one]);
            this.fillers.get(one)?.wake();
          },
        }),
      );
    }
    cluster.deliver = () => this.#weather();
  }

  static async open(seed: number): Promise<World> {
    const cluster = await TestCluster.open({ changes: [created([N1, N2, N3])], nodes: NODES, seed: String(seed) });
    return new World(cluster, seed);
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const one of steps) await this.#take(one);
    await this.#heal();
  }

  async #take(one: Step): Promise<void> {
    const { cluster } = this;
    if (one.kind === 'write') this.#inHand.push(this.#write(one));
    else if (one.kind === 'read') this.#inHand.push(this.#read(one).catch(() => undefined));
    else if (one.kind === 'advance') await cluster.clock.advance(one.ms);
    else if (one.kind === 'suspicion') cluster.suspects[one.isHeld ? 'add' : 'delete'](NODES[one.who]!);
    else if (one.kind === 'commits') cluster.at(NODES[one.who]!).store.failure = one.fail ? 'storage-failed' : undefined;
    else if (one.kind === 'deliver') for (const other of NODES) this.deliveries.get(NODES[one.who]!)!.recovered(other);
    else this.#join(NODES.filter((_, i) => (one.told & (1 << i)) !== 0));
  }

  #coordinator(through: number): Coordinator {
    const at = NODES[through];
    return at === undefined ? this.#router : this.cluster.at(at).coordinator;
  }

  async #write({ key: at, via: through, client: by, context }: Extract<Step, { kind: 'write' }>): Promise<void> {
    const { cluster } = this;
    const slot = `${by} ${at}`;
    const knowledge =
      (context === 'read' ? this.read.get(slot) : context === 'own' ? this.own.get(slot) : undefined) ?? KNOWS_NOTHING;
    const { seen, read } = knowledge;
    const write: Write = { key: at, operation: cluster.operation(), seen, read, outcome: 'open' };
    this.writes.push(write);
    const request: WriteRequest = {
      ...{ kind: 'write', ring: RING_UNKNOWN, address: addressFor(at), context: knowledge.context, operation: write.operation },
      ...{ tombstone: false, value: utf8Encode(write.operation), meta: [], options: WRITE },
    };
    try {
      const reply = await this.#coordinator(through).write(request, 400);
      write.outcome = 'acknowledged';
      this.own.set(slot, { context: reply.context, seen: new Set([...seen, write.operation]), read });
    } catch {
      write.outcome = 'failed';
    }
  }

  async #read({ key: at, via: through, client: by }: Extract<Step, { kind: 'read' }>): Promise<void> {
    const reply = await this.#coordinator(through).fetch({ kind: 'fetch', address: addressFor(at), options: READ }, 400);
    const seen = new Set(reply.siblings.map(({ value }) => Buffer.from(value).toString()));
    this.read.set(`${by} ${at}`, { context: reply.context, seen, read: seen });
  }

  #join(told: readonly NodeId[]): void {
    if (this.#joined) return;
    this.#joined = true;
    this.cluster.happen(joined(N4), told);
    for (const filler of this.fillers.values()) filler.wake();
  }

  #weather(): { delayMs: number; replyDelayMs: number; lost?: 'request' | 'reply'; refused?: 'unreachable' } {
    const random = this.#random;
    const delayMs = random.int(4) === 0 ? random.int(80) : 1;
    const replyDelayMs = random.int(4) === 0 ? random.int(80) : 0;
    const luck = random.int(100);
    const lost = luck < 10 ? ({ lost: 'request' } as const) : luck < 18 ? ({ lost: 'reply' } as const) : {};
    return { delayMs, replyDelayMs, ...(luck >= 95 ? { refused: 'unreachable' } : lost) };
  }

  /** Looks at everything that is ever stored. */
  #watch(records: Map<string, Uint8Array>): void {
    const { set } = records;
    records.set = (address, record) => {
      for (const { dot, version } of decoded(record.subarray(5)).siblings) {
        const name = `${address} ${dot.actor} ${dot.counter}`;
        const known = this.named.get(name);
        if (known !== undefined && known !== version.operation) this.broken.push(name);
        this.named.set(name, version.operation);
      }
      return set.call(records, address, record);
    };
  }

  async #heal(): Promise<void> {
    const { cluster } = this;
    cluster.deliver = () => ({});
    cluster.suspects.clear();
    for (const { store } of cluster.members.values()) store.failure = undefined;
    await cluster.finish(Promise.all(this.#inHand));
    await cluster.clock.advance(10_000);
    for (const member of cluster.members.values()) member.view = cluster.view;
    for (const filler of this.fillers.values()) filler.wake();
    await cluster.clock.advance(5_000);
    for (const member of cluster.members.values()) member.view = cluster.view;
    for (let round = 0; round < 2; round++) {
      for (const delivery of this.deliveries.values()) for (const other of NODES) delivery.recovered(other);
      await cluster.clock.advance(1_000);
    }
    for (let round = 0; round < 2; round++) {
      for (const at of KEYS) {
        const options = { r: 'all', pr: 'all' } as const;
        await cluster.finish(
          cluster.coordinator(cluster.outside()).fetch({ kind: 'fetch', address: addressFor(at), options }, 1_000),
        );
        await cluster.clock.advance(10);
      }
    }
  }

  /** What is wrong, in words. */
  findings(): string[] {
    const { cluster } = this;
    const found = this.broken.map((name) => `${name} names two writes`);
    for (const { node: one } of cluster.members.values()) {
      for (const [owner, { records }] of cluster.at(one).hintSpace.stores)
        if (records.size > 0) found.push(`${one} still keeps hints for ${owner}`);
    }
    if (cluster.view.pendingFor(N4).length > 0) found.push('the newcomer is not ready');
    for (const at of KEYS) {
      const { owners } = cluster.view.placement(addressFor(at), 3);
      if (!cluster.areEqual(at, owners))
        found.push(
          `the owners of ${at} differ: ${owners.map((one) => `${one} ${valuesOf(cluster.held(one, at)).join(',')}`).join('; ')}`,
        );
      const present = new Set(valuesOf(cluster.held(owners[0]!, at)));
      const writes = this.writes.filter((write) => write.key === at);
      const isAccountedFor = (operation: string): boolean =>
        present.has(operation) || writes.some((later) => later.seen.has(operation) && isAccountedFor(later.operation));
      for (const { operation, outcome, read } of writes) {
        if (outcome !== 'acknowledged') continue;
        if (!isAccountedFor(operation)) found.push(`${at}: the acknowledged ${operation} is lost`);
        for (const old of read) if (present.has(old) && this.#attempts(old) === 1) found.push(`${at}: ${old} came back`);
      }
    }
    return found;
  }

  /** How often the write may have been minted: one that was tried at several nodes can be there under several dots. */
  #attempts(operation: string): number {
    const sent = this.cluster.asksOf('write').filter(({ request }) => (request as WriteRequest).operation === operation).length;
    return Math.max(1, sent);
  }
}

test('after healing: owners are equal, acknowledged writes are there or superseded, nothing comes back, no dot names two writes', async () => {
  let acknowledged = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), fc.nat(), async (steps, seed) => {
      const world = await World.open(seed);
      await world.run(steps);
      acknowledged += world.writes.filter(({ outcome }) => outcome === 'acknowledged').length;
      expect(world.findings()).toEqual([]);
    }),
    { numRuns: 200 },
  );
  expect(acknowledged, 'the histories do write').toBeGreaterThan(500);
});
