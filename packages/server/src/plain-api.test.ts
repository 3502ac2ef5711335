import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '@armature/kernel';
import { headersOf, headerValue, type Bus, type BusMessage } from '@armature/bus';
import { parseGrant, deriveTokenKeys, sealToken, tokenToText } from '@armature/rights';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

let cluster: LocalCluster;
let bus: Bus;
let inboxes = 0;

beforeAll(async () => {
  cluster = await startLocalCluster();
  bus = cluster.broker.connect();
});
afterAll(async () => {
  await bus.drain();
  await cluster.stop();
});

/** What any NATS client can do: publish with a reply subject, and read the answer's headers and payload. */
function request(subject: string, payload = '', headers: Record<string, string> = {}): Promise<BusMessage> {
  return new Promise((resolve) => {
    const inbox = `_INBOX.test.${inboxes++}`;
    const subscription = bus.subscribe(inbox, (message) => {
      subscription.unsubscribe();
      resolve(message);
    });
    bus.publish(`armature.local.api.${subject}`, Buffer.from(payload), { reply: inbox, headers: headersOf(headers) });
  });
}
const text = (message: BusMessage): string => Buffer.from(message.payload).toString('utf8');
const header = (message: BusMessage, name: string): string | undefined => headerValue(message.headers, name);

test('bucket and key in the subject: put, get, delete, get', async () => {
  const put = await request('put.default.greeting.en', 'hello');
  expect(header(put, 'Armature-Replicas')).toMatch(/n\d=primary:durable/);
  const got = await request('get.default.greeting.en');
  expect(text(got)).toBe('hello');
  expect(header(got, 'Armature-Siblings')).toBe('1');
  const context = header(got, 'Armature-Context') ?? '';
  const gone = await request('delete.default.greeting.en', '', { 'Armature-Context': context });
  expect(header(gone, 'Nats-Service-Error-Code')).toBeUndefined();
  const missing = await request('get.default.greeting.en');
  expect(header(missing, 'Nats-Service-Error-Code')).toBe('404');
  expect(header(missing, 'Armature-Deleted')).toBe('true');
});

test('bucket and key in headers, any bytes as base64, and metadata round trip', async () => {
  const where = { 'Armature-Bucket': 'default', 'Armature-Key-Base64': Buffer.from([0, 1, 255, 46]).toString('base64') };
  await request('put', '{"a":1}', { ...where, 'Content-Type': 'application/json', 'Armature-Meta-Owner': 'alice' });
  const got = await request('get', '', where);
  expect(text(got)).toBe('{"a":1}');
  expect(header(got, 'Content-Type')).toBe('application/json');
  expect(header(got, 'Armature-Meta-owner')).toBe('alice');
});

test('siblings come as a JSON document, and a put with their context makes one of them', async () => {
  await request('put.default.sib', 'one');
  await request('put.default.sib', 'two');
  const got = await request('get.default.sib');
  expect(header(got, 'Armature-Siblings')).toBe('2');
  expect(header(got, 'Content-Type')).toBe('application/vnd.armature.siblings+json');
  const document = JSON.parse(text(got)) as { siblings: { value: string }[] };
  expect(document.siblings.map(({ value }) => Buffer.from(value, 'base64').toString()).sort()).toEqual(['one', 'two']);
  await request('put.default.sib', 'both', { 'Armature-Context': header(got, 'Armature-Context') ?? '' });
  expect(text(await request('get.default.sib'))).toBe('both');
});

test('a delete without a context deletes what is there, siblings too, and says how many; of nothing there is nothing to delete', async () => {
  await request('put.default.gone', 'one');
  await request('put.default.gone', 'two');
  const deleted = await request('delete.default.gone');
  expect(header(deleted, 'Nats-Service-Error-Code')).toBeUndefined();
  expect(header(deleted, 'Armature-Siblings')).toBe('2');
  expect(header(deleted, 'Armature-Replicas')).toMatch(/primary/);
  expect(header(await request('get.default.gone'), 'Armature-Deleted')).toBe('true');
  for (const [key, isDeleted] of [
    ['gone', 'true'],
    ['never-there', undefined],
  ] as const) {
    const again = await request(`delete.default.${key}`);
    expect(header(again, 'Armature-Error')).toBe('not-found');
    expect(header(again, 'Armature-Deleted')).toBe(isDeleted);
  }
});

test('a delete with a context deletes what that has seen, and no more', async () => {
  await request('put.default.half', 'seen');
  const context = header(await request('get.default.half'), 'Armature-Context') ?? '';
  await request('put.default.half', 'unseen');
  await request('delete.default.half', '', { 'Armature-Context': context });
  expect(text(await request('get.default.half'))).toBe('unseen');
});

test('siblings too large for one message: context, sizes, each by its number; a put with the context replaces them', async () => {
  await request('put.default.big', 'x'.repeat(600_000));
  await request('put.default.big', 'y'.repeat(600_001));
  const all = await request('get.default.big');
  expect(header(all, 'Armature-Error')).toBe('too-large');
  expect(header(all, 'Armature-Siblings')).toBe('2');
  expect((header(all, 'Armature-Sibling-Sizes') ?? '').split(',').sort()).toEqual(['600000', '600001']);
  const context = { 'Armature-Context': header(all, 'Armature-Context') ?? '' };
  const values: string[] = [];
  for (const sibling of ['1', '2']) {
    const one = await request('get.default.big', '', { ...context, 'Armature-Sibling': sibling });
    expect(header(one, 'Armature-Siblings')).toBe('2');
    values.push(text(one).slice(0, 1) + String(one.payload.length));
  }
  expect(values.sort()).toEqual(['x600000', 'y600001']);
  expect(header(await request('get.default.big', '', { 'Armature-Sibling': '3' }), 'Armature-Error')).toBe('invalid-argument');
  await request('put.default.big', 'both', context);
  expect(text(await request('get.default.big'))).toBe('both');
});

test('siblings one by one are those of one state: changed meanwhile, the reader is told', async () => {
  await request('put.default.moving', 'one');
  await request('put.default.moving', 'two');
  const context = header(await request('get.default.moving'), 'Armature-Context') ?? '';
  const second = { 'Armature-Sibling': '2', 'Armature-Context': context };
  expect(header(await request('get.default.moving', '', second), 'Armature-Error')).toBeUndefined();
  await request('put.default.moving', 'three');
  expect(header(await request('get.default.moving', '', second), 'Armature-Error')).toBe('invalid-context');
});

test('a single value above max_payload: too-large names limit and library, and its context replaces or deletes it', async () => {
  for (const end of ['put', 'delete']) {
    await cluster.client
      .bucket('default')
      .put('huge', 'x'.repeat(1_100_000), { context: (await cluster.client.bucket('default').read('huge')).context });
    const got = await request('get.default.huge');
    expect(header(got, 'Armature-Error')).toBe('too-large');
    expect(header(got, 'Nats-Service-Error')).toContain('1048576');
    expect(header(got, 'Armature-Remedy')).toContain('@armature/client');
    expect(header(got, 'Armature-Sibling-Sizes')).toMatch(/^11000\d\d$/);
    await request(`${end}.default.huge`, 'small', { 'Armature-Context': header(got, 'Armature-Context') ?? '' });
    const after = await request('get.default.huge');
    expect(header(after, 'Armature-Error') ?? text(after)).toBe(end === 'put' ? 'small' : 'not-found');
  }
  expect(header(await request('delete.default.huge'), 'Armature-Error')).toBe('not-found');
});

test('headers count in any case', async () => {
  await request('put.default.case', 'one');
  const context = header(await request('get.default.case'), 'Armature-Context') ?? '';
  await request('put.default.case', 'two', {
    'ARMATURE-context': context,
    'armature-w': 'all',
    'content-TYPE': 'a/b',
    'ARMATURE-META-X': 'y',
  });
  const got = await request('get', '', { 'armature-key': 'case', 'armature-BUCKET': 'default' });
  expect([text(got), header(got, 'Content-Type'), header(got, 'Armature-Meta-x')]).toEqual(['two', 'a/b', 'y']);
  expect(header(await request('put.default.case', 'x', { 'armature-w': '99' }), 'Armature-Error')).toBe('invalid-argument');
});

test('metadata that another door wrote is read here, and what is read here can be written back', async () => {
  const bucket = cluster.client.bucket('default');
  const meta = { 'camera model': 'x', größe: '1', 'a:b': '100%', lines: 'a\r\nb', ' Name ': ' v ', 'content-type': 'text/x\ny' };
  await bucket.put('meta', 'v', { meta });
  const got = await request('get.default.meta');
  expect(text(got)).toContain('v');
  const sent = [...(got.headers ?? [])].filter(([name]) => /^(armature-meta-|content-type)/i.test(name));
  await request(
    'put.default.copy',
    text(got),
    Object.fromEntries(sent.map(([name, values]) => [name.toUpperCase(), values[0] ?? ''])),
  );
  const [copy] = (await bucket.get('copy'))!.siblings;
  expect(Object.fromEntries(copy!.meta)).toEqual(meta);
});

const REPLACED = '\ufffd';
test.each<[string, string, Record<string, string>, string]>([
  ['an unknown header', 'put.default.k', { 'Armature-Wx': '3' }, 'Did you mean Armature-W?'],
  ['a header misspelt', 'put.default.k', { 'Armature-Contxt': 'x' }, 'Did you mean Armature-Context?'],
  ['a header that says nothing to the verb', 'get.default.k', { 'Armature-DW': '1' }, 'put, delete'],
  ['metadata of a get', 'get.default.k', { 'Armature-Meta-x': '1' }, 'Leave the header out.'],
  ['a header in two spellings', 'put.default.k', { 'Armature-W': '1', 'armature-w': '1' }, 'Give it once'],
  ['the type twice', 'put.default.k', { 'Content-Type': 'a', 'Armature-Meta-Content-Type': 'b' }, 'Give it once'],
  ['another bucket than the subject', 'get.default.k', { 'Armature-Bucket': 'payments' }, 'Name it once'],
  [
    'another bucket, no key in the subject',
    'get.default',
    { 'Armature-Bucket': 'payments', 'Armature-Key': 'k' },
    'Name it once',
  ],
  ['another key than the subject', 'put.default.a', { 'Armature-Key': 'b' }, 'Name it once'],
  ['another key in base64', 'delete.default.a', { 'Armature-Key-Base64': 'Yg' }, 'Name it once'],
  ['the key twice', 'put', { 'Armature-Key': 'k1', 'Armature-Key-Base64': 'azI=' }, 'Give one of them.'],
  ['a subject that is no UTF-8', `put.default.caf${REPLACED}`, {}, 'Armature-Key-Base64'],
  ['a key header that is no UTF-8', 'put', { 'Armature-Key': `caf${REPLACED}` }, 'Armature-Key-Base64'],
  ['metadata that is no UTF-8', 'put.default.k', { 'Armature-Meta-x': REPLACED }, 'Escape it'],
  ['a sibling that is no number', 'get.default.k', { 'Armature-Sibling': '0' }, 'counted from 1'],
  ['a context without a sibling', 'get.default.k', { 'Armature-Context': 'AAAA' }, 'which sibling'],
])('%s: invalid-argument, with a remedy', async (_what, subject, headers, remedy) => {
  const answer = await request(subject, 'v', headers);
  expect(header(answer, 'Nats-Service-Error-Code')).toBe('400');
  expect(header(answer, 'Armature-Error')).toBe('invalid-argument');
  expect(header(answer, 'Armature-Remedy')).toContain(remedy);
});

test('the same bucket and key in subject and headers are no contradiction', async () => {
  await request('put.default.same', 'v');
  expect(text(await request('get.default.same', '', { 'Armature-Bucket': 'default', 'Armature-Key': 'same' }))).toBe('v');
});

test('keys that are no subject tokens have the header', async () => {
  for (const key of ['a..b', '.a', 'a.', 'with blank']) {
    await request('put', key, { 'Armature-Key': key });
    expect(text(await request('get.default', '', { 'Armature-Key': key }))).toBe(key);
  }
});

test.each([
  ['an unknown bucket', 'get.nowhere.k', {}, '404', 'unknown-bucket'],
  ['a key never written', 'get.default.never', {}, '404', 'not-found'],
  ['no key', 'get.default', {}, '400', 'invalid-argument'],
  ['a quorum that is none', 'get.default.k', { 'Armature-R': 'most' }, '400', 'invalid-argument'],
  ['a quorum beyond N', 'get.default.k', { 'Armature-R': '4' }, '400', 'invalid-argument'],
  ['a forged context', 'put.default.k', { 'Armature-Context': 'AAAA' }, '412', 'invalid-context'],
  ['a malformed operation', 'put.default.k', { 'Armature-Operation': 'x' }, '400', 'invalid-argument'],
  ['a repetition of nothing', 'put.default.k', { 'Armature-Repeated': 'true' }, '400', 'invalid-argument'],
  [
    'a repetition that is neither true nor false',
    'put.default.k',
    { 'Armature-Operation': '00112233445566aa', 'Armature-Repeated': 'yes' },
    '400',
    'invalid-argument',
  ],
  ['a malformed timeout', 'put.default.k', { 'Armature-Timeout-Ms': 'soon' }, '400', 'invalid-argument'],
])('%s is answered with a service error and a code', async (_what, subject, headers, status, code) => {
  const answer = await request(subject, 'v', headers);
  expect(header(answer, 'Nats-Service-Error-Code')).toBe(status);
  expect(header(answer, 'Nats-Service-Error')).toMatch(/\w/);
  expect(header(answer, 'Armature-Error')).toBe(code);
});

test('a delete that cannot read says that nothing was deleted, and that with a context nothing is read', async () => {
  await request('put.default.cut-off', 'v');
  const context = header(await request('get.default.cut-off'), 'Armature-Context') ?? '';
  const [, ...others] = cluster.nodes.map(({ options }) => cluster.connectionOf(options.node));
  for (const connection of others) connection.disconnect();
  try {
    const refused = await request('delete.default.cut-off', '', { 'Armature-Timeout-Ms': '500' });
    expect([header(refused, 'Armature-Error'), header(refused, 'Armature-Remedy')]).toEqual([
      'unavailable',
      expect.stringContaining('Nothing was deleted') as unknown,
    ]);
    const deleted = await request('delete.default.cut-off', '', { 'Armature-Context': context, 'Armature-W': '1' });
    expect(header(deleted, 'Armature-Error')).toBeUndefined();
  } finally {
    for (const connection of others) connection.reconnect();
  }
});

describe('tokens', () => {
  const tokenFor = (grants: readonly string[], generation = 0): Record<string, string> => {
    const keys = deriveTokenKeys(cluster.options.secrets, cluster.options.cluster);
    const granted = grants.map((grant) => unwrap(parseGrant(grant)));
    const token = { subject: 'alice', grants: granted, role: undefined, expiresAtMs: Number.MAX_SAFE_INTEGER, generation };
    return { 'Armature-Token': tokenToText(unwrap(sealToken(token, keys))) };
  };
  const codeOf = async (subject: string, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await request(subject, 'x', headers);
    return `${header(answer, 'Nats-Service-Error-Code') ?? 'ok'} ${header(answer, 'Armature-Error') ?? ''}`.trim();
  };
  const heard = async (isSo: () => boolean): Promise<void> => {
    await expect.poll(isSo).toBe(true);
  };

  test('where they are required, each gets what it grants and nothing else; raised, the generation voids them', async () => {
    const { admin } = cluster.client;
    const access = () => cluster.router.participant.membership.view.access;
    await admin.setBucket('payments', {});
    await admin.demandTokens('required');
    await heard(() => access().tokens === 'required');
    const reader = tokenFor(['payments:read']);
    const writer = tokenFor(['payments:write', 'default/mine-:read,write']);

    expect(await codeOf('put.payments.k')).toBe('401 unauthenticated');
    expect(await codeOf('put.payments.k', reader)).toBe('403 forbidden');
    expect(await codeOf('put.payments.k', writer)).toBe('ok');
    expect(await codeOf('get.payments.k', reader)).toBe('ok');
    expect(await codeOf('get.payments.k', writer)).toBe('403 forbidden');
    expect(await codeOf('get', { ...reader, 'Armature-Bucket': 'default', 'Armature-Key': 'k' })).toBe('403 forbidden');
    expect(await codeOf('get.no-such-bucket.k', reader)).toBe('403 forbidden');
    expect(await codeOf('put.default.mine-1', writer)).toBe('ok');
    expect(await codeOf('put.default.min', writer)).toBe('403 forbidden');
    expect(await codeOf('delete.payments.k', reader)).toBe('403 forbidden');
    expect(await codeOf('delete.payments.k', writer)).toBe('ok');
    expect(await codeOf('get.payments.k', { 'Armature-Token': 'armt1.AAAA' })).toBe('401 unauthenticated');

    await admin.revokeTokens();
    await heard(() => access().generation === 1);
    expect(await codeOf('get.payments.k', reader)).toBe('401 unauthenticated');
    expect(await codeOf('get.payments.k', tokenFor(['payments:read'], 1))).toBe('404 not-found');

    await admin.demandTokens('optional');
    await heard(() => access().tokens === 'optional');
    expect(await codeOf('put.payments.k')).toBe('ok');
    expect(await codeOf('get.payments.k', reader)).toBe('401 unauthenticated');
  });

  test('a refusal does not repeat the token', async () => {
    const { 'Armature-Token': token = '' } = tokenFor(['payments:read']);
    for (const shown of [token, `${token.slice(0, -1)}_`, token.slice(0, -4), `x${token}`]) {
      const answer = await request('put.default.k', 'x', { 'Armature-Token': shown });
      expect(header(answer, 'Armature-Error')).toMatch(/^(unauthenticated|forbidden)$/);
      for (const value of [...(answer.headers ?? new Map<string, string[]>()).values()].flat())
        expect(value).not.toContain(token.slice(6, 30));
    }
  });
});

test.each(['get', 'delete'])('a %s with a payload is refused: it would be kept while the request waits', async (verb) => {
  const refused = await request(`${verb}.default.greeting`, 'x'.repeat(1_025));
  expect(header(refused, 'Armature-Error')).toBe('invalid-argument');
  expect(header(await request(`${verb}.default.nothing-there`, 'x'), 'Armature-Error')).toBe('not-found');
});
