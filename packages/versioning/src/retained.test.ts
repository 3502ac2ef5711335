import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ACTORS, set as anySet } from './arbitrary.test-support.js';
import { retained } from './retained.js';
import { join } from './version-set.js';
import { covers } from './version-vector.js';

const trusted = fc.subarray(ACTORS).map((actors) => {
  const all = new Set(actors);
  return (actor: (typeof ACTORS)[number]) => all.has(actor);
});
const dotOf = ({ dot: { actor, counter } }: { dot: { actor: string; counter: number } }): string => `${actor}:${counter}`;

test('what is kept are the siblings of trusted actors, and a set of none but those is kept as it is', () => {
  fc.assert(
    fc.property(anySet, trusted, (whole, isTrusted) => {
      const kept = retained(whole, isTrusted);
      const ours = whole.siblings.filter(({ dot }) => isTrusted(dot.actor));
      expect(kept?.siblings ?? []).toEqual(ours);
      if (ours.length > 0 && ours.length === whole.siblings.length) expect(kept).toBe(whole);
    }),
  );
});

test('what was given up can come back from other replicas: a set from which something went hides no version of actors that are not trusted', () => {
  fc.assert(
    fc.property(anySet, anySet, trusted, (whole, other, isTrusted) => {
      const kept = retained(whole, isTrusted);
      fc.pre(kept !== undefined && kept !== whole);
      const after = join(other, kept).siblings.map(dotOf);
      for (const sibling of other.siblings) if (!isTrusted(sibling.dot.actor)) expect(after).toContain(dotOf(sibling));
    }),
  );
});

test('a kept version stays until somebody who has seen it has overwritten it', () => {
  fc.assert(
    fc.property(anySet, anySet, trusted, (whole, other, isTrusted) => {
      const kept = retained(whole, isTrusted);
      const after = kept === undefined ? [] : join(other, kept).siblings.map(dotOf);
      for (const sibling of kept?.siblings ?? []) if (!covers(other.clock, sibling.dot)) expect(after).toContain(dotOf(sibling));
    }),
  );
});
