/** The settings of a connection to NATS, without the connection: for programs that read and check them, and may never connect. */
export { parseCreds, parseSeed } from './nats-credentials.js';
export { readNatsOptions, type NatsSettings, type ResolvedNatsOptions } from './nats-options.js';
export { parseServers } from './nats-urls.js';
