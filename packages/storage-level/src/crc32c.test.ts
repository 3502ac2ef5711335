import { expect, test } from 'vitest';
import { crc32c } from './crc32c.js';

test.each([
  ['the digits', Buffer.from('123456789'), 0xe3069283],
  // RFC 3720, appendix B.4
  ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 bytes that ascend', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['nothing', Buffer.alloc(0), 0],
])('crc32c of %s is the published one', (_, bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum);
});

test('crc32c of a part is that of the part alone, wherever it begins', () => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, i) => (i * 37) & 0xff));
  for (let start = 0; start < 20; start++) {
    for (let end = start; end < 64; end += 5) expect(crc32c(bytes, start, end)).toBe(crc32c(bytes.subarray(start, end)));
  }
});
