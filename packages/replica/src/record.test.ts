import { bytesEqual } from '@armature/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openRecord, sealRecord } from './record.js';

const set = fc.uint8Array({ maxLength: 200 });

test('what is sealed is opened, and lives apart from what it was sealed from', () => {
  fc.assert(
    fc.property(set, (bytes) => {
      const source = Uint8Array.from(bytes);
      const record = sealRecord(source);
      source.fill(0xee);
      expect(bytesEqual(openRecord(record) as Uint8Array, bytes)).toBe(true);
    }),
  );
});

test('each single flipped bit is noticed', () => {
  const record = sealRecord(Uint8Array.from({ length: 100 }, (_, i) => i));
  for (let bit = 0; bit < record.length * 8; bit++) {
    const flipped = Uint8Array.from(record);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    if (openRecord(flipped) !== undefined) throw new Error(`bit ${bit} went unnoticed`);
  }
});

test('a record that was cut, lengthened or never was one is not opened', () => {
  fc.assert(
    fc.property(set, fc.nat(), (bytes, n) => {
      const record = sealRecord(bytes);
      expect(openRecord(record.subarray(0, n % record.length))).toBeUndefined();
      expect(openRecord(Buffer.concat([record, Buffer.from([n & 0xff])]))).toBeUndefined();
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ minLength: 6, maxLength: 40 }), (bytes) => openRecord(bytes) === undefined));
});
