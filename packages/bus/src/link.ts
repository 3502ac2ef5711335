/**
 * Links: requests, replies and one-way messages between named endpoints, gathered per peer and turn of the event loop into
 * frames. The bus charges per message, so what one turn produces for one peer travels as one message, both ways; under
 * load that is worth more than ten times a request per message, and at one request in flight it costs nothing.
 *
 * A request ends in exactly one of: the peer's reply, the peer's typed error, or an error of the link itself (unreachable,
 * timeout, overloaded, too-large, bus-unavailable, wrong-cluster, protocol-mismatch, closed), whose `details.executed` says whether
 * the request may have run. Nothing is retried here and nothing is queued without bound.
 *
 * Down peers: frames with requests carry a reply subject of ours, so the bus's no-responders status names the frame that nobody
 * took. Messages between two endpoints arrive in order, except that those larger than a frame may be overtaken.
 */
import { assert, ByteWriter, toArmatureError, type ArmatureError } from '@armature/kernel';
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
import { WriterPool, type Outbox, type OutboxEnvironment } from './outbox.js';
import { PeerQuota } from './peer-quota.js';
import type { PendingRequest } from './pending-requests.js';
import { ReassemblyBudget } from './reassembly.js';
import { parseRefusal } from './refusal.js';
import { SweepTimer, TICK_MS } from './sweep-timer.js';

/** Longest timeout that a request can carry: 24 days, a little less than what a timer takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1000;
/** A request whose age the peer cannot tell goes out again, so often. Once is enough, unless the peer's clocks jump meanwhile. */
const MAX_REPEATS = 3;

export class LinkEndpoint<Request, Reply> {
  readonly address: LinkAddress;
  readonly #bus: Bus;
  readonly #codec: LinkCodec<Request, Reply>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: LinkLimits;
  readonly #subjects: LinkSubjects;
  readonly #frameClock: FrameClock;
  readonly #meter: LinkMeter;
  readonly #peers: PeerTable<Reply>;
  readonly #gate: FrameGate<Reply>;
  readonly #receiver: LinkReceiver<Request, Reply>;
  readonly #sweeps: SweepTimer;
  readonly #closers: readonly (() => void)[];
  #toFlush: Outbox[] = [];
  #frames = 0;
  #pending = 0;
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
    this.#codec = codec;
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
    this.#receiver = new LinkReceiver({
      address,
      codec,
      clock,
      log: this.#log,
      limits: this.#limits,
      meter: this.#meter,
      peers: this.#peers,
      gate: this.#gate,
      greeter: new Greeter(outboxes, clock, random),
      frameClock: this.#frameClock,
      state: () => this.#state,
      settled: () => {
        this.#pending--;
      },
      sendAgain: (peer, request) => this.#sendAgain(peer, request),
      wakeAt: (dueMs) => this.#sweeps.wakeAt(dueMs),
    });
    const labels = { role, link: address };
    const gauge = (name: string, help: string, read: () => number): ObservedGauge =>
      options.telemetry.observedGauge(`armature_link_${name}`, help, read, labels);
    const pending = gauge('pending', 'Requests without an answer yet.', () => this.#pending);
    const executing = gauge('executing', 'Requests being answered.', () => this.#receiver.executing);
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
    return this.#pending === 0 && this.#receiver.executing === 0 && [...this.#peers.all()].every(isQuiet);
  }

  get stats(): LinkStats {
    return this.#meter.snapshot({ pending: this.#pending, executing: this.#receiver.executing, peers: this.#peers.size });
  }

  /** What is known of the wall clocks of those peers that have been heard. */
  *peerClocks(): Iterable<PeerClock> {
    for (const peer of this.#peers.all()) if (!Number.isNaN(peer.heardAtMs)) yield peer;
  }

  /** Answers what peers ask from now on; until then nobody does. */
  serve(handler: LinkHandler<Request, Reply>, traits: RequestTraits<Request> = {}): void {
    assert(!this.#receiver.serving, 'an endpoint has one handler');
    this.#receiver.serve(handler, traits);
  }

  /** See the head of this file for how it ends. `timeoutMs` counts from now, and has a coarse end (`TICK_MS`). */
  request(to: LinkAddress, message: Request, timeoutMs: number): Promise<Reply> {
    assert(timeoutMs > 0, 'a request waits for some time');
    const peer = this.#peers.at(to);
    if (peer === undefined) return Promise.reject(this.#refused('more peers than this endpoint remembers'));
    const obstacle = this.#obstacle(peer);
    if (obstacle !== undefined) return Promise.reject(obstacle);
    return new Promise<Reply>((resolve, reject) => {
      const deadlineMs = this.#clock.monotonicMs() + Math.min(timeoutMs, MAX_TIMEOUT_MS);
      this.#ask(peer, peer.pending.add(deadlineMs, resolve, reject, message), message);
    });
  }

  /** Sends a request that has been entered. Should it fail at once, it is taken out and rejected. */
  #ask(peer: Peer<Reply>, pending: PendingRequest<Reply>, message: Request): void {
    const { id, deadlineMs, reject } = pending;
    const waitMs = deadlineMs - this.#clock.monotonicMs();
    const writer = peer.outbox.open(RECORD.request).u32(id).u32(Math.ceil(waitMs));
    try {
      this.#codec.encodeRequest(writer, message);
    } catch (error) {
      peer.outbox.undo();
      peer.pending.take(id);
      reject(toArmatureError(error));
      return;
    }
    const sealed = peer.outbox.seal(pending);
    if (typeof sealed === 'string') {
      peer.pending.take(id);
      if (sealed === 'too-large') this.#receiver.noteTooLarge(peer);
      reject(errors.notTaken(sealed, this.#limits.messageBytes));
      return;
    }
    peer.pending.measure(pending, sealed);
    this.#pending++;
    this.#sweeps.wakeAt(deadlineMs);
  }

  /** The peer did not carry it out, for it could not tell how long it was under way. By what we have just heard from it, it can. */
  #sendAgain(peer: Peer<Reply>, { deadlineMs, resolve, reject, message, repeats }: PendingRequest<Reply>): void {
    if (this.#state === 'closed') reject(errors.linkClosed('no'));
    else if (deadlineMs <= this.#clock.monotonicMs()) reject(errors.timedOut(peer.address));
    else if (repeats === MAX_REPEATS) reject(errors.ageUnknown(peer.address));
    else this.#ask(peer, peer.pending.add(deadlineMs, resolve, reject, message, repeats + 1), message as Request);
  }

  /** One way, at most once. What cannot be sent is lost, and counted. Throws only what the encoder throws. */
  send(to: LinkAddress, message: Request): void {
    const peer = this.#peers.at(to);
    if (peer === undefined || this.#state === 'closed' || !this.#bus.connected) {
      this.#meter.add('droppedMessages');
      return;
    }
    const writer = peer.outbox.open(RECORD.oneWay);
    try {
      this.#codec.encodeRequest(writer, message);
    } catch (error) {
      peer.outbox.undo();
      throw error;
    }
    if (typeof peer.outbox.seal() === 'string') this.#meter.add('droppedMessages');
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
      this.#pending > 0 || this.#receiver.executing > 0 || [...this.#peers.all()].some((peer) => !peer.outbox.idle);
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
      this.#fail(peer, () => true, errors.linkClosed('unknown'));
      peer.reassembly.reset();
    }
    this.#peers.clear();
  }

  // ---- sending

  #obstacle(peer: Peer<Reply>): ArmatureError | undefined {
    if (this.#state === 'closed') return errors.linkClosed('no');
    if (!this.#bus.connected) return errors.busUnavailable('no');
    const limits = this.#limits;
    if (peer.pending.size >= limits.pendingPerPeer || this.#pending >= limits.pendingTotal) {
      return this.#refused('too many requests without an answer');
    }
    if (peer.pending.sizeBytes >= limits.pendingBytesPerPeer) return this.#refused('too many bytes without an answer');
    return undefined;
  }

  #refused(why: string): ArmatureError {
    this.#meter.add('overloaded');
    return errors.overloaded(why);
  }

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
    // Of somebody who has been heard, only the bus can say that it is gone: it answers for itself, and whoever else listens there is no concern of ours.
    // It may have come back as another release, though. Unless it is heard again before the next refusal, that one is believed.
    if (code !== 'unreachable' && peer.isThere) {
      peer.isThere = code !== 'protocol-mismatch';
      return;
    }
    if (code === 'wrong-secret') {
      this.#fail(peer, () => true, errors.otherSecret(peer.address));
      return;
    }
    const error = code === 'unreachable' ? errors.unreachable(peer.address, 'no') : errors.frameRefused(code, peer.address);
    const failed = this.#fail(peer, (pending) => pending.firstFrame <= frame && frame <= pending.lastFrame, error);
    if (code !== 'unreachable') return;
    peer.isThere = false;
    // Whoever took the frames before this one listens no more: it will not answer them, though it may have done the work.
    const earlier = (lastFrame: number): boolean => lastFrame !== -1 && lastFrame < frame;
    const before = this.#fail(peer, (pending) => earlier(pending.lastFrame), errors.unreachable(peer.address, 'unknown'));
    this.#meter.add('unreachable', failed + before);
  }

  #onBusEvent(event: BusEvent): void {
    if (event.kind === 'disconnected' || event.kind === 'closed') {
      for (const peer of this.#peers.all()) {
        peer.outbox.discard();
        peer.reassembly.reset();
        this.#fail(peer, () => true, errors.busUnavailable('unknown'));
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
    this.#meter.add(
      'unreachable',
      this.#fail(peer, () => true, errors.notPermitted(peer.address, subject)),
    );
  }

  /** One error for all of them: thousands may fail at once, and a stack trace for each would stall the process. */
  #fail(peer: Peer<Reply>, which: (pending: PendingRequest<Reply>) => boolean, error: ArmatureError): number {
    const failed = peer.pending.takeWhere(which);
    this.#pending -= failed.length;
    for (const pending of failed) pending.reject(error);
    return failed.length;
  }

  // ---- deadlines

  /** Fails what is past its deadline. Returns when to look again. */
  #sweep(nowMs: number): number {
    let nextMs = Infinity;
    for (const peer of this.#peers.all()) {
      const expired = peer.pending.takeExpired(nowMs);
      if (expired.length > 0) {
        this.#pending -= expired.length;
        this.#meter.add('timeouts', expired.length);
        const error = errors.timedOut(peer.address);
        for (const pending of expired) pending.reject(error);
      }
      nextMs = Math.min(nextMs, peer.pending.earliestDeadlineMs, this.#receiver.sweep(peer, nowMs));
    }
    return nextMs;
  }
}

function limitsOf(given: Partial<LinkLimits> = {}): LinkLimits {
  const messageBytes = given.messageBytes ?? DEFAULT_LINK_LIMITS.messageBytes;
  return { ...DEFAULT_LINK_LIMITS, incomingBytes: messageBytes, ...given };
}
