/** Tokens at random, and the keys of a cluster of this test. */
import { unwrap, utf8Encode, type BucketName, type ClusterName } from '@armature/kernel';
import * as fc from 'fast-check';
import type { Wish } from './authorize.js';
import { EVERY_BUCKET, RIGHTS, type Grant } from './grant.js';
import { deriveTokenKeys } from './token-seal.js';
import { MAX_GENERATION, ROLES, checkedToken, type Token } from './token.js';

export const CLUSTER = 'shop' as ClusterName;
export const OLD_SECRET = utf8Encode('the former secret of the shop');
export const SECRET = utf8Encode('the secret of the shop, changed');
export const KEYS = deriveTokenKeys([SECRET], CLUSTER);

export const bucketName = fc.constantFrom('payments', 'sessions', 'a', 'B_2-').map((name) => name as BucketName);
/** Short, of few different bytes, so that one is often the beginning of another. */
export const keyBytes = fc.uint8Array({ maxLength: 4, max: 2 }).map((bytes) => Buffer.from(bytes));
const right = fc.constantFrom(...RIGHTS);
const someRights = fc.uniqueArray(right, { minLength: 1 });

export const grant: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({ bucket: bucketName, prefix: fc.constant(Buffer.alloc(0)), rights: someRights }),
  fc.record({ bucket: fc.constant(EVERY_BUCKET), prefix: fc.constant(Buffer.alloc(0)), rights: someRights }),
  fc.record({
    bucket: bucketName,
    prefix: fc
      .oneof(
        keyBytes,
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      )
      .filter(({ length }) => length > 0),
    rights: fc.uniqueArray(fc.constantFrom('read' as const, 'write' as const), { minLength: 1 }),
  }),
);

const printable = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .map((text) => `x${text}x`.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '-').slice(0, 64))
  .filter((text) => text.isWellFormed());

/** In their one form. */
export const token: fc.Arbitrary<Token> = fc
  .record({
    subject: printable,
    ...{ grants: fc.array(grant, { minLength: 1, maxLength: 16 }), role: fc.constantFrom(undefined, ...ROLES) },
    expiresAtMs: fc.oneof(fc.nat(), fc.maxSafeNat()),
    generation: fc.nat({ max: MAX_GENERATION }),
  })
  .map((one) => unwrap(checkedToken(one.role === undefined ? one : { ...one, grants: [] })));

export const wish: fc.Arbitrary<Wish> = fc
  .record({ bucket: bucketName, key: fc.option(keyBytes, { nil: undefined }), right })
  .filter((one) => (one.right === 'list') === (one.key === undefined));
