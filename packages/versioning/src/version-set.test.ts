import { AssertionError, HLC_ZERO, hlcFromMs, type Hlc } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorId, Dot } from './actor.js';
import { ACTORS, actor, operation, set, vector } from './arbitrary.test-support.js';
import { encodeVersionSet } from './codec.js';
import {
  EMPTY_VECTOR_CLOCK,
  compareVectorClocks,
  incrementVectorClock,
  mergeVectorClocks,
  reconcileVectorClocks,
} from './vector-clock.js';
import { resolveLastWriteWins } from './resolvers.js';
import {
  ALWAYS_KEPT,
  MAX_SUPERSEDED,
  NONE_SUPERSEDED,
  countSuperseded,
  isSuperseded,
  supersededOperations,
} from './superseded.js';
import { tombstoneVersion, valueVersion, type Version } from './version.js';
import {
  EMPTY_CONTEXT,
  MAX_CONTEXT_ENTRIES,
  checkGrowth,
  contextAfter,
  contextOf,
  countSiblings,
  distinctSiblings,
  emptyVersionSet,
  estimateSizeBytes,
  findOperation,
  isAmnesiac,
  isDeleted,
  join,
  latestTimestamp,
  liveSiblings,
  mint,
  reconcile,
  shownSiblings,
  versionSet,
  withEnded,
  type CausalContext,
  type VersionSet,
} from './version-set.js';
import { EMPTY_VECTOR, counterOf, covers, descends, versionVector, withDot } from './version-vector.js';

const [a, b, c] = ACTORS as [ActorId, ActorId, ActorId];
const written = (n: number, at = 1000 + n): Version =>
  valueVersion({ value: Uint8Array.of(n), at: hlcFromMs(at), operation: operation(n) });
const deleted = (n: number): Version => tombstoneVersion({ at: hlcFromMs(1000 + n), operation: operation(n) });
const values = (set: VersionSet): number[] => set.siblings.map(({ version }) => version.value[0] ?? -1).sort((x, y) => x - y);
const dots = (set: VersionSet): string[] => set.siblings.map(({ dot }) => `${dot.actor}.${dot.counter}`);

describe('join, for all well-formed sets', () => {
  it('is commutative and associative down to the bytes, and idempotent down to the object', () => {
    fc.assert(
      fc.property(set, set, set, (x, y, z) => {
        const xy = join(x, y);
        expect(encodeVersionSet(xy)).toEqual(encodeVersionSet(join(y, x)));
        expect(encodeVersionSet(join(xy, z))).toEqual(encodeVersionSet(join(x, join(y, z))));
        expect(join(xy, x)).toBe(xy);
        expect(join(xy, xy)).toBe(xy);
        expect(join(x, { ...x })).toBe(x);
      }),
    );
  });

  it('keeps a sibling iff no side has seen its end', () => {
    fc.assert(
      fc.property(set, set, (x, y) => {
        const inX = new Set(dots(x));
        const inY = new Set(dots(y));
        const kept = [...x.siblings, ...y.siblings].filter(({ dot }) => {
          const name = `${dot.actor}.${dot.counter}`;
          return (inX.has(name) || !covers(x.clock, dot)) && (inY.has(name) || !covers(y.clock, dot));
        });
        expect(new Set(dots(join(x, y)))).toEqual(new Set(kept.map(({ dot }) => `${dot.actor}.${dot.counter}`)));
      }),
    );
  });

  it('reconcile is join in any order', () => {
    fc.assert(
      fc.property(fc.array(set, { maxLength: 5 }), (sets) => {
        expect(encodeVersionSet(reconcile(sets))).toEqual(encodeVersionSet(reconcile(sets.toReversed())));
      }),
    );
    expect(reconcile([])).toBe(emptyVersionSet);
  });

  it('one dot with two versions (an amnesiac store): both orders end with the same one', () => {
    const once = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set;
    const again = mint(emptyVersionSet, a, EMPTY_VECTOR, written(2)).set;
    expect(values(join(once, again))).toEqual([2]);
    expect(values(join(again, once))).toEqual([2]);
    expect(encodeVersionSet(join(again, once))).toEqual(encodeVersionSet(join(once, again)));
  });

  it('the constructor refuses a sibling outside the clock, and one dot twice', () => {
    const sibling = { dot: { actor: a, counter: 2 }, version: written(1) };
    expect(() => versionSet(versionVector([{ actor: a, counter: 1 }]), [sibling])).toThrow(AssertionError);
    expect(() => versionSet(versionVector([{ actor: a, counter: 2 }]), [sibling, sibling])).toThrow(AssertionError);
  });
});

describe('mint', () => {
  it('supersedes what the context covers, keeps the rest, and names the new version with the next dot', () => {
    fc.assert(
      fc.property(set, actor, vector, (local, who, context) => {
        const { set: next, dot } = mint(local, who, context, written(255));
        expect(dot).toEqual({ actor: who, counter: Math.max(counterOf(local.clock, who), counterOf(context, who)) + 1 });
        const stay = shownSiblings(local).filter((sibling) => !covers(context, sibling.dot));
        const ended = local.siblings.filter((sibling) => !stay.includes(sibling));
        const superseded = withEnded(local.superseded, ended);
        expect(next).toEqual(versionSet(next.clock, [...stay, { dot: dot!, version: written(255) }], superseded));
        expect(descends(next.clock, local.clock) && descends(next.clock, context) && covers(next.clock, dot!)).toBe(true);
      }),
    );
  });

  it('a retry with the same operation id: the first dot, nothing minted', () => {
    const first = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1));
    const retry = mint(first.set, a, EMPTY_VECTOR, written(1, 2000));
    expect(retry.set).toBe(first.set);
    expect(retry.dot).toEqual(first.dot);
    expect(findOperation(first.set, operation(1))?.dot).toEqual(first.dot);
    expect(findOperation(first.set, operation(2))).toBeUndefined();
  });

  it('a key created again after its tombstone was reaped: dots above the floor survive a replica that remembers', () => {
    const former = [1, 2, 3].reduce((set, n) => mint(set, a, set.clock, n === 3 ? deleted(n) : written(n)).set, emptyVersionSet);
    const floor = counterOf(former.clock, a);
    const reused = mint(emptyVersionSet, a, EMPTY_VECTOR, written(4)).set;
    expect(values(join(former, reused)), 'without a floor the old tombstone swallows it').toEqual([-1]);
    const above = mint(emptyVersionSet, a, EMPTY_VECTOR, written(4), { floor });
    expect(above.dot?.counter).toBe(4);
    expect(values(join(former, above.set))).toContain(4);
  });
});

describe('amnesia', () => {
  const state = [1, 2].reduce((set, n) => mint(set, a, set.clock, written(n)).set, emptyVersionSet);

  it('others know more of our events than we do: amnesiac', () => {
    expect(isAmnesiac(emptyVersionSet, a, state.clock)).toBe(true);
    expect(isAmnesiac(state, a, state.clock)).toBe(false);
    expect(isAmnesiac(emptyVersionSet, b, state.clock), 'events of others are no sign').toBe(false);
  });

  it('what was reaped was not forgotten', () => {
    expect(isAmnesiac(emptyVersionSet, a, state.clock, 2)).toBe(false);
    expect(isAmnesiac(emptyVersionSet, a, state.clock, 1)).toBe(true);
  });

  it('a wiped store that goes on under its old actor loses a write; under a fresh actor it does not', () => {
    const old = mint(emptyVersionSet, a, EMPTY_VECTOR, written(7)).set; // dot (a, 1), which the others have seen
    expect(values(join(state, old))).not.toContain(7);
    const fresh = mint(emptyVersionSet, c, EMPTY_VECTOR, written(7)).set;
    expect(values(join(state, fresh))).toContain(7);
  });
});

describe('reading a set', () => {
  it('absent is not deleted; deleted is when every sibling is a tombstone', () => {
    expect(isDeleted(emptyVersionSet)).toBe(false);
    const value = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set;
    const gone = mint(value, a, value.clock, deleted(2)).set;
    expect(isDeleted(value)).toBe(false);
    expect(isDeleted(gone)).toBe(true);
    expect(liveSiblings(gone)).toEqual([]);
    const half = mint(gone, b, EMPTY_VECTOR, written(3)).set;
    expect(isDeleted(half)).toBe(false);
    expect(liveSiblings(half).map(({ version }) => version.value[0])).toEqual([3]);
  });

  it('an old value that turns up late does not undo a delete', () => {
    const value = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set;
    const gone = mint(value, b, value.clock, deleted(2)).set;
    expect(join(gone, value)).toBe(gone);
    expect(join(value, gone)).toBe(gone);
  });

  it('the context is the clock with the latest timestamp among the siblings', () => {
    fc.assert(
      fc.property(set, (any) => {
        const at = any.siblings.reduce((latest, { version }) => Math.max(latest, version.at), 0) as Hlc;
        expect(contextOf(any)).toEqual({ clock: any.clock, at });
        expect(latestTimestamp(any)).toBe(at);
      }),
    );
  });

  it('a retried put that two replicas minted is one sibling to a reader, and stored as two', () => {
    const twice = join(
      mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set,
      mint(emptyVersionSet, b, EMPTY_VECTOR, written(1)).set,
    );
    expect(countSiblings(twice)).toBe(2);
    expect(distinctSiblings(twice).map(({ dot }) => dot.actor)).toEqual([a]);
    expect(liveSiblings(twice)).toHaveLength(1);
    expect(values(mint(twice, c, contextOf(twice).clock, written(2)).set), 'the next write supersedes both').toEqual([2]);
  });

  it('collapsing doubles inside join would not be associative: it must stay out of what is stored', () => {
    const collapsing = (p: VersionSet, q: VersionSet): VersionSet => {
      const joined = join(p, q);
      return { ...joined, siblings: distinctSiblings({ ...joined, superseded: NONE_SUPERSEDED }) };
    };
    const x = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set;
    const y = mint(emptyVersionSet, b, EMPTY_VECTOR, written(1)).set;
    const z = mint(x, c, x.clock, written(2)).set;
    expect(values(collapsing(collapsing(x, y), z))).toEqual([2]);
    expect(values(collapsing(x, collapsing(y, z)))).toEqual([1, 2]);
  });

  describe('what a put may make of a key', () => {
    const limits = { maxSiblings: 3, maxSetBytes: 100 };
    const before = { siblings: 3, sizeBytes: 100 };

    it('up to the limits: is taken; above either: is refused, with numbers and a way out', () => {
      expect(checkGrowth(before, { siblings: 3, sizeBytes: 100 }, limits)).toBeUndefined();
      for (const after of [
        { siblings: 4, sizeBytes: 50 },
        { siblings: 2, sizeBytes: 101 },
      ]) {
        const refused = checkGrowth(before, after, limits);
        expect(refused).toMatchObject({ code: 'too-large', details: { ...after, ...limits } });
        expect(refused?.remedy).toContain('merge');
      }
    });

    it('whatever leaves fewer versions, or fewer bytes, than there were is taken, however far above the limits it still is', () => {
      const crowded = { siblings: 300, sizeBytes: 10_000 };
      expect(checkGrowth(crowded, { siblings: 299, sizeBytes: 9_999 }, limits)).toBeUndefined();
      expect(checkGrowth(crowded, { siblings: 299, sizeBytes: 10_000 }, limits)?.code).toBe('too-large');
      expect(checkGrowth(crowded, { siblings: 300, sizeBytes: 9_999 }, limits)?.code).toBe('too-large');
      expect(checkGrowth({ siblings: 9, sizeBytes: 90 }, { siblings: 2, sizeBytes: 120 }, limits)?.code).toBe('too-large');
    });
  });

  it('the size estimate is never below the encoded size, nor far above it', () => {
    fc.assert(
      fc.property(set, (any) => {
        const encodedBytes = encodeVersionSet(any).length;
        expect(estimateSizeBytes(any)).toBeGreaterThanOrEqual(encodedBytes);
        expect(estimateSizeBytes(any)).toBeLessThanOrEqual(
          encodedBytes + 16 + 8 * any.clock.length + 100 * any.siblings.length + 60 * countSuperseded(any.superseded),
        );
      }),
    );
  });
});

describe('a write that was minted twice', () => {
  /** One operation at two nodes that do not hear of each other. */
  const here = mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set;
  const there = mint(emptyVersionSet, b, EMPTY_VECTOR, written(1, 1500)).set;
  const over = mint(here, a, contextOf(here).clock, deleted(2)).set;
  const again = join(over, there);

  it('deleted where the one is known: the other does not bring it back, and the key counts as deleted', () => {
    expect(countSiblings(again)).toBe(2);
    expect(liveSiblings(again)).toEqual([]);
    expect(distinctSiblings(again).map(({ version }) => version.operation)).toEqual([operation(2)]);
    expect(isDeleted(again)).toBe(true);
    expect(encodeVersionSet(join(there, over))).toEqual(encodeVersionSet(again));
  });

  it('overwritten by one who read it elsewhere, at a node that never had it: remembered where that meets the version', () => {
    const blindly = mint(emptyVersionSet, c, contextOf(here).clock, written(3)).set;
    expect(blindly.superseded).toBe(NONE_SUPERSEDED);
    for (const met of [join(join(here, blindly), there), join(here, join(blindly, there)), join(join(blindly, there), here)]) {
      expect(liveSiblings(met).map(({ version }) => version.operation)).toEqual([operation(3)]);
    }
  });

  it('the next put supersedes the repetition, even one that has read nothing: it is gone for good', () => {
    const next = mint(again, c, EMPTY_VECTOR, written(4)).set;
    expect(values(next)).toEqual([-1, 4]);
    expect(join(next, there).siblings).toBe(next.siblings);
  });

  it('repeated where it is known to be over: done, nothing minted, and the writer has seen no more than before', () => {
    const late = mint(over, b, EMPTY_VECTOR, written(1, 3000));
    expect(late).toEqual({ set: over, dot: undefined });
    expect(contextAfter(over, EMPTY_CONTEXT, late.dot)).toBe(EMPTY_CONTEXT);
  });

  it('a set whose siblings all repeat something hides none of them', () => {
    const odd = versionSet(there.clock, there.siblings, supersededOperations([{ operation: operation(1), at: hlcFromMs(1) }]));
    expect(liveSiblings(odd)).toHaveLength(1);
    expect(values(mint(odd, c, EMPTY_VECTOR, written(5)).set)).toEqual([1, 5]);
  });

  it('last write wins: the time decides between a repetition and what was written over the first attempt', () => {
    for (const [at, wins] of [
      [1001, 2],
      [9000, 1],
    ] as const) {
      const repeated = mint(emptyVersionSet, b, EMPTY_VECTOR, written(1, at)).set;
      const resolved = resolveLastWriteWins(join(over, repeated));
      expect(resolved.siblings.map(({ version }) => version.operation)).toEqual([operation(wins)]);
      expect([1, 2].filter((n) => isSuperseded(resolved.superseded, operation(n)))).toEqual([3 - wins]);
    }
  });

  it('a repetition that said so is known for a day, however often the key is overwritten after it', () => {
    const repeated = { ...written(1, 1500), repeated: true };
    const repetition = mint(emptyVersionSet, b, EMPTY_VECTOR, repeated).set;
    let busy = mint(repetition, b, repetition.clock, deleted(2)).set;
    for (let n = 3; n < MAX_SUPERSEDED + 20; n++) busy = mint(busy, b, busy.clock, written(n, 5000 + n)).set;
    // Now the first attempt comes from beyond a cut.
    const late = join(busy, here);
    expect(countSiblings(late)).toBe(2);
    expect(liveSiblings(late).map(({ version }) => version.operation)).toEqual([operation(MAX_SUPERSEDED + 19)]);
    expect(mint(busy, c, EMPTY_VECTOR, repeated).dot).toBeUndefined();
    const dayMs = 24 * 3_600_000;
    for (let n = 100; n < 100 + ALWAYS_KEPT; n++) {
      const other = { ...written(n, 5000 + dayMs + n), repeated: true };
      busy = mint(busy, b, busy.clock, other).set;
    }
    busy = mint(busy, b, busy.clock, written(200, 5000 + dayMs + 200)).set;
    expect(liveSiblings(join(busy, here))).toHaveLength(2);
  });

  it('dropping a repetition inside join would not be associative, since what is remembered is bounded', () => {
    const dropping = (p: VersionSet, q: VersionSet): VersionSet => {
      const joined = join(p, q);
      return { ...joined, siblings: shownSiblings(joined) };
    };
    let busy = over;
    for (let n = 3; n < MAX_SUPERSEDED + 5; n++) busy = mint(busy, a, busy.clock, written(n, 5000 + n)).set;
    const early = dropping(dropping(over, there), busy);
    const late = dropping(over, dropping(there, busy));
    expect(values(early)).not.toEqual(values(late));
    expect(encodeVersionSet(join(join(over, there), busy))).toEqual(encodeVersionSet(join(over, join(there, busy))));
  });

  it('a key that was written once carries nothing; one that is overwritten often, a bounded number', () => {
    expect(here.superseded).toBe(NONE_SUPERSEDED);
    let hot = here;
    for (let n = 2; n < 100; n++) hot = mint(hot, a, hot.clock, written(n)).set;
    expect(countSuperseded(hot.superseded)).toBe(MAX_SUPERSEDED);
    expect(encodeVersionSet(hot).length).toBeLessThan(encodeVersionSet(here).length + 13 * MAX_SUPERSEDED + 16);
  });
});

describe('histories by name', () => {
  /** Two clients at one server, each put with the context that came with the answer to its previous one. */
  const WRITES = 100;

  it('100 interleaved writes of two clients leave 2 siblings', () => {
    let server = emptyVersionSet;
    const contexts = [EMPTY_VECTOR, EMPTY_VECTOR];
    for (let n = 0; n < WRITES; n++) {
      server = mint(server, a, contexts[n % 2] as typeof EMPTY_VECTOR, written(n)).set;
      contexts[n % 2] = contextOf(server).clock;
    }
    expect(values(server)).toEqual([WRITES - 2, WRITES - 1]);
  });

  it('the same writes under one merged vector clock per key: siblings explode', () => {
    let clock = EMPTY_VECTOR_CLOCK;
    let siblings: number[] = [];
    const contexts = [EMPTY_VECTOR_CLOCK, EMPTY_VECTOR_CLOCK];
    for (let n = 0; n < WRITES; n++) {
      const context = contexts[n % 2] as typeof clock;
      // All the clock can tell is whether the writer has seen everything or not.
      const sawAll = compareVectorClocks(context, clock) === 'equal';
      siblings = sawAll ? [n] : [...siblings, n];
      clock = incrementVectorClock(mergeVectorClocks(clock, context), 'server', n);
      contexts[n % 2] = clock;
    }
    expect(siblings).toHaveLength(WRITES);
  });

  it('the same writes with a server-side vector clock per version: one of two concurrent writes is lost', () => {
    const first = { clock: incrementVectorClock(EMPTY_VECTOR_CLOCK, 'server', 1), value: 'of one client' };
    // The second client has read nothing; the server counts its own entry on, since it must not repeat it.
    const second = { clock: incrementVectorClock(first.clock, 'server', 2), value: 'of another' };
    expect(reconcileVectorClocks([first, second]).map(({ value }) => value)).toEqual(['of another']);
    const dotted = mint(mint(emptyVersionSet, a, EMPTY_VECTOR, written(1)).set, a, EMPTY_VECTOR, written(2)).set;
    expect(values(dotted)).toEqual([1, 2]);
  });

  it('100 updates replicated to three replicas in any order leave one sibling', () => {
    const states: VersionSet[] = [];
    let server = emptyVersionSet;
    for (let n = 0; n < WRITES; n++) {
      server = mint(server, ACTORS[n % 3] as ActorId, contextOf(server).clock, written(n)).set;
      states.push(server);
    }
    for (const order of [
      states,
      states.toReversed(),
      states.filter((_, n) => n % 2 === 1).concat(states.filter((_, n) => n % 2 === 0)),
    ]) {
      const replica = order.reduce(join, emptyVersionSet);
      expect(values(replica)).toEqual([WRITES - 1]);
      expect(encodeVersionSet(replica)).toEqual(encodeVersionSet(server));
    }
  });

  it('a diamond: two branches of one version, merged at two places, then merged again: one sibling, and it stays one', () => {
    const top = mint(emptyVersionSet, a, EMPTY_VECTOR, written(0)).set;
    const left = mint(top, a, top.clock, written(1)).set;
    const right = mint(top, b, top.clock, written(2)).set;
    const both = join(left, right);
    expect(values(both)).toEqual([1, 2]);
    const mergedAtA = mint(both, a, contextOf(both).clock, written(3)).set;
    const mergedAtC = mint(top, c, contextOf(both).clock, written(4)).set; // where the branches were never seen
    expect(values(mergedAtC)).toEqual([4]);
    const twoMerges = join(mergedAtA, mergedAtC);
    expect(values(twoMerges)).toEqual([3, 4]);
    const bottom = mint(twoMerges, b, contextOf(twoMerges).clock, written(5)).set;
    for (const late of [top, left, right, both, mergedAtA, mergedAtC, twoMerges]) expect(join(bottom, late)).toBe(bottom);
    expect(values(bottom)).toEqual([5]);
  });
});

describe('the context after a put', () => {
  const put = (
    set: VersionSet,
    actor: ActorId,
    context: CausalContext,
    n: number,
  ): { set: VersionSet; context: CausalContext } => {
    const minted = mint(set, actor, context.clock, written(n), { own: context.own });
    return { set: minted.set, context: contextAfter(minted.set, context, minted.dot) };
  };

  it('two writers that never read go on from their own last put: two siblings, whatever the interleaving', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ who: fc.nat(1), at: fc.constantFrom(a, b) }), { minLength: 2, maxLength: 60 }),
        (turns) => {
          let set = emptyVersionSet;
          const contexts: CausalContext[] = [EMPTY_CONTEXT, EMPTY_CONTEXT];
          const last: (number | undefined)[] = [undefined, undefined];
          turns.forEach(({ who, at }, n) => {
            const after = put(set, at, contexts[who] as CausalContext, n);
            set = after.set;
            contexts[who] = after.context;
            last[who] = n;
          });
          expect(set.siblings.map(({ version }) => version.value[0]).sort()).toEqual(last.filter((n) => n !== undefined).sort());
        },
      ),
    );
  });

  it('never covers a sibling that the writer has not read', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ who: fc.nat(2), at: fc.constantFrom(a, b) }), { maxLength: 40 }), (turns) => {
        let set = emptyVersionSet;
        const contexts: CausalContext[] = [EMPTY_CONTEXT, EMPTY_CONTEXT, EMPTY_CONTEXT];
        turns.forEach(({ who, at }, n) => {
          const after = put(set, at, contexts[who] as CausalContext, n);
          const unread = after.set.siblings.filter(({ version }) => version.value[0] !== n);
          for (const { dot } of unread) {
            expect(covers(after.context.clock, dot)).toBe(false);
            expect(after.context.own).not.toEqual(dot);
          }
          set = after.set;
          contexts[who] = after.context;
        });
      }),
    );
  });
});

describe('the context of a set with more actors than a context may name', () => {
  const crowd = Array.from({ length: MAX_CONTEXT_ENTRIES + 50 }, (_, i) => ({
    actor: (i + 1).toString(16).padStart(16, '0') as ActorId,
    counter: 2,
  }));
  const clock = versionVector(crowd);
  const held = [crowd[3], crowd[700], crowd.at(-1)].map((dot, n) => ({ dot: dot as Dot, version: written(n) }));
  const read = versionSet(clock, held);

  it('names as many as it may, and supersedes every sibling that was read', () => {
    const context = contextOf(read);
    expect(context.clock).toHaveLength(MAX_CONTEXT_ENTRIES);
    expect(descends(clock, context.clock)).toBe(true);
    expect(values(mint(read, a, context.clock, written(9)).set)).toEqual([9]);
  });

  it('a replica that lags shows what was superseded before, until it is joined with one that was read', () => {
    const context = contextOf(read);
    const left = crowd.find(({ actor }) => counterOf(context.clock, actor) === 0) as Dot;
    const lagging = versionSet(versionVector([left]), [{ dot: left, version: written(5) }]);
    const minted = mint(lagging, a, context.clock, written(9)).set;
    expect(values(minted)).toEqual([5, 9]);
    expect(values(join(minted, read))).toEqual([9]);
  });

  it('after a put beside unread siblings it names the put itself, and covers none of them', () => {
    const before = { clock: contextOf(versionSet(clock, [])).clock, at: HLC_ZERO };
    const unread = { dot: { actor: 'f'.repeat(16) as ActorId, counter: 1 }, version: written(6) };
    const local = versionSet(withDot(clock, unread.dot), [unread]);
    const minted = mint(local, a, before.clock, written(9));
    const after = contextAfter(minted.set, before, minted.dot);
    expect(after.clock.length).toBeLessThanOrEqual(MAX_CONTEXT_ENTRIES);
    expect(values(mint(minted.set, b, after.clock, written(10), { own: after.own }).set)).toEqual([6, 10]);
  });
});
