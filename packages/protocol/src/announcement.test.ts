import { expect, test } from 'vitest';
import { formatAnnouncement, parseAnnouncement } from './announcement.js';

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const FINGERPRINT = '0123456789abcdef'.repeat(2);

test('an announcement says who has which history', () => {
  const said = { address: `client.${'g'.repeat(64)}.${'r'.repeat(64)}`, fingerprint: FINGERPRINT };
  expect(parseAnnouncement(formatAnnouncement(said))).toEqual(said);
});

test('what is no announcement is none: too long, too many words, no fingerprint', () => {
  for (const text of [
    '',
    'node.n1',
    `node.n1 ${FINGERPRINT} `,
    'node.n1 0123',
    `node.n1 ${FINGERPRINT.toUpperCase()}`,
    ' '.repeat(1_000_000),
  ])
    expect(parseAnnouncement(utf8(text))).toBeUndefined();
});

test('bytes that are no UTF-8 announce nothing: they would be another, longer address', () => {
  expect(parseAnnouncement(Buffer.concat([Uint8Array.of(0x6e, 0xff, 0x80), utf8(` ${FINGERPRINT}`)]))).toBeUndefined();
});
