/**
 * The bus port over NATS. Subscriptions are callbacks all the way: the client library's iterators cost a promise per message.
 *
 * Some things are mended on the way. A callback that throws would end the library's read loop and leave the connection deaf, so
 * handlers are fenced. What is published while disconnected would be kept in memory and sent late, or not, so it is
 * dropped. A slow consumer is only told by being cut off, so the time that handlers take in a turn is watched here. And a
 * subscription that the server denies is made again until it is permitted (`nats-interests.ts`).
 */
import {
  answeringErrors,
  encodedHeadersBytes,
  MIN_PAYLOAD_BYTES,
  payloadTooLarge,
  type Bus,
  type BusDenial,
  type BusEvent,
  type BusHandler,
  type BusHeaders,
  type BusService,
  type BusSubscription,
  type PublishOptions,
  type RunningService,
} from '@armature/bus';
import { assert, toArmatureError } from '@armature/kernel';
import { waitAtMost, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import { ErrorCode, Events, type Msg, type NatsConnection, type NatsError, type Status, type Subscription } from 'nats';
import { NatsConnectionImpl } from 'nats/lib/nats-base-client/internal_mod.js';
import { DeniedPublishes } from './denied-publishes.js';
import { HandlerFence } from './handler-fence.js';
import { busClosed, busDisconnected, payloadLimitTooSmall, PERMIT, runtimeError } from './nats-errors.js';
import { Interests, type Interest } from './nats-interests.js';
import { NatsMessage, toNatsHeaders } from './nats-message.js';
import { NatsService } from './nats-service.js';

export interface NatsBusSettings {
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Handlers that hold the event loop for longer than this in one turn make a slow consumer. 1,000 ms unless given. */
  readonly slowConsumerMs?: number | undefined;
}

/** A tenth of the server's default write deadline, after which it cuts off whoever does not read. */
const DEFAULT_SLOW_CONSUMER_MS = 1_000;
/** What a server may take to answer when this process leaves. One that stands still never does. */
const DRAIN_PATIENCE_MS = 5_000;
/** Before another server is looked for, when one takes too little in a message. */
const UNFIT_SERVER_MS = 5_000;

/** The server has taken no subscription beyond its limit, and does not say which it has not. */
const TOO_MANY_SUBSCRIPTIONS = /maximum subscriptions exceeded/i;

export class NatsBus implements Bus {
  readonly name = 'nats';
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #fence: HandlerFence;
  readonly #listeners = new Set<(event: BusEvent) => void>();
  readonly #events: Readonly<Record<BusEvent['kind'], Counter>>;
  readonly #lost: Counter;
  readonly #interests: Interests;
  readonly #deniedPublishes: DeniedPublishes;
  readonly #respond = (subject: string, payload: Uint8Array, headers: BusHeaders | undefined): void =>
    this.publish(subject, payload, { headers });
  #connected = true;
  #closed = false;
  #maxPayloadBytes = 0;
  #drained: Promise<void> | undefined;
  /** The last error since the connection was lost: each attempt to get it back may bring the same. */
  #toldError = '';
  #unfitTimer: Timer | undefined;

  constructor(connection: NatsConnection, options: NatsBusSettings) {
    this.#connection = connection;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#fence = new HandlerFence({
      clock: options.clock,
      log: options.log,
      slowMs: options.slowConsumerMs ?? DEFAULT_SLOW_CONSUMER_MS,
      onSlow: (subject) => this.#emit({ kind: 'slow-consumer', subject }),
    });
    const counter = (kind: BusEvent['kind']): Counter =>
      options.telemetry.counter('armature_bus_events_total', 'Events of the bus connection.', { kind });
    this.#events = {
      disconnected: counter('disconnected'),
      reconnected: counter('reconnected'),
      'slow-consumer': counter('slow-consumer'),
      'lame-duck': counter('lame-duck'),
      error: counter('error'),
      denied: counter('denied'),
      granted: counter('granted'),
      closed: counter('closed'),
    };
    this.#lost = options.telemetry.counter('armature_bus_lost_publishes_total', 'Messages published while disconnected.');
    this.#deniedPublishes = new DeniedPublishes(options.clock);
    this.#interests = new Interests({
      clock: options.clock,
      flush: () => this.flush(),
      changed: (subject, state) =>
        this.#emit(
          state === 'denied' ? { kind: 'denied', denial: { operation: 'subscribe', subject } } : { kind: 'granted', subject },
        ),
    });
    this.#readLimits();
    void this.#watchStatus();
    void connection.closed().then(() => {
      this.#connected = false;
      this.#closed = true;
      this.#interests.stop();
      this.#unfitTimer?.cancel();
      this.#emit({ kind: 'closed' });
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  get maxPayloadBytes(): number {
    return this.#maxPayloadBytes;
  }

  get denials(): readonly BusDenial[] {
    const lacking = this.#interests.lacking.map((subject) => ({ operation: 'subscribe', subject }) as const);
    return [...lacking, ...this.#deniedPublishes.recent.map((subject) => ({ operation: 'publish', subject }) as const)];
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
    const callback = this.#callback(subject, handler);
    const { queue } = options;
    const open = (): Subscription =>
      this.#connection.subscribe(subject, queue === undefined ? { callback } : { callback, queue });
    let subscription = open();
    const close = (): void => {
      if (!subscription.isClosed()) subscription.unsubscribe();
    };
    const interest: Interest = {
      nameOf: (denied) => (denied === subject ? subject : undefined),
      renew: () => {
        close();
        subscription = open();
        return Promise.resolve();
      },
    };
    this.#interests.add(interest);
    return {
      unsubscribe: () => {
        this.#interests.remove(interest);
        close();
      },
    };
  }

  async serve(service: BusService): Promise<RunningService> {
    if (this.#closed || this.#drained !== undefined) throw busClosed();
    const running = new NatsService(this.#connection, service, (endpoint) =>
      this.#callback(endpoint.subject, answeringErrors(endpoint, this.#log)),
    );
    await running.start();
    this.#interests.add(running);
    return {
      stop: async () => {
        this.#interests.remove(running);
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
      // A denial comes before the server's answer, but the library hands it on in later microtasks.
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
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
    this.#interests.stop();
    // Draining waits for the server's word, which a server that stands still never says. Where the connection is lost meanwhile,
    // the library takes it for drained, and connects again.
    if (this.#connected) await waitAtMost(this.#clock, DRAIN_PATIENCE_MS, this.#connection.drain()).catch(() => undefined);
    await this.#connection.close();
    await this.#connection.closed();
    this.#connected = false;
  }

  #callback(subject: string, handler: BusHandler): (error: NatsError | null, message: Msg) => void {
    const fenced = this.#fence.around(subject, handler);
    return (error, message) => {
      // Errors are denials. The status tells of them too, and of those whose subscription the library does not find.
      if (error === null) fenced(new NatsMessage(message, this.#respond));
    };
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
        this.#onReconnect();
        break;
      case Events.LDM:
        this.#emit({ kind: 'lame-duck' });
        break;
      case Events.Error:
        this.#onError(status);
        break;
      default: // progress reports of the library
    }
  }

  #onReconnect(): void {
    if (this.#closed) return;
    this.#unfitTimer?.cancel();
    this.#readLimits();
    this.#toldError = '';
    if (this.#maxPayloadBytes < MIN_PAYLOAD_BYTES) {
      const { message, remedy } = payloadLimitTooSmall(this.#maxPayloadBytes, this.#connection.getServer());
      this.#log.error({ remedy }, message);
      this.#unfitTimer = this.#clock.after(UNFIT_SERVER_MS, () => void this.#connection.reconnect());
      return;
    }
    this.#connected = true;
    this.#emit({ kind: 'reconnected' });
    this.#interests.reconnected();
  }

  #onError({ data, permissionContext: denied }: Status): void {
    const code = typeof data === 'string' ? data : ErrorCode.Unknown;
    const words = wordsOf(this.#connection, code);
    if (denied?.operation === 'subscription') this.#interests.denied(denied.subject);
    else if (denied?.operation === 'publish') {
      this.#deniedPublishes.add(denied.subject);
      this.#emit({ kind: 'denied', denial: { operation: 'publish', subject: denied.subject } });
    } else if (TOO_MANY_SUBSCRIPTIONS.test(words)) this.#interests.deniedSome('maximum subscriptions exceeded');
    else this.#emit({ kind: 'error', error: runtimeError(code, words) });
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
    switch (event.kind) {
      case 'slow-consumer':
        this.#log.warn({ subject: event.subject }, 'bus handlers hold up the event loop');
        break;
      case 'error':
        if (event.error.message !== this.#toldError) this.#log.warn({ error: event.error }, 'an error of the NATS connection');
        if (!this.#connected) this.#toldError = event.error.message;
        break;
      case 'denied':
        this.#logDenial(event.denial);
        break;
      case 'granted':
        this.#log.info({ subject: event.subject }, 'NATS permits the subscription that it denied before');
        break;
      case 'disconnected':
        this.#log.warn({ server }, 'disconnected from NATS; reconnecting');
        break;
      case 'lame-duck':
        this.#log.warn({ server }, 'the NATS server is about to shut down');
        break;
      default:
        this.#log.info({ server }, event.kind === 'reconnected' ? 'reconnected to NATS' : 'the NATS connection is closed');
    }
  }

  /** A denied subscription is an event once; a denied message is one each time, and told once a minute. */
  #logDenial({ operation, subject }: BusDenial): void {
    if (operation === 'subscribe') {
      this.#log.warn({ subject, remedy: PERMIT }, 'NATS denies a subscription; it is asked for again until it is permitted');
    } else if (this.#deniedPublishes.isToBeTold(subject)) {
      this.#log.warn({ subject, remedy: PERMIT }, 'NATS denies publishing to a subject; what is sent there is lost');
    }
  }
}

/** What the server said, of which the library tells only a code. Empty when that is not known. */
function wordsOf(connection: NatsConnection, code: string): string {
  const last = connection instanceof NatsConnectionImpl ? connection.protocol.lastError : undefined;
  return last?.code === code ? last.message : '';
}
