/**
 * The URLs of NATS servers: which are allowed, what they ask for, and the credentials that they may hold.
 *
 * `nats://` takes TLS where the server offers it. `tls://` requires it, of all servers of the list, and of those that they
 * tell of: a server without TLS is refused before any credentials are sent. Nothing else is allowed, since the client library
 * takes every other scheme for plain TCP. What is wrong is told without the part of a URL that may hold a password.
 */
import { ArmatureError, clipped, shownUrl } from '@armature/kernel';

const DEFAULT_NATS_SERVER = 'nats://127.0.0.1:4222';

export interface NatsServers {
  /**
   * `nats://host:port` or `tls://host:port`, without credentials: for the client library, which does not look for them there, and
   * for logs.
   */
  readonly urls: readonly string[];
  readonly requireTls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

/** `text`: URLs separated by commas, or a list of such texts. Throws `invalid-config`. */
export function parseServers(text: string | readonly string[] | undefined): NatsServers {
  const texts = (typeof text === 'string' ? [text] : (text ?? [])).flatMap((one) => one.split(','));
  const given = texts.map((one) => one.trim()).filter((one) => one !== '');
  if (given.length === 0) return { urls: [DEFAULT_NATS_SERVER], requireTls: false };
  // A comma in a password cuts a URL in two, and the first half has no "@" to tell the password by. So all is hidden up to the
  // last one.
  const shown = shownUrl(texts.join(','));
  const parsed = given.map((one) => parseServer(one, given.length === 1 ? shownUrl(one) : shown));
  const credentials = parsed.map((one) => one.credentials).findLast((one) => one !== undefined);
  return {
    urls: parsed.map(({ protocol, host }) => `${protocol}//${host}`),
    requireTls: parsed.some(({ protocol }) => protocol === 'tls:'),
    ...credentials,
  };
}

interface ParsedServer {
  readonly protocol: string;
  readonly host: string;
  readonly credentials: { readonly user: string; readonly pass: string } | { readonly token: string } | undefined;
}

function parseServer(text: string, shown: string): ParsedServer {
  // A comma in a password makes two URLs of one: `nats://u:12,34@host` is no server `u:12` beside another.
  if (shown !== shownUrl(text) && text.includes('@') && !text.includes('://')) {
    throw badServer(`${shown} has credentials behind a comma, without nats:// or tls:// before them`, ENCODE);
  }
  const url = urlOf(text.includes('://') ? text : `nats://${text}`);
  if (url === undefined || url.host === '') throw badServer(`${shown} is not the URL of a NATS server`, ENCODE);
  const { protocol, host } = url;
  if (protocol !== 'nats:' && protocol !== 'tls:') {
    throw badServer(`${shown} has the scheme ${clipped(protocol)}//, by which no NATS server is reached from here`, SCHEMES);
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    throw badServer(`${shown} has more than a host and a port`, ENCODE);
  }
  const [user, pass] = [decoded(url.username, shown), decoded(url.password, shown)];
  if (user === '' && pass !== '') throw badServer(`${shown} has a password and no user`, 'Write nats://user:password@host:4222.');
  return { protocol, host, credentials: user === '' ? undefined : pass === '' ? { token: user } : { user, pass } };
}

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined; // the error is not kept as a cause: it holds the text
  }
}

function decoded(text: string, shown: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badServer(`${shown} has a user or password with a "%" that encodes nothing`, ENCODE);
  }
}

const ENCODE =
  'Write nats://host:4222 or tls://host:4222, several separated by commas. In a user or password write % as %25, / as %2F, ' +
  '@ as %40, # as %23, ? as %3F, : as %3A and a comma as %2C; or give them by NATS_USER and NATS_PASSWORD, as they are.';
const SCHEMES = 'Write nats://host:4222, or tls://host:4222 to require TLS. WebSockets are not supported.';

function badServer(message: string, remedy: string): ArmatureError {
  return new ArmatureError('invalid-config', message, { remedy, details: { field: 'server' } });
}
