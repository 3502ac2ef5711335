/** What enters: quorums, addresses, secrets. */
import { MAX_KEY_BYTES, unwrap, utf8Encode, type ClusterName } from '@armature/kernel';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type BucketProperties, type QuorumWord } from '@armature/protocol';
import { parseAddress, verifyAddress } from '@armature/ring';
import { HLC_ZERO } from '@armature/kernel';
import { EMPTY_VECTOR } from '@armature/versioning';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkedAddress } from './checked-address.js';
import { readQuorum, writeQuorum } from './quorum.js';
import { createSealer } from './sealer.js';
import { addressFor, N1 } from './cluster.test-support.js';

const bucket = (parts: Partial<BucketProperties>): BucketProperties => ({ ...DEFAULT_BUCKET_PROPERTIES, ...parts });
const word = fc.oneof(fc.nat(7), fc.constantFrom<QuorumWord>('default', 'one', 'quorum', 'all'));

/** The number behind a word, told independently: undefined where it is no quorum. */
function meant(asked: QuorumWord, n: number, fallback: number): number | undefined {
  const number =
    asked === 'default' ? fallback : asked === 'one' ? 1 : asked === 'all' ? n : asked === 'quorum' ? (n >> 1) + 1 : asked;
  return number <= n ? number : undefined;
}

describe('quorums', () => {
  const sizes = fc.integer({ min: 1, max: 5 }).chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 1, max: n }), fc.nat(n)));

  test('a read asks for R, and for PR if that is more, and never for nobody', () => {
    fc.assert(
      fc.property(sizes, word, word, ([n, r, pr], askedR, askedPr) => {
        const quorum = readQuorum(bucket({ n, r, pr }), { r: askedR, pr: askedPr });
        const [wantedR, wantedPr] = [meant(askedR, n, r), meant(askedPr, n, pr)];
        if (wantedR === undefined || wantedPr === undefined) {
          expect(quorum).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
        } else {
          expect(unwrap(quorum)).toEqual({ n, r: wantedR, pr: wantedPr, needed: Math.max(1, wantedR, wantedPr) });
        }
      }),
    );
  });

  test('a write asks for W, PW and DW, and W is never nobody', () => {
    fc.assert(
      fc.property(sizes, word, word, word, ([n, w, pw], askedW, askedPw, askedDw) => {
        const quorum = writeQuorum(bucket({ n, w, pw }), { w: askedW, pw: askedPw, dw: askedDw });
        const wanted = [meant(askedW, n, w), meant(askedPw, n, pw), meant(askedDw, n, 0)];
        if (wanted.includes(undefined)) expect(quorum.ok).toBe(false);
        else expect(unwrap(quorum)).toEqual({ n, w: Math.max(1, wanted[0]!), pw: wanted[1], dw: wanted[2] });
      }),
    );
  });

  test('R + W > N: the words "quorum" meet whatever N is', () => {
    for (let n = 1; n <= 32; n++) {
      const { r } = unwrap(readQuorum(bucket({ n, r: 1 }), { r: 'quorum', pr: 0 }));
      const { w } = unwrap(writeQuorum(bucket({ n, w: 1 }), { w: 'quorum', pw: 0, dw: 0 }));
      expect(r + w).toBeGreaterThan(n);
    }
  });
});

describe('addresses', () => {
  test('a key of 1 byte to the limit has one, which names bucket and key and stands where their hash says', () => {
    for (const size of [1, 20, MAX_KEY_BYTES]) {
      const key = new Uint8Array(size).fill(size & 0xff);
      const address = unwrap(checkedAddress(DEFAULT_BUCKET, key));
      expect(verifyAddress(address).ok).toBe(true);
      const parsed = unwrap(parseAddress(address));
      expect(parsed.bucket).toBe(DEFAULT_BUCKET);
      expect(Buffer.compare(parsed.key, key)).toBe(0);
    }
  });

  test('no key, one too long, a bucket that is no name', () => {
    expect(checkedAddress('default', new Uint8Array(0))).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    expect(checkedAddress('default', new Uint8Array(MAX_KEY_BYTES + 1))).toMatchObject({
      ok: false,
      error: { code: 'too-large', details: { sizeBytes: MAX_KEY_BYTES + 1, maxKeyBytes: MAX_KEY_BYTES } },
    });
    for (const name of ['', 'a b', '../etc', 'x'.repeat(65)]) {
      expect(checkedAddress(name, utf8Encode('k'))).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    }
  });
});

describe('sealer', () => {
  const contents = { clock: EMPTY_VECTOR, at: HLC_ZERO, fastest: N1 };
  const cluster = 'one' as ClusterName;

  test('what it seals it opens, for the same key only', () => {
    const sealer = createSealer([utf8Encode('0123456789abcdef')], cluster);
    const sealed = sealer.seal(contents, addressFor('a'));
    expect(unwrap(sealer.open(sealed, addressFor('a')))).toEqual(contents);
    expect(sealer.open(sealed, addressFor('b'))).toMatchObject({ ok: false, error: { code: 'invalid-context' } });
  });

  test('another secret or cluster does not open it, the same ones elsewhere do', () => {
    const secret = utf8Encode('0123456789abcdef');
    const sealed = createSealer([secret], cluster).seal(contents, addressFor('a'));
    expect(createSealer([utf8Encode('0123456789abcdeX')], cluster).open(sealed, addressFor('a')).ok).toBe(false);
    expect(createSealer([secret], 'two' as ClusterName).open(sealed, addressFor('a')).ok).toBe(false);
    expect(createSealer([Uint8Array.from(secret)], cluster).open(sealed, addressFor('a')).ok).toBe(true);
  });

  test('while the secret is being changed, both open what either has sealed, and the first one seals', () => {
    const [before, after] = ['0123456789abcdef', 'fedcba9876543210'].map(utf8Encode) as [Uint8Array, Uint8Array];
    const stages = [[before], [before, after], [after, before], [after]] as const;
    const sealers = stages.map((secrets) => createSealer(secrets, cluster));
    const opens = sealers.map((by) => sealers.map((from) => by.open(from.seal(contents, addressFor('a')), addressFor('a')).ok));
    expect(opens).toEqual([
      [true, true, false, false],
      [true, true, true, true],
      [true, true, true, true],
      [false, false, true, true],
    ]);
  });

  test('a secret that could be guessed is refused, and it says how to make one', () => {
    for (const length of [0, 1, 15]) {
      expect(() => createSealer([new Uint8Array(length)], cluster)).toThrow(
        expect.objectContaining({ code: 'invalid-config', remedy: expect.stringContaining('openssl rand') as string }) as Error,
      );
    }
    expect(() => createSealer([new Uint8Array(16)], cluster)).not.toThrow();
  });
});
