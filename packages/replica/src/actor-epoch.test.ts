import { ArmatureError, seededRandom, utf8Decode, utf8Encode, type ErrorCode } from '@armature/kernel';
import { ManualClock, noTelemetry, recordingLog } from '@armature/runtime';
import type { StorageLoss } from '@armature/storage';
import { EMPTY_VECTOR, withDot, type ActorId, type VersionVector } from '@armature/versioning';
import { describe, expect, test } from 'vitest';
import { ActorEpoch, MAX_REST_MS, type EpochStore } from './actor-epoch.js';

/** A document on stable storage, and what goes wrong with it. */
class TestEpochStore implements EpochStore {
  document: Uint8Array | undefined;
  saves = 0;
  /** The next saves fail with these; `applied` ones took effect all the same. */
  failures: { code: ErrorCode; applied: boolean }[] = [];
  loadFailure: ErrorCode | undefined;
  /** While set, saves wait for it. */
  gate: Promise<void> | undefined;

  async load(): Promise<Uint8Array | undefined> {
    if (this.loadFailure !== undefined) throw new ArmatureError(this.loadFailure, 'cannot load');
    return this.document;
  }

  async save(document: Uint8Array): Promise<void> {
    this.saves++;
    await this.gate;
    const failure = this.failures.shift();
    if (failure === undefined || failure.applied) this.document = document;
    if (failure !== undefined) throw new ArmatureError(failure.code, 'cannot save');
  }
}

class World {
  readonly clock: ManualClock;
  readonly store = new TestEpochStore();
  readonly random = seededRandom('epochs');
  readonly log = recordingLog();

  constructor(clock = new ManualClock()) {
    this.clock = clock;
  }

  open(loss?: StorageLoss): Promise<ActorEpoch> {
    return ActorEpoch.open({
      store: this.store,
      loss,
      clock: this.clock,
      random: this.random,
      log: this.log.log,
      telemetry: noTelemetry,
    });
  }
}

describe('opening', () => {
  test('a first start takes a fresh actor, which is stored before it can be used', async () => {
    const world = new World();
    const epoch = await world.open();
    expect(epoch.current).toMatch(/^[0-9a-f]{16}$/);
    expect(utf8Decode(world.store.document as Uint8Array)).toContain(epoch.current);
  });

  test('after a clean close the actor is kept, and the mark is gone before it is used', async () => {
    const world = new World();
    const first = await world.open();
    const actor = first.current;
    await first.close();
    const second = await world.open();
    expect(second.current).toBe(actor);
    // This process crashes now.
    const third = await world.open();
    expect(third.current).not.toBe(actor);
  });

  test('without a clean close a fresh actor is taken, and an operator can read why', async () => {
    const world = new World();
    const crashed = (await world.open()).current;
    expect((await world.open()).current).not.toBe(crashed);
    expect(world.log.entries.some(({ level, message }) => level === 'warn' && message.includes('not closed cleanly'))).toBe(true);
  });

  test('a store that was closed long ago may be a copy put back: a fresh actor is taken', async () => {
    const world = new World();
    const first = await world.open();
    const actor = first.current;
    await first.close();
    const backup = world.store.document;
    await world.clock.advance(MAX_REST_MS);
    const restarted = await world.open();
    expect(restarted.current, 'a restart in time').toBe(actor);
    await world.clock.advance(1);
    world.store.document = backup;
    expect((await world.open()).current).not.toBe(actor);
  });

  test('a clean close that lies in the future proves nothing: the wall clock has jumped', async () => {
    const world = new World();
    const first = await world.open();
    await first.close();
    const actor = utf8Decode(world.store.document as Uint8Array);
    const earlier = new World(new ManualClock(world.clock.nowMs() - 1));
    earlier.store.document = world.store.document;
    earlier.random.u32(); // so that a fresh actor there is another than the first here
    expect(actor).not.toContain((await earlier.open()).current);
  });

  test.each([
    ['no JSON', '{"actor":'],
    ['no document', '[]'],
    ['null', 'null'],
    ['a malformed actor', '{"actor":"xyz","closedAtMs":1600000000000}'],
    ['a mark of the wrong type', '{"actor":"0123456789abcdef","closedAtMs":"yes"}'],
    ['no mark', '{"actor":"0123456789abcdef"}'],
    ['a floor that is no counter', '{"actor":"0123456789abcdef","closedAtMs":1600000000000,"floor":-1}'],
  ])('%s in the place of the epoch: a fresh actor', async (_, text) => {
    const world = new World();
    world.store.document = utf8Encode(text);
    const epoch = await world.open();
    expect(epoch.current).toMatch(/^[0-9a-f]{16}$/);
    expect(epoch.current).not.toBe('0123456789abcdef');
  });

  test('a document that the store finds corrupt: a fresh actor; a store that cannot be read: an error', async () => {
    const world = new World();
    world.store.loadFailure = 'storage-corrupt';
    expect((await world.open()).current).toBeDefined();
    world.store.loadFailure = 'storage-failed';
    await expect(world.open()).rejects.toMatchObject({ code: 'storage-failed' });
  });

  test('when the mark cannot be removed, the node does not start', async () => {
    const world = new World();
    await (await world.open()).close();
    world.store.failures = [{ code: 'storage-full', applied: false }];
    await expect(world.open()).rejects.toMatchObject({ code: 'storage-full' });
  });
});

describe('retiring', () => {
  test('a store that cannot save the fresh actor is asked again without anybody writing, until it can', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    world.store.failures = Array.from({ length: 3 }, () => ({ code: 'storage-full', applied: false }));
    epoch.retire('a commit failed');
    await world.clock.advance(60_000);
    expect(world.store.failures).toEqual([]);
    expect(epoch.current).toBeDefined();
    expect(epoch.current).not.toBe(first);
    const { saves } = world.store;
    await world.clock.advance(60_000);
    expect(world.store.saves, 'then it is left in peace').toBe(saves);
  });

  test('a closed epoch asks no more', async () => {
    const world = new World();
    const epoch = await world.open();
    world.store.failures = Array.from({ length: 100 }, () => ({ code: 'storage-full', applied: false }));
    epoch.retire('a commit failed');
    await world.clock.advance(10_000);
    await epoch.close();
    const { saves } = world.store;
    await world.clock.advance(60_000);
    expect(world.store.saves).toBe(saves);
  });

  test('at once there is no actor; then a fresh one, never the old', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    epoch.retire('test');
    expect(epoch.current).toBeUndefined();
    const second = await epoch.renewed();
    expect(second).not.toBe(first);
    expect(epoch.current).toBe(second);
    expect(await epoch.renewed(), 'nothing to renew').toBe(second);
  });

  test('the fresh actor cannot be used before it is on stable storage', async () => {
    const world = new World();
    const epoch = await world.open();
    let open = (): void => undefined;
    world.store.gate = new Promise((resolve) => (open = resolve));
    epoch.retire('test');
    const renewed = epoch.renewed();
    await world.clock.advance(100);
    expect(epoch.current).toBeUndefined();
    open();
    expect(utf8Decode(world.store.document as Uint8Array)).not.toContain(await renewed);
    // The document read above was the one before `open` took effect in the store; by now it is the new one.
    expect(utf8Decode(world.store.document as Uint8Array)).toContain(epoch.current);
  });

  test('retiring while a fresh actor is on its way does nothing: one save, one fresh actor', async () => {
    const world = new World();
    const epoch = await world.open();
    const before = world.store.saves;
    for (let i = 0; i < 5; i++) epoch.retire('test');
    await Promise.all([epoch.renewed(), epoch.renewed()]);
    expect(world.store.saves - before).toBe(1);
  });

  test('retiring a fresh actor in the very turn in which it arrives is not lost', async () => {
    const world = new World();
    const epoch = await world.open();
    const arrived = new Set<string>();
    epoch.retire('test');
    // Looks at every microtask, and retires each actor as soon as it sees it.
    for (let i = 0; i < 200; i++) {
      await Promise.resolve();
      if (epoch.current === undefined) continue;
      expect(arrived.has(epoch.current)).toBe(false);
      arrived.add(epoch.current);
      epoch.retire('again');
      expect(epoch.current).toBeUndefined();
    }
    expect(arrived.size).toBeGreaterThan(1);
  });

  test.each([true, false])(
    'a save that fails (applied: %s) rejects; the next call tries again with yet another actor',
    async (applied) => {
      const world = new World();
      const epoch = await world.open();
      const first = epoch.current;
      world.store.failures = [
        { code: 'storage-failed', applied },
        { code: 'storage-full', applied },
      ];
      epoch.retire('test');
      await expect(epoch.renewed()).rejects.toMatchObject({ code: 'storage-failed' });
      expect(epoch.current).toBeUndefined();
      await expect(epoch.renewed()).rejects.toMatchObject({ code: 'storage-full' });
      const third = await epoch.renewed();
      expect(third).not.toBe(first);
      expect(utf8Decode(world.store.document as Uint8Array)).toContain(third);
    },
  );
});

describe('the pace', () => {
  /** Retires each actor after it has lasted for so long, and counts those that are taken in a time. */
  const takenIn = async (durationMs: number, lastingMs: number): Promise<number> => {
    const world = new World();
    const epoch = await world.open();
    let taken = 0;
    for (const endMs = world.clock.monotonicMs() + durationMs; world.clock.monotonicMs() < endMs;) {
      if (epoch.current !== undefined) taken++;
      epoch.retire('a commit failed');
      await world.clock.advance(Math.max(1, lastingMs));
    }
    return taken;
  };

  test('a disk at the brink takes an actor a minute in the long run, not one with each failure', async () => {
    expect(await takenIn(3_600_000, 100)).toBeLessThan(80);
  });

  test('retirements that are far apart are not held up', async () => {
    expect(await takenIn(24 * 3_600_000, 20 * 60_000)).toBe(72);
  });

  test('while it waits it says so, and for how long; then it takes a fresh one without being asked', async () => {
    const world = new World();
    const epoch = await world.open();
    for (let i = 0; i < 4; i++) {
      await epoch.renewed();
      epoch.retire('a commit failed');
    }
    await expect(epoch.renewed()).rejects.toMatchObject({ code: 'unavailable', details: { waitMs: 1_000 } });
    expect(epoch.note).toMatch(/leaves all writes to others for 1 s/);
    await world.clock.advance(1_000);
    expect(epoch.current).toBeDefined();
    expect(epoch.note).toBeUndefined();
  });
});

describe('closing', () => {
  test('without an actor nothing is vouched for: the next start takes a fresh one', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    world.store.failures = [{ code: 'storage-failed', applied: false }];
    epoch.retire('test');
    await epoch.close();
    expect((await world.open()).current).not.toBe(first);
  });

  test('when the mark cannot be set, close rejects and the next start takes a fresh actor', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    world.store.failures = [{ code: 'storage-full', applied: false }];
    await expect(epoch.close()).rejects.toMatchObject({ code: 'storage-full' });
    expect((await world.open()).current).not.toBe(first);
  });

  test('from the end on nothing is minted or dropped, so that what is synced then is all there is when the mark is set', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    epoch.end();
    expect(epoch.current).toBeUndefined();
    await expect(epoch.renewed()).rejects.toMatchObject({ code: 'closed' });
    expect(() => epoch.dropping(EMPTY_VECTOR)).toThrow('closed');
    await epoch.close();
    expect((await world.open()).current).toBe(first);
  });

  test('a commit that fails between the end and the mark: the mark is not set', async () => {
    const world = new World();
    const epoch = await world.open();
    const first = epoch.current;
    epoch.end();
    epoch.retire('a commit failed');
    await epoch.close();
    expect((await world.open()).current).not.toBe(first);
  });

  test('a closed epoch mints no more: not the old actor, not a fresh one that arrives late', async () => {
    const world = new World();
    const epoch = await world.open();
    let open = (): void => undefined;
    world.store.gate = new Promise((resolve) => (open = resolve));
    epoch.retire('test');
    await epoch.close();
    open();
    await world.clock.advance(10);
    expect(epoch.current).toBeUndefined();
    await expect(epoch.renewed()).rejects.toMatchObject({ code: 'closed' });
    epoch.retire('late');
    expect(epoch.current).toBeUndefined();
  });
});

describe('the floor', () => {
  const OTHER = '00000000000000aa' as ActorId;
  const clockOf = (actor: ActorId | undefined, counter: number): VersionVector =>
    withDot(withDot(EMPTY_VECTOR, { actor: OTHER, counter: 99 }), { actor: actor ?? OTHER, counter });

  test('is the greatest count of the current actor in what was dropped, and no count of others', async () => {
    const epoch = await new World().open();
    expect(epoch.floor).toBe(0);
    epoch.dropping(clockOf(epoch.current, 7));
    epoch.dropping(clockOf(epoch.current, 3));
    expect(epoch.floor).toBe(7);
    epoch.dropping(clockOf('00000000000000ab' as ActorId, 50));
    expect(epoch.floor).toBe(7);
  });

  test('comes back with the actor after a clean close, however often, and goes with the actor', async () => {
    const world = new World();
    const first = await world.open();
    first.dropping(clockOf(first.current, 7));
    await first.close();
    const second = await world.open();
    expect([second.current, second.floor]).toEqual([utf8Decode(world.store.document as Uint8Array).slice(10, 26), 7]);
    await second.close();
    const third = await world.open();
    expect(third.floor).toBe(7);
    third.retire('a test');
    await third.renewed();
    expect(third.floor).toBe(0);
  });

  test('an unclean stop loses it, and the actor with it', async () => {
    const world = new World();
    const first = await world.open();
    const actor = first.current;
    first.dropping(clockOf(actor, 7));
    const second = await world.open();
    expect(second.floor).toBe(0);
    expect(second.current).not.toBe(actor);
  });
});

describe('the actors that a store has had', () => {
  const crash = async (world: World, times: number): Promise<ActorEpoch> => {
    let epoch = await world.open();
    for (let i = 1; i < times; i++) epoch = await world.open();
    return epoch;
  };

  test('are remembered across unclean stops and clean ones; a wiped store has had none', async () => {
    const world = new World();
    const first = await world.open();
    const a1 = first.current!;
    await first.close();
    const a2 = (await crash(world, 3)).current!;
    const last = await world.open();
    expect([last.has(a1), last.has(a2), last.has(last.current!)]).toEqual([true, true, true]);
    world.store.document = undefined;
    const wiped = await world.open();
    expect([wiped.has(a1), wiped.has(a2)]).toEqual([false, false]);
  });

  test('a copy from before an actor never had it', async () => {
    const world = new World();
    await world.open();
    const copy = world.store.document;
    const later = (await world.open()).current!;
    world.store.document = copy;
    expect((await world.open()).has(later)).toBe(false);
  });

  test('are forgotten by a store that lacks what it had acknowledged, closed cleanly or not; that is on record before it counts as told', async () => {
    const world = new World();
    const first = await world.open();
    const before = first.current!;
    await first.recorded([before]);
    await first.close();
    let documentWhenTold: Uint8Array | undefined;
    const recorded = (): Promise<void> => {
      documentWhenTold = world.store.document;
      return Promise.resolve();
    };
    const epoch = await world.open({ reason: 'a replica that lagged took over', recorded });
    expect(epoch.current).not.toBe(before);
    expect([epoch.has(before), epoch.has(epoch.current!)]).toEqual([false, true]);
    expect(documentWhenTold).toBe(world.store.document);
    expect((await world.open()).has(before)).toBe(false);
  });

  test('are bounded, but the one that was recorded is never forgotten', async () => {
    const world = new World();
    const epoch = await world.open();
    const recorded = epoch.current!;
    await epoch.recorded([recorded]);
    const unrecorded = (await world.open()).current!;
    const last = await crash(world, 200);
    expect(last.has(recorded)).toBe(true);
    expect(last.has(unrecorded)).toBe(false);
    expect(world.store.document!.length).toBeLessThan(4_096);
  });

  test('what the history says of another store changes nothing, and nothing is saved after the close', async () => {
    const world = new World();
    const epoch = await world.open();
    const { saves } = world.store;
    await epoch.recorded(['ff'.repeat(8)]);
    expect(world.store.saves).toBe(saves);
    const own = epoch.current!;
    await epoch.close();
    await epoch.recorded([own]);
    expect((await world.open()).current, 'the mark of the clean close is still there').toBe(own);
  });
});
