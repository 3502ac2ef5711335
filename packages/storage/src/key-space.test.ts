import type { BinaryString } from '@armature/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSpaceKey, spaceBounds, spaceKey, spacePrefixBounds, type Space } from './key-space.js';

const SPACES: readonly Space[] = ['data', 'reapable', 'hints', 'meta'];
const binary = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1') as BinaryString);
const space = fc.constantFrom(...SPACES);
const within = (stored: string, bounds: { start: string; end: string }): boolean => stored >= bounds.start && stored < bounds.end;

test('a stored key tells its space and key, and lies in the bounds of its space only', () => {
  fc.assert(
    fc.property(space, binary, (own, key) => {
      const stored = spaceKey(own, key);
      expect(parseSpaceKey(stored)).toEqual({ space: own, key });
      for (const other of SPACES) expect(within(stored, spaceBounds(other))).toBe(other === own);
    }),
  );
});

test('bounds of a range in a space hold exactly the stored keys of that range', () => {
  fc.assert(
    fc.property(space, space, binary, binary, binary, (own, other, key, start, end) => {
      expect(within(spaceKey(other, key), spaceBounds(own, start, end))).toBe(other === own && key >= start && key < end);
    }),
  );
});

test('bounds of a prefix hold exactly the stored keys that begin with it', () => {
  const prefix = fc.array(fc.constantFrom('a', '\xfe', '\xff'), { maxLength: 3 }).map((chars) => chars.join(''));
  fc.assert(
    fc.property(space, prefix, prefix, binary, (own, wanted, head, tail) => {
      const key = head + tail;
      expect(within(spaceKey(own, key), spacePrefixBounds(own, wanted))).toBe(key.startsWith(wanted));
    }),
  );
});

test('a key of no space is told apart', () => {
  expect(parseSpaceKey('' as BinaryString)).toBeUndefined();
  expect(parseSpaceKey('x' as BinaryString)).toBeUndefined();
});
