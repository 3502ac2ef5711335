/**
 * Where the servers are and who we are to them. Flags win over the environment, the environment over a context of the `nats`
 * command line (`~/.config/nats/context/<name>.json`), a context over the local default; so whoever can run `nats pub` can
 * run Armature. Everything here is a function of texts; `readNatsOptions` is the one that reads files.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ArmatureError, clipped, err, ok, unwrap, type Result } from '@armature/kernel';
import { parseCreds, parseSeed, type NatsCredentials } from './nats-credentials.js';
import { parseServers } from './nats-urls.js';

/** As given by flags or a configuration file. Names follow the `nats` command line. */
export interface NatsSettings {
  /** One or more URLs, comma-separated or as a list: `nats://host:4222`, `tls://host`, `host`. May hold `user:password@`. */
  readonly server?: string | readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** Files. */
  readonly creds?: string | undefined;
  readonly nkey?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
  readonly tlsca?: string | undefined;
  /** TLS before the server's greeting (servers with `handshake_first`). */
  readonly tlsfirst?: boolean | undefined;
  /** Name of a context, or path of its file. */
  readonly context?: string | undefined;
}

/** What `connectNatsBus` needs. Credentials that are given as values serve for the life of the process. */
export interface NatsServerOptions extends NatsCredentials {
  /** `nats://host:4222`, or `tls://host:4222` to require TLS of all of them. May hold `user:password@`. */
  readonly servers: readonly string[];
  /** Asked at each attempt to connect, so that rotated credentials are found. Wins over those given as values. May throw. */
  readonly credentials?: (() => NatsCredentials) | undefined;
  readonly tls?: NatsTlsOptions | undefined;
}

/** Paths of PEM files, which are read at each attempt to connect. An empty object asks for TLS with the system's authorities. */
export interface NatsTlsOptions {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly handshakeFirst?: boolean | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The text of a file; throws where there is none. */
export type ReadText = (path: string) => string;

/** Servers and TLS as they are now, and credentials as they are each time they are asked for. */
export interface ResolvedNatsOptions {
  readonly servers: readonly string[];
  readonly credentials: () => NatsCredentials;
  readonly tls: NatsTlsOptions | undefined;
}

/** The world that settings are resolved in. */
export interface NatsWorld {
  readonly flags: NatsSettings;
  readonly env: Environment;
  /** Undefined where there is no home: a user without an entry in the passwd file, and without `HOME`. */
  readonly home: string | undefined;
  readonly readText: ReadText;
}

/**
 * Resolves settings from flags, `env` (`NATS_URL`, `NATS_CONTEXT`, ...) and files. Throws `invalid-config`, naming the field and
 * the file; so does `credentials` of the result, when a file cannot be used any more.
 */
export function readNatsOptions(flags: NatsSettings, env: Environment): ResolvedNatsOptions {
  return unwrap(natsOptionsFrom({ flags, env, home: homeFolder(), readText: (path) => readFileSync(path, 'utf8') }));
}

/** `readNatsOptions` with the world as an argument. */
export function natsOptionsFrom(world: NatsWorld): Result<ResolvedNatsOptions, ArmatureError> {
  try {
    const settings = settingsIn(world);
    const { urls } = parseServers(settings.server);
    const credentials = (): NatsCredentials => credentialsIn(settingsIn(world), world);
    credentials(); // what is wrong with them shows before anything is opened
    return ok({ servers: urls, credentials, tls: tlsIn(settings, world) });
  } catch (error) {
    if (error instanceof ArmatureError) return err(error);
    throw error;
  }
}

function homeFolder(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

function settingsIn(world: NatsWorld): NatsSettings {
  const environment = settingsFromEnvironment(world.env);
  const contextName = world.flags.context ?? environment.context;
  return merge(world.flags, environment, contextName === undefined ? {} : readContext(contextName, world));
}

function settingsFromEnvironment(env: Environment): NatsSettings {
  return {
    server: env['NATS_URL'],
    user: env['NATS_USER'],
    password: env['NATS_PASSWORD'],
    token: env['NATS_TOKEN'],
    creds: env['NATS_CREDS'],
    nkey: env['NATS_NKEY'],
    tlscert: env['NATS_CERT'],
    tlskey: env['NATS_KEY'],
    tlsca: env['NATS_CA'],
    context: env['NATS_CONTEXT'],
  };
}

/** The fields of a context file that concern a connection. Unknown fields are left alone: the tool owns the format. */
export function parseNatsContext(text: string): Result<NatsSettings, ArmatureError> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    // The parser's own words quote the text, and with it maybe a password.
    return err(badConfig('context', 'the nats context file is not JSON'));
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return err(badConfig('context', 'the nats context file is not a JSON object'));
  }
  const fields = raw as Record<string, unknown>;
  const text_ = (name: string): string | undefined => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return ok({
    server: text_('url'),
    user: text_('user'),
    password: text_('password'),
    token: text_('token'),
    creds: text_('creds'),
    nkey: text_('nkey'),
    tlscert: text_('cert'),
    tlskey: text_('key'),
    tlsca: text_('ca'),
    tlsfirst: fields['tls_first'] === true ? true : undefined,
  });
}

function readContext(name: string, world: NatsWorld): NatsSettings {
  if (name.endsWith('.json')) return unwrap(parseNatsContext(readFile('context', name, world)));
  const root = world.env['XDG_CONFIG_HOME'] ?? '~/.config';
  return unwrap(parseNatsContext(readFile('context', join(root, 'nats', 'context', `${name}.json`), world)));
}

/** The first of each; credentials go together, or a flag's user would meet a context's token. */
function merge(...layers: readonly NatsSettings[]): NatsSettings {
  const first = <K extends keyof NatsSettings>(key: K): NatsSettings[K] =>
    layers.find((layer) => layer[key] !== undefined)?.[key];
  const who = layers.find(({ user, token, creds, nkey }) => [user, token, creds, nkey].some((value) => value !== undefined));
  return {
    server: first('server'),
    user: who?.user,
    password: who?.password,
    token: who?.token,
    creds: who?.creds,
    nkey: who?.nkey,
    tlscert: first('tlscert'),
    tlskey: first('tlskey'),
    tlsca: first('tlsca'),
    tlsfirst: first('tlsfirst'),
  };
}

function tlsIn(settings: NatsSettings, world: NatsWorld): NatsTlsOptions | undefined {
  const path = (field: string, file: string | undefined): string | undefined =>
    file === undefined ? undefined : expandHome(field, file, world);
  const tls = {
    certFile: path('tlscert', settings.tlscert),
    keyFile: path('tlskey', settings.tlskey),
    caFile: path('tlsca', settings.tlsca),
  };
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw badConfig('tlscert', 'a client certificate needs its key, and a key its certificate');
  }
  const wantsTls =
    settings.tlsfirst === true ||
    parseServers(settings.server).requireTls ||
    Object.values(tls).some((file) => file !== undefined);
  return wantsTls ? { ...tls, handshakeFirst: settings.tlsfirst } : undefined;
}

/** Those of the settings, or else those in the URLs. */
function credentialsIn(settings: NatsSettings, world: NatsWorld): NatsCredentials {
  const { user, password, token, creds, nkey } = settings;
  if ([user, token, creds, nkey].every((value) => value === undefined)) {
    const { urls: _urls, requireTls: _requireTls, ...inUrls } = parseServers(settings.server);
    return inUrls;
  }
  const content = (field: 'creds' | 'nkey', file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    if (/^\s*S[A-Z2-7]{57}\s*$/.test(file)) throw badConfig(field, `${field} is an nkey seed, and must be the name of a file`);
    const text = readFile(field, file, world);
    if (field === 'nkey') return parseSeed(text, `the nkey file ${shownPath(file)}`);
    parseCreds(text, `the credentials file ${shownPath(file)}`);
    return text;
  };
  return { user, pass: password, token, creds: content('creds', creds), nkey: content('nkey', nkey) };
}

function readFile(field: string, file: string, world: NatsWorld): string {
  const path = expandHome(field, file, world);
  try {
    return world.readText(path);
  } catch (error) {
    throw badConfig(field, `cannot read ${shownPath(path)}`, error);
  }
}

function expandHome(field: string, path: string, { home }: NatsWorld): string {
  if (!path.startsWith('~/')) return path;
  if (home !== undefined) return join(home, path.slice(2));
  throw badConfig(
    field,
    `${shownPath(path)} is in the home directory, and this user has none (neither HOME nor an entry in the passwd file)`,
  );
}

/** A path that a context names may be any text. Real ones are shown whole. */
function shownPath(path: string): string {
  return clipped(path, 512);
}

function badConfig(field: string, message: string, cause?: unknown): ArmatureError {
  return new ArmatureError('invalid-config', message, {
    cause,
    remedy: `Check the setting ${JSON.stringify(field)} of the NATS connection.`,
    details: { field },
  });
}
