import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatClaim, judge, parseClaim, type Claim, type Judgement } from './name-claim.js';

const claim: fc.Arbitrary<Claim> = fc.record({
  address: fc.constant('node.n1'),
  session: fc.constantFrom('a', 'b', 'c'),
  mark: fc.constantFrom(1, 1, 1, 2),
  ageMs: fc.integer({ min: 0, max: 10_000 }),
  isUp: fc.boolean(),
  host: fc.string({ maxLength: 20 }),
  pid: fc.integer({ min: 0 }),
  startedAt: fc.constant('2026-01-01T00:00:00.000Z'),
});

/** By a process that holds one secret. */
const judged = (own: Claim, other: Claim): Judgement => judge(own, other, (mark) => mark === own.mark);

test('of two of one name exactly one goes, when both are judged at one moment', () => {
  fc.assert(
    fc.property(claim, claim, (a, b) => {
      fc.pre(a.session !== b.session && a.mark === b.mark);
      expect([judged(a, b), judged(b, a)].toSorted()).toEqual(['goes', 'stays']);
    }),
  );
});

test('however long messages were on their way, never do both go; and whoever runs never gives way to one that is just starting', () => {
  fc.assert(
    fc.property(
      claim,
      claim,
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 0, max: 60_000 }),
      (a, b, thereMs, backMs) => {
        fc.pre(a.session !== b.session && a.mark === b.mark);
        // Each has grown older by the time at which the word of the other arrives.
        const verdictOfA = judged({ ...a, ageMs: a.ageMs + backMs }, b);
        const verdictOfB = judged({ ...b, ageMs: b.ageMs + thereMs }, a);
        expect([verdictOfA, verdictOfB]).not.toEqual(['stays', 'stays']);
        if (a.isUp && !b.isUp) expect(verdictOfA).toBe('goes');
      },
    ),
  );
});

test('an older process goes on, and among equally old ones the verdict is the same on both sides', () => {
  const own: Claim = { address: 'node.n1', session: 'a', mark: 1, ageMs: 60_000, isUp: true, host: 'h', pid: 1, startedAt: '' };
  expect(judged(own, { ...own, session: 'b', ageMs: 57_000 })).toBe('goes');
  expect(judged(own, { ...own, session: 'b', ageMs: 63_000 })).toBe('stays');
  expect(judged(own, { ...own, session: 'b', ageMs: 61_000 })).toBe('goes');
  expect(judged({ ...own, session: 'b' }, own)).toBe('stays');
  expect(judged(own, own)).toBe('self');
  expect(judged(own, { ...own, session: 'b', mark: 2, ageMs: 90_000 })).toBe('stranger');
  const holdsBoth = (mark: number): boolean => mark <= 2;
  expect(judge(own, { ...own, session: 'b', mark: 2, ageMs: 90_000 }, holdsBoth)).toBe('stays');
});

test('a claim survives the way over the bus, and whatever is none is taken for none', () => {
  fc.assert(
    fc.property(claim, (one) => {
      expect(parseClaim(formatClaim(one))).toEqual(one);
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (noise) => {
        expect(parseClaim(noise)).toBeUndefined();
      },
    ),
  );
  expect(parseClaim(Buffer.from(`{"session":"${'x'.repeat(2_000)}"}`))).toBeUndefined();
});
