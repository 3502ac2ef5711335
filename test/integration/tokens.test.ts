/**
 * Tokens on real processes: required of applications, bound to their bucket, void at every router once the generation is raised.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectNats, headers as natsHeaders, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

const ROUTERS = ['r1', 'r2'];
const HTTP_TOKEN = 'a-token-for-the-metrics';

let cluster: ProcessCluster;
let nats: NatsConnection;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ routers: ROUTERS });
  nats = await connectNats({ servers: cluster.natsUrl });
});
afterAll(async () => {
  await nats.close();
  await cluster.stop();
});

/** The command line with the secret of the cluster. */
function armature(...args: string[]): Promise<Ran> {
  return run(...args, '--secret-file', cluster.secretFile);
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(...args: string[]): Promise<Ran> {
  const common = ['--nats', cluster.natsUrl, '--cluster', cluster.cluster];
  return new Promise((resolve) => {
    execFile(process.execPath, [...programArgs('cli'), ...args, ...common], (error: ExecFileException | null, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

/** The code of the answer to a plain request: `ok`, or that of its error. */
async function ask(subject: string, token?: string): Promise<string> {
  const headers = natsHeaders();
  if (token !== undefined) headers.set('Armature-Token', token);
  const answer = await nats.request(`armature.${cluster.cluster}.api.${subject}`, 'v', { timeout: 5_000, headers });
  const error = answer.headers?.get('Armature-Error') ?? '';
  return error === '' ? 'ok' : error;
}

/** How many requests a router has refused for want of a token that allows them. */
async function refusalsOf(name: string): Promise<number> {
  return Number(/^armature_gate_refusals_total\{[^}]*\} (\d+)/m.exec(await cluster.metrics(name))?.[1] ?? 0);
}

/** What the routers say: many are asked, since each request goes to one of them, whichever it is. */
async function askEach(subject: string, token: string | undefined, times = 40): Promise<ReadonlySet<string>> {
  return new Set(await Promise.all(Array.from({ length: times }, () => ask(subject, token))));
}

async function token(...args: string[]): Promise<string> {
  const made = await armature('token', 'create', '--subject', 'shop', ...args);
  expect([made.code, made.err]).toEqual([0, expect.any(String) as unknown]);
  return made.out.trim();
}

test('required: without a token nothing is read or written; a token for a bucket gets that bucket and nothing else', async () => {
  expect((await armature('bucket', 'create', 'payments')).code).toBe(0);
  const shop = await token('--grant', 'payments:read,write', '--grant', 'default/cart-:read,write');
  const reader = await token('--grant', 'payments:read');
  expect(await ask('put.payments.k')).toBe('ok');

  expect((await armature('cluster', 'access', '--tokens', 'required')).out).toBe('tokens required, generation 0\n');
  await expect.poll(() => askEach('get.payments.k', undefined)).toEqual(new Set(['unauthenticated']));
  expect(await askEach('get.payments.k', shop)).toEqual(new Set(['ok']));

  const outcomes: Record<string, string> = {};
  for (const subject of [
    'put.payments.k',
    'delete.payments.k',
    'put.default.cart-1',
    'get.default.cart-1',
    'get.default.k',
    'put.default.k',
    'get.other.k',
  ])
    outcomes[subject] = await ask(subject, shop);
  expect(outcomes).toEqual({
    'put.payments.k': 'ok',
    'delete.payments.k': 'ok',
    'put.default.cart-1': 'ok',
    'get.default.cart-1': 'ok',
    'get.default.k': 'forbidden',
    'put.default.k': 'forbidden',
    'get.other.k': 'forbidden',
  });
  expect(await ask('put.payments.k', reader)).toBe('forbidden');
  expect(await ask('get.payments.k', `${shop.slice(0, -1)}${shop.endsWith('A') ? 'B' : 'A'}`)).toBe('unauthenticated');
});

test('the command line and the library show a token, and need no secret; who holds the secret goes another way', async () => {
  const file = join(cluster.directory, 'shop.token');
  writeFileSync(file, await token('--grant', 'payments:read,write'), { mode: 0o600 });
  const withToken = ['--token-file', file];
  const outcomes = [
    await run('put', 'payments', 'cli', 'v'),
    await run('put', 'payments', 'cli', 'v', ...withToken),
    await run('get', 'payments', 'cli', ...withToken),
    await run('get', 'default', 'k', ...withToken),
    await run('keys', 'payments', ...withToken),
    await armature('get', 'payments', 'cli', '--direct'),
  ];
  expect(outcomes.map(({ code }) => code)).toEqual([7, 0, 0, 7, 7, 0]);
  expect(outcomes[0]?.err).toContain('--token-file');
  for (const { out, err } of outcomes) expect(out + err).not.toContain('armt1.');
  const shop = await cluster.connect({ secret: undefined, token: readFileSync(file, 'utf8') });
  expect((await shop.bucket('payments').get('cli'))?.value).toBe('v');
  await expect(shop.bucket('default').get('k')).rejects.toMatchObject({ code: 'forbidden' });
  await shop.close();
});

test('revoked: every router refuses what it took before; a token that is made then counts', async () => {
  const former = await token('--grant', 'payments:read,write');
  expect(await askEach('put.payments.r', former)).toEqual(new Set(['ok']));
  const before = await Promise.all(ROUTERS.map(refusalsOf));
  expect((await armature('token', 'revoke', '--all')).code).toBe(0);
  await expect.poll(() => askEach('get.payments.r', former)).toEqual(new Set(['unauthenticated']));
  for (const [i, name] of ROUTERS.entries()) expect(await refusalsOf(name), name).toBeGreaterThan(before[i] as number);
  expect(await askEach('get.payments.r', await token('--grant', 'payments:read'))).toEqual(new Set(['ok']));
});

test('a router that is started later demands what the cluster demands, from its first answer on', async () => {
  for (const name of ROUTERS) await cluster.terminate(name);
  await cluster.launch('router', 'r3');
  await cluster.untilReady('r3');
  expect(await askEach('get.payments.r', undefined)).toEqual(new Set(['unauthenticated']));
  for (const name of ROUTERS) await cluster.restart(name);
});

test('the history says who required tokens; no token and no secret stands in any log', async () => {
  const { out } = await armature('cluster', 'history', '--json');
  const { changes: records } = JSON.parse(out) as { changes: { author: string; change: { kind: string } }[] };
  const [first] = records.filter(({ change }) => change.kind === 'access');
  expect(first?.author).toMatch(/^\S+@\S+$/);
  for (const name of ['n1', 'n2', 'n3', 'r1', 'r2', 'r3']) {
    const log = readFileSync(cluster.logFile(name), 'utf8');
    expect([name, log.includes('armt1.'), log.includes(cluster.secret)]).toEqual([name, false, false]);
  }
});

test('files that others may read are named in the log; metrics ask for a token', async () => {
  expect(statSync(cluster.secretFile).mode & 0o777).toBe(0o600);
  const tokenFile = join(cluster.directory, 'http.token');
  writeFileSync(tokenFile, HTTP_TOKEN);
  chmodSync(tokenFile, 0o644);
  const own = await ProcessCluster.start({
    nodes: ['m1'],
    routers: [],
    create: false,
    nodeFlags: ['--http-token-file', tokenFile],
  });
  try {
    const line = readFileSync(own.logFile('m1'), 'utf8')
      .split('\n')
      .find((one) => one.includes('chmod 600'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ file: tokenFile, mode: '644' });
    expect((await fetch(`${own.httpUrl('m1')}/metrics`)).status).toBe(401);
    const scraped = await fetch(`${own.httpUrl('m1')}/metrics`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` } });
    expect(await scraped.text()).toContain('armature_');
  } finally {
    await own.stop();
  }
});
