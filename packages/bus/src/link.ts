/**
 * Links: requests, replies and one-way messages between named endpoints, gathered per peer and turn of the event loop into
 * frames. The bus charges per message, so what one turn produces for one peer travels as one message, both ways; under
 * load that is worth more than ten times a request per message, and at one request in flight it costs nothing.
 *
 * A request ends in exactly one of: the peer's reply, the peer's typed error, or an error of the link itself (unreachable,
 * timeout, overloaded, too-large, bus-unavailable, wrong-cluster, protocol-mismatch, closed), whose `details.executed` says
 * whether the request may have run. Nothing is retried here and nothing is queued without bound.
 *
 * Down peers: frames with requests carry a reply subject of ours, so the bus's no-responders status names the frame that nobody
 * took. Messages between two endpoints arrive in order, except that those larger than a frame may be overtaken.
 */
import { assert, ByteWriter } from '@armature/kernel';
import { sleep, type Clock, type Logger, type ObservedGauge } from '@armature/runtime';
import { NO_RESPONDERS, type Bus, type BusDenial, type BusEvent, type BusMessage } from './bus.js';
import { RECORD, writeHeaderPrefix } from './frame.js';
import { FrameClock } from './frame-clock.js';
import { FrameGate } from './frame-gate.js';
import { Greeter } from './greeter.js';
import { LinkSubjects, type LinkAddress } from './link-address.js';
import type { LinkCodec, LinkHandler, RequestTraits } from './link-codec.js';
import * as errors from './link-errors.js';
import { DEFAULT_LINK_LIMITS, type LinkLimits } from './link-limits.js';
import { LinkMeter, type LinkStats } from './link-meter.js';
import type { LinkOptions } from './link-options.js';
import { PeerTable, type Peer, type PeerClock } from './link-peers.js';
import { LinkReceiver } from './link-receiver.js';
import { LinkRequester } from './link-requester.js';
import { LinkResponder } from './link-responder.js';
import type { LinkSide } from './link-side.js';
import { WriterPool, type Outbox, type OutboxEnvironment } from './outbox.js';
import { PeerQuota } from './peer-quota.js';
import { ReassemblyBudget } from './reassembly.js';
import { parseRefusal } from './refusal.js';
import { SweepTimer, TICK_MS } from './sweep-timer.js';

export class LinkEndpoint<Request, Reply> {
  readonly address: LinkAddress;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: LinkLimits;
  readonly #subjects: LinkSubjects;
  readonly #frameClock: FrameClock;
  readonly #meter: LinkMeter;
  readonly #peers: PeerTable<Reply>;
  readonly #gate: FrameGate<Reply>;
  readonly #requester: LinkRequester<Request, Reply>;
  readonly #responder: LinkResponder<Request, Reply>;
  readonly #receiver: LinkReceiver<Request, Reply>;
  readonly #sweeps: SweepTimer;
  readonly #closers: readonly (() => void)[];
  #toFlush: Outbox[] = [];
  #frames = 0;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #drained: Promise<void> | undefined;

  /** Listens at once. Peers on other connections see it when the bus has taken the subscription (`bus.flush()`). */
  static open<Request, Reply>(bus: Bus, codec: LinkCodec<Request, Reply>, options: LinkOptions): LinkEndpoint<Request, Reply> {
    return new LinkEndpoint(bus, codec, options);
  }

  private constructor(bus: Bus, codec: LinkCodec<Request, Reply>, options: LinkOptions) {
    const { address, cluster, clock, random, keys } = options;
    const role = address.split('.')[0] as string;
    this.address = address;
    this.#bus = bus;
    this.#clock = clock;
    this.#frameClock = new FrameClock(clock);
    this.#sweeps = new SweepTimer(clock, (nowMs) => this.#sweep(nowMs));
    this.#log = options.log.child({ link: address });
    this.#limits = limitsOf(options.limits);
    this.#subjects = new LinkSubjects(options.prefix, cluster, address);
    this.#meter = new LinkMeter(options.telemetry, role);
    const outboxes = this.#outboxEnvironment(options);
    const { peers, reassemblyBytes } = this.#limits;
    this.#peers = new PeerTable({
      subjects: this.#subjects,
      outboxes,
      limits: this.#limits,
      clock,
      random,
      own: address,
      keys,
      reassembly: options.reassembly ?? new ReassemblyBudget(reassemblyBytes),
      quota: options.quota ?? new PeerQuota({ peers, peersPerGroup: peers }),
    });
    this.#gate = new FrameGate({ cluster, log: this.#log, meter: this.#meter, peers: this.#peers, isSealed: keys !== undefined });
    const side: LinkSide<Request, Reply> = {
      ...{ address, codec, clock },
      log: this.#log,
      limits: this.#limits,
      meter: this.#meter,
      peers: this.#peers,
      state: () => this.#state,
      wakeAt: (dueMs) => this.#sweeps.wakeAt(dueMs),
    };
    this.#requester = new LinkRequester(side, () => bus.connected);
    this.#responder = new LinkResponder(side);
    this.#receiver = new LinkReceiver({
      side,
      requester: this.#requester,
      responder: this.#responder,
      gate: this.#gate,
      greeter: new Greeter(outboxes, clock, random),
      frameClock: this.#frameClock,
    });
    const labels = { role, link: address };
    const gauge = (name: string, help: string, read: () => number): ObservedGauge =>
      options.telemetry.observedGauge(`armature_link_${name}`, help, read, labels);
    const pending = gauge('pending', 'Requests without an answer yet.', () => this.#requester.pending);
    const executing = gauge('executing', 'Requests being answered.', () => this.#responder.inHand);
    this.#closers = [
      bus.onEvent((event) => this.#onBusEvent(event)),
      ...(options.isHanded === true ? [() => pending.remove(), () => executing.remove()] : this.#listen()),
    ];
  }

  #listen(): readonly (() => void)[] {
    const frames = this.#bus.subscribe(this.#subjects.frames, (message) => this.receive(message));
    const refusals = this.#bus.subscribe(this.#subjects.refusals, (message) => this.#onRefusal(message));
    return [() => frames.unsubscribe(), () => refusals.unsubscribe()];
  }

  /** Takes a frame for this endpoint, where it does not listen itself. */
  receive(message: BusMessage): void {
    if (this.#state !== 'closed') this.#receiver.receive(message);
  }

  /** Whether nobody waits for anything here. */
  get isIdle(): boolean {
    const isQuiet = (peer: Peer<Reply>): boolean => peer.outbox.idle && !peer.reassembly.active;
    return this.#requester.pending === 0 && this.#responder.inHand === 0 && [...this.#peers.all()].every(isQuiet);
  }

  get stats(): LinkStats {
    return this.#meter.snapshot({ pending: this.#requester.pending, executing: this.#responder.inHand, peers: this.#peers.size });
  }

  /** What is known of the wall clocks of those peers that have been heard. */
  *peerClocks(): Iterable<PeerClock> {
    for (const peer of this.#peers.all()) if (!Number.isNaN(peer.heardAtMs)) yield peer;
  }

  /** Answers what peers ask from now on; until then nobody does. */
  serve(handler: LinkHandler<Request, Reply>, traits: RequestTraits<Request> = {}): void {
    assert(!this.#responder.isServing, 'an endpoint has one handler');
    this.#responder.serve(handler, traits);
  }

  /** See the head of this file for how it ends. `timeoutMs` counts from now, and has a coarse end (`TICK_MS`). */
  request(to: LinkAddress, message: Request, timeoutMs: number): Promise<Reply> {
    return this.#requester.request(to, message, timeoutMs);
  }

  /** One way, at most once. What cannot be sent is lost, and counted. Throws only what the encoder throws. */
  send(to: LinkAddress, message: Request): void {
    this.#requester.send(to, message);
  }

  /**
   * Refuses new requests from peers, waits for those in hand and for our own (both bounded by `limits.drainMs`), sends what
   * is left and closes. Idempotent.
   */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    const untilMs = this.#clock.monotonicMs() + this.#limits.drainMs;
    const busy = (): boolean =>
      this.#requester.pending > 0 || this.#responder.inHand > 0 || [...this.#peers.all()].some((peer) => !peer.outbox.idle);
    while (this.#bus.connected && busy() && this.#clock.monotonicMs() < untilMs) await sleep(this.#clock, TICK_MS);
    if (this.#bus.connected) await this.#bus.flush().catch(() => undefined); // lost meanwhile: then there is nobody to tell
    this.close();
  }

  /** At once: pending requests fail with `closed`. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const closer of this.#closers) closer();
    this.#sweeps.cancel();
    for (const peer of this.#peers.all()) {
      peer.outbox.discard();
      this.#requester.failAll(peer, errors.linkClosed('unknown'));
      peer.reassembly.reset();
    }
    this.#peers.clear();
  }

  // ---- sending

  #outboxEnvironment({ cluster, keys, token }: LinkOptions): OutboxEnvironment {
    const [header, tokenRecord] = [new ByteWriter(), new ByteWriter()];
    writeHeaderPrefix(header, cluster, this.address, keys !== undefined);
    if (token !== undefined) tokenRecord.u8(RECORD.token).u32(token.length).raw(token);
    return {
      headerPrefix: header.copyOut(),
      tokenRecord: tokenRecord.copyOut(),
      limits: this.#limits,
      writers: new WriterPool(),
      backlog: { sizeBytes: 0 },
      maxPayloadBytes: () => this.#bus.maxPayloadBytes,
      publish: (subject, frame, records, reply) => this.#publish(subject, frame, records, reply),
      clock: this.#frameClock,
      nextFrame: () => ++this.#frames,
      after: (delayMs, work) => this.#clock.after(delayMs, work),
      willFlush: (outbox) => this.#willFlush(outbox),
    };
  }

  #willFlush(outbox: Outbox): void {
    this.#toFlush.push(outbox);
    if (this.#toFlush.length === 1) this.#clock.defer(() => this.#endTurn());
  }

  #endTurn(): void {
    const outboxes = this.#toFlush;
    this.#toFlush = [];
    for (const outbox of outboxes) outbox.flush();
  }

  #publish(subject: string, frame: Uint8Array, records: number, reply: string | undefined): void {
    if (!this.#bus.connected || this.#state === 'closed') return;
    this.#meter.frameOut(frame.length, records);
    try {
      this.#bus.publish(subject, frame, reply === undefined ? undefined : { reply });
    } catch (error) {
      // The bus takes less than it did when the frame was begun: those in it run into their deadlines.
      this.#log.error({ subject, sizeBytes: frame.length, error }, 'a frame was lost');
    }
  }

  // ---- failing

  /** Nobody took a frame of ours, or the peer refused it. */
  #onRefusal(message: BusMessage): void {
    const refused = this.#subjects.parseRefusal(message.subject);
    const peer = refused === undefined ? undefined : this.#peers.known(refused.peer);
    if (refused === undefined || peer?.refusalPassword !== refused.password) return;
    const { frame } = refused;
    const code = message.status === NO_RESPONDERS ? 'unreachable' : parseRefusal(message.payload);
    if (code === undefined) {
      this.#meter.add('decodeErrors');
      return;
    }
    if (code === 'wrong-secret') this.#gate.noteStranger(peer.address);
    // Of somebody who has been heard, only the bus can say that it is gone: it answers for itself, and whoever else listens there
    // is no concern of ours. It may have come back as another release, though. Unless it is heard again before the next refusal,
    // that one is believed.
    if (code !== 'unreachable' && peer.isThere) {
      peer.isThere = code !== 'protocol-mismatch';
      return;
    }
    if (code === 'wrong-secret') {
      this.#requester.failAll(peer, errors.otherSecret(peer.address));
      return;
    }
    const error = code === 'unreachable' ? errors.unreachable(peer.address, 'no') : errors.frameRefused(code, peer.address);
    const failed = this.#requester.fail(peer, (pending) => pending.firstFrame <= frame && frame <= pending.lastFrame, error);
    if (code !== 'unreachable') return;
    peer.isThere = false;
    // Whoever took the frames before this one listens no more: it will not answer them, though it may have done the work.
    const earlier = (lastFrame: number): boolean => lastFrame !== -1 && lastFrame < frame;
    const before = this.#requester.fail(
      peer,
      (pending) => earlier(pending.lastFrame),
      errors.unreachable(peer.address, 'unknown'),
    );
    this.#meter.add('unreachable', failed + before);
  }

  #onBusEvent(event: BusEvent): void {
    if (event.kind === 'disconnected' || event.kind === 'closed') {
      for (const peer of this.#peers.all()) {
        peer.outbox.discard();
        peer.reassembly.reset();
        this.#requester.failAll(peer, errors.busUnavailable('unknown'));
      }
    } else if (event.kind === 'denied') {
      this.#onDenial(event.denial);
    } else if (event.kind === 'slow-consumer') {
      this.#meter.add('slowConsumers');
      this.#log.warn({ subject: event.subject }, 'this process does not keep up with its messages; requests may be lost');
    }
  }

  /** The bus has thrown a frame away, and does not say which: what is pending may have been in that one, or in one before. */
  #onDenial({ operation, subject }: BusDenial): void {
    const peer = operation === 'publish' ? this.#peers.known(this.#subjects.addressAt(subject) ?? '') : undefined;
    if (peer === undefined) return;
    this.#meter.add('unreachable', this.#requester.failAll(peer, errors.notPermitted(peer.address, subject)));
  }

  // ---- deadlines

  /** Fails what is past its deadline. Returns when to look again. */
  #sweep(nowMs: number): number {
    let nextMs = Infinity;
    for (const peer of this.#peers.all()) {
      nextMs = Math.min(nextMs, this.#requester.sweep(peer, nowMs), this.#receiver.sweep(peer, nowMs));
    }
    return nextMs;
  }
}

function limitsOf(given: Partial<LinkLimits> = {}): LinkLimits {
  const messageBytes = given.messageBytes ?? DEFAULT_LINK_LIMITS.messageBytes;
  return { ...DEFAULT_LINK_LIMITS, incomingBytes: messageBytes, ...given };
}
