import { HLC_ZERO, hlcFromMs, type Hlc } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDots, type ActorId, type Dot } from './actor.js';
import { ACTORS, operation, set, versionOf } from './arbitrary.test-support.js';
import { nextTimestamp, receiveTimestamps, resolve, resolveLastWriteWins } from './resolvers.js';
import { tombstoneVersion, valueVersion } from './version.js';
import {
  EMPTY_CONTEXT,
  contextOf,
  emptyVersionSet,
  isDeleted,
  join,
  latestTimestamp,
  mint,
  versionSet,
  type VersionSet,
} from './version-set.js';
import { EMPTY_VECTOR } from './version-vector.js';

const [a, b, c] = ACTORS as [ActorId, ActorId, ActorId];
const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const dots = (set: VersionSet): string[] => set.siblings.map(({ dot }) => `${ACTORS.indexOf(dot.actor)}.${dot.counter}`);
const written = (at: number, n: number) => valueVersion({ value: Uint8Array.of(n), at: at as Hlc, operation: operation(n) });

describe('last write wins', () => {
  it('keeps the sibling with the greatest (at, dot), and the whole clock', () => {
    fc.assert(
      fc.property(set, (any) => {
        const resolved = resolveLastWriteWins(any);
        const best = any.siblings.toSorted((x, y) => x.version.at - y.version.at || compareDots(x.dot, y.dot)).at(-1);
        expect(resolved.siblings).toEqual(best === undefined ? [] : [best]);
        expect(resolved.clock).toBe(any.clock);
        expect(resolveLastWriteWins(resolved)).toBe(resolved);
      }),
    );
  });

  it('a bucket that keeps siblings gets its set back untouched', () => {
    fc.assert(fc.property(set, (any) => resolve('siblings', any) === any));
  });

  it('a tombstone that is last wins like any write', () => {
    const value = mint(emptyVersionSet, a, EMPTY_VECTOR, written(5, 1)).set;
    const both = mint(value, b, EMPTY_VECTOR, tombstoneVersion({ at: 6 as Hlc, operation: operation(2) })).set;
    expect(isDeleted(resolve('last-write-wins', both))).toBe(true);
  });

  it('equal timestamps: the greater dot wins, at every replica', () => {
    const x = mint(emptyVersionSet, a, EMPTY_VECTOR, written(5, 1)).set;
    const y = mint(emptyVersionSet, b, EMPTY_VECTOR, written(5, 2)).set;
    expect(dots(resolveLastWriteWins(join(x, y)))).toEqual(['1.1']);
    expect(dots(resolveLastWriteWins(join(y, x)))).toEqual(['1.1']);
  });

  it('without timestamps that exceed those they supersede, pruning is not associative: the condition is needed', () => {
    const x = mint(emptyVersionSet, a, EMPTY_VECTOR, written(10, 1)).set;
    const superseding = mint(x, b, x.clock, written(5, 2)).set; // a clock five behind
    const concurrent = mint(emptyVersionSet, c, EMPTY_VECTOR, written(7, 3)).set;
    const merge = (p: VersionSet, q: VersionSet): VersionSet => resolveLastWriteWins(join(p, q));
    expect(dots(merge(merge(x, concurrent), superseding))).not.toEqual(dots(merge(x, merge(concurrent, superseding))));
  });
});

describe('nextTimestamp', () => {
  const ms = fc.integer({ min: 0, max: 50_000 });

  it('exceeds the node clock, everything stored and everything the context saw, and is not behind the wall', () => {
    fc.assert(
      fc.property(set, ms, ms, (local, lastOffsetMs, contextOffsetMs) => {
        const last = hlcFromMs(NOW_MS - lastOffsetMs);
        const context = { at: hlcFromMs(NOW_MS + contextOffsetMs) };
        const { at } = nextTimestamp(last, local, context, NOW_MS);
        for (const lower of [last, latestTimestamp(local), context.at, hlcFromMs(NOW_MS) - 1]) expect(at).toBeGreaterThan(lower);
      }),
    );
  });

  it('a put over what a wrong clock has written is stamped right behind that, blind or with a context, and leaves the node clock where it was', () => {
    const ahead = mint(emptyVersionSet, a, EMPTY_VECTOR, written(hlcFromMs(NOW_MS + HOUR_MS), 1)).set;
    const last = hlcFromMs(NOW_MS + 5);
    const asEver = nextTimestamp(last, emptyVersionSet, EMPTY_CONTEXT, NOW_MS).last;
    for (const [local, context] of [
      [ahead, EMPTY_CONTEXT] as const,
      [ahead, contextOf(ahead)] as const,
      [emptyVersionSet, contextOf(ahead)] as const,
    ])
      expect(nextTimestamp(last, local, context, NOW_MS)).toEqual({ at: latestTimestamp(ahead) + 1, last: asEver });
  });

  it('a node whose own clock was ahead and has been set back goes on from what its wall clock shows', () => {
    const next = nextTimestamp(hlcFromMs(NOW_MS + HOUR_MS), emptyVersionSet, EMPTY_CONTEXT, NOW_MS);
    expect(next).toEqual({ at: hlcFromMs(NOW_MS), last: hlcFromMs(NOW_MS) });
  });

  it('one wrong clock infects no other key: whatever is exchanged, nodes with right clocks stamp other keys as if it were not there', () => {
    const wrongMs = fc.constantFrom(61_000, HOUR_MS, 300 * 365 * 24 * HOUR_MS);
    const step = fc.record({ node: fc.nat(2), key: fc.nat(2), isPut: fc.boolean(), from: fc.nat(2) });
    fc.assert(
      fc.property(wrongMs, fc.array(step, { maxLength: 40 }), (aheadMs, steps) => {
        // The node with the wrong clock writes the first key only.
        const play = (): Hlc[][] => {
          const clocks: Hlc[] = [HLC_ZERO, HLC_ZERO, HLC_ZERO];
          const held: VersionSet[][] = clocks.map(() => [emptyVersionSet, emptyVersionSet, emptyVersionSet]);
          const stamps: Hlc[][] = [[], [], []];
          for (const [i, { node, key, isPut, from }] of steps.entries()) {
            const nowMs = NOW_MS + i + (node === 0 ? aheadMs : 0);
            const keys = held[node]!;
            if (isPut && (node !== 0 || key === 0)) {
              const { at, last } = nextTimestamp(clocks[node]!, keys[key]!, EMPTY_CONTEXT, nowMs);
              clocks[node] = last;
              keys[key] = mint(keys[key]!, ACTORS[node]!, EMPTY_VECTOR, written(at, i)).set;
              stamps[key]!.push(at);
            } else if (!isPut) {
              clocks[node] = receiveTimestamps(clocks[node]!, held[from]![key]!, nowMs);
              keys[key] = resolveLastWriteWins(join(keys[key]!, held[from]![key]!));
            }
          }
          return stamps;
        };
        const withinMs = NOW_MS + steps.length;
        for (const at of play().slice(1).flat()) expect(at).toBeLessThan(hlcFromMs(withinMs) + 1_024);
      }),
    );
  });
});

describe('receiveTimestamps', () => {
  const dot: Dot = { actor: a, counter: 1 };
  const setAt = (at: Hlc): VersionSet => mint(emptyVersionSet, a, EMPTY_VECTOR, { ...versionOf(dot), at }).set;

  it('moves the node clock up to what arrived, never back', () => {
    const incoming = setAt(hlcFromMs(NOW_MS + 5));
    expect(receiveTimestamps(HLC_ZERO, incoming, NOW_MS)).toBe(hlcFromMs(NOW_MS + 5));
    expect(receiveTimestamps(hlcFromMs(NOW_MS + 9), incoming, NOW_MS)).toBe(hlcFromMs(NOW_MS + 9));
    expect(receiveTimestamps(HLC_ZERO, versionSet(incoming.clock, []), NOW_MS)).toBe(HLC_ZERO);
  });

  it('a version from far ahead does not move it', () => {
    expect(receiveTimestamps(HLC_ZERO, setAt(hlcFromMs(NOW_MS + 60_001)), NOW_MS)).toBe(HLC_ZERO);
    expect(receiveTimestamps(HLC_ZERO, setAt(hlcFromMs(NOW_MS + 60_000)), NOW_MS)).toBe(hlcFromMs(NOW_MS + 60_000));
  });
});

describe('a put over a version from a clock that is ahead', () => {
  it('is what is left, in every order of delivery, whether it had read that version or found it stored', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 61_000, max: 50 * 365 * 24 * HOUR_MS }),
        fc.boolean(),
        (hasRead, aheadMs, isRepeated) => {
          const ahead = mint(emptyVersionSet, a, EMPTY_VECTOR, written(hlcFromMs(NOW_MS + aheadMs), 1)).set;
          const context = hasRead ? contextOf(ahead) : EMPTY_CONTEXT;
          const { at } = nextTimestamp(HLC_ZERO, ahead, context, NOW_MS);
          const later = resolveLastWriteWins(mint(ahead, b, context.clock, written(at, 2)).set);
          const blind = mint(
            emptyVersionSet,
            c,
            EMPTY_VECTOR,
            written(nextTimestamp(HLC_ZERO, emptyVersionSet, EMPTY_CONTEXT, NOW_MS).at, 3),
          ).set;
          const sets = [ahead, later, blind, ...(isRepeated ? [ahead, blind] : [])];
          const merge = (all: readonly VersionSet[]): VersionSet =>
            all.reduce((p, q) => resolveLastWriteWins(join(p, q)), emptyVersionSet);
          const first = merge(sets);
          expect(first.siblings.map(({ version }) => version.value)).toEqual([Uint8Array.of(2)]);
          for (const order of [sets.toReversed(), [later, blind, ahead], [blind, ahead, later], [ahead, blind, later]])
            expect(merge(order)).toEqual(first);
        },
      ),
    );
  });
});
