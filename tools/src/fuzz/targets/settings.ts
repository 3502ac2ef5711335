/**
 * What people and their tools give to our programs: configuration files, settings from flags and variables, URLs and credentials
 * of NATS and Redis, secrets. An input is the kind, and a text.
 *
 * What is refused is refused in words that show no password: each input is a text in which `hunter2` stands for one, and no
 * refusal may repeat it where it stands in a URL, a secret or a file of credentials.
 */
import { utf8Decode, utf8Encode, redactUrl, checkedSecrets } from '@armature/kernel';
import { natsOptionsFrom, parseNatsContext } from '@armature/bus-nats';
import { parseCreds, parseSeed, parseServers } from '@armature/bus-nats/options';
import {
  bearsToken,
  connectionSettings,
  KNOWN_SETTINGS,
  loadSecrets,
  loadToken,
  nodeSettings,
  parseConfig,
  refuseSecretArguments,
  resolveSettings,
  routerSettings,
  secretSettings,
  serviceSettings,
  shownSettings,
  tokenSettings,
  workerSettings,
  commandSettings,
  type Shape,
} from '@armature/process';
import { parseRedisUrl } from '@armature/storage-redis/decoders';
import { holds, type Target } from '../target.js';
import { denseJson } from './dense.js';
import { attempt, attemptOf, outcomeOf, type Attempt } from './outcomes.js';

const PASSWORD = 'hunter2';
const SHAPE: Shape = {
  ...connectionSettings,
  ...secretSettings,
  ...tokenSettings,
  ...serviceSettings,
  ...nodeSettings,
  ...routerSettings,
  ...workerSettings,
  ...commandSettings,
};
const SEED = 'SUAK7P2VUGUVC4T5ROVPPOIB3QVOE2ESXBRAGNMHKYKYGFZ2NJZSCP7IIA';
const CREDS = `-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------\n`;

const KINDS: readonly ((text: string) => string)[] = [config, servers, redis, context, credentials, secret, settingsOf, argument];
const as = (how: (text: string) => string, text: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(KINDS.indexOf(how)), utf8Encode(text)]);

export const settings: Target = {
  name: 'settings',
  what: 'configuration files, settings, URLs, credentials and secrets',
  covers: [
    ...['parseConfig', 'readConfigFile', 'parsed', 'loadSecrets', 'loadToken'].map((name) => `process/${name}`),
    ...['parseServers', 'parseNatsContext', 'natsOptionsFrom', 'parseCreds', 'parseSeed', 'readNatsOptions'].map(
      (name) => `bus-nats/${name}`,
    ),
    ...['storage-redis/parseRedisUrl'],
  ],
  words: [
    ...KNOWN_SETTINGS.map((name) => `"${name}":`),
    'nats://',
    'tls://',
    'rediss://',
    'u:hunter2@',
    '@host:4222',
    '%',
    ',',
    '500ms',
    '32MiB/s',
    '1e5',
    '-----',
  ],
  seeds: () => [
    as(
      config,
      JSON.stringify({
        cluster: 'prod',
        nats: `nats://u:${PASSWORD}@h:4222`,
        secret: PASSWORD.repeat(4),
        httpPort: 7600,
        seeds: ['n1'],
        transferRate: '500kB/s',
      }),
    ),
    as(
      settingsOf,
      JSON.stringify({
        name: 'n1',
        cacheMb: '64',
        cycle: '30s',
        verifyCycle: 86_400_000,
        direct: 'true',
        transferRate: '32MiB/s',
        logLevel: 'debug',
      }),
    ),
    ...[`nats://u:${PASSWORD}@host:4222,tls://other`, 'host', `nats://${PASSWORD}@[::1]:4222/`, `ws://u:${PASSWORD}@h`].map(
      (text) => as(servers, text),
    ),
    ...[`redis://u:${PASSWORD}@host:6379/0`, 'rediss://h', '/var/run/redis.sock', `REDISS://:${PASSWORD}@h`].map((text) =>
      as(redis, text),
    ),
    as(
      context,
      JSON.stringify({ url: `nats://u:${PASSWORD}@h`, user: 'u', password: PASSWORD, creds: '~/x.creds', tls_first: true }),
    ),
    as(credentials, CREDS),
    as(credentials, SEED),
    as(secret, `${PASSWORD.repeat(3)}\n${'b'.repeat(32)}\n`),
    as(argument, `--secret=${PASSWORD}`),
  ],
  dense: (sizeBytes) => [
    ...[config, context, settingsOf].flatMap((how) =>
      denseJson(sizeBytes - 1, 'seeds').map((text) => Buffer.concat([Uint8Array.of(KINDS.indexOf(how)), text])),
    ),
    ...[servers, redis, credentials, secret].flatMap((how) =>
      ['a', ',', '-', '-\n', '@', '%41', ' \n', '/', 'a://'].map((part) =>
        as(how, part.repeat(Math.floor((sizeBytes - 1) / part.length))),
      ),
    ),
  ],
  // Of a list, each element that is wrong is an object of the schema library.
  ownBytesPerByte: 2_000,
  run(input) {
    const how = KINDS[(input[0] ?? 0) % KINDS.length] as (typeof KINDS)[0];
    return `${how.name}: ${how(utf8Decode(input.subarray(1)))}`;
  },
};

/** A refusal of what may hold a password shows none of it. */
function discreet<T>(text: string, tried: Attempt<T>): Attempt<T> {
  if (!tried.taken && text.includes(PASSWORD)) holds(!tried.refusal.includes(PASSWORD), 'a refusal that shows a password');
  return tried;
}

function config(text: string): string {
  return outcomeOf(
    attempt(() => parseConfig('armature.json', text, KNOWN_SETTINGS)),
    (values) => resolved({ path: 'armature.json', values }),
  );
}

function settingsOf(text: string): string {
  const values = json(text);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return 'no settings';
  // Flags are texts and switches, as the parser of the command line gives them.
  const flags = Object.fromEntries(Object.entries(values).filter(([, value]) => ['string', 'boolean'].includes(typeof value)));
  const env = Object.fromEntries(Object.entries(flags).map(([name, value]) => [`ARMATURE_${name.toUpperCase()}`, String(value)]));
  return outcomeOf(
    attempt(() => resolveSettings(SHAPE, { flags, env, file: undefined })),
    (all) => `${shownSettings(SHAPE, all).length} settings`,
  );
}

function resolved(file: { readonly path: string; readonly values: Readonly<Record<string, unknown>> }): string {
  return outcomeOf(
    attempt(() => resolveSettings(SHAPE, { flags: {}, env: {}, file })),
    (all) => {
      const shown = JSON.stringify(shownSettings(SHAPE, all));
      const secretValue = all.values['secret'];
      holds(
        typeof secretValue !== 'string' ||
          secretValue.length < 8 ||
          !shown.includes(secretValue) ||
          JSON.stringify(file.values).split(secretValue).length > 2,
        'a configuration that shows its secret',
      );
      return 'settings';
    },
  );
}

function servers(text: string): string {
  const shown = redactUrl(text);
  const at = text.lastIndexOf('@');
  holds(at < 0 || !/:\/\/.*hunter2.*@/s.test(shown), 'a URL that shows its password');
  return outcomeOf(
    urlOf(text, () => parseServers(text)),
    ({ urls, requireTls }) => {
      holds(
        urls.every((url) => !url.includes('@')),
        'the URL of a server with credentials in it',
      );
      const world = { flags: { server: text }, env: {}, home: '/home/u', readText: () => CREDS };
      attemptOf(natsOptionsFrom(world));
      return `${urls.length} servers${requireTls ? ', with TLS' : ''}`;
    },
  );
}

function redis(text: string): string {
  return outcomeOf(
    urlOf(text, () => parseRedisUrl(text)),
    ({ shown }) => {
      holds(text.startsWith('/') || !shown.includes('@'), 'the address of a server with credentials in it');
      return 'a server';
    },
  );
}

/** Where a password stands between the scheme and the last "@", as it does in a URL, and nowhere else, no refusal shows it. */
function urlOf<T>(text: string, parse: () => T): Attempt<T> {
  const tried = attempt(parse);
  const start = text.indexOf('://') + 1;
  const end = Math.max(start, text.lastIndexOf('@'));
  const elsewhere = text.slice(0, start) + text.slice(end);
  return elsewhere.includes(PASSWORD) ? tried : discreet(text, tried);
}

function context(text: string): string {
  return outcomeOf(discreet(text, attemptOf(parseNatsContext(text))), (found) => {
    const world = {
      flags: { context: 'x' },
      env: {},
      home: '/home/u',
      readText: (path: string) => (path.endsWith('.json') ? text : CREDS),
    };
    attemptOf(natsOptionsFrom(world));
    return Object.entries(found)
      .filter(([, value]) => value !== undefined)
      .map(([name]) => name)
      .join(' ');
  });
}

function credentials(text: string): string {
  const creds = discreet(
    text,
    attempt(() => parseCreds(text, 'the file')),
  );
  const seed = discreet(
    text,
    attempt(() => parseSeed(text, 'the nkey')),
  );
  return `${creds.taken ? 'credentials' : 'none'}, ${seed.taken ? 'a seed' : 'none'}`;
}

function secret(text: string): string {
  const token = discreet(
    text,
    attempt(() => loadToken({ tokenFile: undefined, token: text })),
  );
  bearsToken(`Bearer ${text}`, ['0123456789abcdef']);
  return outcomeOf(
    discreet(
      text,
      attempt(() => loadSecrets({ secretFile: undefined, secret: text })),
    ),
    (found) => {
      holds(found !== undefined && checkedSecrets(found).ok, 'a secret outside of its bounds');
      return `${found.length} secrets${token.taken ? ', a token' : ''}`;
    },
  );
}

function argument(text: string): string {
  return outcomeOf(
    discreet(
      text,
      attempt(() => refuseSecretArguments(SHAPE, text.split(' '))),
    ),
    () => 'no secret',
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
