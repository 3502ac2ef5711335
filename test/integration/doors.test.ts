/**
 * The doors for applications on real processes: arguments as a shell gives them, bytes as any NATS client sends them, and
 * listings of buckets that are larger than any message.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectNats, headers as natsHeaders, type Msg, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytes, type Client } from '@armature/client';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

let cluster: ProcessCluster;
let nats: NatsConnection;
let client: Client;
let api: string;
let inboxes = 0;

beforeAll(async () => {
  cluster = await ProcessCluster.start();
  api = `armature.${cluster.cluster}.api`;
  nats = await connectNats({ servers: cluster.natsUrl });
  client = await cluster.connect({ routing: 'router' });
});
afterAll(async () => {
  await client.close();
  await nats.close();
  await cluster.stop();
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command line as a shell runs it: `armature` is the program, and `printf` makes bytes that are no UTF-8. */
function shell(script: string): Promise<Ran> {
  const program = [process.execPath, ...programArgs('cli'), ...cluster.accessArgs];
  const armature = `armature() { ${program.map((word) => `'${word}'`).join(' ')} "$@"; }`;
  return new Promise((resolve) => {
    execFile('sh', ['-c', `${armature}\n${script}`], { maxBuffer: 1 << 30 }, (error: ExecFileException | null, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

async function request(subject: string, payload: string | Uint8Array = '', headers: Record<string, string> = {}): Promise<Msg> {
  const sent = natsHeaders();
  for (const [name, value] of Object.entries(headers)) sent.append(name, value);
  return nats.request(`${api}.${subject}`, payload, { timeout: 5_000, headers: sent });
}

/** A request as bytes, whatever a client library would say to it. */
async function rawRequest(subject: string, headers: string): Promise<Msg> {
  const inbox = `_INBOX.raw.${++inboxes}`;
  const answered = new Promise<Msg>((resolve) => {
    nats.subscribe(inbox, { max: 1, callback: (_error, message) => resolve(message) });
  });
  await nats.flush();
  const { hostname, port } = new URL(cluster.natsUrl);
  const socket = connectTcp(Number(port), hostname);
  await once(socket, 'data');
  const block = `NATS/1.0\r\n${headers}\r\n`;
  socket.write('CONNECT {"headers":true,"verbose":false}\r\n');
  socket.write(Buffer.from(`HPUB ${api}.${subject} ${inbox} ${block.length} ${block.length + 1}\r\n${block}v\r\n`, 'latin1'));
  const answer = await answered;
  socket.destroy();
  return answer;
}

test('arguments and files that are no UTF-8 make no key: each is refused, with the way to write it', async () => {
  for (const script of [
    `armature put default "$(printf 'caf\\351')" one`,
    `armature put default key "$(printf 'gr\\374')"`,
    `armature put default key v --meta "$(printf 'a=gr\\374')"`,
  ]) {
    const { code, err } = await shell(script);
    expect([script, code]).toEqual([script, 2]);
    expect(err).toContain('--base64-key');
  }
  const path = join(cluster.directory, 'latin1.jsonl');
  writeFileSync(
    path,
    Buffer.from('{"key":"x\xe9","value":"1"}\n{"key":"x\xe8","value":"2"}\n{"key":"\\ud800","value":"3"}\n', 'latin1'),
  );
  expect(await shell(`armature import default '${path}'`)).toMatchObject({ code: 1 });
  expect((await shell(`armature put default 'caf\ufffd' fine && armature keys default`)).out).toBe('caf\ufffd\n');
  expect((await shell(`armature delete default 'caf\ufffd'; armature keys default`)).out).toBe('');
});

test('bytes that are no UTF-8 in subjects and headers, and header names that are none, are refused over NATS too', async () => {
  for (const [subject, headers] of [
    ['put.default.caf\xe9', ''],
    ['put', 'Armature-Key: caf\xe9\r\n'],
    ['put.default.k', 'Armature-Meta-x: gr\xfc\r\n'],
    ['put.default.k', 'no name: x\r\n'],
  ] as const) {
    const answer = await rawRequest(subject, headers);
    expect([subject, headers, answer.headers?.get('Armature-Error')]).toEqual([subject, headers, 'invalid-argument']);
  }
  expect((await shell('armature keys default')).out).toBe('');
});

test('metadata of any text goes in by one door and out by every other', async () => {
  await shell(
    `armature put default m v --meta "$(printf 'camera model=a\\nb ')" --meta 'größe=50%' --content-type "$(printf 'text/x\\ny')"`,
  );
  const got = await request('get.default.m');
  const names = [...(got.headers?.keys() ?? [])].filter((name) => /^(Armature-Meta-|Content-Type)/.test(name));
  await request('put.default.copy', got.data, Object.fromEntries(names.map((name) => [name, got.headers?.get(name) ?? ''])));
  const { out } = await shell('armature get default copy --json');
  expect(JSON.parse(out)).toMatchObject({
    siblings: [{ value: 'v', meta: { 'camera model': 'a\nb ', größe: '50%', 'content-type': 'text/x\ny' } }],
  });
});

test('siblings that fit into no message together are read one by one, and replaced', async () => {
  for (const letter of ['x', 'y']) await request('put.default.big', letter.repeat(600_000));
  const all = await request('get.default.big');
  expect(all.headers?.get('Armature-Error')).toBe('too-large');
  const context = { 'armature-context': all.headers?.get('Armature-Context') ?? '' };
  const one = await request('get.default.big', '', { ...context, 'armature-sibling': '1' });
  const two = await request('get.default.big', '', { ...context, 'armature-sibling': '2' });
  expect([one.string()[0], two.string()[0]].sort()).toEqual(['x', 'y']);
  await request('put.default.big', 'both', context);
  expect((await request('get.default.big')).string()).toBe('both');
  expect((await request('delete.default.big')).headers?.get('Armature-Siblings')).toBe('1');
  expect((await request('get.default.big')).headers?.get('Armature-Deleted')).toBe('true');
});

test('a bucket whose values are many times a message is exported through a router, each record once', async () => {
  await client.admin.setBucket('large', {});
  const bucket = client.bucket('large', { codec: bytes, timeoutMs: 60_000 });
  const value = new Uint8Array(200_000).fill(0x61);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < 400) await bucket.put(`k${next++}`, value);
  };
  await Promise.all([writer(), writer(), writer(), writer()]);
  for (let i = 0; i < 5; i++) await bucket.put('wide', new Uint8Array(1_000_000).fill(0x62)); // a page by itself
  const path = join(cluster.directory, 'large.jsonl');
  expect((await shell(`armature export large '${path}' --timeout 60s`)).code).toBe(0);
  const { out } = await shell(`wc -c <'${path}'; cut -c 1-20 '${path}' | sort -u | wc -l`);
  const [sizeBytes = 0, records] = out.trim().split('\n').map(Number);
  expect(sizeBytes).toBeGreaterThan(400 * 200_000 + 5 * 1_000_000);
  expect(records).toBe(401);
  expect((await shell('armature keys large | sort -u | wc -l')).out.trim()).toBe('401');
});
