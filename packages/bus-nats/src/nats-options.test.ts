import { nkeys } from 'nats';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { natsOptionsFrom, parseNatsContext, type Environment, type NatsSettings } from './nats-options.js';

const HOME = '/home/op';

function resolveIn(
  home: string | undefined,
  flags: NatsSettings,
  env: Environment = {},
  files: Readonly<Record<string, string>> = {},
) {
  const result = natsOptionsFrom({
    flags,
    env,
    home,
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    },
  });
  return result.ok ? { ok: true, value: { ...result.value, ...result.value.credentials() } } : result;
}

function resolve(flags: NatsSettings, env?: Environment, files?: Readonly<Record<string, string>>) {
  return resolveIn(HOME, flags, env, files);
}

function userSeed(): string {
  const pair = (nkeys as { createUser(): { getSeed(): Uint8Array } }).createUser();
  return new TextDecoder().decode(pair.getSeed());
}

/** What `nsc generate creds` writes. */
function credsFile(seed: string): string {
  const block = (name: string, text: string): string => `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
  return `${block('NATS USER JWT', 'eyJ0eXAi.eyJqdGki.c2ln')}\n*** IMPORTANT ***\n\n${block('USER NKEY SEED', seed)}\n`;
}

const SECRET_SEED = userSeed();
const CONTEXT = '/home/op/.config/nats/context/prod.json';

describe('nats options', () => {
  test('nothing given: the local server', () => {
    expect(resolve({})).toMatchObject({ ok: true, value: { servers: ['nats://127.0.0.1:4222'] } });
  });

  test.each([
    ['a:4222,b:4223', ['nats://a:4222', 'nats://b:4223']],
    ['tls://a , nats://b', ['tls://a', 'nats://b']],
    ['[::1]:4222', ['nats://[::1]:4222']],
  ])('server %j is %j', (server, servers) => {
    expect(resolve({ server })).toMatchObject({ ok: true, value: { servers } });
  });

  test('credentials in a URL are taken out of it', () => {
    expect(resolve({ server: 'nats://me:p%40ss@a:1,b' })).toMatchObject({
      ok: true,
      value: { servers: ['nats://a:1', 'nats://b'], user: 'me', pass: 'p@ss' },
    });
    expect(resolve({ server: 'nats://s3cret@a' })).toMatchObject({ ok: true, value: { servers: ['nats://a'], token: 's3cret' } });
  });

  test('flags win over the environment, the environment over the context', () => {
    const files = { [CONTEXT]: JSON.stringify({ url: 'nats://context', token: 'from-context', ca: '/context-ca' }) };
    const env = { NATS_URL: 'nats://environment', NATS_CONTEXT: 'prod' };
    expect(resolve({}, { NATS_CONTEXT: 'prod' }, files)).toMatchObject({
      value: { servers: ['nats://context'], token: 'from-context' },
    });
    expect(resolve({}, env, files)).toMatchObject({ value: { servers: ['nats://environment'], token: 'from-context' } });
    expect(resolve({ server: 'flag' }, env, files)).toMatchObject({
      value: { servers: ['nats://flag'], tls: { caFile: '/context-ca' } },
    });
  });

  test('credentials of two layers are not mixed', () => {
    const files = { [CONTEXT]: JSON.stringify({ token: 'from-context', password: 'from-context' }) };
    const result = resolve({ context: 'prod', user: 'me', password: 'mine' }, {}, files);
    expect(result).toMatchObject({ value: { user: 'me', pass: 'mine', token: undefined } });
  });

  test('creds and nkey are read from their files, "~" being home', () => {
    const seed = userSeed();
    const files = { '/home/op/my.creds': credsFile(seed), '/seed': `${seed}\n` };
    expect(resolve({ creds: '~/my.creds' }, {}, files)).toMatchObject({ value: { creds: credsFile(seed) } });
    expect(resolve({}, { NATS_NKEY: '/seed' }, files)).toMatchObject({ value: { nkey: seed } });
  });

  test('credentials are read each time they are asked for, from whatever file they are in', () => {
    const [first, second] = [userSeed(), userSeed()];
    const files: Record<string, string> = {
      '/nkey': first,
      '/user.creds': credsFile(first),
      [CONTEXT]: JSON.stringify({ user: 'me', password: 'old' }),
    };
    const world = (flags: NatsSettings) =>
      natsOptionsFrom({ flags, env: {}, home: HOME, readText: (path) => files[path] ?? expect.fail(path) });
    const all = [world({ nkey: '/nkey' }), world({ creds: '/user.creds' }), world({ context: 'prod' })].map((result) =>
      result.ok ? result.value.credentials : expect.fail(result.error.message),
    );
    files['/nkey'] = second;
    files['/user.creds'] = credsFile(second);
    files[CONTEXT] = JSON.stringify({ user: 'me', password: 'new' });
    expect(all.map((credentials) => credentials())).toMatchObject([
      { nkey: second },
      { creds: credsFile(second) },
      { pass: 'new' },
    ]);
  });

  test('without a home directory everything works that needs none', () => {
    expect(resolveIn(undefined, { server: 'a' })).toMatchObject({ ok: true });
    expect(resolveIn(undefined, { nkey: '~/seed' })).toMatchObject({ ok: false, error: { code: 'invalid-config' } });
    expect(resolveIn(undefined, { context: 'prod' })).toMatchObject({ ok: false, error: { details: { field: 'context' } } });
    const files = { '/xdg/nats/context/prod.json': '{}' };
    expect(resolveIn(undefined, { context: 'prod' }, { XDG_CONFIG_HOME: '/xdg' }, files)).toMatchObject({ ok: true });
  });

  test('tls:// asks for TLS of all servers', () => {
    expect(resolve({ server: 'nats://a,tls://b' })).toMatchObject({ value: { servers: ['nats://a', 'tls://b'], tls: {} } });
    expect(resolve({ server: 'nats://a' })).toMatchObject({ value: { tls: undefined } });
  });

  test('a context may be a path, and lives under XDG_CONFIG_HOME where that is set', () => {
    const text = JSON.stringify({ url: 'nats://there' });
    expect(resolve({ context: '/x/mine.json' }, {}, { '/x/mine.json': text })).toMatchObject({
      value: { servers: ['nats://there'] },
    });
    expect(resolve({ context: 'a' }, { XDG_CONFIG_HOME: '/xdg' }, { '/xdg/nats/context/a.json': text })).toMatchObject({
      value: { servers: ['nats://there'] },
    });
  });

  test.each<[string, NatsSettings, string]>([
    ['a context that is not there', { context: 'none' }, 'context'],
    ['creds that are not there', { creds: '/none' }, 'creds'],
    ['a server that is no URL', { server: 'nats://a:b:c' }, 'server'],
    ['a certificate without its key', { tlscert: '/cert' }, 'tlscert'],
    ['a scheme that no NATS server has', { server: 'ftp://a' }, 'server'],
    ['a WebSocket', { server: 'wss://a:443' }, 'server'],
    ['no host', { server: 'nats://' }, 'server'],
    ['a path', { server: 'nats://a:1/b' }, 'server'],
    ['a password without a user', { server: 'nats://:secret@a' }, 'server'],
    ['a comma in a password', { server: 'nats://u:12,34@a' }, 'server'],
    ['a percent sign that encodes nothing', { server: 'nats://u:100%@a' }, 'server'],
    ['an nkey file without a seed', { nkey: '/garbage' }, 'nkey'],
    ['a creds file without a JWT', { creds: '/garbage' }, 'creds'],
    ['a creds file cut in half', { creds: '/half' }, 'creds'],
    ['an empty creds file', { creds: '/empty' }, 'creds'],
    ['a context that is not JSON', { context: '/garbage.json' }, 'context'],
  ])('%s is invalid-config and names the field', (_what, flags, field) => {
    const files = {
      '/garbage': 'SUNOTASEED',
      '/half': credsFile(userSeed()).slice(0, 100),
      '/empty': '',
      '/garbage.json': '{"password"',
    };
    expect(resolve(flags, {}, files)).toMatchObject({ ok: false, error: { code: 'invalid-config', details: { field } } });
  });

  test('a file that cannot be used is named', () => {
    const files = { '/garbage': 'SUNOTASEED' };
    for (const flags of [{ nkey: '/garbage' }, { creds: '/garbage' }]) {
      expect(resolve(flags, {}, files)).toMatchObject({ error: { message: expect.stringContaining('/garbage') as string } });
    }
  });

  test.each<[string, NatsSettings]>([
    ['a port out of range', { server: 'nats://u:s3cret@host:99999' }],
    ['a slash', { server: 'nats://u:s3cret/x@host:1' }],
    ['a slash behind what looks like a port', { server: 'nats://u:3/s3cret@host:1' }],
    ['a hash', { server: 'nats://u:s3cret#x@127.0.0.1:1' }],
    ['a comma', { server: 'nats://u:s3cret,x@127.0.0.1:1' }],
    ['a percent sign', { server: 'nats://u:s3cret%@127.0.0.1:1' }],
    ['a scheme', { server: 'ws://u:s3cret@127.0.0.1:1' }],
    ['a context', { context: '/secret.json' }],
    ['a seed where a file should be', { nkey: SECRET_SEED }],
  ])('%s is told without the password', (_what, flags) => {
    const result = resolve(flags, {}, { '/secret.json': '{"password": "s3cret" "more"}' });
    const said = 'error' in result ? `${result.error.message} ${String(result.error.cause)} ${JSON.stringify(result.error)}` : '';
    expect(said).not.toBe('');
    expect(said).not.toContain('s3');
    expect(said).not.toContain(SECRET_SEED);
  });

  test('any text as a context is settings or a typed error, never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const result = parseNatsContext(text);
        if (!result.ok) expect(result.error.code).toBe('invalid-config');
      }),
    );
  });
});

test('a damaged file of credentials is refused at once, however many dashes are in it', () => {
  // An expression that tries each dash with each other one would not come back.
  const files = { '/u.creds': '-'.repeat(1_000_000) };
  expect(resolve({ creds: '/u.creds' }, {}, files)).toMatchObject({ ok: false, error: { code: 'invalid-config' } });
});

test('the refusal of a long URL shows its beginning only', () => {
  const refusal = resolve({ server: `ws://${'h'.repeat(100_000)}` });
  expect(refusal).toMatchObject({ ok: false, error: { code: 'invalid-config' } });
  expect(JSON.stringify(refusal).length).toBeLessThan(1_000);
});
