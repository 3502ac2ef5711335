import { memoryTelemetry, recordingLog, ManualClock } from '@armature/runtime';
import type { ArmatureError, NodeId } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockWatch, majorityRange, offsetFrom } from './clock-watch.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const LIMIT_MS = 60_000;
const node = (n: number): NodeId => `n${n}` as NodeId;

describe('the range in which a clock is not off the majority', () => {
  const clock = fc.integer({ min: -10, max: 10 });

  test('a clock is outside of it exactly where a strict majority of all clocks, its own counted, is on one side of it', () => {
    fc.assert(
      fc.property(fc.array(clock, { maxLength: 9 }), clock, (others, own) => {
        const majority = Math.floor((others.length + 1) / 2) + 1;
        const offset = offsetFrom(majorityRange(others), own);
        const isAhead = others.length >= 2 && others.filter((other) => other < own).length >= majority;
        const isBehind = others.length >= 2 && others.filter((other) => other > own).length >= majority;
        expect([offset > 0, offset < 0]).toEqual([isAhead, isBehind]);
      }),
    );
  });

  test('whatever the clocks say, some node is not off: there is always one that can write', () => {
    fc.assert(
      fc.property(fc.array(clock, { minLength: 1, maxLength: 9 }), (clocks) => {
        const offsets = clocks.map((own, i) => offsetFrom(majorityRange(clocks.toSpliced(i, 1)), own));
        expect(offsets).toContain(0);
      }),
    );
  });

  test('a minority of wrong clocks, however wrong, makes no right one seem off', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.array(fc.integer(), { maxLength: 4 }), (right, wrong) => {
        const others = [...Array.from({ length: right }, () => 0), ...wrong.slice(0, Math.max(0, right - 1))];
        expect(offsetFrom(majorityRange(others), 0)).toBe(0);
      }),
    );
  });

  test('two clocks that differ: nobody can say which of them is wrong', () => {
    expect(offsetFrom(majorityRange([YEAR_MS]), 0)).toBe(0);
  });
});

/** A node that hears its peers whenever it is told to. */
class Watched {
  readonly clock = new ManualClock();
  readonly telemetry = memoryTelemetry();
  readonly log = recordingLog();
  readonly heard = new Map<NodeId, { wallMs: number; heardAtMs: number }>();
  readonly pinged: NodeId[] = [];
  /** What those that answer pings have their clocks set ahead by. */
  readonly up = new Map<NodeId, number>();
  readonly watch: ClockWatch;

  readonly peers: readonly NodeId[];

  constructor(peers: readonly NodeId[]) {
    this.peers = peers;
    this.watch = new ClockWatch({
      heard: () => [...this.heard].map(([name, clock]) => ({ node: name, ...clock })),
      peers: () => peers,
      ping: (peer) => {
        this.pinged.push(peer);
        const aheadMs = this.up.get(peer);
        if (aheadMs === undefined) return Promise.reject(new Error('down'));
        this.hear(peer, aheadMs);
        return Promise.resolve();
      },
      clock: this.clock,
      log: this.log.log,
      telemetry: this.telemetry,
    });
  }

  hear(peer: NodeId, aheadMs = 0): void {
    this.heard.set(peer, { wallMs: this.clock.monotonicMs() + aheadMs, heardAtMs: this.clock.monotonicMs() });
  }

  hearAll(aheadMs = 0): void {
    for (const peer of this.peers) this.hear(peer, aheadMs);
  }

  /** `ok`, or what a mint fails with. */
  get mint(): string {
    try {
      this.watch.check(this.clock.nowMs(), this.clock.monotonicMs());
      return 'ok';
    } catch (thrown) {
      return (thrown as ArmatureError).code;
    }
  }
}

async function started(peers = [node(2), node(3)]): Promise<Watched> {
  const it = new Watched(peers);
  for (const peer of peers) it.up.set(peer, 0);
  await it.watch.compare();
  it.watch.start();
  return it;
}

describe('a node that watches its clock', () => {
  test('stamps nothing before it has asked the others, and then whether or not they answer', async () => {
    const it = new Watched([node(2), node(3)]);
    expect(it.mint).toBe('unavailable');
    await it.watch.compare();
    expect(it.pinged).toEqual([node(2), node(3)]);
    expect(it.mint).toBe('ok');
    expect(it.watch.standing).toEqual({ offsetMs: undefined, peers: 0 });
  });

  test.each([HOUR_MS, -HOUR_MS, 20 * YEAR_MS, -20 * YEAR_MS, LIMIT_MS + 1])(
    'a clock that jumps by %i ms is found out by the very next mint, and well when it is set back',
    async (jumpMs) => {
      const it = await started();
      it.clock.setWallAhead(jumpMs);
      expect(it.mint).toBe('unavailable');
      expect(it.watch.isRight).toBe(false);
      expect(it.watch.standing).toEqual({ offsetMs: jumpMs, peers: 2 });
      expect(it.watch.note).toContain(jumpMs > 0 ? 'ahead of' : 'behind');
      it.clock.setWallAhead(0);
      expect(it.mint).toBe('ok');
      expect(it.watch.note).toBeUndefined();
    },
  );

  test('up to the limit it is not said to be wrong', async () => {
    const it = await started();
    it.clock.setWallAhead(LIMIT_MS);
    expect(it.mint).toBe('ok');
    expect(it.watch.standing.offsetMs).toBe(LIMIT_MS);
  });

  test('is told by what it heard earlier when it has been cut off since, for a day', async () => {
    const it = await started();
    await it.clock.advance(23 * HOUR_MS);
    it.clock.setWallAhead(HOUR_MS);
    expect(it.mint).toBe('unavailable');
    await it.clock.advance(2 * HOUR_MS);
    expect(it.mint).toBe('ok');
  });

  test('a peer with a wrong clock that is down for good does not count beside two that are heard', async () => {
    const it = await started([node(2), node(3), node(4)]);
    it.hear(node(4), HOUR_MS);
    await it.clock.advance(2 * LIMIT_MS);
    it.hear(node(2), HOUR_MS);
    it.hear(node(3));
    expect(it.mint).toBe('ok');
    expect(it.watch.standing.peers).toBe(3);
    await it.clock.advance(1_000);
    expect(it.watch.standing).toEqual({ offsetMs: 0, peers: 2 });
  });

  test('a machine that has slept is well as soon as its peers are heard again', async () => {
    const it = await started();
    it.clock.setWallAhead(8 * HOUR_MS); // the monotonic clock stood still
    expect(it.mint).toBe('unavailable');
    it.hearAll(8 * HOUR_MS);
    expect(it.mint).toBe('ok');
  });

  test('says so without being asked, once, with a remedy, and counts what it leaves to others', async () => {
    const it = await started();
    it.clock.setWallAhead(HOUR_MS);
    await it.clock.advance(5_000);
    const said = it.log.entries.filter(({ level }) => level === 'error');
    expect(said).toHaveLength(1);
    expect(said[0]!.fields).toMatchObject({ offsetMs: HOUR_MS, remedy: expect.stringContaining('NTP') as string });
    expect(it.telemetry.value('armature_clock_offset_seconds')).toBe(3_600);
    expect([it.mint, it.mint]).toEqual(['unavailable', 'unavailable']);
    expect(it.telemetry.value('armature_clock_refused_writes_total')).toBe(2);
    it.clock.setWallAhead(0);
    await it.clock.advance(2_000);
    expect(it.log.entries.at(-1)?.level).toBe('info');
  });
});
