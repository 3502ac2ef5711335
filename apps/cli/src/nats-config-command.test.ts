import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { offline } from './cli.test-support.js';

const directory = mkdtempSync(join(tmpdir(), 'armature-nats-config-'));
const HASH = `$2a$11$${'x'.repeat(53)}`;
let files = 0;
const newFile = (text?: string): string => {
  const file = join(directory, `file-${++files}`);
  if (text !== undefined) writeFileSync(file, text);
  return file;
};

interface Document {
  readonly users: readonly {
    readonly user: string;
    readonly variable?: string;
    readonly nkey?: string;
    readonly bcrypt?: string;
    readonly about: readonly string[];
    readonly permissions: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
  }[];
}

async function documentOf(...args: string[]): Promise<Document> {
  const ran = await offline(['nats-config', '--cluster', 'prod', '--json', ...args], { env: {} });
  expect([ran.code, ran.err]).toEqual([0, '']);
  return ran.json() as Document;
}

describe('the users', () => {
  test('there are always nodes, routers and workers, and all others where they are named', async () => {
    const { users } = await documentOf(
      '--administrator',
      'admin',
      '--application',
      'shop:payments:read',
      '--monitor',
      'prometheus',
    );
    expect(users.map(({ user }) => user)).toEqual(['node', 'router', 'worker', 'admin', 'shop', 'prometheus']);
    expect(users.map(({ variable }) => variable)).toEqual(users.map(({ user }) => `NATS_PASSWORD_${user.toUpperCase()}`));
  });

  test('a process with a user of its own has no name but its own', async () => {
    const { users } = await documentOf('--nodes', 'n1,n-2');
    expect(users.map(({ user }) => user)).toEqual(['node-n1', 'node-n-2', 'router', 'worker']);
    expect(users[0]?.permissions.subscribe).toContain('armature.prod.link.node.n1');
    expect(JSON.stringify(users[0]?.permissions)).not.toContain('node.*"],"sub');
    expect(users[1]?.variable).toBe('NATS_PASSWORD_NODE_N_2');
  });

  test('one who has several roles is one user with all that they need', async () => {
    const { users } = await documentOf('--administrator', 'ops', '--application', 'ops:*:read', '--plain', 'ops:carts:put');
    const ops = users.filter(({ user }) => user === 'ops');
    expect(ops.map(({ about }) => about.length)).toEqual([3]);
    expect(ops[0]?.permissions.publish).toEqual(
      expect.arrayContaining([
        'armature.prod.workers',
        'armature.prod.link.front.*.read.router.*',
        'armature.prod.api.put.carts',
      ]),
    );
  });

  test('all rights are one pattern, and who may name any bucket may do it in a header', async () => {
    const { users } = await documentOf('--application', 'shop:payments:read,write,list', '--plain', 'kiosk:*:get');
    expect(users.at(-2)?.permissions.publish).toContain('armature.prod.link.front.payments.*.router.*');
    expect(users.at(-1)?.permissions.publish).toEqual([
      'armature.prod.api.get',
      'armature.prod.api.get.*',
      'armature.prod.api.get.*.>',
    ]);
  });

  test('a file says the same as options, and both add up', async () => {
    const file = newFile(
      JSON.stringify({ nodes: ['n1'], application: ['shop:payments:read'], atNodes: true, logins: { shop: { bcrypt: HASH } } }),
    );
    const { users } = await documentOf('--from', file, '--administrator', 'admin');
    const options = await documentOf(
      '--nodes',
      'n1',
      '--application',
      'shop:payments:read',
      '--at-nodes',
      '--administrator',
      'admin',
    );
    expect(users.map(({ permissions }) => permissions)).toEqual(options.users.map(({ permissions }) => permissions));
    expect(users.at(-1)).toMatchObject({ user: 'shop', bcrypt: HASH });
  });
});

describe('the text', () => {
  test('on standard output: each user with what he is for and what he has to set, and no secret', async () => {
    const args = ['--administrator', 'admin', '--plain', 'kiosk:orders:get,put'];
    const { out, code } = await offline(['nats-config', '--cluster', 'prod', '--prefix', 'my.app', ...args]);
    expect(code).toBe(0);
    expect(out).toMatch(/^# Users of NATS for the Armature cluster "prod"/);
    expect(out).toMatch(/# Environment of nats-server: NATS_PASSWORD_NODE, .*NATS_PASSWORD_KIOSK\.\n/);
    expect(out).toContain(
      '# Commands of administration, with a token that has a role or the secret of the cluster. Set: group admin.\n    {\n      user: "admin"\n      password: $NATS_PASSWORD_ADMIN\n',
    );
    expect(out).toContain('# The plain API, with get, put in bucket orders. Set: inbox prefix my.app.prod.inbox.plain.kiosk.\n');
    expect(out).toMatch(/^authorization: \{$/m);
  });

  test('--users-only: a list to be included where users may stand', async () => {
    const { out } = await offline(['nats-config', '--users-only']);
    expect(out).toMatch(/^users: \[$/m);
    expect(out).not.toContain('authorization: {');
  });

  test('--output: a file, for its owner only where it holds hashes; replaced if it is one of ours', async () => {
    const file = newFile();
    expect(await offline(['nats-config', '--output', file])).toMatchObject({ code: 0, out: '' });
    expect(statSync(file).mode).toBe(statSync(newFile('as any file')).mode);
    const from = newFile(JSON.stringify({ logins: { router: { bcrypt: HASH } } }));
    expect(await offline(['nats-config', '--output', file, '--from', from])).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain(`password: "${HASH}"`);
    const other = newFile('port: 4222\n');
    const refused = await offline(['nats-config', '--output', other]);
    expect([refused.code, readFileSync(other, 'utf8')]).toEqual([2, 'port: 4222\n']);
    expect(refused.err).toContain('this command has not made it');
  });

  test('--keys: seeds that only their owner may read are made once, and public keys stand in the configuration', async () => {
    const keys = join(directory, 'keys');
    const first = await offline(['nats-config', '--keys', keys, '--administrator', 'admin']);
    const seed = readFileSync(join(keys, 'admin.nk'), 'utf8');
    expect(seed).toMatch(/^SU[A-Z2-7]{56}\n$/);
    expect(first.out + first.err).not.toContain(seed.trim());
    expect([statSync(keys).mode & 0o777, statSync(join(keys, 'admin.nk')).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(first.out.match(/nkey: U[A-Z2-7]{55}$/gm)).toHaveLength(4);
    expect(first.out).not.toContain('password');
    const second = await offline(['nats-config', '--keys', keys, '--administrator', 'admin']);
    expect([second.out, readFileSync(join(keys, 'admin.nk'), 'utf8')]).toEqual([first.out, seed]);
  });
});

describe('wrong arguments are named', () => {
  const from = (document: unknown): string[] => ['--from', newFile(JSON.stringify(document))];

  test.each<[string, () => string[], RegExp]>([
    [
      'a grant of two parts',
      () => ['--application', 'shop:payments'],
      /--application "shop:payments": it does not have three parts/,
    ],
    [
      'a right that there is not',
      () => ['--application', 'shop:payments:read,delete'],
      /--application .*there is no "delete"\n.*read, write, list/,
    ],
    ['a verb that there is not', () => ['--plain', 'kiosk:orders:list'], /--plain .*there is no "list"\n.*get, put, delete/],
    ['a bucket that is none', () => ['--application', 'shop:pay.ments:read'], /--application .*"pay\.ments" is not a bucket/],
    ['a user with a dot', () => ['--direct-client', 'a.b'], /--direct-client: "a\.b" is not a name/],
    ['the group of the workers', () => ['--direct-client', 'anti-entropy'], /group of the workers/],
    ['a client that is called like a process', () => ['--monitor', 'router'], /router would be a process and a client/],
    [
      'two users with one variable',
      () => ['--monitor', 'a-b', '--monitor', 'a_b'],
      /a-b and a_b would have one variable, NATS_PASSWORD_A_B/,
    ],
    ['a file that is not there', () => ['--from', '/no/such/file'], /--from: .*no such file/],
    ['a file that is no JSON', () => ['--from', newFile('nodes: n1')], /it is not JSON/],
    ['a field that there is not', () => from({ applications: [] }), /there is no field "applications"; there are .*application/],
    ['a field of another type', () => from({ nodes: 'n1' }), /"nodes" is no list of texts/],
    [
      'a wrong word in a file',
      () => from({ plain: ['kiosk:orders:all'] }),
      /file-\d+: "plain" "kiosk:orders:all": there is no "all"/,
    ],
    ['a login that is none', () => from({ logins: { node: { bcrypt: 'hunter2' } } }), /the login of "node" is neither/],
    [
      'a login of a kind that there is not',
      () => from({ logins: { node: { constructor: 'x' } } }),
      /the login of "node" is neither/,
    ],
    ['a login of nobody', () => from({ logins: { shop: { nkey: `U${'A'.repeat(55)}` } } }), /a login for shop, and no such user/],
    ['a directory that cannot be made', () => ['--keys', join(newFile('x'), 'keys')], /--keys: /],
    ['an output that cannot be written', () => ['--output', join(directory, 'no', 'such', 'place')], /--output: /],
  ])('%s', async (_what, args, words) => {
    const { code, out, err } = await offline(['nats-config', ...args()]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(words);
    expect(err).toMatch(/\n {2}try: /);
    expect(err).not.toContain('hunter2');
  });

  test('nothing is left behind: no seed, no half of a file', async () => {
    const keys = join(directory, 'unused');
    mkdirSync(directory, { recursive: true });
    expect((await offline(['nats-config', '--keys', keys, '--plain', 'x:y:z'])).code).toBe(2);
    expect(existsSync(keys)).toBe(false);
  });
});
