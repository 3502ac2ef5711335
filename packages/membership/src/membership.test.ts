import { ArmatureError, hlcFromMs, seededRandom, type BucketName, type ClusterName, type NodeId } from '@armature/kernel';
import {
  MAX_RECORD_AT,
  nodeAddress,
  type ChangeRecord,
  type ClearingCount,
  type GossipReply,
  type GossipRequest,
} from '@armature/protocol';
import { ManualClock, memoryTelemetry, recordingLog, silentLog, type Clock } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import type { ClearingExchange } from './gossip.js';
import { memoryHistoryStore, type HistoryStore } from './history-store.js';
import { MANY_RECORDS } from './history.js';
import { Membership, type MembershipEnv } from './membership.js';
import { change, CLUSTER, names, node, record, START_MS } from './records.test-support.js';

const [n1, n2, n3, n4] = names('n', 4) as [NodeId, NodeId, NodeId, NodeId];

/** A bus of memberships: gossip is a call, announcements are delivered in the next turn, and links can be cut. */
class Net {
  readonly clock: Clock & ManualClock = new ManualClock(START_MS + 1_000_000);
  readonly members = new Map<string, Membership>();
  readonly calls: { readonly from: string; readonly to: string; readonly request: GossipRequest }[] = [];
  /** Whoever does not answer, and is not known to be away. */
  isSilent: (to: string) => boolean = () => false;
  readonly announcements: string[] = [];
  deaf = false;
  cut: (from: string, to: string) => boolean = () => false;

  async open(address: string, options: Partial<MembershipEnv> & { node?: NodeId | undefined } = {}): Promise<Membership> {
    const membership = await Membership.open({
      self: { address, node: 'node' in options ? options.node : (address.slice('node.'.length) as NodeId) },
      clusterName: CLUSTER,
      historyStore: memoryHistoryStore(),
      clock: this.clock,
      random: seededRandom(address),
      log: silentLog,
      telemetry: memoryTelemetry(),
      seeds: [],
      transport: {
        gossip: (to, request) => this.gossip(address, to, request),
        announce: (fingerprint) => {
          this.announcements.push(address);
          if (this.deaf) return;
          for (const [other, one] of this.members) if (!this.cut(address, other)) one.heard(address, fingerprint);
        },
        discover: () => Promise.resolve([...this.members.keys()].find((other) => other !== address && !this.cut(address, other))),
      },
      ...options,
    });
    this.members.set(address, membership);
    return membership;
  }

  async gossip(from: string, to: string, request: GossipRequest): Promise<GossipReply> {
    this.calls.push({ from, to, request });
    await Promise.resolve();
    if (this.isSilent(to)) return new Promise(() => undefined);
    const peer = this.members.get(to);
    if (peer === undefined || this.cut(from, to)) throw new ArmatureError('unreachable', `nobody at ${to}`);
    return peer.answerGossip(request);
  }
}

const open = (net: Net, who: NodeId, options?: Parameters<Net['open']>[1]): Promise<Membership> =>
  net.open(nodeAddress(who), options);

describe('membership: own changes', () => {
  test('propose: recorded, persisted, in the view, announced', async () => {
    const net = new Net();
    const historyStore = memoryHistoryStore();
    const membership = await open(net, n1, { historyStore });
    const made = await membership.propose(change.create([n1, n2]));
    expect(made).toMatchObject({ by: n1, change: { kind: 'create' } });
    expect(made.id).toMatch(/^[0-9a-f]{16}$/);
    expect(await historyStore.load()).toEqual([made]);
    expect([...membership.view.members.keys()]).toEqual([n1, n2]);
    expect(net.announcements).toEqual([nodeAddress(n1)]);
  });

  test('propose what makes no sense: rejects, nothing is recorded or announced', async () => {
    const net = new Net();
    const historyStore = memoryHistoryStore();
    const membership = await open(net, n1, { historyStore });
    await expect(membership.propose(change.join(n2))).rejects.toMatchObject({ code: 'no-cluster' });
    expect(await historyStore.load()).toEqual([]);
    expect(net.announcements).toEqual([]);
  });

  test('two proposals at once: the second is checked against what the first made', async () => {
    const membership = await open(new Net(), n1);
    await membership.propose(change.create([n1]));
    const results = await Promise.allSettled([membership.propose(change.join(n2)), membership.propose(change.join(n2))]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
  });

  test('create at a node that has not met its cluster yet: it looks around first, and refuses', async () => {
    const net = new Net();
    const first = await open(net, n1);
    await first.propose(change.create([n1]));
    net.deaf = true;
    const second = await open(net, n2, { seeds: [nodeAddress(n1)] });
    await expect(second.propose(change.create([n2], { clusterId: 'ee'.repeat(16) }))).rejects.toThrow(/exists already/);
    expect(second.view.fingerprint).toBe(first.view.fingerprint);
  });

  test('each record is later than all that its author knew, whatever the clock says', async () => {
    const net = new Net();
    const membership = await open(net, n1);
    const create = await membership.propose(change.create([n1, n2]));
    const fast = { ...record(1, change.join(n3), n2), at: hlcFromMs(net.clock.nowMs() + 3_600_000) } as ChangeRecord;
    await membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [create, fast] });
    const next = await membership.propose(change.leave(n3)).catch(() => membership.propose(change.remove(n3)));
    expect(fast.at).toBeGreaterThan(create.at);
    expect(next.at).toBeGreaterThan(fast.at);
    expect(membership.view.members.has(n3)).toBe(false);
  });

  test('a record from the future is taken in, warned of and counted', async () => {
    const net = new Net();
    const { log, entries } = recordingLog();
    const telemetry = memoryTelemetry();
    const membership = await open(net, n1, { log, telemetry });
    const create = await membership.propose(change.create([n1, n2]));
    const fast = { ...record(1, change.join(n3), n2), at: hlcFromMs(net.clock.nowMs() + 61_000) } as ChangeRecord;
    await membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [create, fast] });
    expect(membership.view.members.has(n3)).toBe(true);
    expect(entries.filter((entry) => entry.level === 'warn').map((entry) => entry.fields['by'])).toEqual([n2]);
    expect(telemetry.value('armature_membership_early_records_total')).toBe(1);
  });

  test('a clock that is known to be wrong stamps nothing: the record comes right behind the latest one known', async () => {
    const net = new Net();
    let isClockRight = true;
    const membership = await open(net, n1, { isClockRight: () => isClockRight });
    const create = await membership.propose(change.create([n1, n2]));
    isClockRight = false;
    net.clock.setWallAhead(365 * 86_400_000);
    const join = await membership.propose(change.join(n3));
    expect(join.at).toBe(create.at + 1);
  });

  test('a record stamped at the end of time keeps no later one out, and one beyond it costs no other of its message', async () => {
    const net = new Net();
    const { log, entries } = recordingLog();
    const a = await open(net, n1, { log });
    const b = await open(net, n2, { seeds: [nodeAddress(n1)] });
    const create = await a.propose(change.create([n1, n2]));
    const last = { ...record(1, change.join(n3), n2), at: MAX_RECORD_AT } as ChangeRecord;
    const beyond = { ...record(2, change.join(n4), n2), at: Number.MAX_SAFE_INTEGER } as ChangeRecord;
    for (let i = 0; i < 2; i++) await a.answerGossip({ kind: 'gossip', fingerprint: '', records: [create, beyond, last] });
    expect([a.view.members.has(n3), a.view.members.has(n4)]).toEqual([true, false]);
    expect(entries.filter(({ level }) => level === 'error')).toHaveLength(1);
    await a.propose(change.remove(n3));
    await b.refresh();
    await b.propose(change.join(n4));
    await a.refresh(nodeAddress(n2));
    expect([...a.view.members.keys()]).toEqual([n1, n2, n4]);
    expect(b.view.fingerprint).toBe(a.view.fingerprint);
  });

  test('very many records are an alarm, and no wall', async () => {
    const net = new Net();
    const { log, entries } = recordingLog();
    const membership = await open(net, n1, { log });
    const create = await membership.propose(change.create([n1, n2]));
    const many = Array.from({ length: MANY_RECORDS }, (_, i) =>
      record(i + 1, change.actor(n2, i.toString(16).padStart(16, '0')), n2),
    );
    await membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [create, ...many] });
    await membership.propose(change.join(n3));
    expect(membership.recordCount).toBe(MANY_RECORDS + 2);
    expect(entries.filter(({ level }) => level === 'error').map(({ fields }) => fields['records'])).toEqual([MANY_RECORDS + 1]);
  });

  test('a router can see, not propose', async () => {
    const net = new Net();
    const router = await net.open('router.r1', {
      node: undefined,
      self: { address: 'router.r1', node: undefined },
      historyStore: undefined,
    });
    await expect(router.propose(change.create([n1]))).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(router.declareReady('0'.repeat(16), [1])).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('membership: handing out', () => {
  test('when propose resolves, every member that answers has the record', async () => {
    const net = new Net();
    net.deaf = true;
    const [a, b, c] = await Promise.all([n1, n2, n3].map((one) => open(net, one)));
    await a?.propose(change.create([n1, n2, n3]));
    await b?.propose(change.bucket('b'));
    expect(new Set([a, b, c].map((one) => one?.view.fingerprint)).size).toBe(1);
    expect(c?.view.buckets.size).toBe(2);
  });

  test('members that are down, or refuse, do not fail the command', async () => {
    const net = new Net();
    const a = await open(net, n1);
    await a.propose(change.create([n1, n2, n3]));
    const broken: HistoryStore = {
      load: () => Promise.resolve([]),
      append: () => Promise.reject(new ArmatureError('storage-full', 'full')),
    };
    await open(net, n3, { historyStore: broken });
    await a.propose(change.bucket('b'));
    expect(a.view.buckets.size).toBe(2);
  });

  test('a node that knows nothing yet learns its cluster from the first record handed to it', async () => {
    const net = new Net();
    net.deaf = true;
    const a = await open(net, n1);
    await a.propose(change.create([n1]));
    await a.propose(change.bucket('b'));
    const late = await open(net, n2, { seeds: [nodeAddress(n1)] });
    await a.propose(change.join(n2));
    expect(late.view.cluster?.id).toBe(a.view.cluster?.id);
    expect(late.view.members.has(n2)).toBe(true);
    await late.refresh();
    expect(late.view.fingerprint).toBe(a.view.fingerprint);
  });

  test('a record of another cluster, handed out by mistake: refused, whether it says where it is from or not', async () => {
    const membership = await open(new Net(), n1);
    await membership.propose(change.create([n1, n2]));
    const theirs = record(1, change.create([n1, n2], { clusterId: 'ee'.repeat(16) }));
    const removal = record(2, change.remove(n2));
    for (const records of [[theirs, removal], [removal]]) {
      await expect(membership.answerGossip({ kind: 'gossip', fingerprint: '', records })).rejects.toMatchObject({
        code: 'wrong-cluster',
      });
    }
    expect(membership.view.members.has(n2)).toBe(true);
  });
});

test('one bucket made at several nodes at the same moment, differently: one success, which is what holds everywhere; the others are told', async () => {
  const properties = [{ n: 1, r: 1, w: 1 }, { n: 2, r: 2, w: 2 }, { n: 3 }] as const;
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [1, 2, 0],
  ] as const;
  for (const order of orders) {
    const net = new Net();
    const opened = [await open(net, n1), await open(net, n2), await open(net, n3)] as const;
    await opened[0].propose(change.create([n1, n2, n3]));
    net.deaf = true;
    const made = await Promise.allSettled(order.map((at) => opened[at].propose(change.bucket('carts', properties[at]))));
    const won = order.filter((_, index) => made[index]?.status === 'fulfilled');
    expect(won, String(order)).toHaveLength(1);
    for (const one of opened) expect(one.view.buckets.get('carts' as BucketName)).toMatchObject(properties[won[0] as 0 | 1 | 2]);
    const reasons = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as ArmatureError] : []));
    for (const { code, message } of reasons) expect([code, message]).toEqual(['invalid-argument', expect.stringContaining('n=')]);
  }
});

test('two words about tokens at the same moment: the stricter one holds everywhere, and the other is told', async () => {
  const net = new Net();
  const [a, b] = [await open(net, n1), await open(net, n2)];
  await a.propose(change.create([n1, n2]));
  await a.propose(change.access('required', 1));
  await b.refresh();
  net.deaf = true;
  const [kept, dropped, revoked] = await Promise.allSettled([
    a.propose(change.access('required', 2)),
    b.propose(change.access('optional', 2)),
    b.propose(change.access('optional', 2, 1)),
  ]);
  expect(kept.status).toBe('fulfilled');
  expect(dropped).toMatchObject({
    status: 'rejected',
    reason: { message: expect.stringContaining('tokens are required') as string },
  });
  expect(revoked).toMatchObject({ status: 'rejected', reason: { code: 'invalid-argument' } });
  for (const one of [a, b]) {
    await one.refresh();
    expect(one.view.access).toEqual({ tokens: 'required', revision: 2, generation: 1 });
  }
});

test('a record says who gave the command: the node itself unless somebody else did', async () => {
  const membership = await open(new Net(), n1);
  expect((await membership.propose(change.create([n1, n2]), 'alice@desk')).author).toBe('alice@desk');
  expect((await membership.propose(change.remove(n2))).author).toBe(n1);
  expect((await membership.declareActor('ab'.repeat(8)))?.author).toBe(n1);
});

describe('membership: ready', () => {
  test('declares what is pending, leaves out what is not, and says nothing twice', async () => {
    const net = new Net();
    const membership = await open(net, n4);
    await membership.propose(change.create([n1, n2, n3]));
    await membership.propose(change.join(n4));
    const copies = membership.view.pendingFor(n4);
    const ringChange = copies[0]?.change ?? '';
    const all = Array.from({ length: 16 }, (_, p) => p);
    const said = await membership.declareReady(ringChange, [...all, ...all]);
    expect(said?.change).toEqual({
      kind: 'ready',
      node: n4,
      change: ringChange,
      partitions: copies.map((copy) => copy.partition),
    });
    expect(membership.view.pendingFor(n4)).toEqual([]);
    expect(await membership.declareReady(ringChange, all)).toBeUndefined();
  });
});

describe('membership: left', () => {
  test('is stated once, and only by a node that is leaving and owns nothing any more', async () => {
    const net = new Net();
    const membership = await open(net, n4);
    await membership.propose(change.create([n1, n2, n3]));
    expect(await membership.declareLeft()).toBeUndefined();
    await membership.propose(change.join(n4));
    expect(await membership.declareLeft()).toBeUndefined();
    // It holds nothing as soon as the ring is without it, for it never was ready.
    await membership.propose(change.leave(n4));
    expect((await membership.declareLeft())?.change).toEqual({ kind: 'left', node: n4 });
    expect(membership.view.members.has(n4)).toBe(false);
    expect(await membership.declareLeft()).toBeUndefined();
  });
});

describe('membership: the store', () => {
  const failing = (): HistoryStore & { broken: boolean } => {
    const inner = memoryHistoryStore();
    const store = {
      broken: false,
      load: () => inner.load(),
      append: (records: readonly ChangeRecord[]) =>
        store.broken ? Promise.reject(new ArmatureError('storage-full', 'disk full')) : inner.append(records),
    };
    return store;
  };

  test('cannot persist: the command rejects with the store’s error, nothing takes effect, and later it works', async () => {
    const net = new Net();
    const historyStore = failing();
    const membership = await open(net, n1, { historyStore });
    await membership.propose(change.create([n1]));
    const before = membership.view;
    historyStore.broken = true;
    await expect(membership.propose(change.join(n2))).rejects.toMatchObject({ code: 'storage-full' });
    expect(membership.view).toBe(before);
    expect(net.announcements).toHaveLength(1);
    historyStore.broken = false;
    await membership.propose(change.join(n2));
    expect(membership.view.members.size).toBe(2);
  });

  test('cannot persist gossip: the peer is told, and is not answered as if it had been kept', async () => {
    const historyStore = failing();
    const membership = await open(new Net(), n1, { historyStore });
    historyStore.broken = true;
    await expect(
      membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [record(1, change.create([n1]))] }),
    ).rejects.toMatchObject({ code: 'storage-full' });
    expect(membership.view.cluster).toBeUndefined();
  });

  test('nothing is in the view before it is persisted', async () => {
    const events: string[] = [];
    const inner = memoryHistoryStore();
    const opened: Membership[] = [];
    const historyStore: HistoryStore = {
      load: () => inner.load(),
      async append(records) {
        events.push(`append, view has ${opened[0]?.view.members.size}`);
        await inner.append(records);
      },
    };
    const membership = await open(new Net(), n1, { historyStore });
    opened.push(membership);
    membership.onChange((view) => events.push(`changed to ${view.members.size}`));
    await membership.propose(change.create([n1, n2]));
    expect(events).toEqual(['append, view has 0', 'changed to 2']);
  });

  test('reopened: the same view', async () => {
    const net = new Net();
    const historyStore = memoryHistoryStore();
    const membership = await open(net, n1, { historyStore });
    await membership.propose(change.create([n1, n2]));
    await membership.propose(change.join(n3));
    await membership.stop();
    const again = await open(net, n1, { historyStore });
    expect(again.view.fingerprint).toBe(membership.view.fingerprint);
    expect(again.view.ringVersion).toBe(membership.view.ringVersion);
  });

  test('a store of another cluster, or with contradictions: does not open', async () => {
    const net = new Net();
    const historyStore = memoryHistoryStore();
    await historyStore.append([record(1, change.create([n1], { cluster: 'other' as ClusterName }))]);
    await expect(open(net, n1, { historyStore })).rejects.toMatchObject({ code: 'storage-foreign' });
    const altered: HistoryStore = {
      load: () => Promise.resolve([record(1, change.create([n1])), record(1, change.create([n2]))]),
      append: () => Promise.resolve(),
    };
    await expect(open(net, n1, { historyStore: altered })).rejects.toMatchObject({ code: 'storage-corrupt' });
  });
});

describe('membership: gossip', () => {
  /** Commands given while nobody hears anybody, so that histories differ. */
  async function apart(net: Net, ...commands: (() => Promise<unknown>)[]): Promise<void> {
    net.cut = () => true;
    for (const command of commands) await command();
    net.cut = () => false;
    net.calls.length = 0;
  }

  async function pair(): Promise<{ net: Net; a: Membership; b: Membership }> {
    const net = new Net();
    net.deaf = true;
    const a = await open(net, n1);
    await a.propose(change.create([n1, n2]));
    const b = await open(net, n2, { seeds: [nodeAddress(n1)] });
    await b.refresh();
    net.calls.length = 0;
    return { net, a, b };
  }

  test('equal histories: one call, no records', async () => {
    const { net, b } = await pair();
    await b.refresh();
    expect(net.calls).toHaveLength(1);
    expect(net.calls[0]?.request.records).toEqual([]);
  });

  test('counts of clearings: one call, after which both know what either knew; a router is told none', async () => {
    const keeper = (known: ClearingCount[]): ClearingExchange & { readonly told: (readonly ClearingCount[])[] } => {
      const told: (readonly ClearingCount[])[] = [];
      const beyond = (given: readonly ClearingCount[]): ClearingCount[] =>
        known.filter((one) => !given.some(({ tenure, count }) => tenure === one.tenure && count >= one.count));
      const heard = (counts: readonly ClearingCount[]): void => void told.push(counts);
      return { known, beyond, heard, told };
    };
    const net = new Net();
    net.deaf = true;
    const [of1, of2, of3] = ['n1', 'n2', 'n3'].map((tenure) => ({ tenure, count: 1 })) as [
      ClearingCount,
      ClearingCount,
      ClearingCount,
    ];
    const [one, two] = [keeper([of1, of3]), keeper([of2, { ...of3, count: 2 }])];
    const a = await open(net, n1, { clearings: one });
    await a.propose(change.create([n1, n2]));
    const b = await open(net, n2, { clearings: two, seeds: [nodeAddress(n1)] });
    await b.refresh(); // to have the same history
    one.told.length = two.told.length = net.calls.length = 0;
    await b.refresh();
    expect(net.calls).toHaveLength(1);
    expect(one.told).toEqual([[of2, { ...of3, count: 2 }]]);
    expect(two.told).toEqual([[of1]]);
    await (await net.open('router.r1', { node: undefined })).refresh();
    expect(one.told).toHaveLength(1);
    expect(two.told).toHaveLength(1);
  });

  test('different histories: after one exchange both have the union', async () => {
    const { net, a, b } = await pair();
    await apart(
      net,
      () => a.propose(change.join(n3)),
      () => b.propose(change.join(n4)),
    );
    await b.refresh(nodeAddress(n1));
    expect(a.view.fingerprint).toBe(b.view.fingerprint);
    expect(a.view.members.size).toBe(4);
    expect(net.calls.map((call) => call.request.records.map((one) => one.change.kind))).toEqual([[], ['create', 'join']]);
  });

  test('another cluster: the exchange is refused on both sides, logged once, and neither is changed', async () => {
    const { net, a } = await pair();
    const { log, entries } = recordingLog();
    const historyStore = memoryHistoryStore();
    await historyStore.append([record(1, change.create([n3], { clusterId: 'ee'.repeat(16) }))]);
    const stranger = await open(net, n3, { historyStore, seeds: [nodeAddress(n1)], log });
    for (let i = 0; i < 5; i++) await expect(stranger.refresh()).rejects.toMatchObject({ code: 'wrong-cluster' });
    expect(entries.filter((entry) => entry.level === 'error')).toHaveLength(1);
    await expect(a.answerGossip({ kind: 'gossip', fingerprint: '', records: await historyStore.load() })).rejects.toMatchObject({
      code: 'wrong-cluster',
    });
    expect(a.view.cluster?.id).not.toBe(stranger.view.cluster?.id);
  });

  test('records of a cluster of another name: refused', async () => {
    const membership = await open(new Net(), n1);
    const foreign = record(1, change.create([n1], { cluster: 'other' as ClusterName }));
    await expect(membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [foreign] })).rejects.toMatchObject({
      code: 'wrong-cluster',
    });
    expect(membership.view.cluster).toBeUndefined();
  });

  test('a router learns from whatever node discovery finds, and pulls again when it hears of a change', async () => {
    const { net, a } = await pair();
    const router = await net.open('router.r1', {
      self: { address: 'router.r1', node: undefined },
      historyStore: undefined,
      intervalMs: 10_000,
    });
    router.start();
    await net.clock.advance(10_000);
    expect(router.view.fingerprint).toBe(a.view.fingerprint);
    net.deaf = false;
    await a.propose(change.join(n3));
    await net.clock.advance(1);
    expect(router.view.members.has(n3)).toBe(true);
    await router.stop();
  });

  test('announcements: pulled once per peer at a time, known fingerprints not at all', async () => {
    const { net, a, b } = await pair();
    for (let i = 0; i < 50; i++) b.heard(nodeAddress(n1), a.view.fingerprint);
    b.heard(nodeAddress(n2), 'my own voice');
    expect(net.calls).toHaveLength(0);
    const past = a.view.fingerprint;
    await apart(net, () => a.propose(change.join(n3)));
    for (let i = 0; i < 50; i++) b.heard(nodeAddress(n1), a.view.fingerprint);
    await net.clock.advance(10_000);
    expect(b.view.fingerprint).toBe(a.view.fingerprint);
    expect(net.calls.length).toBeLessThanOrEqual(2);
    net.calls.length = 0;
    b.heard(nodeAddress(n1), past);
    expect(net.calls).toHaveLength(0);
  });

  test('announced again during a pull: pulled again after it', async () => {
    const { net, a, b } = await pair();
    await apart(net, () => a.propose(change.join(n3)));
    b.heard(nodeAddress(n1), a.view.fingerprint);
    await net.clock.advance(50); // within the pause after the pull
    expect(b.view.members.has(n3)).toBe(true);
    await apart(net, () => a.propose(change.join(n4)));
    b.heard(nodeAddress(n1), a.view.fingerprint);
    await net.clock.advance(1_000);
    expect(b.view.members.has(n4)).toBe(true);
  });

  test('a peer that announces nonsense without end: at most ten pulls a second, from at most eight peers', async () => {
    const { net, b } = await pair();
    for (let ms = 0; ms < 1_000; ms += 10) {
      for (let peer = 0; peer < 20; peer++) b.heard(`node.x${peer}`, `nonsense ${ms} ${peer}`);
      await net.clock.advance(10);
    }
    expect(net.calls.length).toBeGreaterThan(8);
    expect(net.calls.length).toBeLessThanOrEqual(8 * 11);
  });

  test('refresh: calls made together share one exchange', async () => {
    const { net, b } = await pair();
    const views = await Promise.all([b.refresh(), b.refresh(), b.refresh()]);
    expect(net.calls).toHaveLength(1);
    expect(new Set(views).size).toBe(1);
  });

  test('refresh: one that waits for a silent peer holds up none that asks another', async () => {
    const { a, b, net } = await pair();
    await apart(net, () => a.propose(change.join(n3)));
    net.isSilent = (to) => to === nodeAddress(node('gone'));
    const waiting = b.refresh(nodeAddress(node('gone')));
    await b.refresh(nodeAddress(n1));
    expect(b.view.members.has(n3)).toBe(true);
    net.isSilent = () => false;
    void waiting;
  });

  test('refresh from a given peer, which is down: tries another', async () => {
    const { a, b, net } = await pair();
    await apart(net, () => a.propose(change.join(n3)));
    await b.refresh(nodeAddress(node('gone')));
    expect(b.view.members.has(n3)).toBe(true);
    expect(net.calls[0]?.to).toBe(nodeAddress(node('gone')));
  });

  test('refresh with nobody reachable: rejects; with nobody else in the world: the view as it is', async () => {
    const { net, b } = await pair();
    net.cut = () => true;
    await expect(b.refresh()).rejects.toMatchObject({ code: 'unreachable' });
    const alone = await open(new Net(), n1);
    expect((await alone.refresh()).cluster).toBeUndefined();
  });

  test('a failing listener is logged and disturbs no other; one that unsubscribed hears nothing', async () => {
    const { log, entries } = recordingLog();
    const membership = await open(new Net(), n1, { log });
    const heard: number[] = [];
    membership.onChange(() => {
      throw new Error('listener');
    });
    const off = membership.onChange((view, previous) => heard.push(previous.members.size, view.members.size));
    await membership.propose(change.create([n1]));
    off();
    await membership.propose(change.join(n2));
    expect(heard).toEqual([0, 1]);
    expect(entries.filter((entry) => entry.level === 'error')).toHaveLength(2);
  });

  test('stopped: no timers, no pulls, and changes reject with closed', async () => {
    const { net, b } = await pair();
    b.start();
    await net.clock.advance(3_000);
    await b.stop();
    expect(net.clock.pending).toBe(0);
    net.calls.length = 0;
    b.heard(nodeAddress(n1), 'news');
    await net.clock.advance(60_000);
    expect(net.calls).toEqual([]);
    await expect(b.propose(change.join(n3))).rejects.toMatchObject({ code: 'closed' });
  });
});
