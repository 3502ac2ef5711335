/** Gossip in virtual time: twenty nodes, changes anywhere, a partition that heals, lost and late messages. */
import { ArmatureError, pick, seededRandom, shuffle, type NodeId, type Random } from '@armature/kernel';
import { nodeAddress, type GossipReply, type GossipRequest } from '@armature/protocol';
import { ManualClock, noTelemetry, silentLog, sleep } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import { memoryHistoryStore } from './history-store.js';
import { Membership } from './membership.js';
import { change, CLUSTER, names, START_MS } from './records.test-support.js';

interface World {
  readonly clock: ManualClock;
  readonly members: ReadonlyMap<string, Membership>;
  /** Nodes of different sides do not hear one another. */
  side(address: string): number;
  split(sides: number): void;
  exchanges: number;
}

async function world(
  nodes: readonly NodeId[],
  random: Random,
  options: { lossPercent: number; announcements: boolean },
): Promise<World> {
  const clock = new ManualClock(START_MS + 10_000_000);
  const members = new Map<string, Membership>();
  const sides = new Map<string, number>();
  const faults = random.fork('faults');
  const side = (address: string): number => sides.get(address) ?? 0;
  const lost = (from: string, to: string): boolean => side(from) !== side(to) || faults.int(100) < options.lossPercent;
  const self: World = {
    clock,
    members,
    side,
    split(count) {
      for (const address of members.keys()) sides.set(address, faults.int(count));
    },
    exchanges: 0,
  };
  const gossip = async (from: string, to: string, request: GossipRequest, timeoutMs: number): Promise<GossipReply> => {
    self.exchanges++;
    await sleep(clock, 1 + faults.int(20));
    const peer = members.get(to);
    if (peer === undefined || lost(from, to)) {
      await sleep(clock, timeoutMs);
      throw new ArmatureError('timeout', `no answer from ${to}`);
    }
    const reply = await peer.answerGossip(request);
    await sleep(clock, 1 + faults.int(20));
    if (lost(to, from)) {
      await sleep(clock, timeoutMs);
      throw new ArmatureError('timeout', `the answer of ${to} was lost`);
    }
    return reply;
  };
  for (const node of nodes) {
    const address = nodeAddress(node);
    const membership = await Membership.open({
      self: { address, node },
      clusterName: CLUSTER,
      historyStore: memoryHistoryStore(),
      clock,
      random: random.fork(node),
      log: silentLog,
      telemetry: noTelemetry,
      seeds: nodes.slice(0, 2).map(nodeAddress),
      transport: {
        gossip: (to, request, timeoutMs) => gossip(address, to, request, timeoutMs),
        announce(fingerprint) {
          if (!options.announcements) return;
          for (const [other, one] of members)
            if (other !== address && !lost(address, other))
              clock.after(1 + faults.int(20), () => one.heard(address, fingerprint));
        },
        discover: () => Promise.resolve(undefined),
      },
    });
    members.set(address, membership);
    membership.start();
  }
  return self;
}

/** Waits for something that itself waits for virtual time. */
async function meanwhile<T>(w: World, promise: Promise<T>): Promise<T> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  while (!settled) await w.clock.advance(10);
  return promise;
}

const nodeOf = (address: string): NodeId => address.slice('node.'.length) as NodeId;

const fingerprints = (w: World): Set<string> => new Set([...w.members.values()].map((one) => one.view.fingerprint));

/** Virtual ms until all agree. */
async function untilAgreed(w: World, limitMs: number): Promise<number> {
  const startMs = w.clock.nowMs();
  while (fingerprints(w).size > 1) {
    if (w.clock.nowMs() - startMs > limitMs) throw new Error(`${fingerprints(w).size} histories after ${limitMs} ms`);
    await w.clock.advance(100);
  }
  return w.clock.nowMs() - startMs;
}

/** A node that has something to copy says that it has. */
async function somebodyIsReady(w: World, random: Random): Promise<void> {
  const membership = pick(
    random,
    [...w.members].filter(([address, one]) => one.view.pendingFor(nodeOf(address)).length > 0),
  );
  if (membership === undefined) return;
  const [address, one] = membership;
  const copies = one.view.pendingFor(nodeOf(address));
  await one.declareReady(
    copies[0]?.change ?? '',
    copies.map((copy) => copy.partition),
  );
}

/** A command that makes sense or not, at a random node; that it may be refused is part of it. */
async function somebodyDoesSomething(w: World, nodes: readonly NodeId[], random: Random): Promise<void> {
  const membership = pick(random, [...w.members.values()]) as Membership;
  const about = pick(random, nodes) as NodeId;
  const made = pick(random, [
    change.join(about),
    change.leave(about),
    change.remove(about),
    change.weight(about, 1 + random.int(3)),
    change.zone(about, `z${random.int(3)}`),
    change.bucket(`b${random.int(5)}`, { w: 1 + random.int(3) }),
  ]);
  if (made !== undefined)
    await meanwhile(w, membership.propose(made)).catch((error: unknown) => expect(error).toBeInstanceOf(ArmatureError));
}

/** Strategy 2, whose rings are quick to make: twenty nodes fold every change, in one process. */
async function create(w: World, nodes: readonly NodeId[]): Promise<void> {
  const first = w.members.get('node.n1');
  if (first === undefined) throw new Error('n1 is up');
  await meanwhile(w, first.propose(change.create(nodes.slice(0, 12), { partitionCount: 32, strategy: 2 })));
}

async function run(
  seed: number,
  options: { lossPercent: number; announcements: boolean },
): Promise<{ first: number; healed: number; views: string[]; records: number }> {
  const random = seededRandom(seed);
  const nodes = names('n', 20);
  const w = await world(nodes, random, options);
  await create(w, nodes);
  const first = await untilAgreed(w, 60_000);
  w.split(3);
  for (let i = 0; i < 45; i++) {
    await (i % 3 === 2 ? somebodyIsReady(w, random) : somebodyDoesSomething(w, nodes, random));
    await w.clock.advance(random.int(500));
  }
  expect(fingerprints(w).size).toBeGreaterThan(1);
  w.split(1);
  for (let i = 0; i < 10; i++) {
    await somebodyDoesSomething(w, shuffle(random, nodes), random);
    await w.clock.advance(random.int(200));
  }
  const healed = await untilAgreed(w, 60_000);
  const everybody = [...w.members.values()];
  const versions = new Set(everybody.map((one) => one.view.ringVersion));
  expect(versions.size).toBe(1);
  await Promise.all(everybody.map((one) => one.stop()));
  const view = everybody[0]?.view;
  return { first, healed, views: [view?.fingerprint ?? '', String(view?.ringVersion)], records: w.exchanges };
}

describe('gossip between twenty nodes', () => {
  test.each([1, 2, 3])(
    'seed %i, no announcements: agreed within 20 s of the healing, by rounds of gossip alone',
    async (seed) => {
      const { first, healed } = await run(seed, { lossPercent: 0, announcements: false });
      expect(first).toBeLessThan(20_000);
      expect(healed).toBeLessThan(20_000);
    },
  );

  test.each([4, 5])('seed %i, with announcements and a tenth of messages lost: agreed within 30 s', async (seed) => {
    const { healed } = await run(seed, { lossPercent: 10, announcements: true });
    expect(healed).toBeLessThan(30_000);
  });

  test('one seed is one history', async () => {
    expect(await run(6, { lossPercent: 10, announcements: true })).toEqual(
      await run(6, { lossPercent: 10, announcements: true }),
    );
  });

  test('a change announced in a healthy cluster is everywhere within a quarter of a second', async () => {
    const random = seededRandom(7);
    const nodes = names('n', 20);
    const w = await world(nodes, random, { lossPercent: 0, announcements: true });
    await create(w, nodes);
    expect(await untilAgreed(w, 60_000)).toBeLessThanOrEqual(300);
    await w.clock.advance(1_000);
    void w.members.get('node.n5')?.propose(change.join(nodes[15] as NodeId));
    await w.clock.advance(1);
    expect(fingerprints(w).size).toBe(2);
    expect(await untilAgreed(w, 60_000)).toBeLessThanOrEqual(300);
    await Promise.all([...w.members.values()].map((one) => one.stop()));
  });
});
