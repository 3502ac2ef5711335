/**
 * Tokens as bytes and as text, sealed with the secret of the cluster.
 *
 *   format      u8, 1
 *   cluster     text: a varint of its length in bytes, and UTF-8
 *   subject     text
 *   expires at  varint, ms
 *   generation  varint
 *   role        u8: 0 for none, else its place in `ROLES`, counted from 1
 *   grants      varint of how many; of each: bucket as text (`*` for every one), prefix as a varint of its length and bytes,
 *               rights as a u8 of bits in the order of `RIGHTS`
 *   mac         16 bytes: HMAC-SHA256, cut to 128 bits, of all that stands before it
 *
 * As text: `armt1.` and the bytes in base64url. Both forms are canonical, so that a token has one spelling, and a change of any
 * character is noticed.
 *
 * The key is derived from the secret for this purpose and this cluster, so a token is no context, and no other cluster's. While a
 * secret is being changed there are two: the first one seals, and what either has sealed counts.
 *
 * The name of the cluster is read from a token whose MAC does not hold, only to tell its sender that it has taken the wrong one.
 * All else is read after the MAC.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  ByteReader,
  ByteWriter,
  DecodeError,
  assert,
  concatBytes,
  err,
  fromBase64,
  ok,
  parseClusterName,
  toBase64Url,
  ArmatureError,
  type ClusterName,
  type Result,
  type Secrets,
} from '@armature/kernel';
import { RIGHTS, type Grant } from './grant.js';
import { MAX_GRANTS, MAX_TOKEN_BYTES, ROLES, checkedToken, type Role, type Token } from './token.js';
import { expiredToken, forgedToken, malformedToken, revokedToken, tokenOfOtherCluster } from './token-errors.js';

/** The cluster's keys for tokens: functions, not bytes, so that logging or serialising them shows nothing. */
export interface TokenKeys {
  readonly cluster: ClusterName;
  /** The first 16 bytes of the HMAC-SHA256 of `message`, under each key; the first one seals. */
  readonly macs: readonly ((message: Uint8Array) => Uint8Array)[];
}

/** When a token is judged, and by which generation. */
export interface Judgement {
  /** Wall clock, ms. */
  readonly nowMs: number;
  /** The cluster takes no token below it. */
  readonly generation: number;
}

const FORMAT = 1;
/** Of the MAC that a token ends with; what stands before it are its *claims*. */
export const TOKEN_MAC_BYTES = 16;
const KEY_PURPOSE = 'armature token 1';
const TEXT_PREFIX = 'armt1.';

export function deriveTokenKeys(secrets: Secrets, cluster: ClusterName): TokenKeys {
  const macs = secrets.map((secret) => {
    assert(secret.length > 0, 'a cluster has a secret');
    const key = createHmac('sha256', secret).update(`${KEY_PURPOSE}\0${cluster}`).digest();
    return (message: Uint8Array) => createHmac('sha256', key).update(message).digest().subarray(0, TOKEN_MAC_BYTES);
  });
  return { cluster, macs };
}

/** Error: `invalid-argument` for a token outside of the bounds. */
export function sealToken(token: Token, keys: TokenKeys): Result<Uint8Array, ArmatureError> {
  const checked = checkedToken(token);
  if (!checked.ok) return checked;
  const [mac] = keys.macs;
  assert(mac !== undefined, 'a cluster has a secret');
  const contents = encode(checked.value, keys.cluster);
  const bytes = concatBytes([contents, mac(contents)]);
  if (bytes.length <= MAX_TOKEN_BYTES) return ok(bytes);
  return err(
    new ArmatureError('invalid-argument', `the token would have ${bytes.length} bytes, more than ${MAX_TOKEN_BYTES}`, {
      remedy: 'Give fewer grants, or shorter prefixes.',
    }),
  );
}

/**
 * What an authentic token says that counts now. Errors: `unauthenticated`, for each reason in `token-errors.ts` but `missing`.
 */
export function openToken(bytes: Uint8Array, keys: TokenKeys, at: Judgement): Result<Token, ArmatureError> {
  const token = verifyToken(bytes, keys);
  if (!token.ok) return token;
  const fault = staleness(token.value, at);
  return fault === undefined ? token : err(fault);
}

/**
 * An authentic token, whether or not it still counts: for those who keep it, and ask `staleness` at each use. Errors:
 * `unauthenticated`.
 */
export function verifyToken(bytes: Uint8Array, keys: TokenKeys): Result<Token, ArmatureError> {
  const framing = checkFraming(bytes);
  if (framing !== undefined) return err(framing);
  const contents = bytes.subarray(0, -TOKEN_MAC_BYTES);
  const given = bytes.subarray(-TOKEN_MAC_BYTES);
  // All keys are tried, so that the time tells nothing about which one fits.
  const fitting = keys.macs.filter((mac) => timingSafeEqual(mac(contents), given));
  const theirs = clusterOf(contents);
  if (fitting.length > 0 && theirs === keys.cluster) return readClaims(contents);
  return err(theirs === undefined || theirs === keys.cluster ? forgedToken() : tokenOfOtherCluster(theirs, keys.cluster));
}

/** Why an authentic token does not count at this time, if so. */
export function staleness(token: Token, { nowMs, generation }: Judgement): ArmatureError | undefined {
  if (token.generation < generation) return revokedToken(token, generation);
  return nowMs >= token.expiresAtMs ? expiredToken(token) : undefined;
}

/**
 * What a token says, believed by nobody: for its holder to look at, without the secret. Error: `unauthenticated` for what is no
 * token.
 */
export function peekToken(bytes: Uint8Array): Result<Token & { readonly cluster: ClusterName }, ArmatureError> {
  const framing = checkFraming(bytes);
  if (framing !== undefined) return err(framing);
  const contents = bytes.subarray(0, -TOKEN_MAC_BYTES);
  const cluster = clusterOf(contents);
  if (cluster === undefined) return err(malformedToken('it names no cluster'));
  const token = readClaims(contents);
  return token.ok ? ok({ ...token.value, cluster }) : token;
}

export function tokenToText(bytes: Uint8Array): string {
  return TEXT_PREFIX + toBase64Url(bytes);
}

/** Bytes of the text form, not yet verified. Error: `unauthenticated`. */
export function tokenFromText(text: string): Result<Uint8Array, ArmatureError> {
  if (!text.startsWith(TEXT_PREFIX)) return err(malformedToken(`it does not begin with ${TEXT_PREFIX}`));
  if (text.length > TEXT_PREFIX.length + MAX_TOKEN_BYTES * 1.5) return err(malformedToken('it is too long'));
  const bytes = fromBase64(text.slice(TEXT_PREFIX.length));
  if (bytes !== undefined && tokenToText(bytes) === text) return ok(bytes);
  return err(malformedToken('it is not base64url, or was cut'));
}

/** Facts that the sender can see for itself. */
function checkFraming(bytes: Uint8Array): ArmatureError | undefined {
  if (bytes.length > MAX_TOKEN_BYTES) return malformedToken(`it has more than ${MAX_TOKEN_BYTES} bytes`);
  if (bytes.length <= TOKEN_MAC_BYTES) return malformedToken('it is truncated');
  return unknownFormat(bytes);
}

function unknownFormat([format]: Uint8Array): ArmatureError | undefined {
  return format === FORMAT ? undefined : malformedToken(`format ${format} is unknown to this version`);
}

function encode({ subject, grants, role, expiresAtMs, generation }: Token, cluster: ClusterName): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT).text(cluster).text(subject).varint(expiresAtMs).varint(generation);
  writer.u8(role === undefined ? 0 : ROLES.indexOf(role) + 1).varint(grants.length);
  for (const { bucket, prefix, rights } of grants) {
    const bits = RIGHTS.reduce((sum, right, i) => sum | (rights.includes(right) ? 1 << i : 0), 0);
    writer.text(bucket).blob(prefix).u8(bits);
  }
  return writer.finish();
}

function clusterOf(contents: Uint8Array): ClusterName | undefined {
  try {
    const parsed = parseClusterName(new ByteReader(contents.subarray(1)).text());
    return parsed.ok ? parsed.value : undefined;
  } catch (thrown) {
    if (thrown instanceof DecodeError) return undefined;
    throw thrown;
  }
}

/**
 * What the claims of a token say, believed by nobody. Of an authentic one this fails only where another version has made it.
 * Error: `unauthenticated`.
 */
export function readClaims(claims: Uint8Array): Result<Token, ArmatureError> {
  const unknown = unknownFormat(claims);
  if (unknown !== undefined) return err(unknown);
  let token: Token;
  try {
    token = readToken(new ByteReader(claims.subarray(1)));
  } catch (thrown) {
    if (thrown instanceof DecodeError) return err(malformedToken(thrown.message));
    throw thrown;
  }
  const checked = checkedToken(token);
  return checked.ok ? checked : err(malformedToken(checked.error.message));
}

function readToken(reader: ByteReader): Token {
  reader.text(); // the cluster, which the key vouches for
  const subject = reader.text();
  const expiresAtMs = reader.varint();
  const generation = reader.varint();
  const role = readRole(reader.u8());
  const count = reader.count(3);
  if (count > MAX_GRANTS) throw new DecodeError(`${count} grants`);
  const grants = Array.from({ length: count }, () => readGrant(reader));
  reader.end();
  return { subject, grants, role, expiresAtMs, generation };
}

function readRole(place: number): Role | undefined {
  if (place > ROLES.length) throw new DecodeError(`role ${place}`);
  return ROLES[place - 1];
}

function readGrant(reader: ByteReader): Grant {
  const bucket = reader.text() as Grant['bucket'];
  const prefix = Buffer.from(reader.blob()); // the token outlives the message that brought it
  const bits = reader.u8();
  if (bits >> RIGHTS.length !== 0) throw new DecodeError(`rights ${bits}`);
  return { bucket, prefix, rights: RIGHTS.filter((_, i) => (bits >> i) & 1) };
}
