import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { natsOptionsFrom, parseNatsContext, type Environment, type NatsSettings } from './nats-options.js';

const HOME = '/home/op';

function resolve(flags: NatsSettings, env: Environment = {}, files: Readonly<Record<string, string>> = {}) {
  return natsOptionsFrom({
    flags,
    env,
    home: HOME,
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    },
  });
}

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
    const files = { '/home/op/my.creds': 'CREDS', '/seed': 'SUSEED\n' };
    expect(resolve({ creds: '~/my.creds' }, {}, files)).toMatchObject({ value: { creds: 'CREDS' } });
    expect(resolve({}, { NATS_NKEY: '/seed' }, files)).toMatchObject({ value: { nkey: 'SUSEED' } });
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
  ])('%s is invalid-config and names the field', (_what, flags, field) => {
    expect(resolve(flags)).toMatchObject({ ok: false, error: { code: 'invalid-config', details: { field } } });
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
