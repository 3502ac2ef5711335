/**
 * One connection to the in-process broker: the `Bus` that a component holds, its subscriptions and the messages it receives.
 *
 * It behaves as a client of NATS does: it may lose its server and get it back with every subscription, what it publishes
 * meanwhile is lost, and draining first stops what comes in, then delivers what is in hand, then closes.
 */
import { ArmatureError, assert } from '@armature/kernel';
import type { Clock, Logger } from '@armature/runtime';
import {
  DEFAULT_SERVICE_QUEUE,
  type Bus,
  type BusEvent,
  type BusHandler,
  type BusMessage,
  type BusService,
  type BusSubscription,
  type PublishOptions,
  type RunningService,
} from './bus.js';
import { encodedHeadersBytes, type BusHeaders } from './headers.js';
import { payloadTooLarge } from './payload-limit.js';
import { answeringErrors } from './service-endpoint.js';

/** What a connection needs of its broker. */
export interface BrokerSide {
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxPayloadBytes: number;
  add(subscription: InProcessSubscription): void;
  remove(subscription: InProcessSubscription): void;
  route(source: InProcessConnection, message: InProcessMessage): void;
  forget(connection: InProcessConnection): void;
}

const NO_PAYLOAD = new Uint8Array(0);

export class InProcessMessage implements BusMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
  readonly headers: BusHeaders | undefined;
  readonly status: number | undefined;
  readonly #receiver: InProcessConnection;

  constructor(
    receiver: InProcessConnection,
    subject: string,
    payload: Uint8Array = NO_PAYLOAD,
    reply?: string,
    headers?: BusHeaders,
    status?: number,
  ) {
    this.#receiver = receiver;
    this.subject = subject;
    this.payload = payload;
    this.reply = reply;
    this.headers = headers;
    this.status = status;
  }

  respond(payload: Uint8Array, options: { readonly headers?: BusHeaders | undefined } = {}): boolean {
    if (this.reply === undefined) return false;
    this.#receiver.publish(this.reply, payload, { headers: options.headers });
    return true;
  }

  /** The same message in the hands of another connection, which answers by itself. */
  to(receiver: InProcessConnection): InProcessMessage {
    return new InProcessMessage(receiver, this.subject, this.payload, this.reply, this.headers, this.status);
  }
}

export class InProcessSubscription implements BusSubscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly connection: InProcessConnection;
  readonly #handler: BusHandler;
  readonly #side: BrokerSide;
  #open = true;
  #queued = 0;
  #slow = false;

  constructor(
    connection: InProcessConnection,
    side: BrokerSide,
    subject: string,
    handler: BusHandler,
    queue: string | undefined,
  ) {
    this.connection = connection;
    this.subject = subject;
    this.queue = queue;
    this.#handler = handler;
    this.#side = side;
  }

  unsubscribe(): void {
    this.stopReceiving();
    this.#open = false;
    this.connection.subscriptions.delete(this);
  }

  /** No more is routed here; what is queued still comes. */
  stopReceiving(): void {
    this.#side.remove(this);
  }

  /** Makes room for one more message, or says that there is none. */
  accept(maxQueued: number): boolean {
    if (!this.#open) return false;
    if (this.#queued >= maxQueued) {
      if (!this.#slow) this.connection.emit({ kind: 'slow-consumer', subject: this.subject });
      this.#slow = true;
      return false;
    }
    this.#queued++;
    return true;
  }

  deliver(message: InProcessMessage): void {
    this.#queued--;
    if (this.#queued === 0) this.#slow = false;
    if (!this.#open || !this.connection.connected) return;
    try {
      this.#handler(message);
    } catch (error) {
      this.#side.log.error({ subject: this.subject, error }, 'a bus handler threw; its message is lost');
    }
  }
}

export class InProcessConnection implements Bus {
  readonly name = 'in-process';
  /** Everything is permitted here. */
  readonly denials = [];
  /** The name that `InProcessNetwork` knows this connection by. */
  readonly id: string;
  readonly subscriptions = new Set<InProcessSubscription>();
  readonly #side: BrokerSide;
  readonly #listeners = new Set<(event: BusEvent) => void>();
  #state: 'connected' | 'disconnected' | 'draining' | 'closed';
  #drained: Promise<void> | undefined;

  constructor(id: string, side: BrokerSide, connected: boolean) {
    this.id = id;
    this.#side = side;
    this.#state = connected ? 'connected' : 'disconnected';
  }

  get connected(): boolean {
    return this.#state === 'connected' || this.#state === 'draining';
  }

  get maxPayloadBytes(): number {
    return this.#side.maxPayloadBytes;
  }

  publish(subject: string, payload: Uint8Array, options: PublishOptions = {}): void {
    assert(subject !== '', 'a subject is not empty');
    const sizeBytes = payload.length + (options.headers === undefined ? 0 : encodedHeadersBytes(options.headers));
    if (sizeBytes > this.maxPayloadBytes) throw payloadTooLarge(sizeBytes, this.maxPayloadBytes);
    if (!this.connected) return;
    this.#side.route(this, new InProcessMessage(this, subject, payload, options.reply, options.headers));
  }

  subscribe(subject: string, handler: BusHandler, options: { readonly queue?: string | undefined } = {}): InProcessSubscription {
    assert(subject !== '', 'a subject is not empty');
    if (this.#state === 'draining' || this.#state === 'closed') {
      throw new ArmatureError('closed', 'the bus connection is closed');
    }
    const subscription = new InProcessSubscription(this, this.#side, subject, handler, options.queue);
    this.subscriptions.add(subscription);
    this.#side.add(subscription);
    return subscription;
  }

  serve(service: BusService): Promise<RunningService> {
    const subscriptions = service.endpoints.map((endpoint) =>
      this.subscribe(endpoint.subject, answeringErrors(endpoint, this.#side.log), {
        queue: endpoint.queue ?? DEFAULT_SERVICE_QUEUE,
      }),
    );
    return Promise.resolve({
      stop: async () => {
        for (const subscription of subscriptions) subscription.stopReceiving();
        await this.#endOfTurn();
        for (const subscription of subscriptions) subscription.unsubscribe();
      },
    });
  }

  onEvent(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  flush(): Promise<void> {
    if (this.connected) return this.#endOfTurn();
    return Promise.reject(
      new ArmatureError('bus-unavailable', 'the in-process bus is stopped', { remedy: 'Start the broker again.' }),
    );
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    if (this.#state === 'connected') this.#state = 'draining';
    for (const subscription of this.subscriptions) subscription.stopReceiving();
    if (this.connected) await this.#endOfTurn();
    this.#state = 'closed';
    for (const subscription of [...this.subscriptions]) subscription.unsubscribe();
    this.#side.forget(this);
    this.emit({ kind: 'closed' });
  }

  /** Cuts this connection from the broker, as when a process loses its server. Hooks for tests and simulations. */
  disconnect(): void {
    if (this.#state !== 'connected') return;
    this.#state = 'disconnected';
    this.emit({ kind: 'disconnected' });
  }

  /** The process at this end is gone: nothing is delivered, sent or said any more. */
  sever(): void {
    this.#state = 'closed';
    this.#listeners.clear();
    for (const subscription of [...this.subscriptions]) subscription.unsubscribe();
    this.#side.forget(this);
  }

  reconnect(): void {
    if (this.#state !== 'disconnected') return;
    this.#state = 'connected';
    this.emit({ kind: 'reconnected' });
  }

  emit(event: BusEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** After the delivery of what has been published by now, which was deferred before this is. */
  #endOfTurn(): Promise<void> {
    return new Promise((resolve) => this.#side.clock.defer(resolve));
  }
}
