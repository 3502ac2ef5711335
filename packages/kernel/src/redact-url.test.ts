import fc from 'fast-check';
import { expect, test } from 'vitest';
import { redactUrl, redactUrlsIn, STARS } from './redact-url.js';

test('nothing between the slashes and the last "@" is shown, whatever characters a password has', () => {
  const secret = fc.string({ minLength: 3, maxLength: 12 }).map((text) => `<${text}>`);
  const scheme = fc.constantFrom('nats://', 'tls://', 'redis://', '');
  fc.assert(
    fc.property(scheme, secret, secret, fc.string(), (start, one, other, more) => {
      const shown = redactUrl(`${start}user:${one}@a:1,${start}user:${other}@${more.replaceAll(/[@?]/g, '')}`);
      expect(shown.startsWith(`${start}${STARS}@`)).toBe(true);
      expect(shown.slice(start.length, start.length + STARS.length + 1)).toBe(`${STARS}@`);
      for (const hidden of [one, other]) if (!more.includes(hidden)) expect(shown).not.toContain(hidden);
    }),
  );
});

test.each([
  ['nats://host:4222', 'nats://host:4222'],
  ['a:1,b:2', 'a:1,b:2'],
  ['user:secret@host', '********@host'],
  ['nats://u:s3/cret@host:1', 'nats://********@host:1'],
  ['nats://u:s3,cret@a,nats://b', 'nats://********@a,nats://b'],
  ['nats://u:p@w,d@host', 'nats://********@host'],
  ['redis://host/0?password=s3cret', 'redis://host/0?********'],
  ['redis://host/0?password=s3@cret', 'redis://********@cret'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test('URLs within a text are redacted, and the text stays', () => {
  expect(redactUrlsIn("unknown option '--natss=nats://u:p@h'; see https://x.y/z")).toBe(
    "unknown option '--natss=nats://********@h'; see https://x.y/z",
  );
});
