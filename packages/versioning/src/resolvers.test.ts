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
        const next = nextTimestamp(last, local, context, NOW_MS);
        expect(next.ok).toBe(true);
        if (next.ok)
          for (const lower of [last, latestTimestamp(local), context.at, hlcFromMs(NOW_MS) - 1])
            expect(next.value).toBeGreaterThan(lower);
      }),
    );
  });

  it('a context from far ahead is refused with a remedy, and one from just within the limit is not', () => {
    const refused = nextTimestamp(HLC_ZERO, emptyVersionSet, { at: hlcFromMs(NOW_MS + 60_001) }, NOW_MS);
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    if (!refused.ok) expect(refused.error.remedy).toContain('NTP');
    expect(nextTimestamp(HLC_ZERO, emptyVersionSet, { at: hlcFromMs(NOW_MS + 60_000) }, NOW_MS).ok).toBe(true);
  });

  it('a key whose stored timestamp is far ahead stays writable, blind or with a context', () => {
    const ahead = mint(emptyVersionSet, a, EMPTY_VECTOR, written(hlcFromMs(NOW_MS + 3_600_000), 1)).set;
    for (const context of [EMPTY_CONTEXT, contextOf(ahead)]) {
      const next = nextTimestamp(HLC_ZERO, ahead, context, NOW_MS);
      expect(next).toEqual({ ok: true, value: latestTimestamp(ahead) + 1 });
    }
  });
});

describe('receiveTimestamps', () => {
  const dot: Dot = { actor: a, counter: 1 };
  const setAt = (at: Hlc): VersionSet => mint(emptyVersionSet, a, EMPTY_VECTOR, { ...versionOf(dot), at }).set;

  it('moves the node clock up to what arrived, never back', () => {
    const incoming = setAt(hlcFromMs(NOW_MS + 5));
    expect(receiveTimestamps(HLC_ZERO, incoming, NOW_MS)).toEqual({ ok: true, value: hlcFromMs(NOW_MS + 5) });
    expect(receiveTimestamps(hlcFromMs(NOW_MS + 9), incoming, NOW_MS)).toEqual({ ok: true, value: hlcFromMs(NOW_MS + 9) });
    expect(receiveTimestamps(HLC_ZERO, versionSet(incoming.clock, []), NOW_MS)).toEqual({ ok: true, value: HLC_ZERO });
  });

  it('refuses a version from far ahead', () => {
    expect(receiveTimestamps(HLC_ZERO, setAt(hlcFromMs(NOW_MS + 60_001)), NOW_MS)).toMatchObject({
      ok: false,
      error: { code: 'invalid-argument' },
    });
  });
});
