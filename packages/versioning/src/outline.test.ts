import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { set } from './arbitrary.test-support.js';
import {
  decodeVersionSet,
  encodeVersionSet,
  join,
  liveSiblings,
  outlineOf,
  resolve,
  RESOLVERS,
  type VersionSet,
} from './index.js';

function outline(of: VersionSet): VersionSet {
  const decoded = decodeVersionSet(outlineOf(encodeVersionSet(of)) ?? new Uint8Array(0));
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

  it('hold neither values nor metadata', () => {
    fc.assert(
      fc.property(set, (any) => {
        for (const { version } of outline(any).siblings) expect([version.value.length, version.meta.length]).toEqual([0, 0]);
      }),
    );
  });

  it('of bytes that are no version set there is none', () => {
    expect(outlineOf(Uint8Array.of(9, 9))).toBeUndefined();
  });
});
