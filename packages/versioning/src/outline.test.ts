import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { set } from './arbitrary.test-support.js';
import { decodeVersionSet, encodeVersionSet } from './codec.js';
import { encodedOutlineOf, outlinedBytes } from './outline.js';
import { resolve, RESOLVERS } from './resolvers.js';
import { join, liveSiblings, type VersionSet } from './version-set.js';

function outline(of: VersionSet): VersionSet {
  const decoded = decodeVersionSet(encodedOutlineOf(encodeVersionSet(of)) ?? new Uint8Array(0));
  if (!decoded.ok) throw decoded.error;
  return decoded.value;
}

describe('outlines', () => {
  it.each(RESOLVERS)('%s: joined, they say which siblings are live just as the sets do', (resolver) => {
    const dots = (sets: readonly [VersionSet, VersionSet]): unknown =>
      liveSiblings(resolve(resolver, join(...sets))).map(({ dot, version: { at, operation } }) => ({ dot, at, operation }));
    fc.assert(
      fc.property(set, set, (a, b) => {
        expect(dots([outline(a), outline(b)])).toEqual(dots([a, b]));
      }),
      { numRuns: 2_000 },
    );
  });

  it('hold the sizes of values instead of values, and no metadata', () => {
    fc.assert(
      fc.property(set, (any) => {
        const sizes = any.siblings.map(({ version }) => version.value.length);
        expect(outline(any).siblings.map(({ version }) => outlinedBytes(version))).toEqual(sizes);
        for (const { version } of outline(any).siblings) {
          expect(version.meta).toEqual([]);
          expect(version.value.length).toBe(version.tombstone ? 0 : 4);
        }
      }),
    );
  });

  it('of bytes that are no version set there is none', () => {
    expect(encodedOutlineOf(Uint8Array.of(9, 9))).toBeUndefined();
  });
});
