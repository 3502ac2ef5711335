/**
 * The bus port over NATS. Subscriptions are callbacks all the way: the client library's iterators cost a promise per message.
 *
 * Three things are mended on the way. A callback that throws would end the library's read loop and leave the connection deaf, so
 * handlers are fenced. What is published while disconnected would be kept in memory and sent late, or not, so it is
 * dropped. And a slow consumer is only told by being cut off, so the time that handlers take in a turn is watched here.
 */
import {
  answeringErrors,
  DEFAULT_SERVICE_QUEUE,
  encodedHeadersBytes,
  payloadTooLarge,
  type Bus,
  type BusEvent,
  type BusHandler,
  type BusHeaders,
  type BusService,
  type BusSubscription,
  type PublishOptions,
  type RunningService,
} from '@armature/bus';
import { assert, toArmatureError } from '@armature/kernel';
import type { Clock, Counter, Logger, Telemetry } from '@armature/runtime';
import {
  connect,
  credsAuthenticator,
  Events,
  nkeyAuthenticator,
  type ConnectionOptions,
  type Msg,
  type NatsConnection,
  type NatsError,
  type Status,
} from 'nats';
import { busClosed, busDisconnected, connectError, runtimeError } from './nats-errors.js';
import { NatsMessage, toNatsHeaders } from './nats-message.js';
import type { NatsServerOptions } from './nats-options.js';

export interface NatsBusOptions extends NatsServerOptions {
  /** Shown by the server's monitoring: role and name of the process. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** How long the first connection may take, all servers together being tried once. 5,000 ms unless given. */
  readonly connectTimeoutMs?: number | undefined;
  /** Handlers that hold the event loop for longer than this in one turn make a slow consumer. 1,000 ms unless given. */
  readonly slowConsumerMs?: number | undefined;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
/** A tenth of the server's default write deadline, after which it cuts off whoever does not read. */
const DEFAULT_SLOW_CONSUMER_MS = 1_000;
/** Between two attempts at one server, plus up to the jitter, so that a restarted server is not stormed. */
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 750;
/** A dead server (no FIN, no RST) is noticed after two of these. */
const PING_INTERVAL_MS = 10_000;

/** Connects, or fails with `bus-unavailable` (naming the servers tried) or `invalid-config` (credentials, TLS). */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  let connection: NatsConnection;
  try {
    connection = await connect(connectionOptions(options));
  } catch (error) {
    throw connectError(error, options.servers);
  }
  return new NatsBus(connection, options);
}

function connectionOptions(options: NatsBusOptions): ConnectionOptions {
  const { servers, name, user, pass, token, creds, nkey, tls } = options;
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const defined = Object.entries({
    user,
    pass,
    token,
    authenticator:
      creds === undefined
        ? nkey === undefined
          ? undefined
          : nkeyAuthenticator(encode(nkey))
        : credsAuthenticator(encode(creds)),
    tls: tls === undefined ? undefined : Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
  }).filter(([, value]) => value !== undefined);
  return {
    servers: [...servers],
    name,
    timeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    ignoreAuthErrorAbort: true, // a server that is being reconfigured must not end us for good
    noAsyncTraces: true,
    ...Object.fromEntries(defined),
  };
}

class NatsBus implements Bus {
  readonly name = 'nats';
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #slowConsumerMs: number;
  readonly #listeners = new Set<(event: BusEvent) => void>();
  readonly #events: Readonly<Record<BusEvent['kind'], Counter>>;
  readonly #lost: Counter;
  readonly #respond = (subject: string, payload: Uint8Array, headers: BusHeaders | undefined): void =>
    this.publish(subject, payload, { headers });
  #connected = true;
  #closed = false;
  #maxPayloadBytes = 0;
  #drained: Promise<void> | undefined;
  /** When this turn's first handler began; undefined between turns. */
  #turnBeganMs: number | undefined;
  #turnReported = false;

  constructor(connection: NatsConnection, options: NatsBusOptions) {
    this.#connection = connection;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#slowConsumerMs = options.slowConsumerMs ?? DEFAULT_SLOW_CONSUMER_MS;
    const counter = (kind: BusEvent['kind']): Counter =>
      options.telemetry.counter('armature_bus_events_total', 'Events of the bus connection.', { kind });
    this.#events = {
      disconnected: counter('disconnected'),
      reconnected: counter('reconnected'),
      'slow-consumer': counter('slow-consumer'),
      'lame-duck': counter('lame-duck'),
      error: counter('error'),
      closed: counter('closed'),
    };
    this.#lost = options.telemetry.counter('armature_bus_lost_publishes_total', 'Messages published while disconnected.');
    this.#readLimits();
    void this.#watchStatus();
    void connection.closed().then(() => {
      this.#connected = false;
      this.#closed = true;
      this.#emit({ kind: 'closed' });
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  get maxPayloadBytes(): number {
    return this.#maxPayloadBytes;
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    assert(subject !== '', 'a subject is not empty');
    const headers = options?.headers;
    const sizeBytes = headers === undefined ? payload.length : payload.length + encodedHeadersBytes(headers);
    if (sizeBytes > this.#maxPayloadBytes) throw payloadTooLarge(sizeBytes, this.#maxPayloadBytes);
    if (!this.#connected) {
      this.#lost.add();
      return;
    }
    try {
      const reply = options?.reply;
      if (headers !== undefined)
        this.#connection.publish(subject, payload, {
          headers: toNatsHeaders(headers),
          ...(reply === undefined ? {} : { reply }),
        });
      else if (reply !== undefined) this.#connection.publish(subject, payload, { reply });
      else this.#connection.publish(subject, payload);
    } catch (error) {
      // Closed or drained a moment ago, and the event not here yet: as good as disconnected.
      this.#lost.add();
      this.#log.debug({ subject, error }, 'a publish was lost');
    }
  }

  subscribe(subject: string, handler: BusHandler, options: { readonly queue?: string | undefined } = {}): BusSubscription {
    assert(subject !== '', 'a subject is not empty');
    if (this.#closed || this.#drained !== undefined) throw busClosed();
    const callback = this.#fenced(subject, handler);
    const subscription = this.#connection.subscribe(subject, {
      callback,
      ...(options.queue === undefined ? {} : { queue: options.queue }),
    });
    return {
      unsubscribe: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  }

  async serve(service: BusService): Promise<RunningService> {
    if (this.#closed || this.#drained !== undefined) throw busClosed();
    const { name, version, description, metadata } = service;
    const running = await this.#connection.services.add({
      name,
      version,
      description,
      ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
    });
    for (const endpoint of service.endpoints) {
      running.addEndpoint(endpoint.name, {
        subject: endpoint.subject,
        queue: endpoint.queue ?? DEFAULT_SERVICE_QUEUE,
        handler: this.#fenced(endpoint.subject, answeringErrors(endpoint, this.#log)),
        ...(endpoint.metadata === undefined ? {} : { metadata: { ...endpoint.metadata } }),
      });
    }
    return {
      stop: async () => {
        await running.stop();
      },
    };
  }

  onEvent(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async flush(): Promise<void> {
    if (!this.#connected) throw this.#closed ? busClosed() : busDisconnected(undefined);
    try {
      await this.#connection.flush();
    } catch (error) {
      throw busDisconnected(error);
    }
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    if (this.#closed) return;
    // Draining waits for the server's word, which a server that is gone never says.
    if (this.#connected) await this.#connection.drain();
    else await this.#connection.close();
    await this.#connection.closed();
    this.#connected = false;
  }

  #fenced(pattern: string, handler: BusHandler): (error: NatsError | null, message: Msg) => void {
    return (error, message) => {
      if (error !== null) {
        this.#emit({ kind: 'error', error: runtimeError(error, pattern) });
        return;
      }
      const beganMs = this.#beginHandling();
      try {
        handler(new NatsMessage(message, this.#respond));
      } catch (thrown) {
        this.#log.error({ subject: pattern, error: thrown }, 'a bus handler threw; its message is lost');
      }
      if (this.#clock.monotonicMs() - beganMs > this.#slowConsumerMs) this.#reportSlow(pattern);
    };
  }

  /** When the handlers of this turn began. Between two turns the event loop reads sockets; while they last, it does not. */
  #beginHandling(): number {
    if (this.#turnBeganMs !== undefined) return this.#turnBeganMs;
    this.#turnBeganMs = this.#clock.monotonicMs();
    this.#clock.defer(() => {
      this.#turnBeganMs = undefined;
      this.#turnReported = false;
    });
    return this.#turnBeganMs;
  }

  #reportSlow(subject: string): void {
    if (this.#turnReported) return;
    this.#turnReported = true;
    this.#emit({ kind: 'slow-consumer', subject });
  }

  async #watchStatus(): Promise<void> {
    for await (const status of this.#connection.status()) this.#onStatus(status);
  }

  #onStatus(status: Status): void {
    switch (status.type) {
      case Events.Disconnect:
        if (!this.#connected) return;
        this.#connected = false;
        this.#emit({ kind: 'disconnected' });
        break;
      case Events.Reconnect:
        this.#connected = !this.#closed;
        this.#readLimits();
        this.#emit({ kind: 'reconnected' });
        break;
      case Events.LDM:
        this.#emit({ kind: 'lame-duck' });
        break;
      case Events.Error:
        this.#emit({
          kind: 'error',
          error: runtimeError(new Error(typeof status.data === 'string' ? status.data : 'unknown error')),
        });
        break;
      default: // progress reports of the library
    }
  }

  #readLimits(): void {
    this.#maxPayloadBytes = this.#connection.info?.max_payload ?? this.#maxPayloadBytes;
  }

  #emit(event: BusEvent): void {
    this.#events[event.kind].add();
    this.#logEvent(event);
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ event: event.kind, error: toArmatureError(error) }, 'a listener to bus events threw');
      }
    }
  }

  #logEvent(event: BusEvent): void {
    const server = this.#connection.getServer();
    if (event.kind === 'slow-consumer') this.#log.warn({ subject: event.subject }, 'bus handlers hold up the event loop');
    else if (event.kind === 'error') this.#log.warn({ error: event.error }, 'an error of the NATS connection');
    else if (event.kind === 'disconnected') this.#log.warn({ server }, 'disconnected from NATS; reconnecting');
    else if (event.kind === 'lame-duck') this.#log.warn({ server }, 'the NATS server is about to shut down');
    else this.#log.info({ server }, event.kind === 'reconnected' ? 'reconnected to NATS' : 'the NATS connection is closed');
  }
}
