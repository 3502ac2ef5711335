import { ArmatureError, hlcFromMs, seededRandom, type ClusterName, type NodeId, type ZoneName } from '@armature/kernel';
import { foldHistory, History, type Sounding, type View } from '@armature/membership';
import type { Change, ChangeRecord, ClearingCount } from '@armature/protocol';
import { ManualClock, noTelemetry, silentLog } from '@armature/runtime';
import { ActorEpoch } from '@armature/replica';
import { describe, expect, test } from 'vitest';
import { ClearingCounts, tenureId, type Clearings, type Tenure } from './clearing-counts.js';
import { StoreIdentity } from './store-identity.js';

const names = ['n1', 'n2', 'n3'] as NodeId[];
const [n1] = names as [NodeId, NodeId, NodeId];
const zone = 'z' as ZoneName;
const join: Change = { kind: 'join', node: n1, weight: 1, zone };

/** What a disk keeps of a store: its epoch, its tenure, and how often it has cleared something. */
interface Disk {
  epoch?: Uint8Array | undefined;
  tenure?: Tenure | undefined;
  clearings?: Clearings | undefined;
}

/** The history outlives n1's stores and processes, as it does with the others. */
class World {
  readonly clock = new ManualClock();
  readonly random = seededRandom('identity');
  readonly records: ChangeRecord[] = [];
  disk: Disk = {};
  /** What n1 knows. */
  view: View = foldHistory(History.empty);
  /** Until when a peer takes to answer. */
  answered: Promise<void> = Promise.resolve();
  /** What comes of it when n1 asks. */
  sounding: Sounding = 'answered';
  /** Another process of n1's name that is alive on the bus. */
  another: string | undefined;
  /** n1's process has to give way to one that has been up for longer. */
  lostName: ArmatureError | undefined;
  /** What everybody stamps records ahead by. */
  stampedAheadMs = 0;
  /** What the others have noted. */
  noted: readonly ClearingCount[] = [];
  readonly discards: boolean[] = [];
  settled = 0;
  epoch!: ActorEpoch;
  identity!: StoreIdentity;
  clearings!: ClearingCounts;
  readonly #actorIntervalMs: number | undefined;

  constructor(actorIntervalMs?: number) {
    this.#actorIntervalMs = actorIntervalMs;
    const members = names.map((node) => ({ node, weight: 1, zone }));
    const create = {
      clusterId: 'c1'.repeat(16),
      cluster: 'test' as ClusterName,
      strategy: 3,
      partitionCount: 16,
      targetN: 3,
    } as const;
    this.happen({ kind: 'create', ...create, members });
  }

  /** A change that n1 has not heard of yet. */
  happen(change: Change, by: NodeId = 'n2' as NodeId): ChangeRecord {
    const id = (this.records.length + 1).toString(16).padStart(16, '0');
    const record = {
      id,
      at: hlcFromMs(this.clock.nowMs() + this.stampedAheadMs + this.records.length / 1000),
      by,
      author: by,
      change,
    };
    this.records.push(record);
    return record;
  }

  hear(): void {
    const merged = History.empty.merge(this.records);
    if (!merged.ok) throw merged.error;
    this.view = foldHistory(merged.value.history);
    this.identity.follow();
  }

  /** A process of n1 starts with what is on its disk, and knows of the history what `hear` tells it. */
  async start(knowing: 'nothing' | 'all' = 'nothing'): Promise<void> {
    const { clock, random } = this;
    const { disk } = this;
    (this.identity as StoreIdentity | undefined)?.stop();
    this.epoch = await ActorEpoch.open({
      store: {
        load: () => Promise.resolve(disk.epoch),
        save: (document) => {
          disk.epoch = document;
          return Promise.resolve();
        },
      },
      ...{ clock, random, log: silentLog, telemetry: noTelemetry },
    });
    if (knowing === 'nothing') this.view = foldHistory(History.empty);
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the getter below is another object's
    const world = this;
    const state = (kind: 'actor' | 'lost') => (actor: string) => {
      const record = this.happen({ kind, node: n1, actor }, n1);
      this.hear();
      return Promise.resolve(record);
    };
    this.clearings = await ClearingCounts.open({
      node: n1,
      tenures: {
        load: () => Promise.resolve(disk.tenure),
        save: (tenure) => {
          disk.tenure = tenure;
          return Promise.resolve();
        },
      },
      store: {
        load: () => Promise.resolve(disk.clearings ?? { own: undefined, known: [] }),
        save: (clearings) => {
          disk.clearings = clearings;
          return Promise.resolve();
        },
      },
      view: () => world.view,
      onBehind: () => this.identity.foundBehind(),
    });
    this.identity = new StoreIdentity({
      node: n1,
      membership: {
        get view() {
          return world.view;
        },
        sound: async () => {
          await this.answered;
          if (this.sounding === 'answered') {
            this.hear();
            this.clearings.heard(this.noted);
          }
          return this.sounding;
        },
        declareActor: state('actor'),
        declareLost: state('lost'),
      },
      epoch: this.epoch,
      presence: {
        another: () => Promise.resolve(world.another),
        get lost() {
          return world.lostName;
        },
      },
      clearings: this.clearings,
      discard: (all) => {
        expect(this.identity.isSettled).toBe(false);
        this.discards.push(all);
        return Promise.resolve();
      },
      onSettled: () => {
        expect(this.identity.isSettled).toBe(true);
        this.settled++;
      },
      clock,
      log: silentLog,
      ...(this.#actorIntervalMs === undefined ? {} : { actorIntervalMs: this.#actorIntervalMs }),
    });
    this.identity.follow();
  }

  /** Until nothing more happens by itself in less than a second. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await this.clock.advance(10);
  }

  /** A member for a while, with a store of its own. */
  static async running(actorIntervalMs?: number): Promise<World> {
    const world = new World(actorIntervalMs);
    await world.start();
    world.hear();
    world.clearings.heard(world.noted); // in the same exchange
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    return world;
  }

  count(kind: Change['kind']): number {
    return this.records.filter(({ change }) => change.kind === kind).length;
  }

  get member() {
    return this.view.members.get(n1);
  }
}

describe('the store that was here last', () => {
  test('a member states its actor once it is one, discards nothing, and answers', async () => {
    const world = await World.running();
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
    expect(world.disk.tenure).toEqual({ stint: world.records[0]?.id, loss: undefined });
    expect(world.discards).toEqual([]);
    expect(world.settled).toBeGreaterThan(0);
    expect(() => world.identity.check()).not.toThrow();
  });

  test('one that is no member is asked nothing, and states nothing', async () => {
    const world = await World.running();
    world.happen({ kind: 'remove', node: n1 });
    world.hear();
    await world.settle();
    expect(world.identity.standing).toBe('stranger');
    expect(world.identity.wasMember).toBe(true);
    expect(world.count('actor')).toBe(1);
  });

  test('after a clean or an unclean stop it is still the one: nothing is lost, nothing discarded', async () => {
    const world = await World.running();
    await world.epoch.close();
    await world.start();
    world.hear();
    await world.settle();
    await world.start();
    world.hear();
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    expect(world.count('lost')).toBe(0);
    expect(world.discards).toEqual([]);
  });

  test('a fresh actor after an unclean stop is recorded, but no more than one a minute, and the latest counts', async () => {
    const world = await World.running();
    for (let i = 0; i < 5; i++) {
      await world.start();
      world.hear();
      await world.settle();
    }
    expect(world.count('actor')).toBe(1);
    await world.clock.advance(60_000);
    await world.settle();
    expect(world.count('actor')).toBe(2);
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
  });

  test('the shortest time between two records can be set', async () => {
    const world = await World.running(5_000);
    await world.start();
    world.hear();
    await world.settle();
    expect(world.count('actor')).toBe(1);
    await world.clock.advance(5_000);
    await world.settle();
    expect(world.count('actor')).toBe(2);
  });

  test('a record stamped a year ahead delays the next by a minute, and not by a year', async () => {
    const world = await World.running();
    world.stampedAheadMs = 365 * 86_400_000;
    for (let i = 2; i < 5; i++) {
      world.epoch.retire('a test');
      await world.clock.advance(60_000);
      expect(world.count('actor')).toBe(i);
      world.epoch.retire('a test');
      await world.clock.advance(10_000);
      expect(world.count('actor')).toBe(i);
    }
    await world.start();
    world.hear();
    await world.clock.advance(61_000);
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
  });

  test('an actor that retires in use is recorded too', async () => {
    const world = await World.running();
    world.epoch.retire('a test');
    await world.clock.advance(120_000);
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
    expect(world.count('actor')).toBe(2);
  });
});

describe('a store that is not the one that was here last', () => {
  test('wiped: from the very view that tells of it, nothing is answered; then the loss is stated under a fresh actor', async () => {
    const world = await World.running();
    world.disk = {};
    await world.start();
    expect(world.identity.standing).toBe('stranger');
    const merged = History.empty.merge(world.records);
    if (!merged.ok) throw merged.error;
    world.view = foldHistory(merged.value.history); // before anybody is told of the change
    expect(world.identity.standing).toBe('lost');
    expect(() => world.identity.check()).toThrow(expect.objectContaining({ code: 'unavailable', retryable: true }));
    world.hear();
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.identity.isSettled).toBe(true);
    expect(world.view.pendingFor(n1)).toHaveLength(16);
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
  });

  test('an older copy: what it holds is discarded, unless nobody else owns it', async () => {
    const world = await World.running();
    const copy = { ...world.disk };
    await world.clock.advance(60_000);
    await world.start();
    world.hear();
    await world.settle();
    expect(world.count('actor')).toBe(2);
    world.disk = copy;
    await world.start();
    world.hear();
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
    expect(world.identity.isSettled).toBe(true);
    expect(world.disk.tenure?.loss).toBe(world.member?.loss);
  });

  test('a crash between the statement and the discarding: it is discarded at the next start', async () => {
    const world = await World.running();
    world.happen({ kind: 'lost', node: n1, actor: world.epoch.current ?? '' }, n1);
    await world.start();
    world.hear();
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
  });

  test('a store that has never been used, and knew of no cluster, asks nobody: its history is of this life', async () => {
    const world = new World();
    world.answered = new Promise(() => undefined);
    await world.start();
    world.hear();
    await world.settle();
    expect(world.identity.standing).toBe('settled');
  });

  test('a copy that does not know what has happened since answers nothing before it has asked somebody', async () => {
    const world = await World.running();
    const copy = { ...world.disk };
    const { view } = world;
    await world.clock.advance(60_000);
    await world.start();
    world.hear();
    await world.settle();
    world.disk = copy;
    world.view = view; // the history in the copy is as old as the copy
    let answer = (): void => undefined;
    world.answered = new Promise((resolve) => (answer = resolve));
    await world.start('all');
    expect(world.identity.standing).toBe('unconfirmed');
    expect(() => world.identity.check()).toThrow();
    answer();
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
  });

  /** n1 has been started with an old copy, whose history is as old, and asks. */
  async function oldCopy(sounding: Sounding): Promise<World> {
    const world = await World.running();
    const copy = { ...world.disk };
    const { view } = world;
    await world.clock.advance(60_000);
    await world.start();
    world.hear();
    await world.settle();
    await world.clock.advance(1_000);
    world.disk = copy;
    world.view = view;
    world.sounding = sounding;
    await world.start('all');
    return world;
  }

  test('where nobody answers it goes on after ten seconds, under a fresh actor; should the loss come out later, the rest is discarded', async () => {
    const world = await oldCopy('silent');
    await world.clock.advance(9_000);
    expect(world.identity.standing).toBe('unconfirmed');
    expect(world.identity.note).toContain('nobody has answered yet');
    expect(() => world.identity.check()).toThrow();
    await world.clock.advance(3_000);
    expect(world.identity.isSettled).toBe(true);
    expect(world.epoch.isOfThisLife(world.epoch.current ?? '')).toBe(true);
    world.hear();
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
    expect(world.identity.isSettled).toBe(true);
  });

  /** A copy of n1's disk is put back that lacks nothing but a clearing. */
  async function fromBeforeAClearing(sounding: Sounding): Promise<World> {
    const world = await World.running();
    const copy = { ...world.disk };
    world.noted = [await world.clearings.count()];
    await world.clearings.note(world.noted);
    world.disk = copy;
    world.sounding = sounding;
    await world.start('all');
    await world.settle();
    return world;
  }

  test('a copy from before a clearing lacks no actor that is on record, and is discarded all the same', async () => {
    const world = await fromBeforeAClearing('answered');
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
    expect(world.identity.isSettled).toBe(true);
    expect(world.disk.tenure?.loss).toBe(world.member?.loss);
    // What follows is counted anew, and is not taken for less than what was counted before.
    expect(await world.clearings.count()).toEqual({ tenure: tenureId(n1, world.disk.tenure!), count: 1 });
    await world.start('all');
    await world.settle();
    expect(world.count('lost')).toBe(1);
  });

  test('so is one that nobody could tell of it at first: it clears nothing, and is found out when it is told', async () => {
    const world = await fromBeforeAClearing('silent');
    await world.clock.advance(12_000);
    expect(world.identity.isSettled).toBe(true);
    expect(world.clearings.mayCount).toBe(false);
    await expect(world.clearings.count()).rejects.toMatchObject({ code: 'unavailable' });
    world.clearings.heard(world.noted);
    await world.settle();
    expect(world.count('lost')).toBe(1);
    expect(world.discards).toEqual([false]);
    expect(world.identity.isSettled).toBe(true);
  });

  test('a store that has all of its clearings is settled after a start, whatever was counted under other tenures', async () => {
    const world = await World.running();
    world.noted = [await world.clearings.count(), { tenure: 'another', count: 100 }];
    await world.start('all');
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    expect(world.count('lost')).toBe(0);
    expect(world.clearings.mayCount).toBe(true);
  });

  test('while somebody is there who cannot tell, or the bus is away, it does not go on', async () => {
    for (const sounding of ['refused', 'disconnected'] as const) {
      const world = await oldCopy(sounding);
      await world.clock.advance(60_000);
      expect(world.identity.standing).toBe('unconfirmed');
      world.sounding = 'answered';
      await world.clock.advance(3_000);
      expect(world.count('lost')).toBe(1);
    }
  });

  test('in doubt again, as after a long sleep, it answers nothing before it has asked once more', async () => {
    const world = await World.running();
    let answer = (): void => undefined;
    world.answered = new Promise((resolve) => (answer = resolve));
    world.identity.doubt();
    expect(() => world.identity.check()).toThrow();
    answer();
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    expect(world.count('lost')).toBe(0);
  });

  test('one loss a minute: a store that is found lost again and again does not fill the history', async () => {
    const world = await World.running();
    for (let i = 0; i < 10; i++) {
      // Of a former life of its own, which it hears of late.
      const record = world.happen({ kind: 'lost', node: n1, actor: i.toString(16).repeat(16) }, n1);
      world.records.splice(world.records.indexOf(record), 1, { ...record, at: hlcFromMs(world.clock.nowMs() - 20_000 + i) });
      world.hear();
      await world.settle();
    }
    expect(world.count('lost')).toBeLessThanOrEqual(11);
  });
});

describe('two processes of one name', () => {
  const strange = 'a'.repeat(16);

  test('a running node that hears of a store that another process stated states and discards nothing, and says so until it is restarted', async () => {
    const world = await World.running();
    await world.clock.advance(1_000);
    world.happen({ kind: 'lost', node: n1, actor: strange }, n1);
    world.hear();
    await world.settle();
    await world.clock.advance(120_000);
    expect(world.identity.standing).toBe('contested');
    expect(world.identity.note).toContain('restart this node');
    expect(() => world.identity.check()).toThrow();
    expect([world.count('lost'), world.discards]).toEqual([1, []]);
    await world.start();
    world.hear();
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    expect([world.count('lost'), world.discards]).toEqual([2, [false]]);
  });

  test('the same of a node whose clock was far ahead when it began, and is right again', async () => {
    const world = new World();
    world.clock.setWallAhead(3_600_000);
    await world.start();
    world.hear();
    await world.settle();
    world.clock.setWallAhead(0);
    await world.clock.advance(1_000);
    world.happen({ kind: 'lost', node: n1, actor: strange }, n1);
    world.hear();
    await world.settle();
    expect([world.identity.standing, world.discards]).toEqual(['contested', []]);
  });

  test('the same whatever the times of the records are, as long as the other answers', async () => {
    const world = await World.running();
    world.another = 'node.n1 on elsewhere';
    world.happen({ kind: 'lost', node: n1, actor: strange }, n1);
    world.hear();
    await world.settle();
    world.another = undefined;
    await world.clock.advance(120_000);
    expect(world.identity.standing).toBe('contested');
    expect(world.identity.note).toContain('node.n1 on elsewhere');
    expect(world.discards).toEqual([]);
  });

  test('one that has just started states nothing while another answers, and does so when that is gone', async () => {
    const world = await World.running();
    world.disk = {};
    world.another = 'node.n1 on elsewhere';
    await world.start();
    world.hear();
    await world.settle();
    await world.clock.advance(20_000);
    expect([world.count('lost'), world.identity.standing]).toEqual([0, 'lost']);
    world.another = undefined;
    await world.clock.advance(6_000);
    expect([world.count('lost'), world.identity.standing]).toEqual([1, 'settled']);
  });

  test('one that has lost its name answers nothing for its replica', async () => {
    const world = await World.running();
    world.lostName = new ArmatureError('name-in-use', 'another process has this name');
    expect(() => world.identity.check()).toThrow(expect.objectContaining({ code: 'unavailable' }));
    expect(world.identity.note).toBe('another process has this name');
  });
});

describe('another stint', () => {
  test('removed and joined again: everything is discarded, and a fresh actor taken and stated', async () => {
    const world = await World.running();
    const before = world.epoch.current;
    world.happen({ kind: 'remove', node: n1 });
    const again = world.happen(join);
    world.hear();
    expect(world.identity.standing).toBe('foreign');
    expect(() => world.identity.check()).toThrow();
    await world.settle();
    expect(world.discards).toEqual([true]);
    expect(world.disk.tenure).toEqual({ stint: again.id, loss: undefined });
    expect(world.epoch.current).not.toBe(before);
    expect(world.member?.actors.at(-1)?.id).toBe(world.epoch.current);
    expect(world.count('lost')).toBe(0);
  });

  test.each(['anew', 'lost'] as const)(
    'a store that has retired several actors in a row, and is %s, waits for the next one and settles under it',
    async (what) => {
      const world = await World.running();
      for (let i = 0; i < 5; i++) {
        world.epoch.retire('a commit failed');
        await world.clock.advance(70_000);
        await world.settle();
      }
      world.epoch.retire('a commit failed');
      if (what === 'anew') {
        world.happen({ kind: 'remove', node: n1 });
        world.happen(join);
      } else world.clearings.heard([{ tenure: tenureId(n1, world.disk.tenure!), count: 3 }]);
      await world.clock.advance(1);
      world.hear();
      await world.clock.advance(200_000);
      await world.settle();
      expect(world.identity.isSettled).toBe(true);
    },
  );

  test('removed while it was down, and never told: it learns of it when it asks', async () => {
    const world = await World.running();
    const { view } = world;
    world.happen({ kind: 'remove', node: n1 });
    world.view = view;
    await world.start('all');
    await world.settle();
    expect(world.identity.standing).toBe('stranger');
  });

  test('called back while it leaves: the same stint, and nothing is discarded', async () => {
    const world = await World.running();
    world.happen({ kind: 'leave', node: n1 });
    world.happen(join);
    world.hear();
    await world.settle();
    expect(world.identity.isSettled).toBe(true);
    expect(world.discards).toEqual([]);
  });

  test('that the membership was begun by an earlier record than the one it was told of first: the same stint, and nothing is discarded', async () => {
    const world = await World.running();
    world.happen({ kind: 'remove', node: n1 });
    const earlier = world.happen(join);
    world.records.pop();
    await world.clock.advance(1_000);
    world.happen({ kind: 'weight', node: 'n2' as NodeId, weight: 2 });
    const later = world.happen(join);
    world.hear();
    await world.settle();
    expect(world.disk.tenure).toEqual({ stint: later.id, loss: undefined });
    const actor = world.epoch.current;
    world.discards.length = 0;
    // A command that had failed at a node whose disk was failing, and was given once more: the node has started again, and finds
    // the record on its disk.
    world.records.push({ ...earlier, id: 'f'.repeat(16) });
    world.hear();
    await world.settle();
    expect(world.member?.stint).toBe('f'.repeat(16));
    expect(world.identity.isSettled).toBe(true);
    expect(world.discards).toEqual([]);
    expect(world.epoch.current).toBe(actor);
  });
});
