/**
 * The URL of a Redis server, checked before ioredis reads it: ioredis takes a URL that it cannot parse for another one, throws on
 * a "%" that encodes nothing, and connects without TLS where `rediss` is written in other letters. What is wrong is told without
 * the part of the URL that may hold a password.
 */
import { ArmatureError, shownUrl } from '@armature/kernel';

const SCHEMES: ReadonlySet<string> = new Set(['redis:', 'rediss:']);

export interface RedisUrl {
  /** For the client library. */
  readonly url: string;
  /** The server's address for logs and errors, without credentials. */
  readonly shown: string;
}

/** Throws `invalid-config`. */
export function parseRedisUrl(text: string): RedisUrl {
  if (text.startsWith('/')) return { url: text, shown: text }; // a socket in the file system
  const whole = text.includes('://') ? text.trim() : `redis://${text.trim()}`;
  const url = urlOf(whole);
  // A password with an unencoded "/" leaves its end in the path.
  if (url === undefined || !SCHEMES.has(url.protocol) || !/^\/?\d*$/.test(url.pathname) || url.hash !== '') throw badUrl(text);
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    throw badUrl(text);
  }
  // ioredis takes TLS only where the text begins with `rediss://`, in these very letters.
  return { url: url.protocol + whole.slice(url.protocol.length), shown: `${url.protocol}//${url.host}${url.pathname}` };
}

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined; // the error is not kept as a cause: it holds the text
  }
}

function badUrl(text: string): ArmatureError {
  return new ArmatureError('invalid-config', `${shownUrl(text)} is not the URL of a Redis server`, {
    remedy:
      'Write redis://user:password@host:6379/0, or rediss:// for TLS. In a user or password write % as %25, / as %2F, @ as %40, ' +
      '# as %23, ? as %3F and : as %3A.',
    details: { field: 'redisUrl' },
  });
}
