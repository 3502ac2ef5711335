import { afterAll, beforeAll, expect, test } from 'vitest';
import { headersOf, headerValue, type Bus, type BusMessage } from '@armature/bus';
import { startLocalCluster, type LocalCluster } from './index.js';

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

test.each([
  ['an unknown bucket', 'get.nowhere.k', {}, '404', 'unknown-bucket'],
  ['a key never written', 'get.default.never', {}, '404', 'not-found'],
  ['no key', 'get.default', {}, '400', 'invalid-argument'],
  ['a quorum that is none', 'get.default.k', { 'Armature-R': 'most' }, '400', 'invalid-argument'],
  ['a quorum beyond N', 'get.default.k', { 'Armature-R': '4' }, '400', 'invalid-argument'],
  ['a forged context', 'put.default.k', { 'Armature-Context': 'AAAA' }, '412', 'invalid-context'],
  ['a malformed operation', 'put.default.k', { 'Armature-Operation': 'x' }, '400', 'invalid-argument'],
  ['a malformed timeout', 'put.default.k', { 'Armature-Timeout-Ms': 'soon' }, '400', 'invalid-argument'],
])('%s is answered with a service error and a code', async (_what, subject, headers, status, code) => {
  const answer = await request(subject, 'v', headers);
  expect(header(answer, 'Nats-Service-Error-Code')).toBe(status);
  expect(header(answer, 'Nats-Service-Error')).toMatch(/\w/);
  expect(header(answer, 'Armature-Error')).toBe(code);
});
