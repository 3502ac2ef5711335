import { AssertionError, ByteWriter, concatBytes, seededRandom, unwrap, utf8Encode, type ClusterName } from '@armature/kernel';
import * as fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseGrant } from './grant.js';
import {
  deriveTokenKeys,
  openToken,
  peekToken,
  sealToken,
  tokenFromText,
  tokenToText,
  verifyToken,
  type TokenKeys,
} from './token-seal.js';
import { MAX_TOKEN_BYTES, type Token } from './token.js';
import { CLUSTER, KEYS, OLD_SECRET, SECRET, token } from './token.test-support.js';

const ALICE: Token = {
  subject: 'alice',
  grants: [unwrap(parseGrant('payments:read,write')), unwrap(parseGrant('sessions/a-:read'))],
  role: undefined,
  expiresAtMs: 2_000,
  generation: 3,
};
const sealed = unwrap(sealToken(ALICE, KEYS));
const NOW = { nowMs: 1_999, generation: 3 };

/** The fault for which these bytes are refused. */
function faultOf(bytes: Uint8Array, keys = KEYS, at = NOW): unknown {
  const opened = openToken(bytes, keys, at);
  if (opened.ok) throw new Error('opened');
  expect(opened.error.code).toBe('unauthenticated');
  expect(opened.error.remedy).toBeTruthy();
  return opened.error.details['fault'];
}

describe('tokens', () => {
  test('round trip, in bytes and in text; without the secret they can be looked at', () => {
    fc.assert(
      fc.property(token, (one) => {
        const sealing = sealToken(one, KEYS);
        fc.pre(sealing.ok);
        const bytes = unwrap(sealing);
        const text = tokenToText(bytes);
        expect(text).toMatch(/^armt1\.[A-Za-z0-9_-]+$/);
        expect(unwrap(tokenFromText(text))).toEqual(Buffer.from(bytes));
        expect(unwrap(verifyToken(bytes, KEYS))).toEqual(one);
        expect(unwrap(peekToken(bytes))).toEqual({ ...one, cluster: CLUSTER });
      }),
    );
  });

  test('every bit of every byte counts: any change is refused', () => {
    for (let i = 0; i < sealed.length; i++)
      for (let bit = 0; bit < 8; bit++)
        expect(['forged', 'malformed', 'other-cluster']).toContain(faultOf(sealed.with(i, (sealed[i] as number) ^ (1 << bit))));
  });

  test('every proper prefix is refused, and so are bytes appended', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(['malformed', 'forged']).toContain(faultOf(sealed.subarray(0, length)));
    expect(faultOf(concatBytes([sealed, Uint8Array.of(0)]))).toBe('forged');
  });

  test('a token has one text: any other character, and any left out or added, is refused', () => {
    const text = tokenToText(sealed);
    const refused = (changed: string): boolean => {
      const bytes = tokenFromText(changed);
      return !bytes.ok || !verifyToken(bytes.value, KEYS).ok;
    };
    for (let i = 0; i < text.length; i++) {
      for (const char of 'aB-_+/= 9')
        if (char !== text[i]) expect(refused(text.slice(0, i) + char + text.slice(i + 1))).toBe(true);
      expect(refused(text.slice(0, i) + text.slice(i + 1))).toBe(true);
    }
    for (const more of ['=', 'A', '\n', ' ']) expect(refused(text + more)).toBe(true);
  });

  test('another secret: forged. Another cluster: told which one it is for', () => {
    expect(faultOf(sealed, deriveTokenKeys([OLD_SECRET], CLUSTER))).toBe('forged');
    const mall = 'mall' as ClusterName;
    expect(faultOf(sealed, deriveTokenKeys([SECRET], mall))).toBe('other-cluster');
    const opened = openToken(sealed, deriveTokenKeys([SECRET], mall), NOW);
    expect(opened.ok ? '' : opened.error.message).toContain('for cluster shop, and this is mall');
  });

  test('whoever writes the name of our cluster into a token of another one has forged it', () => {
    const theirs = unwrap(sealToken(ALICE, deriveTokenKeys([SECRET], 'mall' as ClusterName)));
    const renamed = Buffer.from(theirs);
    renamed.write(CLUSTER, 2);
    expect(faultOf(renamed)).toBe('forged');
  });

  test('a token that is sealed with our key and names another cluster is not ours: the name is one of the bytes that are what they must be', () => {
    const other = unwrap(sealToken(ALICE, { ...KEYS, cluster: 'other' as ClusterName }));
    expect(faultOf(other)).toBe('other-cluster');
  });

  test('expired from its time on; revoked below the generation that is asked for', () => {
    expect(openToken(sealed, KEYS, NOW).ok).toBe(true);
    expect(faultOf(sealed, KEYS, { ...NOW, nowMs: 2_000 })).toBe('expired');
    expect(faultOf(sealed, KEYS, { ...NOW, generation: 4 })).toBe('revoked');
    expect(openToken(sealed, KEYS, { ...NOW, generation: 2 }).ok).toBe(true);
  });

  test('two secrets: the first one seals, and what either has sealed counts, wherever the change has got to', () => {
    const stages = [[OLD_SECRET], [OLD_SECRET, SECRET], [SECRET, OLD_SECRET], [SECRET]] as const;
    const keys = stages.map((secrets) => deriveTokenKeys(secrets, CLUSTER));
    const opens = (by: TokenKeys, from: TokenKeys): boolean => verifyToken(unwrap(sealToken(ALICE, from)), by).ok;
    expect(keys.map((by) => keys.map((from) => opens(by, from)))).toEqual([
      [true, true, false, false],
      [true, true, true, true],
      [true, true, true, true],
      [false, false, true, true],
    ]);
  });

  test('any bytes at all: a typed refusal, never another exception', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }).map((rest) => Uint8Array.of(1, 4, 115, 104, 111, 112, ...rest)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        faultOf(bytes);
        peekToken(bytes);
      }),
      { numRuns: 2_000 },
    );
    expect(faultOf(seededRandom('token').bytes(MAX_TOKEN_BYTES + 1))).toBe('malformed');
  });

  test('authentic contents that this version cannot read: refused, not thrown', () => {
    const [mac] = KEYS.macs;
    const seal = (contents: ByteWriter): Uint8Array => {
      const bytes = contents.copyOut();
      return concatBytes([bytes, mac!(bytes)]);
    };
    const begun = (): ByteWriter => new ByteWriter().u8(1).text(CLUSTER).text('x').varint(9_999).varint(9);
    expect(faultOf(seal(new ByteWriter().u8(2).text(CLUSTER)))).toBe('malformed');
    expect(faultOf(seal(begun().u8(9).varint(0)))).toBe('malformed');
    expect(faultOf(seal(begun().u8(1).varint(0).u8(7)))).toBe('malformed');
    expect(faultOf(seal(begun().u8(1).varint(1).text('*').varint(0).u8(255)))).toBe('malformed');
    expect(faultOf(seal(begun().u8(1).varint(1).text('*').blob(Uint8Array.of(1)).u8(1)))).toBe('malformed');
    expect(faultOf(seal(begun().u8(1).varint(17).raw(new Uint8Array(60))))).toBe('malformed');
    expect(openToken(seal(begun().u8(1).varint(0)), KEYS, NOW).ok).toBe(true);
  });

  test.each<[string, Partial<Token>, string]>([
    ['no subject', { subject: '' }, 'subject'],
    ['a subject with a line break', { subject: 'a\nb' }, 'subject'],
    ['a subject with a word of a terminal', { subject: 'a\u001b[2Jb' }, 'subject'],
    ['a subject written backwards', { subject: 'a\u202eb' }, 'subject'],
    ['a subject of 129 characters', { subject: 'a'.repeat(129) }, 'subject'],
    ['nothing that it is for', { grants: [] }, 'what it is for'],
    ['grants and a role', { role: 'viewer' }, 'what it is for'],
    ['17 grants', { grants: Array.from({ length: 17 }, () => ALICE.grants[0]!) }, 'grants'],
    ['a time that is none', { expiresAtMs: Number.NaN }, 'end'],
    ['a generation below 0', { generation: -1 }, 'generation'],
    ['more than 4 KiB', { grants: [{ ...ALICE.grants[0]!, prefix: new Uint8Array(4_090) }] }, '4096'],
  ])('%s: not sealed', (_what, part, word) => {
    const sealing = sealToken({ ...ALICE, ...part }, KEYS);
    expect(sealing).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    if (!sealing.ok) expect(sealing.error.message).toContain(word);
  });

  test('16 grants of long prefixes fit', () => {
    const grants = Array.from({ length: 16 }, (_, i) => ({ ...ALICE.grants[0]!, prefix: new Uint8Array(200).fill(i) }));
    const bytes = unwrap(sealToken({ ...ALICE, subject: '你'.repeat(64), grants }, KEYS));
    expect(bytes.length).toBeLessThanOrEqual(MAX_TOKEN_BYTES);
    expect(unwrap(verifyToken(bytes, KEYS)).grants).toHaveLength(16);
  });
});

describe('keys for tokens', () => {
  test('show nothing when logged', () => {
    expect(inspect(KEYS, { depth: 9, showHidden: true })).not.toMatch(/Buffer|Uint8Array/);
    expect(JSON.stringify(KEYS)).not.toContain('secret');
  });

  test('an empty secret is a bug', () => {
    expect(() => deriveTokenKeys([utf8Encode('')], CLUSTER)).toThrow(AssertionError);
  });
});
