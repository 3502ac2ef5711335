import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ArmatureError, MAX_KEY_BYTES, type ErrorCode } from '@armature/kernel';
import { ReadContext, bytes, connectOver, json, type Client } from '@armature/client';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

let cluster: LocalCluster;
let routed: Client;

const ports = (of: LocalCluster) => ({
  bus: of.broker.connect(),
  clock: systemClock,
  random: systemRandom(),
  log: silentLog,
  telemetry: noTelemetry,
});

beforeAll(async () => {
  cluster = await startLocalCluster();
  routed = await connectOver(ports(cluster), { cluster: 'local', routing: 'router' });
});
afterAll(async () => {
  await routed.close();
  await cluster.stop();
});

/** The error's code; it must be typed, and say what to do. */
async function refusal(run: () => Promise<unknown>): Promise<ErrorCode> {
  const thrown: unknown = await Promise.resolve()
    .then(run)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  if (!(thrown instanceof ArmatureError)) throw new Error(`expected an ArmatureError, got ${String(thrown)}`);
  expect(thrown.remedy, thrown.message).toMatch(/\w/);
  return thrown.code;
}

describe.each(['direct', 'router'] as const)('%s client', (kind) => {
  const bucket = (name = 'default') => (kind === 'direct' ? cluster.client : routed).bucket(name, { codec: bytes });

  test('keys: empty is refused, 64 KiB and any bytes are fine, one byte more is too large', async () => {
    expect(await refusal(() => bucket().put('', Buffer.from('x')))).toBe('invalid-argument');
    const long = Buffer.alloc(MAX_KEY_BYTES, 0xe9);
    await bucket().put(long, Buffer.from(kind));
    expect((await bucket().get(long))?.values.map(String)).toContain(kind);
    expect(await refusal(() => bucket().get(Buffer.alloc(MAX_KEY_BYTES + 1)))).toBe('too-large');
    const odd = Buffer.from([0, 255, 10, 13, 42, 62, 46, 32, kind.length]);
    await bucket().put(odd, Buffer.from(kind));
    expect((await bucket().get(odd))?.values.map(String)).toContain(kind);
  });

  test('values: 0 B and 1 MB come back as they were, more than the bucket allows is too large', async () => {
    for (const sizeBytes of [0, 1, 1_048_576, 4 * 1_048_576]) {
      const value = Buffer.alloc(sizeBytes, 0xa5);
      await bucket().put(`${kind}/size/${sizeBytes}`, value);
      const entry = await bucket().get(`${kind}/size/${sizeBytes}`);
      expect(Buffer.compare(entry?.value ?? Buffer.from('absent'), value)).toBe(0);
    }
    expect(await refusal(() => bucket().put(`${kind}/big`, Buffer.alloc(4 * 1_048_576 + 1)))).toBe('too-large');
  });

  test('contexts: forged, truncated, and of another key are refused, and nothing is written', async () => {
    await bucket().put(`${kind}/ctx`, Buffer.from('kept'));
    await bucket().put(`${kind}/other`, Buffer.from('other'));
    const context = (await bucket().get(`${kind}/ctx`))?.context.toBytes() ?? new Uint8Array(0);
    const foreign = (await bucket().get(`${kind}/other`))?.context.toBytes() ?? new Uint8Array(0);
    const forged = Buffer.from(context);
    forged[8] = (forged[8] ?? 0) ^ 1;
    for (const bad of [forged, Buffer.from(context).subarray(0, -3), foreign, Buffer.from('nonsense')]) {
      const put = () => bucket().put(`${kind}/ctx`, Buffer.from('destroyed'), { context: ReadContext.fromBytes(bad) });
      expect(await refusal(put)).toBe('invalid-context');
    }
    expect((await bucket().get(`${kind}/ctx`))?.values.map(String)).toEqual(['kept']);
    expect(() => ReadContext.fromString('not base64 !')).toThrow(/base64/);
  });

  test('an unknown bucket and a malformed bucket name are told apart', async () => {
    expect(await refusal(() => bucket('nowhere').get('k'))).toBe('unknown-bucket');
    expect(await refusal(() => bucket('nowhere').put('k', Buffer.from('v')))).toBe('unknown-bucket');
    expect(await refusal(async () => bucket('no/slash').get('k'))).toBe('invalid-argument');
  });

  test('quorums beyond N are refused with the numbers', async () => {
    expect(await refusal(() => bucket().get('k', { r: 4 }))).toBe('invalid-argument');
    expect(await refusal(() => bucket().put('k', Buffer.from('v'), { w: 4 }))).toBe('invalid-argument');
    expect(await refusal(() => cluster.client.admin.setBucket('thin', { n: 2, r: 3 }))).toBe('invalid-argument');
  });

  test("a failing codec is the application's error, and the stored value stays", async () => {
    const numbers = (kind === 'direct' ? cluster.client : routed).bucket('default', {
      codec: json((input) => {
        if (typeof input !== 'number') throw new TypeError('expected a number');
        return input;
      }),
    });
    await bucket().put(`${kind}/text`, Buffer.from('"text"'));
    expect(await refusal(() => numbers.get(`${kind}/text`))).toBe('application-error');
    expect(String((await bucket().get(`${kind}/text`))?.value)).toBe('"text"');
  });
});

test('a client of a cluster that is not there is told so, with what to check', async () => {
  expect(
    await refusal(() => connectOver(ports(cluster), { cluster: 'elsewhere', routing: 'direct', secret: 'x'.repeat(32) })),
  ).toBe('no-cluster');
  const lost = await connectOver(ports(cluster), { cluster: 'elsewhere', routing: 'router' });
  expect(await refusal(() => lost.bucket('default').get('k', { timeoutMs: 1500 }))).toBe('unreachable');
  await lost.close();
});

test('a direct client without the secret, or with a short one, is refused at once', async () => {
  expect(await refusal(() => connectOver(ports(cluster), { cluster: 'local', routing: 'direct' }))).toBe('invalid-config');
  expect(await refusal(() => connectOver(ports(cluster), { cluster: 'local', routing: 'direct', secret: 'short' }))).toBe(
    'invalid-config',
  );
});
