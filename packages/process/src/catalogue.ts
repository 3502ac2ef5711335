/**
 * The catalogue: every setting that any Armature process has. A process picks those it uses; together they are the
 * keys that a configuration file may have.
 */
import { NAME_RULE, parseClusterName, parseNodeId, unwrap } from '@armature/kernel';
import { DEFAULT_PREFIX } from '@armature/protocol';
import {
  byteRate,
  duration,
  flag,
  integer,
  listOf,
  oneOf,
  optional,
  parsed,
  required,
  setting,
  text,
  textLike,
} from './setting.js';

const nodeName = parsed(parseNodeId, NAME_RULE);
const prefix = textLike(
  /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
  128,
  'subject tokens of ASCII letters, digits, "-" and "_", separated by dots',
);

/** Which cluster, and how to reach its bus. */
export const connectionSettings = {
  cluster: setting(parsed(parseClusterName, NAME_RULE), unwrap(parseClusterName('local')), {
    flag: '--cluster <name>',
    help: "the cluster's name",
  }),
  prefix: setting(prefix, DEFAULT_PREFIX, { flag: '--prefix <subject>', help: 'first token of all NATS subjects' }),
  nats: optional(text, {
    flag: '--nats <urls>',
    flagAliases: ['--server <urls>'],
    envAliases: ['NATS_URL'],
    help: 'NATS servers, separated by commas; tls:// requires TLS (default: of the context, else nats://127.0.0.1:4222)',
    url: true,
  }),
  natsContext: optional(text, {
    flag: '--nats-context <name>',
    envAliases: ['NATS_CONTEXT'],
    help: 'a context of the nats command line, by name or file',
  }),
  creds: optional(text, { flag: '--creds <file>', envAliases: ['NATS_CREDS'], help: 'NATS credentials file', privateFile: true }),
  nkey: optional(text, { flag: '--nkey <file>', envAliases: ['NATS_NKEY'], help: 'NATS nkey seed file', privateFile: true }),
  tlscert: optional(text, { flag: '--tlscert <file>', envAliases: ['NATS_CERT'], help: 'TLS client certificate' }),
  tlskey: optional(text, {
    flag: '--tlskey <file>',
    envAliases: ['NATS_KEY'],
    help: 'key of the TLS client certificate',
    privateFile: true,
  }),
  tlsca: optional(text, { flag: '--tlsca <file>', envAliases: ['NATS_CA'], help: 'TLS certificate authorities' }),
  natsUser: optional(text, { envAliases: ['NATS_USER'], help: 'NATS user' }),
  natsPassword: optional(text, { envAliases: ['NATS_PASSWORD'], help: 'NATS password', secret: true }),
  natsToken: optional(text, { envAliases: ['NATS_TOKEN'], help: 'NATS token', secret: true }),
};

export const secretSettings = {
  secretFile: optional(text, {
    flag: '--secret-file <file>',
    help: "file with the cluster's secret; two lines while it is being changed, the one to seal with first",
    privateFile: true,
  }),
  secret: optional(text, { help: "the cluster's secret itself", secret: true }),
};

/** Of what comes to a door of the cluster without its secret. */
export const tokenSettings = {
  tokenFile: optional(text, {
    flag: '--token-file <file>',
    help: 'file with a token, which says what may be done',
    privateFile: true,
  }),
  token: optional(text, { help: 'the token itself', secret: true }),
};

/** Of every process that runs until it is told to stop. */
export const serviceSettings = {
  httpHost: setting(text, '127.0.0.1', { flag: '--http-host <address>', help: 'where health and metrics are served' }),
  httpPort: setting(integer(0, 65_535), 7600, { flag: '--http-port <port>', help: 'port for them; 0 takes any free one' }),
  httpTokenFile: optional(text, {
    flag: '--http-token-file <file>',
    help: 'file with a token that /metrics asks for, as "Authorization: Bearer <token>" (default: none is asked for)',
    privateFile: true,
  }),
  logLevel: setting(oneOf('debug', 'info', 'warn', 'error', 'silent'), 'info', {
    flag: '--log-level <level>',
    help: 'debug, info, warn, error or silent',
  }),
  logFormat: setting(oneOf('auto', 'json', 'pretty'), 'auto', {
    flag: '--log-format <format>',
    help: 'json, pretty, or auto: pretty on a terminal',
  }),
  drainMs: setting(integer(0, 600_000), 10_000, {
    flag: '--drain-ms <ms>',
    help: 'how long a stop may take before it is forced',
  }),
  seeds: setting(listOf(nodeName), [], {
    flag: '--seeds <nodes>',
    help: 'nodes to gossip with whether or not they are members',
  }),
  gossipIntervalMs: setting(integer(10, 3_600_000), 1_000, {
    flag: '--gossip-interval-ms <ms>',
    help: 'between two rounds of gossip',
  }),
};

/** Slower, and a node of any size would never be filled. */
const MIN_TRANSFER_RATE = 1_024;

export const nodeSettings = {
  name: required(nodeName, { flag: '--name <name>', help: "this node's name, unique in the cluster for ever" }),
  storage: setting(oneOf('level', 'redis', 'memory'), 'level', {
    flag: '--storage <engine>',
    help: 'level (LevelDB), redis, or memory (for trying out: lost at the end)',
  }),
  data: optional(text, { flag: '--data <directory>', help: 'data directory, for level (default ./data/<name>)' }),
  redisUrl: setting(text, 'redis://127.0.0.1:6379', { flag: '--redis-url <url>', help: 'where Redis is, for redis', url: true }),
  redisUnsynced: setting(oneOf('refuse', 'accept'), 'refuse', {
    flag: '--redis-unsynced <what>',
    help: 'durable writes on a Redis that does not sync each: refuse, or accept (a crash there may lose them)',
  }),
  verifyCycle: setting(duration(1_000, 31 * 24 * 3_600_000), 24 * 3_600_000, {
    flag: '--verify-cycle <time>',
    help: 'in which everything stored is read once and compared with the hash trees: bit rot shows there',
  }),
  cacheMb: setting(integer(1, 65_536), 64, {
    flag: '--cache-mb <MB>',
    help: 'memory for recently used records, in MiB',
  }),
  transfersAtOnce: setting(integer(1, 64), 2, {
    flag: '--transfers-at-once <count>',
    help: 'partitions that this node copies at a time when it is to own more',
  }),
  transferRate: optional(byteRate(MIN_TRANSFER_RATE), {
    flag: '--transfer-rate <rate>',
    help: 'most that it moves for changes of membership, in and out together: 500kB/s, 32MiB/s (default: no limit)',
  }),
  reapQuarantine: setting(duration(1, 24 * 3_600_000), 600_000, {
    flag: '--reap-quarantine <time>',
    help: 'how long a tombstone stays after all members were first found not to need it; must outlive messages on their way',
  }),
  actorInterval: setting(duration(1_000, 3_600_000), 60_000, {
    flag: '--actor-interval <time>',
    help: 'shortest time between two records of a fresh actor in the history: what an older copy of the data is told by',
  }),
  bufferFlush: setting(duration(1, 60_000), 1_000, {
    flag: '--buffer-flush <time>',
    help: 'how often writes of buffered buckets go from memory to the disk: 200ms, 1s',
  }),
  hintLimitMb: setting(integer(1, 1_048_576), 1_024, {
    flag: '--hint-limit-mb <MB>',
    help: 'storage for writes kept for nodes that are down, in MiB; writes go on beyond it',
  }),
  hintMaxAge: setting(duration(60_000, 365 * 24 * 3_600_000), 24 * 3_600_000, {
    flag: '--hint-max-age <time>',
    help: 'how long these wait for their node before the other owners of the key get them: 90m, 24h',
  }),
};

export const routerSettings = {
  name: optional(nodeName, { flag: '--name <name>', help: 'unique among the routers (default: made up at each start)' }),
};

/** Of anti-entropy workers. */
export const workerSettings = {
  name: optional(nodeName, { flag: '--name <name>', help: 'unique among the workers (default: made up at each start)' }),
  cycle: setting(duration(1_000, 24 * 3_600_000), 3_600_000, {
    flag: '--cycle <time>',
    help: 'for one sweep over all partitions: 30s, 10m, 1h',
  }),
  reapCycle: setting(duration(1_000, 7 * 24 * 3_600_000), 600_000, {
    flag: '--reap-cycle <time>',
    help: 'for one pass over all partitions that looks for tombstones and clock entries nobody needs: 30s, 10m, 1h',
  }),
};

/** Of the command line. */
export const commandSettings = {
  timeout: setting(duration(1, 3_600_000), 5_000, {
    flag: '--timeout <time>',
    help: 'for each operation, retries included: 500ms, 5s, 2m',
  }),
  group: optional(nodeName, {
    flag: '--group <name>',
    help: 'stands in the subjects at which answers are heard, for NATS permissions of a group of clients',
  }),
  direct: setting(flag, false, {
    flag: '--direct',
    help: "coordinate reads here, without a router; needs the cluster's secret",
  }),
};

/** The part of a stop that may be spent waiting for requests in hand and the bus, so that there is time to close the storage. */
export function leaveMsOf({ drainMs }: { readonly drainMs: number }): number {
  return drainMs / 2;
}

/** Every key that a configuration file may have. */
export const KNOWN_SETTINGS: readonly string[] = [
  ...new Set(
    [
      connectionSettings,
      secretSettings,
      tokenSettings,
      serviceSettings,
      nodeSettings,
      routerSettings,
      workerSettings,
      commandSettings,
    ].flatMap((part) => Object.keys(part)),
  ),
];
