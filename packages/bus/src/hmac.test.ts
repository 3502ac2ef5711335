import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from './hmac.js';

const reference = (key: Uint8Array, message: Uint8Array): string => createHmac('sha256', key).update(message).digest('hex');

test('it is HMAC-SHA-256 of the part asked for, whatever was hashed before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 300 }), fc.nat(), (key, message, cut) => {
      const end = cut % (message.length + 1);
      const mac = Buffer.from(new HmacKey(key).of(message, end), 'latin1').toString('hex');
      expect(mac).toBe(reference(key, message.subarray(0, end)));
    }),
  );
});

test.each([65_535, 65_536, 65_537, 300_000])('a message of %d bytes too', (size) => {
  const message = new Uint8Array(size).fill(7);
  const key = new Uint8Array(32).fill(9);
  expect(Buffer.from(new HmacKey(key).of(message), 'latin1').toString('hex')).toBe(reference(key, message));
});

test('the example of RFC 4231, case 2', () => {
  const mac = new HmacKey(Buffer.from('Jefe')).of(Buffer.from('what do ya want for nothing?'));
  expect(Buffer.from(mac, 'latin1').toString('hex')).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
});
