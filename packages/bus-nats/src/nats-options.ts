/**
 * Where the servers are and who we are to them. Flags win over the environment, the environment over a context of the `nats`
 * command line (`~/.config/nats/context/<name>.json`), a context over the local default; so whoever can run `nats pub` can
 * run Armature. Everything here is a function of texts; `readNatsOptions` is the one that reads files.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ArmatureError, err, ok, unwrap, type Result } from '@armature/kernel';

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

/** What `connectNatsBus` needs, with files already read. */
export interface NatsServerOptions {
  readonly servers: readonly string[];
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  readonly token?: string | undefined;
  /** Content of a `.creds` file. */
  readonly creds?: string | undefined;
  /** An nkey seed, `SU...`. */
  readonly nkey?: string | undefined;
  readonly tls?: NatsTlsOptions | undefined;
}

/** Paths of PEM files. An empty object asks for TLS with the system's authorities. */
export interface NatsTlsOptions {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly handshakeFirst?: boolean | undefined;
}

export const DEFAULT_NATS_SERVER = 'nats://127.0.0.1:4222';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The text of a file; throws where there is none. */
export type ReadText = (path: string) => string;

/** Resolves settings from flags, `env` (`NATS_URL`, `NATS_CONTEXT`, ...) and files. Throws `invalid-config` naming the field. */
export function readNatsOptions(flags: NatsSettings, env: Environment): NatsServerOptions {
  return unwrap(natsOptionsFrom({ flags, env, home: homedir(), readText: (path) => readFileSync(path, 'utf8') }));
}

/** `readNatsOptions` with the world as arguments. */
export function natsOptionsFrom(input: {
  readonly flags: NatsSettings;
  readonly env: Environment;
  readonly home: string;
  readonly readText: ReadText;
}): Result<NatsServerOptions, ArmatureError> {
  const { flags, env } = input;
  try {
    const environment = settingsFromEnvironment(env);
    const contextName = flags.context ?? environment.context;
    const context = contextName === undefined ? {} : readContext(contextName, input);
    return ok(withFiles(merge(flags, environment, context), input));
  } catch (error) {
    if (error instanceof ArmatureError) return err(error);
    throw error;
  }
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
  } catch (error) {
    return err(badConfig('context', 'the nats context file is not JSON', error));
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

function readContext(
  name: string,
  input: { readonly env: Environment; readonly home: string; readonly readText: ReadText },
): NatsSettings {
  const root = input.env['XDG_CONFIG_HOME'] ?? join(input.home, '.config');
  const path = name.endsWith('.json') ? expandHome(name, input.home) : join(root, 'nats', 'context', `${name}.json`);
  return unwrap(parseNatsContext(readFile('context', path, input.readText)));
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

function withFiles(settings: NatsSettings, input: { readonly home: string; readonly readText: ReadText }): NatsServerOptions {
  const path = (file: string | undefined): string | undefined => (file === undefined ? undefined : expandHome(file, input.home));
  const content = (field: string, file: string | undefined): string | undefined =>
    file === undefined ? undefined : readFile(field, expandHome(file, input.home), input.readText);
  const { servers, user, pass, token } = serversOf(settings.server);
  const tls = { certFile: path(settings.tlscert), keyFile: path(settings.tlskey), caFile: path(settings.tlsca) };
  const wantsTls = settings.tlsfirst === true || Object.values(tls).some((file) => file !== undefined);
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw badConfig('tlscert', 'a client certificate needs its key, and a key its certificate');
  }
  const told = [settings.user, settings.token, settings.creds, settings.nkey].some((value) => value !== undefined);
  return {
    servers,
    ...(told
      ? {
          user: settings.user,
          pass: settings.password,
          token: settings.token,
          creds: content('creds', settings.creds),
          nkey: content('nkey', settings.nkey)?.trim(),
        }
      : { user, pass, token }),
    tls: wantsTls ? { ...tls, handshakeFirst: settings.tlsfirst } : undefined,
  };
}

/** Takes the credentials out of URLs: the client library does not look there, and URLs are logged. */
function serversOf(server: NatsSettings['server']): { servers: string[]; user?: string; pass?: string; token?: string } {
  const texts = (typeof server === 'string' ? [server] : (server ?? [])).flatMap((text) => text.split(','));
  const urls = texts.map((text) => text.trim()).filter((text) => text !== '');
  if (urls.length === 0) return { servers: [DEFAULT_NATS_SERVER] };
  let credentials = {};
  const servers = urls.map((text) => {
    let url: URL;
    try {
      url = new URL(text.includes('://') ? text : `nats://${text}`);
    } catch (error) {
      throw badConfig('server', `${JSON.stringify(text)} is not the URL of a NATS server`, error);
    }
    const [name, pass] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    if (name !== '') credentials = pass === '' ? { token: name } : { user: name, pass };
    return `${url.protocol}//${url.host}`;
  });
  return { servers, ...credentials };
}

function readFile(field: string, path: string, readText: ReadText): string {
  try {
    return readText(path);
  } catch (error) {
    throw badConfig(field, `cannot read ${path}`, error);
  }
}

function expandHome(path: string, home: string): string {
  return path.startsWith('~/') ? join(home, path.slice(2)) : path;
}

function badConfig(field: string, message: string, cause?: unknown): ArmatureError {
  return new ArmatureError('invalid-config', message, {
    cause,
    remedy: `Check the setting ${JSON.stringify(field)} of the NATS connection.`,
    details: { field },
  });
}
