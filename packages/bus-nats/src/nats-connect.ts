/**
 * Connecting to NATS. Every way in which it can fail ends in bounded time with a typed error, and leaves nothing behind that
 * would keep the process alive.
 */
import { MIN_PAYLOAD_BYTES, type Bus } from '@armature/bus';
import type { ConnectionOptions, NatsConnection } from 'nats';
import { NatsConnectionImpl } from 'nats/lib/nats-base-client/internal_mod.js';
import { NatsBus, type NatsBusSettings } from './nats-bus.js';
import { authenticatorOf } from './nats-credentials.js';
import { connectError, payloadLimitTooSmall } from './nats-errors.js';
import type { NatsServerOptions, NatsTlsOptions } from './nats-options.js';
import { useBoundedTransport } from './nats-transport.js';
import { parseServers } from './nats-urls.js';
import { paceReconnects } from './reconnect-pace.js';

export interface NatsBusOptions extends NatsServerOptions, NatsBusSettings {
  /** Shown by the server's monitoring: role and name of the process. */
  readonly name: string;
  /**
   * How long an attempt at one server may take. The first connection gives up when each has been tried once. 5,000 ms unless
   * given.
   */
  readonly connectTimeoutMs?: number | undefined;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
/** Between two attempts at one server, plus up to the jitter, so that a restarted server is not stormed. */
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 750;
/** A dead server (no FIN, no RST) is noticed after two of these. */
const PING_INTERVAL_MS = 10_000;

/**
 * Connects. Errors: `bus-unavailable`, naming the servers tried; `invalid-config` for URLs, credentials, TLS, and a server whose
 * `max_payload` is too small.
 */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const { urls, requireTls, ...inUrls } = parseServers(options.servers);
  const { user, token, creds, nkey } = options;
  const given = [user, token, creds, nkey].some((one) => one !== undefined) ? options : inUrls;
  const authenticator = authenticatorOf(options.credentials ?? (() => given), options.log);
  const tls = options.tls ?? (requireTls ? {} : undefined);
  useBoundedTransport(options.clock);
  let connection: NatsConnection;
  try {
    connection = await NatsConnectionImpl.connect({
      ...connectionOptions(options, tls),
      servers: [...urls],
      authenticator,
    });
  } catch (error) {
    throw connectError(error, urls);
  }
  paceReconnects(connection, options.clock);
  const maxPayloadBytes = connection.info?.max_payload ?? 0;
  if (maxPayloadBytes >= MIN_PAYLOAD_BYTES) return new NatsBus(connection, options);
  await connection.close();
  throw payloadLimitTooSmall(maxPayloadBytes, connection.getServer());
}

function connectionOptions(options: NatsBusOptions, tls: NatsTlsOptions | undefined): ConnectionOptions {
  return {
    name: options.name,
    timeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    ignoreAuthErrorAbort: true, // a server that is being reconfigured must not end us for good
    noAsyncTraces: true,
    // With TLS options the library refuses a server without TLS before it sends anything.
    ...(tls === undefined ? {} : { tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)) }),
  };
}
