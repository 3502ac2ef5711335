/**
 * The message bus as a port: subjects, queue groups, request/reply and services with the semantics of core NATS, which are
 * also those of the in-process twin. Delivery is at most once and ordered per publisher and subject; the bus stores
 * nothing. Whoever needs more (answers, deadlines, large messages) uses a link on top.
 *
 * Everything on the message path is synchronous and by callback, because at a hundred thousand messages a second a
 * promise per message is the largest part of the bill.
 */
import type { ArmatureError } from '@armature/kernel';
import type { BusHeaders } from './headers.js';

/** Status of the empty message that comes to the reply subject when nobody listens at the subject asked. */
export const NO_RESPONDERS = 503;

/**
 * One delivery. Valid for as long as its receiver keeps it; `payload` may pin a larger network buffer, so copy what lives long.
 */
export interface BusMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Where an answer goes, if the publisher wants one. */
  readonly reply: string | undefined;
  readonly headers: BusHeaders | undefined;
  /** A status code made by the bus itself, such as `NO_RESPONDERS`; undefined on messages that somebody published. */
  readonly status: number | undefined;
  /** Publishes to the reply subject. False, and nothing is sent, when there is none. */
  respond(payload: Uint8Array, options?: { readonly headers?: BusHeaders | undefined }): boolean;
}

export interface PublishOptions {
  readonly reply?: string | undefined;
  readonly headers?: BusHeaders | undefined;
}

/** A handler should not throw. If it does, the error is logged, that message is lost, and the next is delivered. */
export type BusHandler = (message: BusMessage) => void;

export interface BusSubscription {
  /** Idempotent. Nothing is delivered after this returns. */
  unsubscribe(): void;
}

export interface BusEndpoint {
  readonly name: string;
  readonly subject: string;
  /** Endpoints of one queue share its requests; `DEFAULT_SERVICE_QUEUE` unless told. */
  readonly queue?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Answers by `message.respond`. If it throws, the requester gets a service error of code 500. */
  handler(message: BusMessage): void;
}

export interface BusService {
  /** ASCII letters, digits, `-` and `_`. */
  readonly name: string;
  /** Semantic version, e.g. `1.2.0`. */
  readonly version: string;
  readonly description: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly endpoints: readonly BusEndpoint[];
}

/** The queue group that NATS micro services use when none is named. */
export const DEFAULT_SERVICE_QUEUE = 'q';

export interface RunningService {
  /** Takes no new requests, delivers those in hand, and is no longer discoverable. */
  stop(): Promise<void>;
}

export type BusEvent =
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'reconnected' }
  /** Messages of this subscription (or, `>`, of some) come faster than their handler takes them; some were or will be lost. */
  | { readonly kind: 'slow-consumer'; readonly subject: string }
  /** The server is about to shut down and asks its clients to go elsewhere. */
  | { readonly kind: 'lame-duck' }
  | { readonly kind: 'error'; readonly error: ArmatureError }
  /**
   * The bus does not permit this process to subscribe, or to publish, to `subject`. A subscription stays denied until it is
   * `granted`.
   */
  | { readonly kind: 'denied'; readonly denial: BusDenial }
  /** A subscription that was denied is there. */
  | { readonly kind: 'granted'; readonly subject: string }
  /** For good: by `drain`, or because reconnecting was given up. */
  | { readonly kind: 'closed' };

/** What the bus does not permit this process. `subject` may hold wildcards. */
export interface BusDenial {
  readonly operation: 'subscribe' | 'publish';
  readonly subject: string;
}

export interface Bus {
  readonly name: 'nats' | 'in-process';
  readonly connected: boolean;
  /** Largest payload (headers included) that `publish` takes, in bytes. May change when reconnected. */
  readonly maxPayloadBytes: number;
  /**
   * Subscriptions that are denied at present, which the bus asks for again by itself, and subjects that a message was denied to
   * in the last minute: whether the next would be, only sending it tells.
   */
  readonly denials: readonly BusDenial[];
  /**
   * Fire and forget. A lost connection is not an error here (the message is lost; see `onEvent`). Throws `too-large`
   * above `maxPayloadBytes`. The payload must not be changed afterwards.
   */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void;
  /**
   * `subject` may hold the wildcards `*` (one token) and a final `>` (one or more). Survives reconnects, and is made again
   * after it was denied and permitted again.
   */
  subscribe(subject: string, handler: BusHandler, options?: { readonly queue?: string | undefined }): BusSubscription;
  /** Answers requests under a discoverable name (NATS: `$SRV.PING/INFO/STATS`). */
  serve(service: BusService): Promise<RunningService>;
  /** Tells `listener` of every event from now on; the result ends that. */
  onEvent(listener: (event: BusEvent) => void): () => void;
  /**
   * Resolves when the bus has taken everything published and subscribed to so far, and has told what of it is denied. Rejects
   * with `bus-unavailable` where it cannot.
   */
  flush(): Promise<void>;
  /** Receives nothing new, delivers what is in hand, sends what was published, and closes. Idempotent. */
  drain(): Promise<void>;
}
