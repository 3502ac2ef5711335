import { expect, test } from 'vitest';
import { describeRedisUrl } from './redis-url.js';

test.each([
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
  ['redis://:p%25@host/3', 'redis://host/3'],
  ['rediss://user:pass@host:1?family=6', 'rediss://host:1'],
  ['host:6379', 'redis://host:6379'],
  ['/run/redis.sock', '/run/redis.sock'],
])('%s is the server %s', (url, where) => {
  expect(describeRedisUrl(url)).toBe(where);
});

test.each([
  'redis://:100%@host',
  'redis://:s3/cret@host:1',
  'redis://u:3/s3cret@host:1',
  'redis://:s3cret#@host',
  'redis://:s3?cret@host:99999',
  'http://u:s3cret@host',
])('%s is refused, without a word of the password', (url) => {
  let refusal: unknown;
  try {
    describeRedisUrl(url);
  } catch (thrown) {
    refusal = thrown;
  }
  expect(refusal).toMatchObject({ code: 'invalid-config', details: { field: 'redisUrl' } });
  expect(String(refusal)).not.toMatch(/s3|cret|100/);
});
