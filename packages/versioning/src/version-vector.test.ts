import { AssertionError } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTORS, actor, coveredBy, dot, vector } from './arbitrary.test-support.js';
import type { ActorId, Dot } from './actor.js';
import {
  EMPTY_VECTOR,
  compareVersionVectors,
  counterOf,
  covers,
  descends,
  incrementVersionVector,
  mergeVersionVectors,
  partOfVector,
  versionVector,
  withDot,
  type VersionVector,
} from './version-vector.js';

/** The set of events that a vector stands for. */
const events = (vector: VersionVector): Set<string> => new Set(coveredBy(vector).map(name));
const name = ({ actor, counter }: Dot): string => `${actor}.${counter}`;
const union = <T>(a: Set<T>, b: Set<T>): Set<T> => new Set([...a, ...b]);
const includes = <T>(a: Set<T>, b: Set<T>): boolean => [...b].every((item) => a.has(item));

describe('version vectors are sets of events', () => {
  it('merge is union', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        expect(events(mergeVersionVectors(a, b))).toEqual(union(events(a), events(b)));
      }),
    );
  });

  it('merge is canonical: commutative, associative and idempotent down to the list', () => {
    fc.assert(
      fc.property(vector, vector, vector, (a, b, c) => {
        const ab = mergeVersionVectors(a, b);
        expect(ab).toEqual(mergeVersionVectors(b, a));
        expect(mergeVersionVectors(ab, c)).toEqual(mergeVersionVectors(a, mergeVersionVectors(b, c)));
        expect(mergeVersionVectors(ab, a)).toBe(ab);
        expect(ab.map((entry) => entry.actor)).toEqual([...new Set(ab.map((entry) => entry.actor))].sort());
      }),
    );
  });

  it('descends is superset, and compare tells the four cases apart', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        const after = includes(events(a), events(b));
        const before = includes(events(b), events(a));
        expect(descends(a, b)).toBe(after);
        expect(compareVersionVectors(a, b)).toBe(after && before ? 'equal' : after ? 'after' : before ? 'before' : 'concurrent');
      }),
    );
  });

  it('covers is membership; withDot adds an event and those before it', () => {
    fc.assert(
      fc.property(vector, dot, (a, d) => {
        expect(covers(a, d)).toBe(events(a).has(name(d)));
        const more = withDot(a, d);
        expect(events(more)).toEqual(union(events(a), events(versionVector([d]))));
        if (covers(a, d)) expect(more).toBe(a);
      }),
    );
  });

  it('increment adds exactly one event, of that actor', () => {
    fc.assert(
      fc.property(vector, actor, (a, who) => {
        const next = incrementVersionVector(a, who);
        expect(counterOf(next, who)).toBe(counterOf(a, who) + 1);
        expect(events(next).size).toBe(events(a).size + 1);
        expect(compareVersionVectors(next, a)).toBe('after');
      }),
    );
  });

  it('a part covers nothing that the whole does not, is as long as it may be, and has the entries asked for before others', () => {
    fc.assert(
      fc.property(vector, fc.nat(5), fc.array(dot, { maxLength: 3 }), (whole, limit, first) => {
        const part = partOfVector(whole, limit, first);
        expect(descends(whole, part)).toBe(true);
        expect(part.every((entry) => whole.includes(entry))).toBe(true);
        const wanted = [...new Set(first.map(({ actor }) => actor))].slice(0, limit).filter((one) => counterOf(whole, one) > 0);
        if (whole.length <= limit) expect(part).toBe(whole);
        else expect(part.length).toBeLessThanOrEqual(limit);
        for (const one of wanted) expect(counterOf(part, one)).toBe(counterOf(whole, one));
      }),
    );
  });

  it('arguments are not touched', () => {
    const frozen = Object.freeze(versionVector([{ actor: ACTORS[0] as ActorId, counter: 2 }])) as VersionVector;
    incrementVersionVector(frozen, ACTORS[0] as ActorId);
    mergeVersionVectors(frozen, versionVector([{ actor: ACTORS[1] as ActorId, counter: 1 }]));
    expect(counterOf(frozen, ACTORS[0] as ActorId)).toBe(2);
    expect(frozen).toHaveLength(1);
  });

  it('names of Object.prototype are ordinary actors: never seen, until they are', () => {
    const odd = ['toString', '__proto__', 'constructor'] as ActorId[];
    for (const who of odd) expect(counterOf(EMPTY_VECTOR, who)).toBe(0);
    const seen = odd.reduce(incrementVersionVector, EMPTY_VECTOR);
    expect(odd.map((who) => counterOf(seen, who))).toEqual([1, 1, 1]);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])('a counter of %d is a bug', (counter) => {
    expect(() => withDot(EMPTY_VECTOR, { actor: ACTORS[0] as ActorId, counter })).toThrow(AssertionError);
  });
});
