/**
 * Grants: the part of a token that speaks of keys. A grant names a bucket, or every bucket, perhaps only the keys that begin with
 * certain bytes, and what may be done there.
 *
 * As text, for command lines and people: `payments:read,write`, `sessions/cart-:read`, `*:read`. A bucket's name holds neither
 * `/` nor `:`, so what stands between the first `/` and the last `:` is the prefix. Its bytes that are no plain characters are
 * written `%XX`, so every prefix has one text.
 *
 * A grant with a prefix cannot list. A listing walks the bucket in the order of the ring, which scatters keys, and its cursor
 * names a key: it would show keys outside of the prefix.
 */
import {
  ArmatureError,
  asBuffer,
  err,
  MAX_KEY_BYTES,
  ok,
  parseBucketName,
  quoted,
  type BucketName,
  type Result,
} from '@armature/kernel';

/** What may be done with keys: `read` is get, `write` is put and delete, `list` is the listing and exporting of a bucket. */
export const RIGHTS = ['read', 'write', 'list'] as const;
export type Right = (typeof RIGHTS)[number];

export const EVERY_BUCKET = '*';

export interface Grant {
  readonly bucket: BucketName | typeof EVERY_BUCKET;
  /** Only keys that begin with these bytes; empty for every key. */
  readonly prefix: Uint8Array;
  /** At least one, in the order of `RIGHTS`. */
  readonly rights: readonly Right[];
}

/** Whether the grant allows this. `key` is undefined for what concerns no single key, a listing. */
export function grantAllows(grant: Grant, bucket: BucketName, key: Uint8Array | undefined, right: Right): boolean {
  if (grant.bucket !== EVERY_BUCKET && grant.bucket !== bucket) return false;
  if (!grant.rights.includes(right)) return false;
  return grant.prefix.length === 0 || (key !== undefined && beginsWith(key, grant.prefix));
}

/** The grant in its one form. Error: `invalid-argument`. */
export function checkedGrant(grant: Grant): Result<Grant, ArmatureError> {
  const rights = RIGHTS.filter((right) => grant.rights.includes(right));
  if (rights.length === 0) return invalid('a grant without a right', `Give at least one of: ${RIGHTS.join(', ')}.`);
  if (grant.bucket !== EVERY_BUCKET) {
    const bucket = parseBucketName(grant.bucket);
    if (!bucket.ok) return bucket;
  } else if (grant.prefix.length > 0) {
    return invalid('a grant for every bucket has a prefix of keys', 'Name the bucket of these keys.');
  }
  if (grant.prefix.length > MAX_KEY_BYTES) return invalid('the prefix is longer than any key', 'Give a shorter one.');
  if (grant.prefix.length > 0 && rights.includes('list')) {
    return invalid(
      'a grant for a prefix of keys cannot list',
      'Leave out list: a listing shows the keys of the whole bucket. Or grant it for the whole bucket.',
    );
  }
  return ok({ bucket: grant.bucket, prefix: grant.prefix, rights });
}

/** No token has room for a longer one, each byte of a prefix escaped. */
const MAX_GRANT_CHARS = 16_384;

/** From `<bucket>:<rights>`, `<bucket>/<prefix>:<rights>` or `*:<rights>`. Error: `invalid-argument`. */
export function parseGrant(text: string): Result<Grant, ArmatureError> {
  if (text.length > MAX_GRANT_CHARS) return invalid(`a grant of ${text.length} characters`, 'Give a shorter prefix of keys.');
  const parts = /^([^/:]+)(?:\/(.*))?:([a-z,]+)$/s.exec(text);
  const [, bucket = '', prefixText = '', rightsText = ''] = parts ?? [];
  if (parts === null) {
    return invalid(
      `${shown(text)} is not a grant`,
      'Give <bucket>:<rights>, <bucket>/<prefix of keys>:<rights> or *:<rights>, for example payments:read,write.',
    );
  }
  const prefix = prefixFromText(prefixText);
  if (prefix === undefined) return invalid(`the prefix in ${shown(text)} has a lone %`, 'Write %25 for a per cent sign.');
  const rights: Right[] = [];
  for (const word of rightsText.split(',')) {
    const right = RIGHTS.find((one) => one === word);
    if (right === undefined) return invalid(`there is no right ${shown(word)}`, `Use: ${RIGHTS.join(', ')}.`);
    rights.push(right);
  }
  return checkedGrant({ bucket: bucket as Grant['bucket'], prefix, rights });
}

/** The inverse of `parseGrant`. */
export function grantText({ bucket, prefix, rights }: Grant): string {
  return `${bucket}${prefix.length === 0 ? '' : `/${prefixText(prefix)}`}:${rights.join(',')}`;
}

function beginsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && asBuffer(key.subarray(0, prefix.length)).equals(prefix);
}

/** Visible ASCII but for `%`: all else is escaped, so that the text is one word wherever it stands. */
const PLAIN = /[!-$&-~]/;

function prefixText(prefix: Uint8Array): string {
  return Array.from(prefix, (byte) => {
    const char = String.fromCharCode(byte);
    return PLAIN.test(char) ? char : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }).join('');
}

/** Undefined where a `%` is not followed by two hex digits. */
function prefixFromText(text: string): Uint8Array | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const parts = text.split(/%([0-9A-Fa-f]{2})/); // plain text and escaped bytes in turn
  return Buffer.concat(parts.map((part, i) => Buffer.from(part, i % 2 === 0 ? 'utf8' : 'hex')));
}

function shown(text: string): string {
  return quoted(text);
}

function invalid(message: string, remedy: string): Result<never, ArmatureError> {
  return err(new ArmatureError('invalid-argument', message, { remedy }));
}
