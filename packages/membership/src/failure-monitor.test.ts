import { ArmatureError, seededRandom, type ErrorCode, type NodeId } from '@armature/kernel';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FailureMonitor, type Transition } from './failure-monitor.js';

const [a, b, c, me] = ['a', 'b', 'c', 'me'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];

function monitor(options: { seed?: number; answer?: (node: NodeId) => ErrorCode | undefined } = {}) {
  const clock = new ManualClock(0);
  const telemetry = memoryTelemetry();
  const { log, entries } = recordingLog();
  const pings: { node: NodeId; atMs: number }[] = [];
  const transitions: Transition[] = [];
  const it = new FailureMonitor({
    self: me,
    ping(node) {
      pings.push({ node, atMs: clock.monotonicMs() });
      const code = options.answer?.(node);
      return code === undefined ? Promise.resolve() : Promise.reject(new ArmatureError(code, 'no'));
    },
    clock,
    random: seededRandom(options.seed ?? 1),
    log,
    telemetry,
  });
  it.onTransition((transition) => transitions.push(transition));
  return { monitor: it, clock, telemetry, entries, pings, transitions };
}

describe('failure monitor', () => {
  test('a suspect is probed with growing waits until it answers, then never again', async () => {
    let alive = false;
    const t = monitor({ answer: () => (alive ? undefined : 'timeout') });
    t.monitor.failed(a, 'unreachable');
    await t.clock.advance(60_000);
    const gaps = t.pings.slice(1).map((ping, i) => ping.atMs - (t.pings[i]?.atMs ?? 0));
    expect(t.pings.length).toBeGreaterThan(12);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    expect(gaps.at(-1)).toBeGreaterThan((gaps[0] ?? 0) * 4);
    alive = true;
    await t.clock.advance(5_001);
    expect(t.monitor.isSuspect(a)).toBe(false);
    const before = t.pings.length;
    await t.clock.advance(60_000);
    expect(t.pings.length).toBe(before);
    expect(t.transitions).toEqual([
      { node: a, to: 'suspect', reason: 'unreachable' },
      { node: a, to: 'healthy', reason: undefined },
    ]);
  });

  test('a late answer to an ordinary request clears the suspicion and its probe', async () => {
    const t = monitor({ answer: () => 'timeout' });
    for (let i = 0; i < 3; i++) t.monitor.failed(a, 'timeout');
    expect(t.monitor.suspects()).toEqual([a]);
    t.monitor.succeeded(a, 900);
    expect(t.monitor.suspects()).toEqual([]);
    expect(t.clock.pending).toBe(0);
  });

  test('a probe answered with an error is an answer; one lost in our own trouble is not', async () => {
    let code: ErrorCode = 'bus-unavailable';
    const t = monitor({ answer: () => code });
    t.monitor.failed(a, 'unreachable');
    await t.clock.advance(10_000);
    expect(t.monitor.isSuspect(a)).toBe(true);
    code = 'storage-full';
    await t.clock.advance(5_001);
    expect(t.monitor.isSuspect(a)).toBe(false);
  });

  test('a peer that reads nothing of ours is as good as down, until it does', async () => {
    let code: ErrorCode | undefined = 'protocol-mismatch';
    const t = monitor({ answer: () => code });
    t.monitor.failed(a, 'protocol-mismatch');
    await t.clock.advance(60_000);
    expect(t.monitor.isSuspect(a)).toBe(true);
    code = undefined;
    await t.clock.advance(5_001);
    expect(t.monitor.isSuspect(a)).toBe(false);
  });

  test('transitions are counted and logged once each', () => {
    const t = monitor();
    for (let i = 0; i < 10; i++) t.monitor.failed(a, 'timeout');
    t.monitor.failed(b, 'unreachable');
    expect(t.telemetry.value('armature_peers_suspect')).toBe(2);
    t.monitor.succeeded(a, 1);
    t.monitor.succeeded(a, 1);
    expect(t.telemetry.value('armature_peers_suspected_total')).toBe(2);
    expect(t.telemetry.value('armature_peers_recovered_total')).toBe(1);
    expect(t.entries.map((entry) => entry.level)).toEqual(['warn', 'warn', 'info']);
  });

  test('our own pause of 2 s, three requests timed out in it: nobody is suspected, before or after it is known', async () => {
    const t = monitor();
    await t.clock.advance(2_000);
    for (let i = 0; i < 3; i++) t.monitor.failed(a, 'timeout');
    t.monitor.paused(2_000);
    expect(t.monitor.suspects()).toEqual([]);
    for (let i = 0; i < 3; i++) t.monitor.failed(b, 'timeout');
    expect(t.monitor.suspects()).toEqual([]);
    await t.clock.advance(100);
    for (let i = 0; i < 3; i++) t.monitor.failed(b, 'timeout');
    expect(t.monitor.suspects()).toEqual([b]);
  });

  test('order: this node, then the fast, then the slow, then suspects however fast they were', () => {
    const t = monitor();
    for (let i = 0; i < 20; i++) {
      t.monitor.succeeded(a, 40);
      t.monitor.succeeded(b, 2);
      t.monitor.succeeded(c, 0.2);
    }
    expect(t.monitor.order([a, b, c, me])).toEqual([me, c, b, a]);
    t.monitor.failed(c, 'unreachable');
    expect(t.monitor.order([c, a, b])).toEqual([b, a, c]);
  });

  test('a timeout does not count if the peer has answered something since the request was sent', async () => {
    const t = monitor();
    const askedMs = t.clock.monotonicMs();
    await t.clock.advance(10);
    t.monitor.succeeded(a, 1);
    await t.clock.advance(1_000);
    for (let i = 0; i < 3; i++) t.monitor.failed(a, 'timeout', askedMs);
    expect(t.monitor.isSuspect(a)).toBe(false);
    const laterMs = t.clock.monotonicMs();
    await t.clock.advance(1_000);
    for (let i = 0; i < 3; i++) t.monitor.failed(a, 'timeout', laterMs);
    expect(t.monitor.isSuspect(a)).toBe(true);
  });

  test('a request that had less time than a ping proves nothing by its timeout: the peer is pinged', async () => {
    for (const answers of [true, false]) {
      const t = monitor({ answer: () => (answers ? undefined : 'timeout') });
      for (let i = 0; i < 5; i++) t.monitor.failed(a, 'timeout', t.clock.monotonicMs() - 20);
      expect(t.monitor.isSuspect(a)).toBe(false);
      await t.clock.advance(100);
      expect(t.pings.length).toBeGreaterThan(0);
      expect(t.monitor.isSuspect(a)).toBe(!answers);
    }
  });

  test('order: a permutation, independent of the order asked in', () => {
    const node = fc.constantFrom(...'abcdefgh'.split('')) as fc.Arbitrary<NodeId>;
    const event = fc.tuple(
      node,
      fc.oneof(fc.double({ min: 0, max: 1e4, noNaN: true }), fc.constantFrom<ErrorCode>('timeout', 'unreachable')),
    );
    fc.assert(
      fc.property(fc.array(event), fc.uniqueArray(node), fc.integer(), (events, nodes, seed) => {
        const t = monitor();
        for (const [who, what] of events) {
          if (typeof what === 'number') t.monitor.succeeded(who, what);
          else t.monitor.failed(who, what);
        }
        const ordered = t.monitor.order(nodes);
        expect([...ordered].sort()).toEqual([...nodes].sort());
        const random = seededRandom(seed);
        const shuffled = [...nodes].sort(() => random.float() - 0.5);
        expect(t.monitor.order(shuffled)).toEqual(ordered);
      }),
    );
  });

  test('peers of about equal speed: each process prefers another, so that load spreads', () => {
    const first = new Map<NodeId, number>();
    for (let seed = 0; seed < 300; seed++) {
      const t = monitor({ seed });
      t.monitor.succeeded(a, 1.1);
      t.monitor.succeeded(b, 1.5);
      t.monitor.succeeded(c, 1.9);
      const winner = t.monitor.order([a, b, c])[0] as NodeId;
      first.set(winner, (first.get(winner) ?? 0) + 1);
    }
    for (const node of [a, b, c]) expect(first.get(node)).toBeGreaterThan(60);
  });

  test('a slow peer that nobody asks any more is tried again in time', async () => {
    const t = monitor();
    t.monitor.succeeded(a, 500);
    t.monitor.succeeded(b, 3);
    expect(t.monitor.order([a, b])).toEqual([b, a]);
    await t.clock.advance(10 * 60_000);
    t.monitor.succeeded(b, 3);
    expect(t.monitor.order([a, b])).toEqual([a, b]);
  });

  test('hedge delay: a default while little is known, then about the 99th percentile, within bounds', () => {
    const t = monitor();
    expect(t.monitor.hedgeDelayMs(a)).toBe(50);
    for (let i = 0; i < 200; i++) {
      t.monitor.succeeded(a, i % 50 === 0 ? 80 : 2);
      t.monitor.succeeded(b, 0.1);
      t.monitor.succeeded(c, 60_000);
    }
    expect(t.monitor.hedgeDelayMs(a)).toBeGreaterThanOrEqual(70);
    expect(t.monitor.hedgeDelayMs(a)).toBeLessThanOrEqual(100);
    expect(t.monitor.hedgeDelayMs(b)).toBe(1);
    expect(t.monitor.hedgeDelayMs(c)).toBe(2_000);
  });

  test('peers that are members no more are forgotten, their probes with them', async () => {
    const t = monitor({ answer: () => 'timeout' });
    t.monitor.failed(a, 'unreachable');
    t.monitor.failed(b, 'unreachable');
    t.monitor.retain(new Set([b]));
    expect(t.monitor.suspects()).toEqual([b]);
    await t.clock.advance(20_000);
    expect(new Set(t.pings.map((ping) => ping.node))).toEqual(new Set([b]));
  });

  test('a failing listener is logged and disturbs no other', () => {
    const t = monitor();
    t.monitor.onTransition(() => {
      throw new Error('listener');
    });
    const seen: Transition[] = [];
    const off = t.monitor.onTransition((transition) => seen.push(transition));
    t.monitor.failed(a, 'unreachable');
    off();
    t.monitor.failed(b, 'unreachable');
    expect(seen).toHaveLength(1);
    expect(t.entries.filter((entry) => entry.level === 'error')).toHaveLength(2);
  });

  test('stopped: no probe runs', async () => {
    const t = monitor({ answer: () => 'timeout' });
    t.monitor.failed(a, 'unreachable');
    t.monitor.stop();
    await t.clock.advance(20_000);
    expect(t.pings).toEqual([]);
  });
});

describe('doubt', () => {
  /** Pings take their whole time, and end as `answer` says. */
  function slowMonitor(answer: (node: NodeId) => ErrorCode | undefined, isBusy = (): boolean => false) {
    const clock = new ManualClock(0);
    const pings: NodeId[] = [];
    const ping = async (node: NodeId, timeoutMs: number): Promise<void> => {
      pings.push(node);
      const code = answer(node);
      if (code === 'timeout') await sleep(clock, timeoutMs);
      if (code !== undefined) throw new ArmatureError(code, 'no');
    };
    const { log } = recordingLog();
    const parts = { self: me, clock, random: seededRandom(1), log, telemetry: memoryTelemetry() };
    return { monitor: new FailureMonitor({ ...parts, ping, isBusy }), clock, pings };
  }

  test('a silent peer is a suspect within a second, however often and by whomever it is doubted', async () => {
    const { monitor: it, clock, pings } = slowMonitor(() => 'timeout');
    for (let waitedMs = 0; waitedMs < 1_000; waitedMs += 100) {
      it.doubt(a);
      await clock.advance(100);
    }
    expect(it.isSuspect(a)).toBe(true);
    expect(pings.length).toBeLessThanOrEqual(4); // three, and the first probe
  });

  test('a peer that answers its ping is left in peace, and may be doubted again', async () => {
    const { monitor: it, clock, pings } = slowMonitor(() => undefined);
    it.failed(a, 'timeout');
    it.failed(a, 'timeout');
    it.doubt(a);
    await clock.advance(0);
    it.failed(a, 'timeout');
    expect(it.isSuspect(a)).toBe(false);
    it.doubt(a);
    await clock.advance(0);
    expect(pings).toEqual([a, a]);
  });

  test('nobody there is certain at the first ping; trouble of our own says nothing, and does not go on', async () => {
    const { monitor: it, clock, pings } = slowMonitor((node) => (node === a ? 'unreachable' : 'bus-unavailable'));
    it.doubt(a);
    it.doubt(b);
    await clock.advance(100);
    expect(it.suspects()).toEqual([a]);
    expect(pings.filter((node) => node === b)).toHaveLength(1);
  });

  test('a process that has too much to do itself doubts nobody, and holds no silence against anybody', async () => {
    let isBusy = true;
    const {
      monitor: it,
      clock,
      pings,
    } = slowMonitor(
      () => 'timeout',
      () => isBusy,
    );
    it.doubt(a);
    expect(pings).toEqual([]);
    isBusy = false;
    it.doubt(a);
    isBusy = true;
    await clock.advance(5_000);
    expect(pings).toEqual([a]);
    expect(it.isSuspect(a)).toBe(false);
  });

  test('a peer that was forgotten meanwhile, or a monitor that was stopped, is not brought back by a late ping', async () => {
    const { monitor: it, clock } = slowMonitor(() => 'timeout');
    it.doubt(a);
    it.doubt(b);
    it.retain(new Set([b]));
    await clock.advance(500);
    it.stop();
    await clock.advance(5_000);
    expect(it.suspects()).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
