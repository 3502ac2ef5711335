import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clipped, quoted } from './quoted.js';

describe('a text that an error quotes', () => {
  it('is shown whole where it is short, with its blanks and control characters visible', () => {
    expect(quoted(' n\n4')).toBe('" n\\n4"');
    expect(clipped('n4')).toBe('n4');
  });

  it('is cut after 80 characters, and says so', () => {
    expect(quoted('x'.repeat(81))).toBe(`"${'x'.repeat(80)}…"`);
    expect(clipped('x'.repeat(80))).toBe('x'.repeat(80));
  });

  it('never takes more than a line of the error, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        // A control character or half of a pair is six characters in JSON.
        expect(quoted(text).length).toBeLessThanOrEqual(81 * 6 + 2);
        expect(quoted(text)).not.toMatch(/[\r\n]/);
      }),
    );
  });
});
