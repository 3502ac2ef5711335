/**
 * The in-memory twin of a NATS server, for tests, simulations and clusters that live in one process: the same wildcards,
 * queue groups, no-responders status, payload limit and order, with delivery at the end of the turn, never inside
 * `publish`. The network between connections can be cut, delayed and shaped, and the broker itself stopped and started.
 */
import { seededRandom, type Random } from '@armature/kernel';
import { silentLog, type Clock, type Logger } from '@armature/runtime';
import { NO_RESPONDERS, type BusMessage } from './bus.js';
import { InProcessConnection, InProcessMessage, type BrokerSide, type InProcessSubscription } from './in-process-connection.js';
import { InProcessNetwork } from './in-process-network.js';
import { hasWildcard, subjectMatches } from './subject.js';

export interface InProcessBrokerOptions {
  readonly clock: Clock;
  /** Chooses the member of a queue group. A fixed seed unless given. */
  readonly random?: Random;
  readonly log?: Logger;
  /** 1 MiB unless given, as in NATS. */
  readonly maxPayloadBytes?: number;
  /** Told of all that is published, by the name of its connection. Nobody counts it as a listener. */
  readonly overhear?: (source: string, message: BusMessage) => void;
  /** Undelivered messages that one subscription may have before it counts as slow and loses more. */
  readonly maxQueuedPerSubscription?: number;
}

const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;
const DEFAULT_MAX_QUEUED = 65_536;
/** Subjects whose subscriptions are remembered. Those of links and announcements come again and again, inboxes once. */
const MAX_REMEMBERED_SUBJECTS = 4_096;

interface Delivery {
  readonly subscription: InProcessSubscription;
  readonly message: InProcessMessage;
}

/** Messages under way from one connection to another, oldest first: timers may fire out of order, deliveries may not. */
interface Channel {
  readonly waiting: Delivery[];
  lastDueMs: number;
}

export class InProcessBroker {
  readonly network = new InProcessNetwork();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxQueued: number;
  readonly #overhear: InProcessBrokerOptions['overhear'];
  readonly #side: BrokerSide;
  readonly #connections = new Set<InProcessConnection>();
  readonly #exact = new Map<string, Set<InProcessSubscription>>();
  readonly #wildcard = new Set<InProcessSubscription>();
  /** Who listens to a subject, as of the last change of any subscription. */
  readonly #remembered = new Map<string, readonly InProcessSubscription[]>();
  readonly #channels = new Map<string, Channel>();
  #ready: Delivery[] = [];
  #running = true;
  #named = 0;

  constructor(options: InProcessBrokerOptions) {
    this.#clock = options.clock;
    this.#random = options.random ?? seededRandom('in-process-bus');
    this.#overhear = options.overhear;
    this.#maxQueued = options.maxQueuedPerSubscription ?? DEFAULT_MAX_QUEUED;
    this.#side = {
      clock: options.clock,
      log: options.log ?? silentLog,
      maxPayloadBytes: options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
      add: (subscription) => this.#add(subscription),
      remove: (subscription) => this.#remove(subscription),
      route: (source, message) => this.#route(source, message),
      forget: (connection) => void this.#connections.delete(connection),
    };
  }

  /** A connection by a name that `network` refers to. Names need not be unique; those of one name share its fate. */
  connect(name?: string): InProcessConnection {
    const connection = new InProcessConnection(name ?? `connection-${++this.#named}`, this.#side, this.#running);
    this.#connections.add(connection);
    return connection;
  }

  /** The server goes down: every connection is disconnected, and what was under way is lost. */
  stop(): void {
    this.#running = false;
    this.#ready = [];
    this.#channels.clear();
    for (const connection of this.#connections) connection.disconnect();
  }

  /** The server is back, with every subscription. */
  start(): void {
    this.#running = true;
    for (const connection of this.#connections) connection.reconnect();
  }

  #add(subscription: InProcessSubscription): void {
    this.#remembered.clear();
    if (hasWildcard(subscription.subject)) {
      this.#wildcard.add(subscription);
      return;
    }
    const same = this.#exact.get(subscription.subject);
    if (same === undefined) this.#exact.set(subscription.subject, new Set([subscription]));
    else same.add(subscription);
  }

  #remove(subscription: InProcessSubscription): void {
    this.#remembered.clear();
    this.#wildcard.delete(subscription);
    const same = this.#exact.get(subscription.subject);
    if (same?.delete(subscription) === true && same.size === 0) this.#exact.delete(subscription.subject);
  }

  #route(source: InProcessConnection, message: InProcessMessage): void {
    this.#overhear?.(source.id, message);
    let nobody = true;
    let groups: Map<string, InProcessSubscription[]> | undefined;
    for (const subscription of this.#interested(message.subject)) {
      if (!subscription.connection.connected) continue;
      nobody = false;
      if (subscription.queue === undefined) {
        this.#send(source, subscription, message);
        continue;
      }
      groups ??= new Map();
      const group = groups.get(subscription.queue);
      if (group === undefined) groups.set(subscription.queue, [subscription]);
      else group.push(subscription);
    }
    if (groups !== undefined) {
      for (const group of groups.values()) {
        this.#send(source, group[this.#random.int(group.length)] as InProcessSubscription, message);
      }
    }
    if (nobody && message.reply !== undefined) this.#noResponders(source, message.reply);
  }

  #interested(subject: string): readonly InProcessSubscription[] {
    const known = this.#remembered.get(subject);
    if (known !== undefined) return known;
    const found = [...(this.#exact.get(subject) ?? [])];
    for (const subscription of this.#wildcard) if (subjectMatches(subscription.subject, subject)) found.push(subscription);
    if (this.#remembered.size >= MAX_REMEMBERED_SUBJECTS) this.#remembered.clear();
    this.#remembered.set(subject, found);
    return found;
  }

  /** As in NATS, only the publisher itself is told. */
  #noResponders(source: InProcessConnection, reply: string): void {
    const message = new InProcessMessage(source, reply, new Uint8Array(0), undefined, undefined, NO_RESPONDERS);
    for (const subscription of source.subscriptions) {
      if (subjectMatches(subscription.subject, reply)) this.#enqueue({ subscription, message });
    }
  }

  #send(source: InProcessConnection, subscription: InProcessSubscription, message: InProcessMessage): void {
    const target = subscription.connection;
    const passage = this.network.passageOf(source.id, target.id, message.payload.length);
    if (passage === 'lost') return;
    const delivery = { subscription, message: message.to(target) };
    if (typeof passage !== 'number') {
      for (const delayMs of passage.delaysMs) this.#clock.after(delayMs, () => this.#arrived(delivery));
      return;
    }
    const key = `${source.id} ${target.id}`;
    const channel = this.#channels.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (passage <= 0 && (channel === undefined || channel.waiting.length === 0)) {
      this.#enqueue(delivery);
      return;
    }
    const used = channel ?? { waiting: [], lastDueMs: 0 };
    if (channel === undefined) this.#channels.set(key, used);
    used.lastDueMs = Math.max(used.lastDueMs, nowMs + Math.max(0, passage));
    used.waiting.push(delivery);
    this.#clock.after(used.lastDueMs - nowMs, () => {
      const next = used.waiting.shift();
      if (used.waiting.length === 0 && this.#channels.get(key) === used) this.#channels.delete(key);
      if (next !== undefined) this.#arrived(next);
    });
  }

  /** Has come over a slow way, and so in a turn of its own. */
  #arrived({ subscription, message }: Delivery): void {
    if (this.#running && subscription.accept(this.#maxQueued)) subscription.deliver(message);
  }

  #enqueue(delivery: Delivery): void {
    if (!delivery.subscription.accept(this.#maxQueued)) return;
    this.#ready.push(delivery);
    if (this.#ready.length === 1) this.#clock.defer(() => this.#deliver());
  }

  /** Delivers what had been published when this turn began; what handlers publish meanwhile waits for the next. */
  #deliver(): void {
    const batch = this.#ready;
    this.#ready = [];
    for (const { subscription, message } of batch) subscription.deliver(message);
  }
}
