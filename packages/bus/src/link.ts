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
import { assert, ByteReader, ByteWriter, DecodeError, toArmatureError, type ArmatureError, type Random } from '@armature/kernel';
import { sleep, type Clock, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import { NO_RESPONDERS, type Bus, type BusEvent, type BusMessage } from './bus.js';
import {
  PROTOCOL_VERSION,
  readHeader,
  readRecord,
  readRecords,
  RECORD,
  writeHeaderPrefix,
  type FrameHeader,
  type RecordVisitor,
} from './frame.js';
import { isLinkAddress, LinkSubjects, type LinkAddress } from './link-address.js';
import * as errors from './link-errors.js';
import { DEFAULT_LINK_LIMITS, type LinkLimits } from './link-limits.js';
import { LinkMeter, type LinkStats } from './link-meter.js';
import { Outbox, WriterPool, type OutboxEnvironment } from './outbox.js';
import { PendingRequests, type PendingRequest } from './pending-requests.js';
import { Reassembly, ReassemblyBudget } from './reassembly.js';
import { parseRefusal, refusalPayload } from './refusal.js';
import { readError, writeError } from './remote-error.js';

/**
 * How messages become bytes. Encoders write straight into the frame; decoders throw `DecodeError` on malformed input, may
 * leave bytes of a newer version unread, and may return views into the frame (which stays valid, but pins it).
 */
export interface LinkCodec<Request, Reply> {
  encodeRequest(writer: ByteWriter, message: Request): void;
  decodeRequest(reader: ByteReader): Request;
  encodeReply(writer: ByteWriter, message: Reply): void;
  decodeReply(reader: ByteReader): Reply;
}

export interface LinkSender {
  readonly address: LinkAddress;
  /** What the requester still waits, in ms, not counting the way here; Infinity for a one-way message. */
  readonly remainingMs: number;
}

/**
 * Answers one message; what it answers to a one-way message is ignored. An `ArmatureError` thrown or rejected with reaches the
 * requester as it is. A promise must be a native one; a reply that is not a promise costs none.
 */
export type LinkHandler<Request, Reply> = (message: Request, from: LinkSender) => Reply | Promise<Reply>;

export interface LinkOptions {
  /** First tokens of every subject, e.g. `armature`. */
  readonly prefix: string;
  readonly cluster: string;
  /** Unique among the endpoints of the cluster that are alive. */
  readonly address: LinkAddress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly limits?: Partial<LinkLimits>;
}

/** Deadlines are looked at no more often than this. A request may wait that much longer than it asked. */
const TICK_MS = 10;
/** Longest timeout that a request can carry: 24 days, as with timers. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Frames refused for the same reason from the same address are logged once, up to this many pairs. */
const MAX_LOGGED_REFUSALS = 256;

interface Peer<Reply> {
  readonly address: LinkAddress;
  readonly outbox: Outbox;
  readonly pending: PendingRequests<Reply>;
  readonly reassembly: Reassembly;
  /** Which life of the peer we last heard from; 0 when from none yet. */
  session: number;
  /** Its requests that our handler has not answered yet. */
  executing: number;
  /** Whether the answers in the frame at hand are meant for this life of ours. */
  answersAreOurs: boolean;
}

export class LinkEndpoint<Request, Reply> {
  readonly address: LinkAddress;
  readonly #bus: Bus;
  readonly #codec: LinkCodec<Request, Reply>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #cluster: string;
  readonly #limits: LinkLimits;
  readonly #subjects: LinkSubjects;
  readonly #meter: LinkMeter;
  readonly #session: number;
  readonly #outboxes: OutboxEnvironment;
  readonly #reassemblyBudget: ReassemblyBudget;
  readonly #peers = new Map<string, Peer<Reply>>();
  readonly #closers: (() => void)[] = [];
  readonly #loggedRefusals = new Set<string>();
  #handler: LinkHandler<Request, Reply> | undefined;
  #toFlush: Outbox[] = [];
  #timer: Timer | undefined;
  #timerDueMs = Infinity;
  #pending = 0;
  #executing = 0;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #drained: Promise<void> | undefined;

  /** Listens at once. Peers on other connections see it when the bus has taken the subscription (`bus.flush()`). */
  static open<Request, Reply>(bus: Bus, codec: LinkCodec<Request, Reply>, options: LinkOptions): LinkEndpoint<Request, Reply> {
    return new LinkEndpoint(bus, codec, options);
  }

  private constructor(bus: Bus, codec: LinkCodec<Request, Reply>, options: LinkOptions) {
    this.address = options.address;
    this.#bus = bus;
    this.#codec = codec;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log.child({ link: options.address });
    this.#cluster = options.cluster;
    this.#limits = { ...DEFAULT_LINK_LIMITS, ...options.limits };
    this.#subjects = new LinkSubjects(options.prefix, options.cluster);
    this.#session = options.random.u32() || 1;
    this.#reassemblyBudget = new ReassemblyBudget(this.#limits.reassemblyBytes);
    const role = options.address.split('.')[0] as string;
    this.#meter = new LinkMeter(options.telemetry, role);
    options.telemetry.observedGauge('armature_link_pending', 'Requests without an answer yet.', () => this.#pending, { role });
    options.telemetry.observedGauge('armature_link_executing', 'Requests being answered.', () => this.#executing, { role });
    const header = new ByteWriter();
    writeHeaderPrefix(header, options.cluster, options.address, this.#session);
    this.#outboxes = {
      headerPrefix: header.copyOut(),
      limits: this.#limits,
      writers: new WriterPool(),
      maxPayloadBytes: () => bus.maxPayloadBytes,
      publish: (subject, frame, records, reply) => this.#publish(subject, frame, records, reply),
      flushBus: () => bus.flush(),
      willFlush: (outbox) => this.#willFlush(outbox),
    };
    const frames = bus.subscribe(this.#subjects.frames(this.address), (message) => this.#onFrame(message));
    const refusals = bus.subscribe(this.#subjects.allRefusals(this.address), (message) => this.#onRefusal(message));
    this.#closers.push(
      () => frames.unsubscribe(),
      () => refusals.unsubscribe(),
      bus.onEvent((event) => this.#onBusEvent(event)),
    );
  }

  get stats(): LinkStats {
    return this.#meter.snapshot({ pending: this.#pending, executing: this.#executing, peers: this.#peers.size });
  }

  /** Answers what peers ask from now on. Until then they are told that nobody does. */
  serve(handler: LinkHandler<Request, Reply>): void {
    assert(this.#handler === undefined, 'an endpoint has one handler');
    this.#handler = handler;
  }

  /** See the head of this file for how it ends. `timeoutMs` counts from now, and has a coarse end (`TICK_MS`). */
  request(to: LinkAddress, message: Request, timeoutMs: number): Promise<Reply> {
    assert(timeoutMs > 0, 'a request waits for some time');
    const peer = this.#peerAt(to);
    if (peer === undefined) return Promise.reject(this.#refused('more peers than this endpoint remembers'));
    const obstacle = this.#obstacle(peer);
    if (obstacle !== undefined) return Promise.reject(obstacle);
    return new Promise<Reply>((resolve, reject) => {
      const waitMs = Math.min(timeoutMs, MAX_TIMEOUT_MS);
      const deadlineMs = this.#clock.monotonicMs() + waitMs;
      const pending = peer.pending.add(deadlineMs, resolve, reject);
      const writer = peer.outbox.open(RECORD.request).u32(pending.id).u32(Math.ceil(waitMs));
      try {
        this.#codec.encodeRequest(writer, message);
      } catch (error) {
        peer.outbox.undo();
        peer.pending.take(pending.id);
        reject(toArmatureError(error));
        return;
      }
      const sealed = peer.outbox.seal(pending);
      if (typeof sealed === 'string') {
        peer.pending.take(pending.id);
        reject(errors.notTaken(sealed, this.#limits.messageBytes));
        return;
      }
      peer.pending.measure(pending, sealed);
      this.#pending++;
      this.#wakeAt(deadlineMs);
    });
  }

  /** One way, at most once. What cannot be sent is lost, and counted. Throws only what the encoder throws. */
  send(to: LinkAddress, message: Request): void {
    const peer = this.#peerAt(to);
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
      this.#pending > 0 || this.#executing > 0 || [...this.#peers.values()].some((peer) => !peer.outbox.idle);
    while (this.#bus.connected && busy() && this.#clock.monotonicMs() < untilMs) await sleep(this.#clock, TICK_MS);
    if (this.#bus.connected) await this.#bus.flush().catch(() => undefined); // lost meanwhile: then there is nobody to tell
    this.close();
  }

  /** At once: pending requests fail with `closed`. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const closer of this.#closers) closer();
    this.#timer?.cancel();
    for (const peer of this.#peers.values()) {
      peer.outbox.discard();
      this.#fail(peer, () => true, errors.linkClosed('unknown'));
      peer.reassembly.reset();
    }
    this.#peers.clear();
  }

  // ---- peers

  #peerAt(address: LinkAddress): Peer<Reply> | undefined {
    return this.#peers.get(address) ?? this.#meet(address);
  }

  #meet(address: LinkAddress): Peer<Reply> | undefined {
    if (this.#peers.size >= this.#limits.peers) this.#forgetIdlePeers();
    if (this.#peers.size >= this.#limits.peers) return undefined;
    const peer: Peer<Reply> = {
      address,
      outbox: new Outbox(
        this.#outboxes,
        this.#subjects.frames(address),
        this.#subjects.refusals(this.address, address),
        this.#random.u32(),
      ),
      pending: new PendingRequests<Reply>(this.#random.u32()),
      reassembly: new Reassembly(this.#reassemblyBudget, this.#limits.messageBytes),
      session: 0,
      executing: 0,
      answersAreOurs: false,
    };
    this.#peers.set(address, peer);
    return peer;
  }

  /** What is known of a peer with nothing under way is only its session, which its next frame tells again. */
  #forgetIdlePeers(): void {
    for (const [address, peer] of this.#peers) {
      if (peer.pending.size === 0 && peer.executing === 0 && peer.outbox.idle && !peer.reassembly.active)
        this.#peers.delete(address);
    }
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

  #sendReply(peer: Peer<Reply>, id: number, reply: Reply): void {
    if (this.#state === 'closed') return;
    const writer = peer.outbox.open(RECORD.reply).u32(id);
    try {
      this.#codec.encodeReply(writer, reply);
    } catch (error) {
      peer.outbox.undo();
      this.#sendError(peer, id, error);
      return;
    }
    const sealed = peer.outbox.seal();
    if (typeof sealed === 'string') this.#sendError(peer, id, errors.notTaken(sealed, this.#limits.messageBytes));
  }

  #sendError(peer: Peer<Reply>, id: number, thrown: unknown): void {
    if (this.#state === 'closed') return;
    const error = toArmatureError(thrown);
    if (error.code === 'internal') this.#log.error({ peer: peer.address, error: thrown }, 'answering a request failed');
    writeError(peer.outbox.open(RECORD.error).u32(id), error);
    peer.outbox.seal();
  }

  // ---- receiving

  #onFrame(message: BusMessage): void {
    const reader = new ByteReader(message.payload);
    let header: FrameHeader;
    try {
      header = readHeader(reader);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#meter.add('decodeErrors');
      return;
    }
    if (header.cluster !== this.#cluster) {
      this.#refuse(message, header, 'wrong-cluster');
      return;
    }
    if (header.version !== PROTOCOL_VERSION) {
      this.#refuse(message, header, 'protocol-mismatch');
      return;
    }
    const peer = this.#peers.get(header.address) ?? (isLinkAddress(header.address) ? this.#meet(header.address) : undefined);
    if (peer === undefined) {
      this.#meter.add('decodeErrors');
      return;
    }
    if (peer.session !== header.session) this.#peerRenewed(peer, header.session);
    peer.answersAreOurs = header.receiverSession === this.#session;
    this.#meter.frameIn(message.payload.length, readRecords(reader, this.#visitor, peer));
  }

  /** The peer has begun a new life: what its former one had half sent leads nowhere. */
  #peerRenewed(peer: Peer<Reply>, session: number): void {
    peer.session = session;
    peer.reassembly.reset();
    peer.outbox.addressSession(session);
  }

  #refuse(message: BusMessage, header: FrameHeader, code: 'wrong-cluster' | 'protocol-mismatch'): void {
    this.#meter.add('refusedFrames');
    message.respond(refusalPayload(code));
    const key = `${code} ${header.address}`;
    if (this.#loggedRefusals.has(key) || this.#loggedRefusals.size >= MAX_LOGGED_REFUSALS) return;
    this.#loggedRefusals.add(key);
    this.#log.warn(
      { code, from: header.address, cluster: header.cluster, version: header.version },
      'refusing frames of this sender',
    );
  }

  readonly #visitor: RecordVisitor<Peer<Reply>> = {
    request: (peer, id, timeoutMs, body) => this.#onRequest(peer, id, timeoutMs, body),
    reply: (peer, id, body) => this.#onReply(peer, id, body),
    error: (peer, id, body) => this.#onError(peer, id, body),
    oneWay: (peer, body) => this.#onOneWay(peer, body),
    fragment: (peer, message, index, count, bytes) => {
      const nowMs = this.#clock.monotonicMs();
      const step = peer.reassembly.accept(message, index, count, bytes, nowMs);
      if (step.state === 'partial') {
        this.#wakeAt(nowMs + this.#limits.reassemblyAgeMs);
      } else if (step.state === 'dropped') {
        this.#meter.add('droppedMessages');
        this.#log.warn({ peer: peer.address, reason: step.reason }, 'dropping a large message');
      } else if (step.state === 'complete') {
        const content = new ByteReader(step.bytes);
        const kind = content.u8();
        if (kind === RECORD.fragment) this.#meter.add('decodeErrors');
        else readRecord(kind, content, this.#visitor, peer);
      }
    },
    malformed: (peer, reason) => {
      this.#meter.add('decodeErrors');
      this.#log.debug({ peer: peer.address, reason }, 'a malformed record');
    },
  };

  #takeAnswered(peer: Peer<Reply>, id: number): PendingRequest<Reply> | undefined {
    const pending = peer.answersAreOurs ? peer.pending.take(id) : undefined;
    if (pending === undefined) this.#meter.add('lateReplies');
    else this.#pending--;
    return pending;
  }

  #onError(peer: Peer<Reply>, id: number, body: ByteReader): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending === undefined) return;
    let error: ArmatureError;
    try {
      error = readError(body);
    } catch (failure) {
      error = this.#decodeFailure('an error', failure);
    }
    pending.reject(error);
  }

  #onReply(peer: Peer<Reply>, id: number, body: ByteReader): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending === undefined) return;
    let reply: Reply;
    try {
      reply = this.#codec.decodeReply(body);
    } catch (error) {
      pending.reject(this.#decodeFailure('a reply', error));
      return;
    }
    pending.resolve(reply);
  }

  #onRequest(peer: Peer<Reply>, id: number, timeoutMs: number, body: ByteReader): void {
    const handler = this.#handler;
    if (this.#state === 'draining') {
      this.#sendError(peer, id, errors.draining(this.address));
      return;
    }
    if (handler === undefined) {
      this.#sendError(peer, id, errors.unreachable(this.address, 'no'));
      return;
    }
    if (this.#executing >= this.#limits.executing) {
      this.#sendError(peer, id, this.#refused(`${this.address} has too many requests in hand`));
      return;
    }
    let answer: Reply | Promise<Reply>;
    try {
      const message = this.#codec.decodeRequest(body);
      answer = handler(message, { address: peer.address, remainingMs: timeoutMs });
    } catch (error) {
      this.#sendError(peer, id, error instanceof DecodeError ? this.#decodeFailure('a request', error) : error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(peer, id, answer);
    else this.#sendReply(peer, id, answer);
  }

  #answerLater(peer: Peer<Reply>, id: number, answer: Promise<Reply>): void {
    const session = peer.session;
    this.#executing++;
    peer.executing++;
    const done = (): boolean => {
      this.#executing--;
      peer.executing--;
      return peer.session === session; // else whoever asked is gone, and its successor may use the same id
    };
    answer.then(
      (reply) => {
        if (done()) this.#sendReply(peer, id, reply);
      },
      (error: unknown) => {
        if (done()) this.#sendError(peer, id, error);
      },
    );
  }

  #onOneWay(peer: Peer<Reply>, body: ByteReader): void {
    if (this.#handler === undefined || this.#state === 'draining' || this.#executing >= this.#limits.executing) {
      this.#meter.add('droppedMessages');
      return;
    }
    const failed = (error: unknown): void => {
      if (error instanceof DecodeError) this.#meter.add('decodeErrors');
      else this.#log.warn({ peer: peer.address, error }, 'handling a one-way message failed');
    };
    try {
      const answer = this.#handler(this.#codec.decodeRequest(body), { address: peer.address, remainingMs: Infinity });
      if (!(answer instanceof Promise)) return;
      this.#executing++;
      answer.catch(failed).finally(() => this.#executing--);
    } catch (error) {
      failed(error);
    }
  }

  #decodeFailure(what: string, error: unknown): ArmatureError {
    this.#meter.add('decodeErrors');
    return error instanceof Error ? errors.undecodable(what, error) : toArmatureError(error);
  }

  // ---- failing

  /** Nobody took a frame of ours, or the peer refused it. */
  #onRefusal(message: BusMessage): void {
    const refused = this.#subjects.parseRefusal(this.address, message.subject);
    const peer = refused === undefined ? undefined : this.#peers.get(refused.peer);
    if (refused === undefined || peer === undefined) return;
    const { frame } = refused;
    const code = message.status === NO_RESPONDERS ? 'unreachable' : parseRefusal(message.payload);
    if (code === undefined) {
      this.#meter.add('decodeErrors');
      return;
    }
    const error = code === 'unreachable' ? errors.unreachable(peer.address, 'no') : errors.frameRefused(code, peer.address);
    const failed = this.#fail(peer, (pending) => pending.firstFrame <= frame && frame <= pending.lastFrame, error);
    if (code !== 'unreachable') return;
    // Whoever took the frames before this one listens no more: it will not answer them, though it may have done the work.
    const earlier = (lastFrame: number): boolean => lastFrame !== -1 && lastFrame < frame;
    const before = this.#fail(peer, (pending) => earlier(pending.lastFrame), errors.unreachable(peer.address, 'unknown'));
    this.#meter.add('unreachable', failed + before);
  }

  #onBusEvent(event: BusEvent): void {
    if (event.kind === 'disconnected' || event.kind === 'closed') {
      for (const peer of this.#peers.values()) {
        peer.outbox.discard();
        peer.reassembly.reset();
        this.#fail(peer, () => true, errors.busUnavailable('unknown'));
      }
    } else if (event.kind === 'slow-consumer') {
      this.#meter.add('slowConsumers');
      this.#log.warn({ subject: event.subject }, 'this process does not keep up with its messages; requests may be lost');
    }
  }

  /** One error for all of them: thousands may fail at once, and a stack trace for each would stall the process. */
  #fail(peer: Peer<Reply>, which: Parameters<PendingRequests<Reply>['takeWhere']>[0], error: ArmatureError): number {
    const failed = peer.pending.takeWhere(which);
    this.#pending -= failed.length;
    for (const pending of failed) pending.reject(error);
    return failed.length;
  }

  // ---- deadlines

  /** Makes sure that `#sweep` runs about then. One timer serves all requests. */
  #wakeAt(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    const nowMs = this.#clock.monotonicMs();
    this.#timerDueMs = Math.max(dueMs, nowMs + TICK_MS);
    this.#timer = this.#clock.after(Math.ceil(this.#timerDueMs - nowMs), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Infinity;
    for (const peer of this.#peers.values()) {
      const expired = peer.pending.takeExpired(nowMs);
      if (expired.length > 0) {
        this.#pending -= expired.length;
        this.#meter.add('timeouts', expired.length);
        const error = errors.timedOut(peer.address);
        for (const pending of expired) pending.reject(error);
      }
      nextMs = Math.min(nextMs, peer.pending.earliestDeadlineMs, this.#sweepReassembly(peer, nowMs));
    }
    if (nextMs !== Infinity) this.#wakeAt(nextMs);
  }

  /** When the peer's incomplete message is due to be dropped, if it has one. */
  #sweepReassembly(peer: Peer<Reply>, nowMs: number): number {
    if (!peer.reassembly.active) return Infinity;
    const dueMs = peer.reassembly.progressMs + this.#limits.reassemblyAgeMs;
    if (nowMs < dueMs) return dueMs;
    peer.reassembly.reset();
    this.#meter.add('droppedMessages');
    return Infinity;
  }
}
