/**
 * Who this process is to NATS. Credentials are rotated while processes run: the server is told of the new ones, cuts the
 * connection, and refuses the old ones from then on. So they are asked for at each attempt to connect, from wherever they
 * come, and never kept for the life of the process.
 *
 * At the start, credentials that cannot be used are an error that names their file. Later they may be half-written for a moment:
 * then the last ones that could be used serve, and the next attempt asks again.
 */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import type { Logger } from '@armature/runtime';
import {
  jwtAuthenticator,
  nkeyAuthenticator,
  nkeys,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
} from 'nats';

export interface NatsCredentials {
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  readonly token?: string | undefined;
  /** Content of a `.creds` file. */
  readonly creds?: string | undefined;
  /** An nkey seed, `SU...`. */
  readonly nkey?: string | undefined;
}

/** Throws `invalid-config` when `credentials` do, or when they give what cannot be used. */
export function authenticatorOf(credentials: () => NatsCredentials, log: Logger): Authenticator {
  let usable = authenticate(credentials());
  let complaint = '';
  return (nonce) => {
    try {
      usable = authenticate(credentials());
      complaint = '';
    } catch (thrown) {
      // An authenticator that throws would end the connection for good.
      const error = toArmatureError(thrown);
      if (error.message !== complaint) log.warn({ error }, 'the NATS credentials cannot be read again; the last ones are used');
      complaint = error.message;
    }
    return usable(nonce);
  };
}

function authenticate({ user, pass, token, creds, nkey }: NatsCredentials): Authenticator {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const all: Authenticator[] = [];
  if (creds !== undefined) {
    const { jwt, seed } = parseCreds(creds, 'the NATS credentials');
    all.push(jwtAuthenticator(jwt, encode(seed)));
  }
  if (nkey !== undefined) all.push(nkeyAuthenticator(encode(parseSeed(nkey, 'the nkey'))));
  if (token !== undefined) all.push(tokenAuthenticator(token));
  if (user !== undefined) all.push(usernamePasswordAuthenticator(user, pass));
  return (nonce) => Object.assign({}, ...all.map((one) => one(nonce))) as ReturnType<Authenticator>;
}

/** The seed, without white space around it. Throws `invalid-config`, calling it `what`. */
export function parseSeed(text: string, what: string): string {
  const seed = text.trim();
  try {
    const pair = (nkeys as { fromSeed(seed: Uint8Array): { getPublicKey(): string } }).fromSeed(new TextEncoder().encode(seed));
    const publicKey = pair.getPublicKey();
    if (publicKey.startsWith('U')) return seed; // of a user
  } catch {
    // The library's words ("invalid checksum") say less than ours.
  }
  throw new ArmatureError('invalid-config', `${what} is not the seed of a user: 58 letters and digits that begin with SU`, {
    remedy: 'Make one with: nk -gen user, and give the server its public key.',
    details: { field: 'nkey' },
  });
}

/** What a credentials file holds. Throws `invalid-config`, calling the file `what`. */
export function parseCreds(text: string, what: string): { readonly jwt: string; readonly seed: string } {
  const [jwt, seed] = fencedWords(text);
  if (jwt !== undefined && seed !== undefined && jwt.split('.').length === 3) {
    return { jwt, seed: parseSeed(seed, `the seed in ${what}`) };
  }
  throw new ArmatureError('invalid-config', `${what} does not hold a user JWT and its seed, each between two lines of dashes`, {
    remedy: 'Make the file anew: nsc generate creds.',
    details: { field: 'creds' },
  });
}

/**
 * Words that stand alone on a line between two lines of dashes. A line at a time: an expression over the whole text would try
 * each dash of a damaged file with each other one.
 */
function fencedWords(text: string): readonly string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const isFence = (line: string | undefined): boolean => line?.startsWith('---') === true && line.endsWith('---');
  return lines.filter((line, i) => isFence(lines[i - 1]) && isFence(lines[i + 1]) && !isFence(line) && !/\s/.test(line));
}
