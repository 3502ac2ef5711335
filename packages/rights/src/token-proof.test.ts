import { seededRandom, unwrap, type ClusterName } from '@armature/kernel';
import { describe, expect, test } from 'vitest';
import { OPEN_ACCESS } from './access.js';
import { authorizeRole } from './authorize.js';
import { claimOf, proofOf } from './token-proof.js';
import { deriveTokenKeys, sealToken, type TokenKeys } from './token-seal.js';
import { ROLES, allowsRole, type Role, type Token } from './token.js';
import { CLUSTER, KEYS, OLD_SECRET, SECRET } from './token.test-support.js';

const holder = (role: Role | undefined): Token => ({ subject: 'olga', grants: [], role, expiresAtMs: 2_000, generation: 3 });
const sealed = (role: Role, keys = KEYS): Uint8Array => unwrap(sealToken(holder(role), keys));

describe('proving a token without showing it', () => {
  test('the door makes the key of the holder from the claims and the secret', () => {
    for (const role of ROLES) {
      const { claims, key } = unwrap(proofOf(sealed(role), CLUSTER));
      const claimed = unwrap(claimOf(claims, KEYS));
      expect(claimed).toEqual({ token: holder(role), keys: [key] });
    }
  });

  test('the claims are the token without its MAC, which is not to be found in the key either', () => {
    const token = sealed('administrator');
    const { claims, key } = unwrap(proofOf(token, CLUSTER));
    expect(claims).toEqual(token.subarray(0, -16));
    expect(key).toHaveLength(32);
    expect(Buffer.from(key).includes(Buffer.from(token.subarray(-16)))).toBe(false);
  });

  test('claims that were changed in any bit have another key, or are none', () => {
    const { claims, key } = unwrap(proofOf(sealed('viewer'), CLUSTER));
    for (let i = 0; i < claims.length; i++)
      for (let bit = 0; bit < 8; bit++) {
        const claimed = claimOf(claims.with(i, (claims[i] as number) ^ (1 << bit)), KEYS);
        if (claimed.ok) expect(claimed.value.keys).not.toContainEqual(key);
      }
  });

  test('while the secret is changed, one key for each: that of the token is among them, whichever sealed it', () => {
    const both = deriveTokenKeys([SECRET, OLD_SECRET], CLUSTER);
    const keyBy = (keys: TokenKeys): Uint8Array => unwrap(proofOf(sealed('viewer', keys), CLUSTER)).key;
    const { claims } = unwrap(proofOf(sealed('viewer'), CLUSTER));
    expect(unwrap(claimOf(claims, both)).keys).toEqual([
      keyBy(deriveTokenKeys([SECRET], CLUSTER)),
      keyBy(deriveTokenKeys([OLD_SECRET], CLUSTER)),
    ]);
  });

  test('another cluster under the same secret has other keys, and the holder is told before he asks anybody', () => {
    const mall = 'mall' as ClusterName;
    const { claims, key } = unwrap(proofOf(sealed('viewer'), CLUSTER));
    expect(unwrap(claimOf(claims, deriveTokenKeys([SECRET], mall))).keys).not.toContainEqual(key);
    expect(proofOf(sealed('viewer'), mall)).toMatchObject({
      error: { code: 'unauthenticated', details: { fault: 'other-cluster' } },
    });
  });

  test('any bytes at all: a typed refusal, never another exception', () => {
    const random = seededRandom(1);
    const { claims } = unwrap(proofOf(sealed('viewer'), CLUSTER));
    for (let i = 0; i < 2_000; i++) {
      const bytes = i % 2 === 0 ? random.bytes(random.int(80)) : claims.slice(0, random.int(claims.length));
      const claimed = claimOf(bytes, KEYS);
      if (!claimed.ok) expect(claimed.error.code).toBe('unauthenticated');
    }
  });
});

describe('the decision at the door of administration', () => {
  test('each role may do what it may, and what those before it may; no role, nothing', () => {
    const access = { ...OPEN_ACCESS, generation: 3 };
    const may = (role: Role | undefined): Role[] =>
      ROLES.filter((needed) => authorizeRole(access, 1_999, holder(role), needed) === undefined);
    expect(may(undefined)).toEqual([]);
    for (const role of ROLES) expect(may(role)).toEqual(ROLES.filter((needed) => allowsRole(holder(role), needed)));
    expect(authorizeRole(access, 1_999, holder('viewer'), 'operator')).toMatchObject({
      code: 'forbidden',
      details: { role: 'operator' },
    });
  });

  test('expired from its time on, and revoked below the generation, whatever tokens are required for', () => {
    const fault = (nowMs: number, generation: number): unknown =>
      authorizeRole({ ...OPEN_ACCESS, generation }, nowMs, holder('administrator'), 'viewer')?.details['fault'];
    expect([fault(1_999, 3), fault(2_000, 3), fault(1_999, 4)]).toEqual([undefined, 'expired', 'revoked']);
  });
});
