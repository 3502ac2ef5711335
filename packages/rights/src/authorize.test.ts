import type { BucketName } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPEN_ACCESS, joinAccess, type Access } from './access.js';
import { authorize } from './authorize.js';
import { allows, type Token } from './token.js';
import { token, wish } from './token.test-support.js';

const access: fc.Arbitrary<Access> = fc.record({
  tokens: fc.constantFrom('optional' as const, 'required' as const),
  revision: fc.nat({ max: 3 }),
  generation: fc.nat({ max: 3 }),
});

describe('joining what was said about access', () => {
  test('any order, grouping and repetition gives the same', () => {
    fc.assert(
      fc.property(access, access, access, (a, b, c) => {
        expect(joinAccess(a, b)).toEqual(joinAccess(b, a));
        expect(joinAccess(joinAccess(a, b), c)).toEqual(joinAccess(a, joinAccess(b, c)));
        expect(joinAccess(a, a)).toEqual(a);
        expect(joinAccess(OPEN_ACCESS, a)).toEqual(a);
      }),
    );
  });

  test('the generation never goes back, and of two who say something of tokens at the same time the stricter one holds', () => {
    fc.assert(
      fc.property(access, access, (a, b) => {
        expect(joinAccess(a, b).generation).toBe(Math.max(a.generation, b.generation));
        const concurrent = { ...b, revision: a.revision };
        const isRequired = a.tokens === 'required' || b.tokens === 'required';
        expect(joinAccess(a, concurrent).tokens).toBe(isRequired ? 'required' : 'optional');
      }),
    );
  });

  test('a revocation leaves alone what another one says of tokens at the same time', () => {
    const revoking = { ...OPEN_ACCESS, generation: 1 };
    const requiring = { ...OPEN_ACCESS, tokens: 'required' as const, revision: 1 };
    expect(joinAccess(revoking, requiring)).toEqual({ tokens: 'required', revision: 1, generation: 1 });
  });

  test('who has required tokens can take that back', () => {
    const required: Access = { tokens: 'required', revision: 1, generation: 0 };
    expect(joinAccess(required, { tokens: 'optional', revision: 2, generation: 0 }).tokens).toBe('optional');
  });
});

describe('the decision at a door', () => {
  const holder: Token = {
    subject: 'alice',
    grants: [{ bucket: 'payments' as BucketName, prefix: Buffer.alloc(0), rights: ['read'] }],
    role: undefined,
    expiresAtMs: 1_000,
    generation: 1,
  };
  const reading = { right: 'read', bucket: 'payments' as BucketName, key: Buffer.from('k') } as const;
  const required: Access = { tokens: 'required', revision: 1, generation: 1 };

  test('without a token: allowed where none is required', () => {
    expect(authorize(OPEN_ACCESS, 0, undefined, reading)).toBeUndefined();
    expect(authorize(required, 0, undefined, reading)).toMatchObject({ code: 'unauthenticated', details: { fault: 'missing' } });
  });

  test('a token that is shown counts, whether or not one is required', () => {
    for (const asked of [OPEN_ACCESS, required]) {
      expect(authorize(asked, 999, holder, reading)).toBeUndefined();
      expect(authorize(asked, 999, holder, { ...reading, right: 'write' })).toMatchObject({ code: 'forbidden' });
      expect(authorize(asked, 1_000, holder, reading)).toMatchObject({ details: { fault: 'expired' } });
    }
    expect(authorize({ ...required, generation: 2 }, 0, holder, reading)).toMatchObject({ details: { fault: 'revoked' } });
  });

  test('with a token that counts: allowed exactly where the token allows it', () => {
    fc.assert(
      fc.property(token, wish, access, (one, asked, { tokens }) => {
        const decided = authorize({ tokens, revision: 0, generation: 0 }, -1, one, asked);
        expect(decided?.code).toBe(allows(one, asked.bucket, asked.key, asked.right) ? undefined : 'forbidden');
      }),
    );
  });

  test('a refusal names the bucket and the holder, and not the key', () => {
    const key = Buffer.from('private-key-of-somebody');
    const refused = authorize(required, 0, holder, { right: 'write', bucket: 'payments' as BucketName, key });
    expect(`${refused?.message} ${refused?.remedy} ${JSON.stringify(refused?.details)}`).not.toContain('private');
    expect(refused?.message).toContain('alice');
  });
});
