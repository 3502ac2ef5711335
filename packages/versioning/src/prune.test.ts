/**
 * Pruning against a model of causal histories, in which clocks do not exist: what a replica has seen is a set of events, and it
 * must hold those that none of the others has superseded. The clocks of the code are pruned now and then, at some of the
 * replicas, when the condition of pruning holds: all hold the same set, and nobody has an older one. Contexts of any age stay in
 * use.
 */
import { assert, hlcFromMs, seededRandom } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorId, Dot } from './actor.js';
import { ACTORS, set } from './arbitrary.test-support.js';
import { encodeVersionSet } from './codec.js';
import { DEFAULT_PRUNE_ABOVE, isReapable, pruneClock } from './prune.js';
import { tombstoneVersion, valueVersion, type OperationId } from './version.js';
import {
  contextOf,
  emptyVersionSet,
  isAmnesiac,
  join,
  mint,
  versionSet,
  type CausalContext,
  type VersionSet,
} from './version-set.js';
import { counterOf, covers, descends, versionVector } from './version-vector.js';

type Events = ReadonlySet<number>;

/** What somebody holds, and the events that it comes from. */
interface State {
  readonly seen: Events;
  readonly set: VersionSet;
}

interface Replica {
  actor: ActorId;
  floor: number;
  state: State;
}

interface Played {
  readonly pruned: number;
  readonly longest: number;
}

/** `when`: the condition under which clocks are pruned; the right one, or one that is seeded to be wrong. */
function play(
  draw: (bound: number) => number,
  when: 'nobody has an older set' | 'owners agree' = 'nobody has an older set',
): Played {
  const events: { readonly past: Events; readonly dot: Dot }[] = [];
  let actors = 0;
  const freshActor = (): ActorId => (++actors).toString(16).padStart(16, '0') as ActorId;
  const nothing: State = { seen: new Set(), set: emptyVersionSet };
  const replicas = Array.from({ length: 3 }, (): Replica => ({ actor: freshActor(), floor: 0, state: nothing }));
  const contexts: { readonly seen: Events; readonly context: CausalContext }[] = [
    { seen: new Set(), context: contextOf(emptyVersionSet) },
  ];
  let onTheirWay: State[] = [];
  let pruned = 0;
  let longest = 0;
  const any = <T>(list: readonly T[]): T => list[draw(list.length)] as T;

  const check = (replica: Replica): void => {
    const { seen, set: held } = replica.state;
    const frontier = [...seen].filter((e) => ![...seen].some((later) => events[later]?.past.has(e)));
    assert(
      nameAll(frontier.map((e) => events[e]?.dot as Dot)) === nameAll(held.siblings.map(({ dot }) => dot)),
      'the siblings are the causal frontier',
    );
    longest = Math.max(longest, held.clock.length);
  };
  const take = (replica: Replica, { seen, set: incoming }: State): void => {
    assert(
      !isAmnesiac(replica.state.set, replica.actor, incoming.clock, replica.floor),
      'a store that has forgotten nothing is not amnesiac',
    );
    replica.state = { seen: new Set([...replica.state.seen, ...seen]), set: join(replica.state.set, incoming) };
    check(replica);
  };
  const put = (replica: Replica): void => {
    const { seen, context } = any(contexts.slice(-4));
    assert(!isAmnesiac(replica.state.set, replica.actor, context.clock, replica.floor), 'nor does a context show it to be');
    const version = valueVersion({
      value: new Uint8Array(0),
      at: hlcFromMs(events.length + 1),
      operation: events.length.toString(16).padStart(16, '0') as OperationId,
    });
    const minted = mint(replica.state.set, replica.actor, context.clock, version, { floor: replica.floor });
    const dot = minted.dot as Dot;
    assert(!events.some((event) => nameAll([event.dot]) === nameAll([dot])), 'a dot names one event');
    events.push({ past: seen, dot });
    replica.state = { seen: new Set([...replica.state.seen, ...seen, events.length - 1]), set: minted.set };
    onTheirWay.push(replica.state);
    check(replica);
  };
  const prune = (): void => {
    const [first] = replicas as [Replica];
    const bytes = Buffer.from(encodeVersionSet(first.state.set));
    if (replicas.some(({ state }) => !bytes.equals(encodeVersionSet(state.set)))) return;
    if (when === 'nobody has an older set') onTheirWay = [first.state];
    for (const replica of replicas) {
      if (draw(4) === 0) continue;
      const after = pruneClock(replica.state.set);
      replica.floor = Math.max(replica.floor, counterOf(replica.state.set.clock, replica.actor));
      replica.state = { seen: replica.state.seen, set: after.set };
      onTheirWay.push(replica.state);
      pruned += after.dropped.length;
      check(replica);
    }
  };

  for (let step = 10 + draw(60); step > 0; step--) {
    const replica = any(replicas);
    const choice = draw(12);
    if (choice < 4) put(replica);
    else if (choice < 6 && onTheirWay.length > 0) take(replica, any(onTheirWay));
    else if (choice < 7) contexts.push({ seen: replica.state.seen, context: contextOf(replica.state.set) });
    else if (choice < 8) Object.assign(replica, { actor: freshActor(), floor: 0 });
    else if (choice < 10) {
      for (const each of [...replicas, ...replicas]) take(each, any(replicas).state);
      for (const from of replicas) for (const to of replicas) take(to, from.state);
    } else prune();
  }
  for (let round = 0; round < 2; round++) for (const from of replicas) for (const to of replicas) take(to, from.state);
  const [one, ...others] = replicas.map(({ state }) => Buffer.from(encodeVersionSet(state.set)));
  assert(
    others.every((other) => other.equals(one as Buffer)),
    'all are equal in the end',
  );
  return { pruned, longest };
}

const nameAll = (dots: readonly Dot[]): string =>
  dots
    .map(({ actor, counter }) => `${actor}/${counter}`)
    .sort()
    .join();

describe('pruned clocks against a model of causal histories', () => {
  it('whichever owners prune, nothing returns, nothing is lost, no dot names two events, and all become equal', () => {
    let pruned = 0;
    for (let seed = 0; seed < 4_000; seed++) {
      try {
        pruned += play(seededRandom(seed).int).pruned;
      } catch (error) {
        throw new Error(`history of seed ${seed}`, { cause: error });
      }
    }
    expect(pruned).toBeGreaterThan(4_000);
  });

  it('and the model notices pruning while somebody still has an older set on its way', () => {
    const playAll = (): void => {
      for (let seed = 0; seed < 1_000; seed++) play(seededRandom(seed).int, 'owners agree');
    };
    expect(playAll).toThrow();
  });
});

describe('what is pruned', () => {
  it('the siblings stay, every one covered; the entries that go are those of actors without a sibling', () => {
    fc.assert(
      fc.property(set, (before) => {
        const { set: after, dropped } = pruneClock(before);
        expect(after.siblings).toBe(before.siblings);
        expect(after.superseded).toBe(before.superseded);
        expect(versionSet(after.clock, after.siblings, after.superseded)).toEqual(after);
        expect(descends(before.clock, after.clock)).toBe(true);
        expect(after.clock.length + dropped.length).toBe(before.clock.length);
        expect(before.siblings.some(({ dot }) => covers(dropped, dot))).toBe(false);
        if (dropped.length === 0) expect(after).toBe(before);
        expect(pruneClock(after).set).toBe(after);
      }),
    );
  });

  it('joined with the whole set, by an owner that was not told, it is the whole set again', () => {
    fc.assert(
      fc.property(set, (before) => {
        const { set: after } = pruneClock(before);
        expect(join(before, after)).toBe(before);
        expect(encodeVersionSet(join(after, before))).toEqual(encodeVersionSet(before));
      }),
    );
  });
});

describe('what is worth asking for', () => {
  const at = hlcFromMs(1_000);
  const operation = '1'.repeat(16) as OperationId;
  const value = valueVersion({ value: new Uint8Array(1), at, operation });
  const actors = Array.from({ length: DEFAULT_PRUNE_ABOVE + 1 }, (_, i) => ({
    actor: (i + 1).toString(16).padStart(16, '0') as ActorId,
    counter: 1,
  }));

  it('tombstones, and clocks with more entries than are left alone, unless each has a version', () => {
    const clock = versionVector(actors);
    const [first] = actors as [Dot];
    expect(isReapable(emptyVersionSet)).toBe(false);
    expect(isReapable(versionSet(versionVector([first]), [{ dot: first, version: value }]))).toBe(false);
    expect(isReapable(versionSet(versionVector([first]), [{ dot: first, version: tombstoneVersion({ at, operation }) }]))).toBe(
      true,
    );
    expect(isReapable(versionSet(clock, [{ dot: first, version: value }]))).toBe(true);
    expect(isReapable(versionSet(clock, [{ dot: first, version: value }]), actors.length)).toBe(false);
    expect(
      isReapable(
        versionSet(
          clock,
          actors.map((dot) => ({ dot, version: value })),
        ),
      ),
    ).toBe(false);
    const [one, two] = ACTORS as [ActorId, ActorId];
    const mixed = [
      { dot: { actor: one, counter: 1 }, version: value },
      { dot: { actor: two, counter: 1 }, version: tombstoneVersion({ at, operation: '2'.repeat(16) as OperationId }) },
    ];
    expect(isReapable(versionSet(versionVector(mixed.map(({ dot }) => dot)), mixed))).toBe(false);
  });
});
