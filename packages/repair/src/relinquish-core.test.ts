import { ArmatureError, utf8Encode, type NodeId, type PartitionId } from '@armature/kernel';
import { entryDigest } from '@armature/merkle';
import { isTooLargeToSend, tooLargeToSend } from '@armature/protocol';
import type { Address } from '@armature/ring';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  relinquishCompared,
  relinquishDropped,
  relinquishFailed,
  relinquishHeld,
  relinquishListed,
  relinquishMerged,
  relinquishRead,
  startRelinquish,
  type HeldSet,
  type Interruption,
  type RelinquishEffect,
  type RelinquishState,
  type RelinquishStep,
} from './relinquish-core.js';
import { node } from './view.test-support.js';

const OWNERS = ['n1', 'n2', 'n3'].map(node);
const KEYS = Array.from({ length: 12 }, (_, key) => addressOf(key));

function addressOf(key: number): Address {
  return `key ${String(key).padStart(3, '0')}` as Address;
}

const setOf = (version: number): Uint8Array => utf8Encode(`version ${version}`);

/** What becomes of what is asked next. `changes`: something is written here meanwhile. `endless`: the page leads back. */
type Luck = 'well' | 'short' | 'refuses' | 'changes' | 'vanishes' | 'fails' | 'endless';

interface Chance {
  /** Which of the questions that are open is answered. */
  readonly pick: number;
  readonly luck: Luck;
  /** Entries of a page. */
  readonly pageEntries: number;
}

interface Setup {
  /** Versions held here, by key; undefined: not held. */
  readonly own: readonly (number | undefined)[];
  /** The same of each owner. */
  readonly theirs: readonly (readonly (number | undefined)[])[];
  /** Keys whose sets no message carries. */
  readonly tooLarge: readonly number[];
  readonly chances: readonly Chance[];
  /** After so many answers. */
  readonly interruption: { readonly after: number; readonly kind: Interruption };
}

const WELL: Chance = { pick: 0, luck: 'well', pageEntries: 1_000 };

/** Plays the store, the owners and the driver, and says what must hold at each drop. */
class World {
  readonly own = new Map<Address, Uint8Array>();
  readonly owners: ReadonlyMap<NodeId, Map<Address, Uint8Array>>;
  readonly open: RelinquishEffect[] = [];
  readonly handed: { readonly owner: NodeId; readonly addresses: readonly Address[] }[] = [];
  readonly dropped: Address[] = [];
  readonly ends: (ArmatureError | undefined)[] = [];
  counted = 0;
  told = 0;
  answers = 0;
  hasFailed = false;
  /** Of the page: what was listed, and the state that each owner is known to hold. */
  readonly #listed = new Map<Address, string>();
  readonly #vouched = new Map<NodeId, Map<Address, string>>();
  readonly #tooLarge: ReadonlySet<Address>;
  readonly #setup: Setup;
  #state: RelinquishState | undefined;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#tooLarge = new Set(setup.tooLarge.map(addressOf));
    fill(this.own, setup.own);
    this.owners = new Map(OWNERS.map((owner) => [owner, new Map()]));
    for (const [place, owner] of OWNERS.entries()) fill(this.owners.get(owner)!, setup.theirs[place] ?? []);
  }

  get interruption(): Interruption {
    const { after, kind } = this.#setup.interruption;
    return this.answers >= after ? kind : 'none';
  }

  /** Until nothing is open any more. */
  run(suspects: readonly NodeId[] = []): this {
    const share = { partition: 7 as PartitionId, range: { start: '' as Address, end: undefined }, owners: OWNERS };
    this.#take(startRelinquish(share, (one) => suspects.includes(one), this.interruption));
    while (this.open.length > 0) {
      const chance = this.#setup.chances[this.answers] ?? WELL;
      const [effect] = this.open.splice(chance.pick % this.open.length, 1);
      this.answers++;
      expect(this.answers, 'it ends').toBeLessThan(1_000);
      this.#take(this.#answer(effect!, chance));
    }
    return this;
  }

  /** Whether every owner is known to hold what was listed. */
  isVerified(address: Address): boolean {
    return OWNERS.every((owner) => this.#vouched.get(owner)?.get(address) === this.#listed.get(address));
  }

  #take({ state, effects }: RelinquishStep): void {
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'count') this.counted += effect.dropped;
      else if (effect.kind === 'tell') this.told = effect.dropped;
      else if (effect.kind === 'end') this.ends.push(effect.problem);
      else this.open.push(effect);
      if (effect.kind === 'drop') this.#checkDrop(effect.entries);
      if (['list', 'drop'].includes(effect.kind)) expect(this.interruption).toBe('none');
      if (effect.kind === 'read') expect(this.interruption).not.toBe('stopped');
    }
  }

  #checkDrop(entries: readonly HeldSet[]): void {
    expect(this.hasFailed, 'nothing is dropped after a failure').toBe(false);
    expect(entries.length).toBeGreaterThan(0);
    for (const { address, set } of entries) {
      expect(entryDigest(address, set), 'it is what was listed').toBe(this.#listed.get(address));
      expect(this.isVerified(address), `${address}: every owner has it`).toBe(true);
    }
  }

  #answer(effect: RelinquishEffect, { luck, pageEntries }: Chance): RelinquishStep {
    const state = this.#state!;
    if (luck === 'fails' || (luck === 'endless' && effect.kind !== 'compare')) {
      this.hasFailed = true;
      return relinquishFailed(state, new ArmatureError('timeout', 'gone'));
    }
    if (luck === 'changes') for (const [address, set] of this.own) this.own.set(address, Uint8Array.of(...set, 1));
    if (luck === 'vanishes') this.own.clear();
    switch (effect.kind) {
      case 'list': {
        const { entries, next } = pageOf(this.own, effect.start, undefined, pageEntries);
        this.#listed.clear();
        this.#vouched.clear();
        for (const { address, digest } of entries) this.#listed.set(address, digest);
        return relinquishListed(state, { entries, next }, this.interruption);
      }
      case 'compare': {
        const { owner, range } = effect;
        const page = pageOf(this.owners.get(owner)!, range.start, range.end, pageEntries);
        if (luck === 'endless') {
          this.hasFailed = true;
          return relinquishCompared(state, owner, { ...page, next: range.start }, this.interruption);
        }
        for (const { address, digest } of page.entries) this.#vouch(owner, address, digest);
        return relinquishCompared(state, owner, page, this.interruption);
      }
      case 'read': {
        const { owner, addresses } = effect;
        const first = addresses[0]!;
        if (this.#tooLarge.has(first)) return relinquishRead(state, owner, tooLargeToSend(first), this.interruption);
        const end = addresses.findIndex((address) => this.#tooLarge.has(address));
        const sets = this.#read(end < 0 ? addresses : addresses.slice(0, end), luck);
        return relinquishRead(state, owner, sets, this.interruption);
      }
      case 'hand-over': {
        const { owner, entries } = effect;
        this.handed.push({ owner, addresses: entries.map(({ address }) => address) });
        if (luck === 'refuses') return relinquishMerged(state, owner, 1, this.interruption);
        for (const { address, set } of entries) this.#vouch(owner, address, entryDigest(address, set));
        return relinquishMerged(state, owner, 0, this.interruption);
      }
      case 'hold':
        return relinquishHeld(state, this.#read(effect.addresses, luck), this.interruption);
      case 'drop': {
        const gone = effect.entries.filter(({ address, set }) => this.own.get(address) === set);
        for (const { address } of gone) this.own.delete(address);
        this.dropped.push(...gone.map(({ address }) => address));
        return relinquishDropped(state, gone.length, this.interruption);
      }
      default:
        throw new Error(`nobody answers ${effect.kind}`);
    }
  }

  /** As a store does: at least one, as many as there is room for. */
  #read(addresses: readonly Address[], luck: Luck): (Uint8Array | undefined)[] {
    return addresses.slice(0, luck === 'short' ? 1 : addresses.length).map((address) => this.own.get(address));
  }

  #vouch(owner: NodeId, address: Address, digest: string): void {
    this.#vouched.set(owner, (this.#vouched.get(owner) ?? new Map<Address, string>()).set(address, digest));
  }
}

function fill(store: Map<Address, Uint8Array>, versions: readonly (number | undefined)[]): void {
  for (const [key, version] of versions.entries()) if (version !== undefined) store.set(addressOf(key), setOf(version));
}

function pageOf(store: ReadonlyMap<Address, Uint8Array>, start: string, end: string | undefined, limit: number) {
  const within = [...store.keys()].filter((address) => address >= start && (end === undefined || address < end)).sort();
  const entries = within.slice(0, limit).map((address) => ({ address, digest: entryDigest(address, store.get(address)!) }));
  return { entries, next: within[limit] };
}

const versions = fc.array(fc.option(fc.nat(1), { nil: undefined }), { minLength: KEYS.length, maxLength: KEYS.length });

function setups(lucks: readonly Luck[], interruptions: readonly Interruption[]): fc.Arbitrary<Setup> {
  const chance = fc.record({
    pick: fc.nat(5),
    luck: fc.constantFrom('well' as const, 'well' as const, ...lucks),
    pageEntries: fc.integer({ min: 1, max: 6 }),
  });
  return fc.record({
    own: versions,
    theirs: fc.array(versions, { minLength: OWNERS.length, maxLength: OWNERS.length }),
    tooLarge: fc.uniqueArray(fc.nat(KEYS.length - 1), { maxLength: 3 }),
    chances: fc.array(chance, { maxLength: 60 }),
    interruption: fc.record({ after: fc.nat(60), kind: fc.constantFrom(...interruptions) }),
  });
}

const ALL: readonly Luck[] = ['short', 'refuses', 'changes', 'vanishes', 'fails', 'endless'];

/** With the same sets everywhere but for what is said. */
function setupOf(count: number, but: Partial<Setup> = {}): Setup {
  const own = Array.from({ length: count }, () => 1);
  return {
    ...{ own, theirs: OWNERS.map(() => own), tooLarge: [], chances: [] },
    interruption: { after: 0, kind: 'none' },
    ...but,
  };
}

describe('any answers, failures, refusals, writes and turns, in any order', () => {
  test('nothing is dropped that not every owner verified in the listed state, nothing after a failure or under another ring', () => {
    let drops = 0;
    fc.assert(
      fc.property(setups(ALL, ['none', 'turned', 'stopped']), (setup) => {
        const world = new World(setup).run(); // it looks at every drop
        drops += world.dropped.length;
      }),
      { numRuns: 300 },
    );
    expect(drops).toBeGreaterThan(100);
  });

  test('it ends once, and what was dropped of whole pages is counted and told', () => {
    fc.assert(
      fc.property(setups(ALL, ['none', 'turned', 'stopped']), (setup) => {
        const world = new World(setup).run();
        expect(world.ends.length).toBe(1);
        expect(world.ends[0] instanceof ArmatureError || !world.hasFailed).toBe(true);
        if (world.hasFailed) return;
        expect(world.counted).toBe(world.dropped.length);
        expect(world.told).toBe(world.dropped.length);
      }),
      { numRuns: 300 },
    );
  });

  test('where nothing goes wrong, all is dropped, and no problem is reported', () => {
    fc.assert(
      fc.property(setups(['short'], ['none']), (setup) => {
        const world = new World({ ...setup, tooLarge: [] }).run();
        expect(world.own.size).toBe(0);
        expect(world.ends).toEqual([undefined]);
      }),
      { numRuns: 200 },
    );
  });

  test('refusals, and sets that no message carries: all that every owner has is dropped, the rest stays and is reported', () => {
    fc.assert(
      fc.property(setups(['short', 'refuses'], ['none']), (setup) => {
        const world = new World({ ...setup, chances: setup.chances.map((one) => ({ ...one, pageEntries: 1_000 })) }).run();
        for (const address of world.own.keys()) expect(world.isVerified(address)).toBe(false);
        for (const address of world.dropped) expect(world.isVerified(address)).toBe(true);
        const [problem] = world.ends;
        expect(problem === undefined).toBe(world.own.size === 0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a page', () => {
  test('what all owners hold is dropped after digests alone', () => {
    const world = new World(setupOf(5)).run();
    expect(world.handed).toEqual([]);
    expect(world.dropped).toEqual(KEYS.slice(0, 5));
  });

  test('each owner is handed what it lacks or holds in another state, and nothing else', () => {
    const world = new World(setupOf(3, { theirs: [[1, 1, 1], [1, undefined, 2], [1]] })).run();
    expect(world.handed).toEqual([
      { owner: OWNERS[1], addresses: [KEYS[1], KEYS[2]] },
      { owner: OWNERS[2], addresses: [KEYS[1], KEYS[2]] },
    ]);
    expect(world.own.size).toBe(0);
  });

  test('many: 128 are handed over, and dropped, at a time', () => {
    const world = new World(setupOf(300, { theirs: [] })).run();
    expect(world.handed.filter(({ owner }) => owner === OWNERS[0]).map(({ addresses }) => addresses.length)).toEqual([
      128, 128, 44,
    ]);
    expect(world.dropped.length).toBe(300);
  });

  test('an owner holds much more than is held here: all its pages are asked for', () => {
    const theirs = Array.from({ length: 50 }, (_, key) => (key === 40 ? 1 : 2));
    const own = theirs.map((_, key) => (key === 40 ? 1 : undefined));
    const chances = Array.from({ length: 100 }, () => ({ ...WELL, pageEntries: 3 }));
    const world = new World(setupOf(0, { own, theirs: OWNERS.map(() => theirs), chances })).run();
    expect(world.handed).toEqual([]);
    expect(world.dropped).toEqual([addressOf(40)]);
  });

  test('one owner that cannot be asked: nothing of the page is dropped, and the others are still handed what they lack', () => {
    const chances: Chance[] = [WELL, { ...WELL, luck: 'fails' }];
    const world = new World(setupOf(3, { theirs: [], chances })).run();
    expect(world.dropped).toEqual([]);
    expect(world.ends[0]?.code).toBe('timeout');
    expect(world.handed.map(({ owner }) => owner)).toEqual(OWNERS.slice(1));
  });

  test('one owner that is known to be down: nobody is asked', () => {
    const world = new World(setupOf(3)).run([OWNERS[1]!]);
    expect(world.answers).toBe(0);
    expect(world.ends[0]?.message).toBe('n2 owns partition 7 and seems to be down');
  });

  test('a refusal: none of those that were handed over together counts, the next ones do', () => {
    const chances = Array.from({ length: 9 }, () => WELL);
    const theirs = OWNERS.map((_, place) => Array.from({ length: 200 }, () => (place === 0 ? undefined : 1)));
    // List, three owners compare, then the first one's sets are read.
    const world = new World(setupOf(200, { theirs, chances: chances.with(5, { ...WELL, luck: 'refuses' }) })).run();
    expect(world.handed.length).toBe(2);
    expect(world.own.size).toBe(128);
    expect(world.ends[0]?.message).toBe('not all owners of partition 7 could merge what they were given');
  });

  test('a set that no message carries keeps no other here, and is what is reported', () => {
    const world = new World(setupOf(6, { theirs: [], tooLarge: [0, 3] })).run();
    expect([...world.own.keys()]).toEqual([KEYS[0], KEYS[3]]);
    expect(isTooLargeToSend(world.ends[0]!)).toBe(true);
  });

  test('a set that no message carries is dropped like any other where all owners have it', () => {
    const world = new World(setupOf(6, { tooLarge: [0, 3] })).run();
    expect(world.own.size).toBe(0);
    expect(world.ends).toEqual([undefined]);
  });

  test('the problem of an early page is reported at the end, when all others have been given up', () => {
    const theirs = OWNERS.map(() => [undefined, 1, 1, 1]);
    const chances = Array.from({ length: 100 }, () => ({ ...WELL, pageEntries: 1 }));
    const world = new World(setupOf(4, { theirs, tooLarge: [0], chances })).run();
    expect([...world.own.keys()]).toEqual([KEYS[0]]);
    expect(isTooLargeToSend(world.ends[0]!)).toBe(true);
  });

  test.each([
    ['turned', 300],
    ['stopped', 128],
  ] as const)('%s while it hands over: of 300 an owner is handed %i, and nothing is dropped', (kind, handed) => {
    // List, three owners compare, then the sets for the first one are read.
    const world = new World(setupOf(300, { theirs: [], interruption: { after: 5, kind } })).run();
    const first = world.handed.filter(({ owner }) => owner === OWNERS[0]);
    expect(first.flatMap(({ addresses }) => addresses).length).toBe(handed);
    expect(world.dropped).toEqual([]);
  });

  test('nobody owns it: that is a mistake of the caller, and no reason to drop it', () => {
    const share = { partition: 7 as PartitionId, range: { start: '' as Address, end: undefined }, owners: [] };
    expect(() => startRelinquish(share, () => false, 'none')).toThrow('nothing is given up to nobody');
  });
});
