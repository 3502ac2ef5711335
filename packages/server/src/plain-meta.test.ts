import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headersOf } from '@armature/bus';
import { META_HEADER } from './plain-headers.js';
import { headersOfMeta, metaOfHeaders } from './plain-meta.js';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'A', ' ', '%', '\n', '\r', ':', 'é', '2', '5') }),
);

/** As client libraries do: headers arrive with names in some case, values without white space at the ends. */
function overTheBus(
  meta: readonly (readonly [string, string])[],
  anyCase: (name: string) => string,
): (readonly [string, string])[] {
  return [...headersOf(Object.fromEntries(headersOfMeta(meta)))].map(([name, values]) => {
    const lower = anyCase(name).toLowerCase();
    return [lower === 'content-type' ? lower : lower.slice(META_HEADER.length), values[0] ?? ''];
  });
}

test('metadata of any text comes back as it was, by headers of printable ASCII, in whatever case they arrive', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 4 }),
      fc.boolean(),
      (meta, upper) => {
        const back = overTheBus(meta, (name) => (upper ? name.toUpperCase() : name));
        expect(metaOfHeaders(back)).toEqual(meta);
        for (const [name, value] of headersOfMeta(meta)) {
          expect(name).toMatch(/^[!-9;-~]+$/);
          expect(value).toMatch(/^[\x20-\x7e]*$/);
        }
      },
    ),
  );
});

test('what is plain stays readable, and is sent as it is', () => {
  const meta = [
    ['content-type', 'text/plain; charset=utf-8'],
    ['owner', 'Alice B.'],
  ] as const;
  expect(headersOfMeta(meta)).toEqual([
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Armature-Meta-owner', 'Alice B.'],
  ]);
  expect(metaOfHeaders([['city', 'Köln']])).toEqual([['city', 'Köln']]); // UTF-8 need not be escaped
});

test.each(['50%', '%4', '%zz', '%ff', 'caf\ufffd', '\ud800'])('%j is not escaped as it must be: refused', (value) => {
  expect(() => metaOfHeaders([['x', value]])).toThrow(expect.objectContaining({ code: 'invalid-argument' }) as Error);
  expect(() => metaOfHeaders([[value, 'x']])).toThrow(expect.objectContaining({ code: 'invalid-argument' }) as Error);
});
