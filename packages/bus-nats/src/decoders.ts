/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { parseCreds, parseSeed } from './nats-credentials.js';
export { parseServers } from './nats-urls.js';
