import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quorumWord } from './arbitraries.test-support.js';
import { MAX_N, parseQuorumWord, quorumWordFromByte, quorumWordToByte, resolveQuorumWord } from './quorum-word.js';

describe('quorum words', () => {
  test('a byte and back: every word and number survives, no two share a byte', () => {
    const words = ['default', 'one', 'quorum', 'all', ...Array.from({ length: MAX_N + 1 }, (_, n) => n)] as const;
    expect(new Set(words.map(quorumWordToByte)).size).toBe(words.length);
    for (const word of words) expect(quorumWordFromByte(quorumWordToByte(word))).toBe(word);
  });

  test('every byte is a word or refused', () => {
    const read = Array.from({ length: 256 }, (_, byte) => {
      try {
        return quorumWordFromByte(byte);
      } catch {
        return undefined;
      }
    });
    expect(read.filter((word) => word !== undefined)).toHaveLength(MAX_N + 5);
  });

  test('text and back: every word survives', () => {
    fc.assert(
      fc.property(quorumWord, (word) => {
        expect(parseQuorumWord('r', String(word))).toEqual({ ok: true, value: word });
      }),
    );
  });

  test.each(['', '33', '-1', '1.5', 'most', ' 2', '0x2', '999999'])('%j is no quorum', (text) => {
    const parsed = parseQuorumWord('w', text);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.error.message).toContain('w=');
  });

  test.each([
    ['one', 3, 1],
    ['quorum', 1, 1],
    ['quorum', 2, 2],
    ['quorum', 3, 2],
    ['quorum', 4, 3],
    ['quorum', 5, 3],
    ['all', 5, 5],
    ['default', 5, 4],
    [0, 3, 0],
    [3, 3, 3],
  ] as const)('%s of N=%i is %i', (word, n, expected) => {
    expect(resolveQuorumWord('r', word, n, 4)).toEqual({ ok: true, value: expected });
  });

  test('a quorum above N cannot be met, and says so', () => {
    const resolved = resolveQuorumWord('r', 4, 3, 2);
    expect(resolved.ok).toBe(false);
    if (!resolved.ok) expect(resolved.error.message).toContain('N=3');
  });

  test('two quorums of one N always overlap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_N }), (n) => {
        const quorum = resolveQuorumWord('r', 'quorum', n, 1);
        expect(quorum.ok && 2 * quorum.value > n).toBe(true);
      }),
    );
  });
});
