import { createHash } from 'node:crypto';
import {
  type BinaryString,
  type BucketName,
  bytesEqual,
  compareBytes,
  fromBinaryString,
  MAX_KEY_BYTES,
  toBinaryString,
  unwrap,
} from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressOf,
  bucketOfAddress,
  keyOfAddress,
  parseAddress,
  POSITION_BYTES,
  positionOf,
  positionOfAddress,
  rangeContains,
  RING_START,
  verifyAddress,
  WHOLE_RING,
} from './position.js';

const buckets = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/).map((text) => text as BucketName);
const keys = fc.uint8Array({ maxLength: 200 });

describe('position', () => {
  test('is the MD5 of the length-prefixed bucket and the key', () => {
    const bucket = 'carts' as BucketName;
    const key = Buffer.from('user:17');
    const expected = createHash('md5')
      .update(Buffer.concat([Buffer.from([5]), Buffer.from('carts'), key]))
      .digest();
    expect(bytesEqual(positionOf(bucket, key), expected)).toBe(true);
    expect(positionOf(bucket, key)).toHaveLength(POSITION_BYTES);
  });

  test('bucket and key do not run into one another', () => {
    expect(bytesEqual(positionOf('ab' as BucketName, Buffer.from('c')), positionOf('a' as BucketName, Buffer.from('bc')))).toBe(
      false,
    );
  });

  test('keys that differ in their last byte only land evenly all over the ring', () => {
    const perSixteenth = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const sixteenth = (positionOf('b' as BucketName, Buffer.from(`key-${i}`))[0] as number) >> 4;
      perSixteenth[sixteenth] = (perSixteenth[sixteenth] as number) + 1;
    }
    // Five standard deviations of a binomial with mean 1000.
    for (const count of perSixteenth) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });
});

describe('address', () => {
  test('parse and verify give back position, bucket and key', () => {
    fc.assert(
      fc.property(buckets, keys, (bucket, key) => {
        const address = addressOf(bucket, key);
        for (const parsed of [unwrap(parseAddress(address)), unwrap(verifyAddress(address))]) {
          expect(parsed.bucket).toBe(bucket);
          expect(bytesEqual(parsed.key, key)).toBe(true);
          expect(bytesEqual(parsed.position, positionOf(bucket, key))).toBe(true);
        }
        expect(bucketOfAddress(address)).toBe(bucket);
        expect(bytesEqual(keyOfAddress(address), key)).toBe(true);
        expect(bytesEqual(positionOfAddress(address), positionOf(bucket, key))).toBe(true);
      }),
    );
  });

  test('string order is the order of positions', () => {
    fc.assert(
      fc.property(buckets, keys, buckets, keys, (bucketA, keyA, bucketB, keyB) => {
        const byPosition = compareBytes(positionOf(bucketA, keyA), positionOf(bucketB, keyB));
        fc.pre(byPosition !== 0);
        expect(addressOf(bucketA, keyA) < addressOf(bucketB, keyB)).toBe(byPosition < 0);
      }),
    );
  });

  test('parse: any bytes give a result or an invalid-argument, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const parsed = parseAddress(toBinaryString(bytes));
        if (parsed.ok) expect(parsed.value.bucket.length + parsed.value.key.length + POSITION_BYTES + 1).toBe(bytes.length);
        else expect(parsed.error.code).toBe('invalid-argument');
      }),
    );
  });

  test('parse: every proper prefix that cuts the header is refused', () => {
    const address = addressOf('carts' as BucketName, Buffer.from('k'));
    for (let length = 0; length < POSITION_BYTES + 1 + 5; length++)
      expect(parseAddress(address.slice(0, length) as BinaryString).ok).toBe(false);
    expect(parseAddress(address.slice(0, POSITION_BYTES + 1 + 5) as BinaryString).ok).toBe(true);
  });

  test('parse: a key one byte over the limit is refused, one at the limit is not', () => {
    const atLimit = addressOf('b' as BucketName, new Uint8Array(MAX_KEY_BYTES));
    expect(parseAddress(atLimit).ok).toBe(true);
    expect(parseAddress(`${atLimit}x` as BinaryString).ok).toBe(false);
  });

  test('parse: a bucket outside the alphabet is refused', () => {
    const bytes = Buffer.from(fromBinaryString(addressOf('carts' as BucketName, Buffer.from('k'))));
    bytes[POSITION_BYTES + 1] = 0x2e;
    expect(parseAddress(toBinaryString(bytes)).ok).toBe(false);
  });

  test('verify: any flipped bit is found', () => {
    fc.assert(
      fc.property(buckets, keys, fc.nat(), fc.nat(7), (bucket, key, at, bit) => {
        const bytes = Buffer.from(fromBinaryString(addressOf(bucket, key)));
        const index = at % bytes.length;
        bytes[index] = (bytes[index] as number) ^ (1 << bit);
        expect(verifyAddress(toBinaryString(bytes)).ok).toBe(false);
      }),
    );
  });
});

describe('ranges of positions', () => {
  test('half-open: the start is inside, the end is not', () => {
    const at = (byte: number): BinaryString => (String.fromCharCode(byte) + RING_START.slice(1)) as BinaryString;
    const range = { start: at(0x40), end: at(0x80) };
    expect(rangeContains(range, at(0x40))).toBe(true);
    expect(rangeContains(range, at(0x7f))).toBe(true);
    expect(rangeContains(range, at(0x80))).toBe(false);
    expect(rangeContains(range, at(0x3f))).toBe(false);
  });

  test('the whole ring contains every address', () => {
    fc.assert(fc.property(buckets, keys, (bucket, key) => rangeContains(WHOLE_RING, addressOf(bucket, key))));
  });
});
