import { unwrap, utf8Encode, type BucketName } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkedGrant, grantText, parseGrant, RIGHTS, type Grant } from './grant.js';
import { allows, allowsRole, ROLES, type Token } from './token.js';
import { bucketName, grant, keyBytes, token, wish } from './token.test-support.js';

describe('what a token allows', () => {
  test('a grant of a prefix never allows a key outside of it, nor a listing', () => {
    fc.assert(
      fc.property(bucketName, keyBytes, keyBytes, fc.constantFrom(...RIGHTS), (bucket, prefix, key, right) => {
        fc.pre(prefix.length > 0);
        const only: Grant = { bucket, prefix, rights: RIGHTS };
        const holder: Token = { subject: 'x', grants: [only], role: undefined, expiresAtMs: 0, generation: 0 };
        const begins = key.subarray(0, prefix.length).equals(prefix);
        expect(allows(holder, bucket, key, right)).toBe(begins);
        expect(allows(holder, bucket, undefined, right)).toBe(false);
        expect(allows(holder, `${bucket}x` as BucketName, key, right)).toBe(false);
      }),
    );
  });

  test('more grants allow more, and never less', () => {
    fc.assert(
      fc.property(token, grant, wish, (holder, more, { bucket, key, right }) => {
        const richer = { ...holder, grants: [...holder.grants, more] };
        if (allows(holder, bucket, key, right)) expect(allows(richer, bucket, key, right)).toBe(true);
      }),
    );
  });

  test('what is allowed is allowed by one of the grants alone, and what none of them allows is refused', () => {
    fc.assert(
      fc.property(token, wish, (holder, { bucket, key, right }) => {
        const alone = holder.grants.map((one) => allows({ ...holder, grants: [one] }, bucket, key, right));
        expect(allows(holder, bucket, key, right)).toBe(alone.includes(true));
      }),
    );
  });

  test('a role says nothing about keys, and each role includes the ones before it', () => {
    fc.assert(
      fc.property(wish, fc.constantFrom(...ROLES), ({ bucket, key, right }, role) => {
        const holder: Token = { subject: 'x', grants: [], role, expiresAtMs: 0, generation: 0 };
        expect(allows(holder, bucket, key, right)).toBe(false);
        expect(ROLES.filter((one) => allowsRole(holder, one))).toEqual(ROLES.slice(0, ROLES.indexOf(role) + 1));
      }),
    );
    expect(allowsRole({ subject: 'x', grants: [], role: undefined, expiresAtMs: 0, generation: 0 }, 'viewer')).toBe(false);
  });
});

describe('grants as text', () => {
  test('every grant has a text that is one word of plain characters, and comes back from it', () => {
    fc.assert(
      fc.property(grant, (one) => {
        const checked = unwrap(checkedGrant(one));
        const text = grantText(checked);
        expect(text).toMatch(/^[!-~]+$/);
        expect(unwrap(parseGrant(text))).toEqual(checked);
      }),
    );
  });

  test('any text is a grant or an error value, never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a*]?\/?.{0,3}:(read|write|list|,|x){0,4}$/s)), (text) => {
        const parsed = parseGrant(text);
        if (parsed.ok) expect(unwrap(parseGrant(grantText(parsed.value)))).toEqual(parsed.value);
        else expect(parsed.error.remedy).toBeTruthy();
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['payments:read,write', { bucket: 'payments', prefix: '', rights: ['read', 'write'] }],
    ['payments:write,read', { bucket: 'payments', prefix: '', rights: ['read', 'write'] }],
    ['sessions/user:7/:read', { bucket: 'sessions', prefix: 'user:7/', rights: ['read'] }],
    ['sessions/%C3%BC%25:read', { bucket: 'sessions', prefix: 'ü%', rights: ['read'] }],
    ['sessions/ü:read', { bucket: 'sessions', prefix: 'ü', rights: ['read'] }],
    ['*:list', { bucket: '*', prefix: '', rights: ['list'] }],
  ])('%s', (text, { bucket, prefix, rights }) => {
    expect(unwrap(parseGrant(text))).toEqual({ bucket, prefix: Buffer.from(utf8Encode(prefix)), rights });
  });

  test.each([
    ['no right', 'payments:', 'payments:read,write'],
    ['no bucket', ':read', 'payments:read,write'],
    ['a right that is none', 'payments:delete', 'read, write, list'],
    ['a bucket that is no name', 'pay.ments:read', 'letters'],
    ['every bucket, and a prefix', '*/x:read', 'Name the bucket'],
    ['a listing of a prefix', 'payments/x:read,list', 'Leave out list'],
    ['a lone per cent sign', 'payments/100%:read', '%25'],
  ])('%s: refused, with what to write', (_what, text, word) => {
    const parsed = parseGrant(text);
    expect(parsed).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    if (!parsed.ok) expect(parsed.error.remedy).toContain(word);
  });
});
