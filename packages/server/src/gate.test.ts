import { unwrap, utf8Encode, type BucketName, type ClusterName } from '@armature/kernel';
import { OPEN_ACCESS, deriveTokenKeys, parseGrant, sealToken, type Access, type Token } from '@armature/rights';
import { ManualClock, noTelemetry } from '@armature/runtime';
import { expect, test } from 'vitest';
import { Gate } from './gate.js';

const CLUSTER = 'shop' as ClusterName;
const [FORMER, PRESENT] = ['the former secret', 'the present secret'].map(utf8Encode) as [Uint8Array, Uint8Array];
const PAYMENTS = 'payments' as BucketName;
const KEY = utf8Encode('k');

class Bench {
  readonly clock = new ManualClock(1_000);
  access: Access | undefined = OPEN_ACCESS;
  readonly gate: Gate;

  constructor(...secrets: [Uint8Array, ...Uint8Array[]]) {
    this.gate = new Gate({ cluster: CLUSTER, secrets, access: () => this.access, clock: this.clock, telemetry: noTelemetry });
  }

  /** What comes of reading a key with this token. */
  read(token: Uint8Array | undefined, bucket = PAYMENTS): unknown {
    const refusal = this.gate.authorize(bucket, 'read', KEY, token);
    return refusal?.details['fault'] ?? refusal?.code;
  }
}

function tokenBy(secret: Uint8Array, more: Partial<Token> = {}): Uint8Array {
  const grants = [unwrap(parseGrant('payments:read'))];
  const token: Token = { subject: 'alice', grants, role: undefined, expiresAtMs: 2_000, generation: 0, ...more };
  return unwrap(sealToken(token, deriveTokenKeys([secret], CLUSTER)));
}

test('what was allowed a moment ago is not once the token has expired, or the generation was raised', async () => {
  const bench = new Bench(PRESENT);
  const token = tokenBy(PRESENT);
  expect(bench.read(token)).toBeUndefined();
  bench.access = { ...OPEN_ACCESS, generation: 1 };
  expect(bench.read(token)).toBe('revoked');
  bench.access = OPEN_ACCESS;
  expect(bench.read(token)).toBeUndefined();
  await bench.clock.advance(1_000);
  expect(bench.read(token)).toBe('expired');
});

test('a token binds its holder where none is required, too; without one all depends on that', () => {
  const bench = new Bench(PRESENT);
  expect(bench.read(undefined)).toBeUndefined();
  expect(bench.read(tokenBy(PRESENT), 'sessions' as BucketName)).toBe('forbidden');
  expect(bench.read(Uint8Array.of(1, 2, 3))).toBe('malformed');
  bench.access = { ...OPEN_ACCESS, tokens: 'required', revision: 1 };
  expect(bench.read(undefined)).toBe('missing');
  expect(bench.read(tokenBy(PRESENT))).toBeUndefined();
});

test('while the secret is being changed tokens of either count', () => {
  const both = new Bench(PRESENT, FORMER);
  expect([FORMER, PRESENT].map((secret) => both.read(tokenBy(secret)))).toEqual([undefined, undefined]);
  expect(new Bench(PRESENT).read(tokenBy(FORMER))).toBe('forged');
});

test('a token that is remembered is remembered by all of its bytes, and not by the memory that they came in', () => {
  const bench = new Bench(PRESENT);
  const message = Uint8Array.from(tokenBy(PRESENT));
  expect(bench.read(message)).toBeUndefined();
  message[message.length - 1] = (message[message.length - 1] as number) ^ 1;
  expect(bench.read(message)).toBe('forged');
  expect(bench.read(tokenBy(PRESENT))).toBeUndefined();
});

test('more tokens than are remembered: each is judged as before', () => {
  const bench = new Bench(PRESENT);
  for (let i = 0; i < 1_100; i++) expect(bench.read(tokenBy(PRESENT, { subject: `holder ${i}` }))).toBeUndefined();
  expect(bench.read(tokenBy(PRESENT, { subject: 'holder 0' }))).toBeUndefined();
});

test('while nothing is known of the cluster, and so not what it demands, nobody is let in', () => {
  const bench = new Bench(PRESENT);
  bench.access = undefined;
  expect([undefined, tokenBy(PRESENT)].map((token) => bench.read(token))).toEqual(['no-cluster', 'no-cluster']);
});
