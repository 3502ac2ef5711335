import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasWildcard, parseSubject, subjectMatches, subjectOf } from './subject.js';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/);
const tokens = fc.array(token, { minLength: 1, maxLength: 5 });

describe('subjects', () => {
  test('subjectOf: joins tokens, and parseSubject takes them apart again', () => {
    fc.assert(
      fc.property(tokens, (parts) => {
        const subject = subjectOf(...parts);
        expect(parseSubject(subject)).toEqual({ ok: true, value: parts });
        expect(hasWildcard(subject)).toBe(false);
      }),
    );
  });

  test.each(['', 'a.b', '*', '>', 'a b', 'a\u0000', 'ä', 'a\r\nPUB x'])('subjectOf: refuses %j as a token', (bad) => {
    expect(() => subjectOf('ok', bad)).toThrow(/subject token/);
  });

  test.each(['', '.', 'a.', '.a', 'a..b', 'a.*', 'a.>', 'a b'])('parseSubject: %j is an error', (bad) => {
    expect(parseSubject(bad).ok).toBe(false);
  });

  test('subjectMatches: replacing any token by * still matches, as does any tail by >', () => {
    fc.assert(
      fc.property(tokens, fc.nat(), (parts, n) => {
        const i = n % parts.length;
        const subject = parts.join('.');
        expect(subjectMatches(subject, subject)).toBe(true);
        expect(subjectMatches(parts.map((part, k) => (k === i ? '*' : part)).join('.'), subject)).toBe(true);
        expect(subjectMatches([...parts.slice(0, i), '>'].join('.'), subject)).toBe(true);
        expect(subjectMatches([...parts, '>'].join('.'), subject)).toBe(false);
        expect(subjectMatches([...parts, '*'].join('.'), subject)).toBe(false);
        expect(subjectMatches(parts.map(() => '*').join('.'), `${subject}.more`)).toBe(false);
      }),
    );
  });
});
