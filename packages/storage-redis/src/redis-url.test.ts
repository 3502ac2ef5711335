import { expect, test } from 'vitest';
import { createServer, type AddressInfo } from 'node:net';
import { openRedisEngine } from './redis-engine.js';
import { parseRedisUrl } from './redis-url.js';

test.each([
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
  ['redis://:p%25@host/3', 'redis://host/3'],
  ['rediss://user:pass@host:1?family=6', 'rediss://host:1'],
  ['host:6379', 'redis://host:6379'],
  ['/run/redis.sock', '/run/redis.sock'],
])('%s is the server %s', (url, where) => {
  expect(parseRedisUrl(url).shown).toBe(where);
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
    parseRedisUrl(url);
  } catch (thrown) {
    refusal = thrown;
  }
  expect(refusal).toMatchObject({ code: 'invalid-config', details: { field: 'redisUrl' } });
  expect(String(refusal)).not.toMatch(/s3|cret|100/);
});

/** The first byte that a server of this scheme gets. */
async function firstByte(scheme: string): Promise<number | undefined> {
  let first: number | undefined;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => {
      first = bytes[0];
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `${scheme}127.0.0.1:${port}`;
  await expect(openRedisEngine({ url, prefix: 'p', identity: { cluster: 'c', node: 'n1' }, timeoutMs: 2_000 })).rejects.toThrow();
  await new Promise((resolve) => server.close(resolve));
  return first;
}

test.each(['rediss://', 'REDISS://', 'RedisS://', ' rediss://'])('%j: nothing but TLS is sent', async (scheme) => {
  const handshake = 0x16;
  expect(await firstByte(scheme)).toBe(handshake);
});

test('the refusal of a long URL shows its beginning only', () => {
  expect(() => parseRedisUrl(`http://${'h'.repeat(100_000)}`)).toThrow(
    /^http:\/\/h{193}\.\.\. is not the URL of a Redis server$/,
  );
});
