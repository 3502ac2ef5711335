/**
 * What `armature nats-config` writes, on a real nats-server: everybody does his work with it and is denied nothing, and whatever
 * the table of subjects does not give him is denied. What is to be denied is said here once more, in other words than those that
 * the permissions are made of.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { RequestStrategy, connect as connectNats, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '@armature/cli';
import { connect } from '@armature/client';
import { SUBJECT_TABLE, absolute, tokensOf, type BusRole, type Direction, type OwnNames } from '@armature/protocol';
import { systemClock } from '@armature/runtime';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

interface Somebody {
  readonly roles: readonly BusRole[];
  /** The names that are his: whoever uses one of these roles must have all of one of these entries. */
  readonly mine: readonly OwnNames[];
}

const SERVICES = ['armature-node', 'armature-router', 'armature-api', 'armature-anti-entropy'];
const node = (name: string): Somebody => ({ roles: ['node'], mine: [{ node: name, service: 'armature-node' }] });

const USERS: Readonly<Record<string, Somebody>> = {
  'node-n1': node('n1'),
  'node-n2': node('n2'),
  'node-n3': node('n3'),
  router: { roles: ['router'], mine: [{ service: 'armature-router' }, { service: 'armature-api' }] },
  worker: { roles: ['worker'], mine: [{ group: 'anti-entropy', service: 'armature-anti-entropy' }] },
  admin: { roles: ['administrator'], mine: [{ group: 'admin' }] },
  reports: { roles: ['direct'], mine: [{ group: 'reports' }] },
  shop: {
    roles: ['application', 'application-at-nodes'],
    mine: ['read', 'write', 'list'].map((right) => ({ group: 'shop', bucket: 'payments', right })),
  },
  viewer: { roles: ['application', 'application-at-nodes'], mine: [{ group: 'viewer', bucket: 'payments', right: 'read' }] },
  kiosk: { roles: ['plain'], mine: ['get', 'put'].map((verb) => ({ user: 'kiosk', bucket: 'payments', verb })) },
  script: { roles: ['plain', 'plain-by-header'], mine: [{ user: 'script' }] },
  prometheus: { roles: ['monitor'], mine: SERVICES.map((service) => ({ user: 'prometheus', service })) },
};

const WISHES = [
  ...['--nodes', 'n1,n2,n3', '--administrator', 'admin', '--direct-client', 'reports', '--monitor', 'prometheus', '--at-nodes'],
  ...['--application', 'shop:payments:read,write,list', '--application', 'viewer:payments:read'],
  ...['--plain', 'kiosk:payments:get,put', '--plain', 'script:*:get,put,delete'],
];

let directory: string;
let cluster: ProcessCluster;

const userOf = (member: string): string => ({ n: `node-${member}`, r: 'router', a: 'worker' })[member.charAt(0)] ?? member;

/** Where a client connects, as that user. */
function urlOf(user: string): string {
  return cluster.natsUrl.replace('admin:', `${user}:`);
}

function denials(): string[] {
  const lines = readFileSync(join(directory, 'nats.log'), 'utf8').split('\n');
  return lines
    .filter((line) => /violation/i.test(line))
    .map((line) => line.replace(/^.*?(Publish|Subscription) Violation/, '$1'));
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** A command in this process, with the user and the group of that name. */
async function cli(user: string, ...args: string[]): Promise<Ended> {
  const holdsSecret = (user === 'admin' || user === 'reports') && !args.includes('--token-file');
  const secret = holdsSecret ? ['--secret-file', cluster.secretFile] : [];
  const connection = ['--nats', urlOf(user), '--cluster', cluster.cluster, '--group', user, ...secret];
  let output = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      output += chunk.toString();
      done();
    },
  });
  const code = await runCli([...connection, ...args], {
    ...{ stdin: Readable.from([]), stdout: stream, stderr: stream, env: {}, clock: systemClock, connect },
    rawArguments: () => undefined,
    catchInterrupt: () => new AbortController().signal,
  });
  return { code, output };
}

/** Of the password of everybody, `pw`. */
const HASH = '$2a$04$YslFcKSVskb601wE/3S59O8ebgSEeuTccBMzVw0Jc8OTfGUx.aKEm';

/**
 * Has the command write the users, for an account of a server that has another one. One of them has a hash; the passwords of the
 * others are in the environment that nats-server gets.
 */
function configured(name: string): readonly string[] {
  const [users, wishes, server] = ['users.conf', 'wishes.json', 'server.conf'].map((file) => join(directory, file)) as [
    string,
    string,
    string,
  ];
  writeFileSync(wishes, JSON.stringify({ logins: { viewer: { bcrypt: HASH } } }));
  const args = [...programArgs('cli'), 'nats-config', '--cluster', name, ...WISHES, '--from', wishes, '--users-only'];
  execFileSync(process.execPath, [...args, '--output', users], { stdio: 'ignore' });
  writeFileSync(server, 'accounts: { PROD: { include "users.conf" }, OTHER: { users: [{ user: else, password: pw }] } }\n');
  for (const user of Object.keys(USERS)) process.env[`NATS_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`] = 'pw';
  return ['-c', server];
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'armature-nats-config-'));
  cluster = await ProcessCluster.start({
    workers: ['a1'],
    partitionCount: 16,
    dataDirectory: directory,
    natsArgs: configured,
    credentialsOf: (member) => `${member === undefined ? 'admin' : userOf(member)}:pw`,
    group: 'admin',
  });
  expect(await cli('admin', 'bucket', 'create', 'payments')).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

function nats(user: string, inboxPrefix: string): Promise<NatsConnection> {
  return connectNats({ servers: new URL(cluster.natsUrl).host, user, pass: 'pw', inboxPrefix });
}

describe('what is needed works, and nobody is denied anything:', () => {
  afterAll(() => expect(denials()).toEqual([]));

  test('direct clients, applications by the library and by command', async () => {
    const direct = await cluster.connect({ servers: urlOf('reports'), group: 'reports', routing: 'direct' });
    await direct.bucket('payments').put('direct', 'v');
    expect((await direct.bucket('payments').get('direct'))?.value).toBe('v');
    await direct.close();
    expect((await cli('reports', '--direct', 'get', 'payments', 'direct')).output.trim()).toBe('v');

    const routed = await cluster.connect({ servers: urlOf('shop'), group: 'shop', secret: undefined });
    const large = 'x'.repeat(2_000_000); // in fragments
    await routed.bucket('payments').put('routed', large);
    expect((await routed.bucket('payments').get('routed'))?.value).toBe(large);
    await routed.close();

    expect(await cli('shop', 'put', 'payments', 'key', 'value')).toMatchObject({ code: 0 });
    expect((await cli('viewer', 'get', 'payments', 'key')).output.trim()).toBe('value');
    expect((await cli('shop', 'keys', 'payments')).output.trim().split('\n').sort()).toEqual(['direct', 'key', 'routed']);
  });

  test('the plain API', async () => {
    const root = `armature.${cluster.cluster}`;
    const kiosk = await nats('kiosk', `${root}.inbox.plain.kiosk`);
    await kiosk.request(`${root}.api.put.payments.plain`, 'v', { timeout: 5_000 });
    expect((await kiosk.request(`${root}.api.get.payments.plain`, '', { timeout: 5_000 })).string()).toBe('v');
    await kiosk.close();
    const script = await nats('script', `${root}.inbox.plain.script`);
    const answer = await script.request(`${root}.api.delete.payments.plain`, '', { timeout: 5_000 });
    expect(answer.headers?.get('Armature-Error')).toBe('');
    await script.close();
  });

  test('commands of administration', async () => {
    const looks = [
      'cluster status',
      'cluster history',
      'cluster transfers',
      'cluster access',
      'cluster plan weight:n1=2',
      'bucket list',
    ];
    for (const commands of [[...looks, 'ring', 'ping', 'reap', 'repair run', 'repair pause'], ['repair resume']]) {
      const ended = await Promise.all(commands.map((command) => cli('admin', ...command.split(' '))));
      const failed = ended.map(({ code, output }, i) => (code === 0 ? [] : [commands[i], output]));
      expect(failed.flat()).toEqual([]);
    }
    expect((await cli('admin', 'repair', 'status')).output).toContain('a1');
  });

  test('commands of administration with a token, without the secret', async () => {
    const file = join(directory, 'administrator.token');
    const made = await cli('admin', 'token', 'create', '--subject', 'olga', '--role', 'administrator', '--out', file);
    expect(made).toMatchObject({ code: 0 });
    for (const command of ['cluster history', 'bucket create stocks', 'repair', 'reap', 'repair pause', 'repair resume'])
      expect([command, await cli('admin', ...command.split(' '), '--token-file', file)]).toMatchObject([command, { code: 0 }]);
  });

  test('service discovery, and the status of every process', async () => {
    const root = `armature.${cluster.cluster}`;
    const monitor = await nats('prometheus', `${root}.inbox.monitor.prometheus`);
    const found = new Set<string>();
    for await (const { name, id } of await monitor.services.client({ strategy: RequestStrategy.Timer, maxWait: 500 }).ping()) {
      found.add(name);
      for await (const info of await monitor.services.client({ strategy: RequestStrategy.Timer, maxWait: 200 }).info(name, id))
        expect(info.id).toBe(id);
    }
    expect([...found].sort()).toEqual([...SERVICES].sort());
    for (const address of ['node.n1', 'router.r1', 'anti-entropy.a1']) {
      const status = await monitor.request(`${root}.status.${address}`, '', { timeout: 5_000 });
      expect(status.json()).toMatchObject({ name: address.split('.')[1] });
    }
    await monitor.close();
  });

  test('applications go on without a router, at the nodes', async () => {
    await cluster.terminate('r1');
    expect((await cli('viewer', 'get', 'payments', 'key')).output.trim()).toBe('value');
    await cluster.restart('r1');
  });

  test('every process is ready, so it hears all that it listens to', async () => {
    for (const name of ['n1', 'n2', 'n3', 'r1', 'a1']) expect([name, await cluster.notes(name)]).toEqual([name, []]);
  });
});

/** What may stand in a pattern: names of somebody who is there, and of others. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  node: ['n1', 'n9'],
  router: ['r1', 'r9'],
  worker: ['a1', 'a9'],
  group: ['admin', 'reports', 'shop', 'viewer', 'anti-entropy', 'other'],
  bucket: ['payments', 'orders'],
  right: ['read', 'write', 'list'],
  verb: ['get', 'put', 'delete'],
  user: ['kiosk', 'script', 'prometheus', 'other'],
  service: [...SERVICES, 'another-service'],
  question: ['PING', 'STATS'],
};

interface Sample {
  readonly subject: string;
  readonly names: OwnNames;
}

/** The subjects of a pattern with each of these values in each place. */
function samplesOf(pattern: string): readonly Sample[] {
  let samples: readonly { tokens: readonly string[]; names: OwnNames }[] = [{ tokens: [], names: {} }];
  for (const token of tokensOf(pattern)) {
    const name = token.startsWith('<') ? token.slice(1, -1) : undefined;
    const values = name === undefined ? [token] : (VALUES[name] ?? [name.endsWith('...') ? 'x1.x2.x3' : 'x1']);
    samples = samples.flatMap(({ tokens, names }) =>
      values.map((value) => ({ tokens: [...tokens, value], names: name === undefined ? names : { ...names, [name]: value } })),
    );
  }
  return samples.map(({ tokens, names }) => ({
    subject: absolute({ prefix: 'armature', cluster: cluster.cluster as never }, tokens.join('.')),
    names,
  }));
}

/** Whether the table gives it to him, in its own words: to his role at any names, or at those that are his. */
function isGiven(user: string, direction: Direction, subject: string): boolean {
  const { roles, mine } = USERS[user] ?? expect.fail();
  return SUBJECT_TABLE.some((row) =>
    row[direction].some(
      ({ role, at }) =>
        roles.includes(role) &&
        samplesOf(row.pattern).some(
          (sample) =>
            sample.subject === subject &&
            (at === 'any' ||
              mine.some((own) => Object.entries(own).every(([name, value]) => (sample.names[name] ?? value) === value))),
        ),
    ),
  );
}

/** The server's refusals of these lines of its protocol, in their order. */
async function refusalsOf(user: string, lines: readonly string[]): Promise<ReadonlySet<string>> {
  const { hostname, port } = new URL(cluster.natsUrl);
  const socket = connectTcp(Number(port), hostname);
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  await once(socket, 'data');
  socket.write(`CONNECT ${JSON.stringify({ user, pass: 'pw', verbose: false, pedantic: false })}\r\nPING\r\n`);
  while (!heard.includes('PONG\r\n')) await once(socket, 'data');
  socket.write(lines.map((line) => `${line}\r\n`).join(''));
  socket.write('PING\r\n');
  while (heard.split('PONG\r\n').length < 3) await once(socket, 'data');
  socket.destroy();
  return new Set(
    [...heard.matchAll(/^-ERR '(.*)'\r$/gm)].map(
      (match) => (/Violation for \w+ to "(.*?)"/.exec(match[1] ?? '') ?? match)[1] ?? '',
    ),
  );
}

const ALL_SAMPLES = (): readonly string[] => [
  ...new Set(SUBJECT_TABLE.flatMap(({ pattern }) => samplesOf(pattern)).map(({ subject }) => subject)),
];
/** What other programs on this server have for themselves, and what is nobody's. */
const STRANGE = [
  '_INBOX.x.y',
  'orders.created',
  '$SYS.REQ.SERVER.PING',
  '$JS.API.INFO',
  'armature.other.announce',
  'armature.other.link.node.n1',
];

describe.each(Object.keys(USERS))('what is not %s: is refused', (user) => {
  test('publishing', async () => {
    const all = [...ALL_SAMPLES(), ...STRANGE];
    const refused = await refusalsOf(
      user,
      all.map((subject) => `PUB ${subject} 0\r\n`),
    );
    expect([...refused].sort()).toEqual(all.filter((subject) => !isGiven(user, 'publish', subject)).sort());
  });

  test('subscribing', async () => {
    const all = [...ALL_SAMPLES(), ...STRANGE];
    const refused = await refusalsOf(
      user,
      all.map((subject, i) => `SUB ${subject} ${i}`),
    );
    expect([...refused].sort()).toEqual(all.filter((subject) => !isGiven(user, 'subscribe', subject)).sort());
  });

  test('subscribing to more than that by a wildcard', async () => {
    const foreign = [...ALL_SAMPLES(), ...STRANGE].filter((subject) => !isGiven(user, 'subscribe', subject));
    const wildcards = new Set(foreign.flatMap(widened));
    const refused = await refusalsOf(
      user,
      [...wildcards].map((subject, i) => `SUB ${subject} ${i}`),
    );
    expect([...refused].sort()).toEqual([...wildcards].sort());
  });
});

/** Every subject that ends in `>` and covers this one, and this one with `*` in place of its last token. */
function widened(subject: string): string[] {
  const tokens = subject.split('.');
  return [...tokens.keys()]
    .map((depth) => [...tokens.slice(0, depth), '>'].join('.'))
    .concat([...tokens.slice(0, -1), '*'].join('.'));
}

test('who lacks a subscription is told which, and where to look', async () => {
  const ended = await cli('shop', '--group', 'other', 'get', 'payments', 'key');
  expect(ended.output).toMatch(/does not permit .* to subscribe to armature\..*\.link\.guest\.other\..*\.inbox\.guest\.other\./s);
  expect(ended.output).toMatch(/--group.*armature nats-config/);
  expect(ended.code).toBe(2);
});

test('an application that may use one bucket has no other, and administers nothing', async () => {
  await cli('admin', 'bucket', 'create', 'orders');
  const ended = await cli('shop', 'put', 'orders', 'k', 'v');
  expect(ended.output).toMatch(
    /NATS does not permit this client to read in bucket orders, at armature\..*\.link\.front\.orders\.read\./,
  );
  expect(ended.output).toContain('armature nats-config --application <user>:orders:read');
  expect(ended.code).toBe(7);
  expect(await cli('shop', 'cluster', 'status')).toMatchObject({ code: 7 });
});
