import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatClaim, isAnswer, judge, parseClaim, type Claim } from './name-claim.js';

const [KEY, OTHER] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;

const claim: fc.Arbitrary<Claim> = fc.record({
  address: fc.constant('node.n1'),
  session: fc.constantFrom('a', 'b', 'c'),
  isOurs: fc.constantFrom(true, true, true, false),
  asks: fc.constantFrom('', 'q1'),
  answers: fc.constantFrom('', 'q0'),
  ageMs: fc.integer({ min: 0, max: 10_000 }),
  isUp: fc.boolean(),
  host: fc.string({ maxLength: 20 }),
  pid: fc.integer({ min: 0 }),
  startedAt: fc.constant('2026-01-01T00:00:00.000Z'),
});

test('of two of one name exactly one goes, when both are judged at one moment', () => {
  fc.assert(
    fc.property(claim, claim, (a, b) => {
      fc.pre(a.session !== b.session && a.isOurs && b.isOurs);
      expect([judge(a, b), judge(b, a)].toSorted()).toEqual(['goes', 'stays']);
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
        fc.pre(a.session !== b.session && a.isOurs && b.isOurs);
        // Each has grown older by the time at which the word of the other arrives.
        const verdictOfA = judge({ ...a, ageMs: a.ageMs + backMs }, b);
        const verdictOfB = judge({ ...b, ageMs: b.ageMs + thereMs }, a);
        expect([verdictOfA, verdictOfB]).not.toEqual(['stays', 'stays']);
        if (a.isUp && !b.isUp) expect(verdictOfA).toBe('goes');
      },
    ),
  );
});

test('an older process goes on, and among equally old ones the verdict is the same on both sides', () => {
  const own: Claim = {
    address: 'node.n1',
    session: 'a',
    isOurs: true,
    asks: '',
    answers: '',
    ageMs: 60_000,
    isUp: true,
    host: 'h',
    pid: 1,
    startedAt: '',
  };
  expect(judge(own, { ...own, session: 'b', ageMs: 57_000 })).toBe('goes');
  expect(judge(own, { ...own, session: 'b', ageMs: 63_000 })).toBe('stays');
  expect(judge(own, { ...own, session: 'b', ageMs: 61_000 })).toBe('goes');
  expect(judge({ ...own, session: 'b' }, own)).toBe('stays');
  expect(judge(own, own)).toBe('self');
  expect(judge(own, { ...own, session: 'b', isOurs: false, ageMs: 90_000 })).toBe('stranger');
});

test('a claim survives the way over the bus, and whatever is none is taken for none', () => {
  fc.assert(
    fc.property(claim, (one) => {
      expect(parseClaim(formatClaim(one, [KEY]), [OTHER, KEY])).toEqual({ ...one, isOurs: true });
      expect(parseClaim(formatClaim(one, [KEY, OTHER]), [OTHER])).toEqual({ ...one, isOurs: false });
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (noise) => {
        expect(parseClaim(noise, [KEY])).toBeUndefined();
      },
    ),
  );
  expect(parseClaim(Buffer.from(`{"session":"${'x'.repeat(2_000)}"}`), [KEY])).toBeUndefined();
});

test('a claim in which anything was changed is not one of ours, however it was made', () => {
  fc.assert(
    fc.property(claim, fc.nat(), (one, place) => {
      const bytes = formatClaim(one, [KEY]);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] as number) ^ 1;
      expect(parseClaim(bytes, [KEY])?.isOurs ?? false).toBe(false);
    }),
  );
});

test('an answer is what somebody of ours says to this very question', () => {
  fc.assert(
    fc.property(claim, (one) => {
      const said = parseClaim(formatClaim({ ...one, answers: 'q1' }, [KEY]), [KEY]) as Claim;
      expect([isAnswer(said, 'q1'), isAnswer(said, 'q2')]).toEqual([true, false]);
      expect(isAnswer(parseClaim(formatClaim({ ...one, answers: 'q1' }, [OTHER]), [KEY]) as Claim, 'q1')).toBe(false);
    }),
  );
});
