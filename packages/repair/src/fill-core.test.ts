import { ArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { PendingCopy } from '@armature/membership';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fillCleared,
  fillConfirmed,
  fillCopied,
  fillDeclared,
  fillFailed,
  fillSourceFailed,
  fillUndeclared,
  startFill,
  type FillEffect,
  type FillMoment,
  type FillState,
  type FillStep,
} from './fill-core.js';
import { node, viewOf } from './view.test-support.js';

const NODES = ['n1', 'n2', 'n3', 'n4'].map(node);
const { ring } = viewOf(['n1', 'n2', 'n3'], 8);

interface Group {
  readonly n: number;
  readonly owners: readonly NodeId[];
}

function pendingCopy(partition: number, groups: readonly Group[], change = 'a change'): PendingCopy {
  const sources = [...new Set(groups.flatMap(({ owners }) => owners))];
  return { partition: partition as PartitionId, groups, change, sources };
}

/**
 * What becomes of what is done next. `fails`: the source does, if there is one. `breaks`: our own trouble. `moves`: the view
 * changes first.
 */
type Luck = 'well' | 'fails' | 'breaks' | 'moves';

interface Chance {
  /** What of all that is under way ends. */
  readonly pick: number;
  readonly luck: Luck;
  readonly afterMs: number;
  /** What the view changes to: one that is pending then, or is not. */
  readonly move: { readonly place: number; readonly now: PendingCopy | undefined };
  /** Who cannot be caught up with. */
  readonly silent: readonly NodeId[];
}

interface Setup {
  readonly pending: readonly PendingCopy[];
  readonly leastW: ReadonlyMap<number, number>;
  readonly suspects: readonly NodeId[];
  readonly atOnce: number;
  readonly chances: readonly Chance[];
  /** After so many answers. */
  readonly stopAfter: number;
}

/** What was so when a declaration was confirmed. */
interface Confirmed {
  readonly silent: readonly NodeId[];
  readonly pending: readonly PendingCopy[];
  readonly isStopped: boolean;
}

const WELL: Chance = { pick: 0, luck: 'well', afterMs: 1, move: { place: 0, now: undefined }, silent: [] };
const NEVER = Number.POSITIVE_INFINITY;

type Kind<K extends FillEffect['kind']> = Extract<FillEffect, { readonly kind: K }>;

/** Plays the sources, the view and the driver, and looks at each `ready`. */
class World {
  readonly open: FillEffect[] = [];
  readonly notes: Kind<'note'>[] = [];
  readonly ends: (ArmatureError | undefined)[] = [];
  /** What was said. */
  readonly ready: { readonly change: string; readonly partitions: readonly PartitionId[]; readonly atMs: number }[] = [];
  /** Troubles in their order, those of sources aside. */
  readonly troubles: ArmatureError[] = [];
  readonly confirms: Kind<'confirm'>[] = [];
  readonly asked: Kind<'copy'>[] = [];
  pending: PendingCopy[];
  wakes = 0;
  nowMs = 0;
  answers = 0;
  mostAtOnce = 0;
  /** Sources copied, by partition and N. */
  readonly #copied = new Map<string, Set<NodeId>>();
  /** Of each declaration: what had been copied when it was to be confirmed, and what was so when it was. */
  readonly #atConfirm = new Map<number, ReadonlyMap<string, ReadonlySet<NodeId>>>();
  readonly #confirmed = new Map<number, Confirmed>();
  readonly #setup: Setup;
  #state: FillState | undefined;

  constructor(setup: Partial<Setup> = {}) {
    const leastW = new Map([
      [2, 1],
      [3, 2],
    ]);
    this.#setup = { pending: [], leastW, suspects: [], atOnce: 2, chances: [], stopAfter: NEVER, ...setup };
    this.pending = [...this.#setup.pending];
  }

  get isStopped(): boolean {
    return this.answers >= this.#setup.stopAfter;
  }

  get moment(): FillMoment {
    const { leastW, suspects } = this.#setup;
    return { nowMs: this.nowMs, isStopped: this.isStopped, view: { ring, leastW }, isSuspect: (one) => suspects.includes(one) };
  }

  get declared(): PartitionId[] {
    return this.ready.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
  }

  run(): this {
    this.#take(startFill(this.#setup.pending, this.#setup.atOnce, this.moment));
    while (this.open.length > 0) {
      const chance = this.#setup.chances[this.answers] ?? WELL;
      const [effect] = this.open.splice(chance.pick % this.open.length, 1);
      this.answers++;
      this.nowMs += chance.afterMs;
      expect(this.answers, 'it ends').toBeLessThan(5_000);
      if (chance.luck === 'moves') this.#move(chance);
      this.#take(this.#answer(effect!, chance));
    }
    return this;
  }

  /** Whether these sources are enough for the partition as it is pending. */
  isVouchedFor({ partition, groups }: PendingCopy, silent: readonly NodeId[], copied = this.#copies): boolean {
    return groups.every(({ n, owners }) => {
      const w = Math.min(n, this.#setup.leastW.get(n) ?? 1);
      const from = copied.get(`${partition}/${n}`) ?? new Set();
      const counted = owners.filter((owner) => from.has(owner) && !silent.includes(owner)).length;
      // So that no write of W is only on those that were not copied.
      return counted === owners.length || counted > n - w;
    });
  }

  get #copies(): ReadonlyMap<string, ReadonlySet<NodeId>> {
    return this.#copied;
  }

  #take({ state, effects }: FillStep): void {
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'note') this.notes.push(effect);
      else if (effect.kind === 'wake') this.wakes++;
      else if (effect.kind === 'end') this.ends.push(effect.problem);
      else this.open.push(effect);
      if (['clear', 'copy', 'confirm'].includes(effect.kind)) expect(this.isStopped, 'nothing begins after a stop').toBe(false);
      if (effect.kind === 'confirm') this.#begin(effect);
      if (effect.kind === 'copy') this.#checkCopy(effect);
      if (effect.kind === 'declare') this.#checkReady(effect);
    }
    this.mostAtOnce = Math.max(this.mostAtOnce, this.open.length);
  }

  #begin(effect: Kind<'confirm'>): void {
    this.confirms.push(effect);
    this.#atConfirm.set(effect.id, new Map([...this.#copied].map(([share, from]) => [share, new Set(from)])));
  }

  #checkCopy(effect: Kind<'copy'>): void {
    this.asked.push(effect);
    expect(this.#setup.suspects).not.toContain(effect.source);
  }

  /** What is said must be so, for all that was known when it was confirmed. */
  #checkReady({ id, change, partitions }: Kind<'declare'>): void {
    const { silent, pending, isStopped } = this.#confirmed.get(id)!;
    expect(isStopped).toBe(false);
    expect(partitions.length).toBeGreaterThan(0);
    for (const partition of partitions) {
      expect(this.declared, 'it is said once').not.toContain(partition);
      const now = pending.find((one) => one.partition === partition);
      expect(now, 'it is pending').toBeDefined();
      expect(now!.change).toBe(change);
      expect(this.isVouchedFor(now!, silent, this.#atConfirm.get(id)), 'with enough sources').toBe(true);
    }
  }

  #move({ move: { place, now } }: Chance): void {
    const before = this.pending[place % Math.max(1, this.pending.length)];
    if (before === undefined) return;
    this.pending = this.pending.flatMap((one) => {
      if (one !== before) return [one];
      return now === undefined ? [] : [{ ...now, partition: one.partition }];
    });
  }

  #answer(effect: FillEffect, { luck, silent }: Chance): FillStep {
    const state = this.#state!;
    const trouble = new ArmatureError('storage-failed', `trouble ${this.answers}`);
    const isBroken = luck === 'breaks';
    if (isBroken) this.troubles.push(trouble);
    switch (effect.kind) {
      case 'clear': {
        const { partition } = effect;
        return isBroken ? fillFailed(state, partition, trouble, this.moment) : fillCleared(state, partition, this.moment);
      }
      case 'copy': {
        const { partition, n, source } = effect;
        if (isBroken) return fillFailed(state, partition, trouble, this.moment);
        if (luck === 'fails') return fillSourceFailed(state, partition, `${source} is gone`, this.moment);
        const share = `${partition}/${n}`;
        this.#copied.set(share, (this.#copied.get(share) ?? new Set<NodeId>()).add(source));
        return fillCopied(state, partition, this.moment);
      }
      case 'confirm':
        if (isBroken) return fillUndeclared(state, effect.id, trouble, this.moment);
        this.#confirmed.set(effect.id, { silent, pending: this.pending, isStopped: this.isStopped });
        return fillConfirmed(state, effect.id, new Set(silent), this.pending, this.moment);
      case 'declare': {
        const { id, change, partitions } = effect;
        if (isBroken) return fillUndeclared(state, id, trouble, this.moment);
        this.ready.push({ change, partitions, atMs: this.nowMs });
        this.pending = this.pending.filter(({ partition }) => !partitions.includes(partition));
        return fillDeclared(state, id, this.moment);
      }
      default:
        throw new Error(`nobody answers ${effect.kind}`);
    }
  }
}

const owners = fc.subarray(NODES, { minLength: 1, maxLength: 3 });
const groups = fc
  .tuple(fc.option(owners, { nil: undefined }), owners)
  .map(([two, three]): Group[] => [...(two === undefined ? [] : [{ n: 2, owners: two.slice(0, 2) }]), { n: 3, owners: three }]);
const pendingOf = fc.tuple(groups, fc.constantFrom('a change', 'another'));

function setups(lucks: readonly Luck[], silence: boolean): fc.Arbitrary<Setup> {
  const chance = fc.record({
    pick: fc.nat(5),
    luck: fc.constantFrom('well' as const, 'well' as const, ...lucks),
    afterMs: fc.nat(2_000),
    move: fc.record({
      place: fc.nat(9),
      now: fc.option(
        pendingOf.map(([of, change]) => pendingCopy(0, of, change)),
        { nil: undefined },
      ),
    }),
    silent: silence ? fc.subarray(NODES, { maxLength: 2 }) : fc.constant([]),
  });
  return fc.record({
    pending: fc.array(pendingOf, { maxLength: 8 }).map((all) => all.map(([of, change], place) => pendingCopy(place, of, change))),
    leastW: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 4 })).map(
      ([two, three]) =>
        new Map([
          [2, two],
          [3, three],
        ]),
    ),
    suspects: silence ? fc.subarray(NODES, { maxLength: 1 }) : fc.constant([]),
    atOnce: fc.integer({ min: 1, max: 4 }),
    chances: fc.array(chance, { maxLength: 60 }),
    stopAfter: fc.constant(NEVER),
  });
}

const stopped = (of: fc.Arbitrary<Setup>): fc.Arbitrary<Setup> =>
  fc.tuple(of, fc.nat(60)).map(([setup, stopAfter]) => ({ ...setup, stopAfter }));

describe('any answers, failures, silences, changes of the view and stops, in any order', () => {
  const ALL: readonly Luck[] = ['fails', 'breaks', 'moves'];

  test('ready is said only of what is pending for this change, with enough sources, none of them silent', () => {
    let said = 0;
    fc.assert(
      fc.property(fc.oneof(setups(ALL, true), setups(['moves'], true), stopped(setups(ALL, true))), (setup) => {
        const world = new World(setup).run(); // it looks at every `ready`
        said += world.declared.length;
      }),
      { numRuns: 1_000 },
    );
    expect(said).toBeGreaterThan(300);
  });

  test('it ends once, with so many places at work at most, and says nothing of a problem where it was stopped', () => {
    fc.assert(
      fc.property(fc.oneof(setups(ALL, true), stopped(setups(ALL, true))), (setup) => {
        const world = new World(setup).run();
        expect(world.ends.length).toBe(1);
        expect(world.mostAtOnce).toBeLessThanOrEqual(setup.atOnce);
        if (world.troubles.length > 0 && !world.isStopped) expect(world.ends[0]).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test('all sources fine: ready is said of all partitions, once, and there is no problem', () => {
    fc.assert(
      fc.property(setups([], false), (setup) => {
        const world = new World(setup).run();
        expect(world.declared).toEqual(setup.pending.map(({ partition }) => partition));
        expect(world.ends).toEqual([undefined]);
        expect([world.wakes, world.notes]).toEqual([0, []]);
        for (const { partition, groups: of } of setup.pending) {
          for (const { n, owners: all } of of) {
            const sources = world.asked.filter((one) => one.partition === partition && one.n === n).map(({ source }) => source);
            expect([...sources].sort(), 'each owner is copied once').toEqual([...all].sort());
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('some sources fail: ready is said of the partitions with enough of the others, and of no other', () => {
    fc.assert(
      fc.property(setups(['fails'], false), (setup) => {
        const world = new World(setup).run();
        const enough = setup.pending.filter((one) => world.isVouchedFor(one, []));
        expect(world.declared).toEqual(enough.map(({ partition }) => partition));
        expect(world.ends[0] === undefined).toBe(enough.length === setup.pending.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a copy', () => {
  const three = [{ n: 3, owners: NODES.slice(0, 3) }];

  test('another owner first for every partition', () => {
    const world = new World({ pending: [0, 1, 2, 3].map((one) => pendingCopy(one, three)), atOnce: 1 }).run();
    const of = (partition: number): string => {
      return world.asked
        .filter((one) => one.partition === (partition as PartitionId))
        .map(({ source }) => source)
        .join(' ');
    };
    expect([0, 1, 2, 3].map(of)).toEqual(['n1 n2 n3', 'n2 n3 n1', 'n3 n1 n2', 'n1 n2 n3']);
  });

  test('W = 2 of 3, two owners gone: it names how many were copied, how many are needed, and why', () => {
    // Clear, then three sources.
    const chances = [WELL, { ...WELL, luck: 'fails' as const }, { ...WELL, luck: 'fails' as const }];
    const world = new World({ pending: [pendingCopy(0, three)], chances }).run();
    expect(world.declared).toEqual([]);
    expect(world.ends[0]?.message).toBe(
      'partition 0 could be copied from 1 of its 3 owners, 2 are needed (n1 is gone; n2 is gone)',
    );
  });

  test('one that seems to be down is not asked, and it is noted', () => {
    const world = new World({ pending: [pendingCopy(0, three)], suspects: [NODES[1]!] }).run();
    expect(world.declared).toEqual([0]);
    expect(world.notes).toEqual([{ kind: 'note', partition: 0, failures: ['n2 seems to be down'] }]);
  });

  test('our own trouble with one partition: the others are declared, and the trouble is the problem of the round', () => {
    const pending = [0, 1, 2].map((one) => pendingCopy(one, three));
    const world = new World({ pending, atOnce: 1, chances: [WELL, { ...WELL, luck: 'breaks' }] }).run();
    expect(world.declared).toEqual([1, 2]);
    expect(world.ends).toEqual(world.troubles);
  });
});

describe('a declaration', () => {
  const one = [{ n: 2, owners: NODES.slice(0, 1) }];
  const many = (count: number): PendingCopy[] => Array.from({ length: count }, (_, place) => pendingCopy(place, one));

  test('of 600 partitions: after each 256, and of the rest at the end', () => {
    const world = new World({ pending: many(600), atOnce: 1 }).run();
    expect(world.ready.map(({ partitions }) => partitions.length)).toEqual([256, 256, 88]);
  });

  test('five seconds after the first copy that is not declared', () => {
    const chances = Array.from({ length: 100 }, () => ({ ...WELL, afterMs: 1_000 }));
    const world = new World({ pending: many(10), atOnce: 1, chances }).run();
    // Two seconds a partition: clear and copy; the first of each record waits for the third after it.
    expect(world.ready.map(({ partitions }) => partitions.length)).toEqual([4, 4, 2]);
  });

  test('one record for each change', () => {
    const pending = ['x', 'y', 'x'].map((change, place) => pendingCopy(place, one, change));
    const world = new World({ pending }).run();
    expect(world.ready.map(({ change, partitions }) => [change, partitions])).toEqual([
      ['x', [0, 2]],
      ['y', [1]],
    ]);
  });

  test('a change of another id since: nothing is said, and it is looked at again', () => {
    const chances = [WELL, { ...WELL, luck: 'moves' as const, move: { place: 0, now: pendingCopy(0, one, 'later') } }];
    const world = new World({ pending: many(1), chances }).run();
    expect([world.declared, world.wakes, world.ends]).toEqual([[], 1, [undefined]]);
  });

  test('a partition that is not pending any more: nothing is said, nor is it looked at again', () => {
    const world = new World({ pending: many(1), chances: [WELL, { ...WELL, luck: 'moves' }] }).run();
    expect([world.declared, world.wakes, world.ends]).toEqual([[], 0, [undefined]]);
  });

  test('its only source is silent when it is confirmed: nothing is said, and it is looked at again', () => {
    const world = new World({ pending: many(1), chances: [WELL, WELL, { ...WELL, silent: NODES.slice(0, 1) }] }).run();
    expect(world.confirms).toEqual([{ kind: 'confirm', id: 0, sources: [NODES[0]] }]);
    expect([world.declared, world.wakes]).toEqual([[], 1]);
  });

  test('the last one fails: that is the problem of the round, whatever went wrong before', () => {
    const fails = { ...WELL, luck: 'breaks' as const };
    const world = new World({ pending: many(2), atOnce: 1, chances: [WELL, fails, WELL, WELL, fails] }).run();
    expect(world.troubles.length).toBe(2);
    expect(world.ends).toEqual([world.troubles[1]]);
  });

  test('an earlier one fails: the round goes on, and the first problem is that of the round', () => {
    const slow = { ...WELL, afterMs: 5_000 };
    const chances = [WELL, WELL, slow, WELL, { ...WELL, luck: 'breaks' as const }];
    const world = new World({ pending: many(3), atOnce: 1, chances }).run();
    expect(world.declared).toEqual([2]);
    expect(world.ends).toEqual(world.troubles);
  });
});
