import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOfAddress } from '@armature/ring';
import type { BucketName } from '@armature/kernel';
import { json, utf8 } from './codec.js';
import { addressOfKey, metaWith } from './key.js';

const BUCKET = 'default' as BucketName;
const anyText = fc.string({ unit: 'binary', minLength: 1 });

describe('text', () => {
  test('of two different texts, none shares a key with the other: it has its own, or is refused', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0xd7fe, max: 0xe001 }), { minLength: 1, maxLength: 3 }), anyText, (units, other) => {
        const text = String.fromCharCode(...units);
        if (!text.isWellFormed()) {
          expect(() => addressOfKey(BUCKET, text)).toThrow('half a surrogate pair');
          expect(() => utf8.encode(text)).toThrow('half a surrogate pair');
        } else {
          expect(Buffer.from(keyOfAddress(addressOfKey(BUCKET, text))).toString('utf8')).toBe(text);
          if (other.isWellFormed() && other !== text) {
            expect(addressOfKey(BUCKET, text)).not.toBe(addressOfKey(BUCKET, other));
          }
        }
      }),
    );
  });

  test('a value that is no UTF-8 is no text: decoding fails, where reading and writing it back would change it', () => {
    const latin1 = Uint8Array.of(0x67, 0x72, 0xfc);
    expect(() => utf8.decode(latin1)).toThrow('not UTF-8');
    expect(() => json().decode(Uint8Array.of(0x22, 0xfc, 0x22))).toThrow('not UTF-8');
    expect(utf8.decode(utf8.encode('\ufeffgr\ufffd'))).toBe('\ufeffgr\ufffd');
    expect(json().decode(json().encode(['\ud800']))).toEqual(['\ud800']); // JSON escapes it
  });
});

test('metadata that UTF-8 cannot express is refused before it is encoded', () => {
  expect(metaWith('a/b', undefined)).toEqual([['content-type', 'a/b']]);
  expect(metaWith('a/b', { x: 'é\n' })).toEqual([
    ['content-type', 'a/b'],
    ['x', 'é\n'],
  ]);
  expect(() => metaWith('a/b', { x: '\ud800' })).toThrow('half a surrogate pair');
  expect(() => metaWith('a/b', { '\ud800': 'x' })).toThrow('half a surrogate pair');
});
