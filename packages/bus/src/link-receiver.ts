/**
 * The receiving half of an endpoint: frames come in, requests go to the handler and its answers to the outbox of whoever asked,
 * replies go to the request that waits for them. Nothing a peer sends makes this throw, and no record's trouble is another's.
 */
import { ByteReader, DecodeError, toArmatureError, type ArmatureError } from '@armature/kernel';
import type { Clock, LogFields, Logger } from '@armature/runtime';
import type { BusMessage } from './bus.js';
import { readRecord, readRecords, RECORD, type FrameHeader, type RecordVisitor } from './frame.js';
import { clockWord, isInTime, longestAgeMs } from './frame-age.js';
import type { FrameClock } from './frame-clock.js';
import type { FrameGate } from './frame-gate.js';
import type { Greeter } from './greeter.js';
import { HeldRequests, type TakenRequest } from './held-requests.js';
import { isLinkAddress, type LinkAddress } from './link-address.js';
import type { LinkCodec, LinkHandler, RequestTraits } from './link-codec.js';
import * as errors from './link-errors.js';
import type { LinkLimits } from './link-limits.js';
import type { LinkMeter } from './link-meter.js';
import { MAX_TOKEN_BYTES } from './link-options.js';
import type { Peer, PeerTable } from './link-peers.js';
import type { PendingRequest } from './pending-requests.js';
import { readError, writeError } from './remote-error.js';
import { IncomingBuffer, RequestsInHand } from './requests-in-hand.js';
import { requestBegunBy, requestsIn } from './unconfirmed.js';

/** What the receiver needs of its endpoint. */
export interface ReceiverEnvironment<Request, Reply> {
  readonly address: LinkAddress;
  readonly codec: LinkCodec<Request, Reply>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LinkLimits;
  readonly meter: LinkMeter;
  readonly peers: PeerTable<Reply>;
  readonly gate: FrameGate<Reply>;
  readonly greeter: Greeter;
  readonly frameClock: FrameClock;
  state(): 'open' | 'draining' | 'closed';
  /** One of our own requests has been taken out of its table. */
  settled(): void;
  /** A request of ours that the peer did not carry out is to go out once more. */
  sendAgain(peer: Peer<Reply>, request: PendingRequest<Reply>): void;
  /** `sweep` is to run about then. */
  wakeAt(dueMs: number): void;
}

const WARN_EVERY_MS = 1_000;
/** A frame that was under way for longer does not tell what its sender's wall clock shows. */
const PROMPT_MS = 500;

export class LinkReceiver<Request, Reply> {
  readonly #env: ReceiverEnvironment<Request, Reply>;
  #handler: LinkHandler<Request, Reply> | undefined;
  #traits: RequestTraits<Request> = {};
  readonly #inHand: RequestsInHand;
  readonly #held: HeldRequests<Request, Reply>;
  /** What the record at hand came in. */
  #buffer = new IncomingBuffer(0);
  #warnedMs = -Infinity;

  constructor(env: ReceiverEnvironment<Request, Reply>) {
    this.#env = env;
    this.#inHand = new RequestsInHand(env.limits);
    this.#held = new HeldRequests(env, this.#inHand, (peer, request, timeoutMs) => this.#carryOut(peer, request, timeoutMs));
  }

  /** Requests of peers that the handler has not answered yet. */
  get executing(): number {
    return this.#inHand.count;
  }

  get serving(): boolean {
    return this.#handler !== undefined;
  }

  serve(handler: LinkHandler<Request, Reply>, traits: RequestTraits<Request>): void {
    this.#handler = handler;
    this.#traits = traits;
  }

  receive(message: BusMessage): void {
    const { gate, meter } = this.#env;
    const frame = gate.admit(message);
    if (frame === undefined) return;
    const { header, records } = frame;
    const peer = this.#env.peers.known(header.address) ?? this.#meet(header, records);
    if (peer === undefined) return;
    const hearing = peer.pairing.hear(header);
    if (hearing === 'replayed') {
      meter.add('replayedFrames');
      return;
    }
    if (hearing === 'unconfirmed') {
      this.#sendBackAll(peer, header, records);
      return;
    }
    if (hearing === 'renewed') this.#renew(peer);
    peer.isThere = true;
    this.#clockIn(peer, header);
    this.#buffer = new IncomingBuffer(message.payload.length);
    meter.frameIn(message.payload.length, readRecords(records, this.#visitor, peer));
  }

  /** Takes the frame's age, and its stamp for the echo. */
  #clockIn(peer: Peer<Reply>, header: FrameHeader): void {
    const { clock } = this.#env;
    const { sent, echo } = header;
    const monotonicMs = clock.monotonicMs();
    const wakingMs = this.#env.frameClock.wakingMs(monotonicMs, clock.nowMs());
    peer.frameAgeMs = longestAgeMs(echo, clockWord(wakingMs));
    peer.outbox.heard(sent.monotonic, monotonicMs);
    if (peer.frameAgeMs < PROMPT_MS) {
      peer.wallMs = sent.wall;
      peer.heardAtMs = monotonicMs;
    }
  }

  /** A frame of somebody who is not remembered. That is done when it names the nonce which it was told; else it is told one. */
  #meet(header: FrameHeader, records: ByteReader): Peer<Reply> | undefined {
    const { greeter, peers, meter, address: own } = this.#env;
    const { address, named } = header;
    if (!isLinkAddress(address)) {
      meter.add('decodeErrors');
      return undefined;
    }
    if (!greeter.hasTold(address, named)) {
      meter.add('unconfirmedFrames');
      if (this.#env.state() !== 'closed') greeter.sendBack(peers.stranger(header, address), requestsIn(records));
      return undefined;
    }
    const peer = peers.meet(address, named);
    if (peer !== undefined) return peer;
    meter.add('overloaded');
    greeter.refuse(peers.stranger(header, address), requestsIn(records), errors.overloaded(`${own} has too many peers`));
    return undefined;
  }

  /** Nobody can tell that this frame is of the peer's present life, and meant for ours: the requests in it are asked for again. */
  #sendBackAll(peer: Peer<Reply>, { nonce, sent }: FrameHeader, records: ByteReader): void {
    this.#env.meter.add('unconfirmedFrames');
    if (this.#env.state() === 'closed') return;
    const ids = requestsIn(records);
    if (ids.length > 0) peer.outbox.sendBack(ids, nonce, sent.monotonic);
  }

  /** Drops what is too old. Returns when the peer's incomplete message is due for that, Infinity if there is none. */
  sweep(peer: Peer<Reply>, nowMs: number): number {
    if (!peer.reassembly.active) return Infinity;
    const dueMs = peer.reassembly.progressMs + this.#env.limits.reassemblyAgeMs;
    if (nowMs < dueMs) return dueMs;
    peer.reassembly.reset();
    this.#env.meter.add('droppedMessages');
    return Infinity;
  }

  /** The peer has begun a new life: what its former one had half sent leads nowhere. */
  #renew(peer: Peer<Reply>): void {
    peer.token = undefined;
    peer.reassembly.renew();
    peer.outbox.renew();
  }

  /** A message to the peer is larger than the link takes. */
  noteTooLarge({ address }: Peer<Reply>): void {
    const { limits, log, meter } = this.#env;
    meter.add('tooLarge');
    log.error({ peer: address, messageBytes: limits.messageBytes }, errors.TOO_LARGE_TO_SEND);
  }

  readonly #visitor: RecordVisitor<Peer<Reply>> = {
    request: (peer, id, timeoutMs, body) => this.#onRequest(peer, id, timeoutMs, body),
    reply: (peer, id, body) => this.#onReply(peer, id, body),
    error: (peer, id, body) => this.#onError(peer, id, body),
    oneWay: (peer, body) => this.#onOneWay(peer, body),
    fragment: (peer, message, index, count, bytes) => this.#onFragment(peer, message, index, count, bytes),
    received: (peer, message, index) => peer.outbox.received(message, index),
    again: (peer, id) => this.#onAgain(peer, id),
    token: (peer, bytes) => {
      if (bytes.length > MAX_TOKEN_BYTES) throw new DecodeError('a token of more than 4 KiB');
      if (peer.token === undefined || Buffer.compare(peer.token, bytes) !== 0) peer.token = Uint8Array.from(bytes);
    },
    malformed: (peer, reason) => {
      this.#env.meter.add('decodeErrors');
      this.#env.log.debug({ peer: peer.address, reason }, 'a malformed record');
    },
  };

  // ---- answers to our requests

  #onReply(peer: Peer<Reply>, id: number, body: ByteReader): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending === undefined) return;
    let reply: Reply;
    try {
      reply = this.#env.codec.decodeReply(body);
    } catch (error) {
      pending.reject(this.#decodeFailure('a reply', error));
      return;
    }
    pending.resolve(reply);
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

  #onAgain(peer: Peer<Reply>, id: number): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending !== undefined) this.#env.sendAgain(peer, pending);
  }

  #takeAnswered(peer: Peer<Reply>, id: number): PendingRequest<Reply> | undefined {
    const pending = peer.pending.take(id);
    if (pending === undefined) this.#env.meter.add('lateReplies');
    else this.#env.settled();
    return pending;
  }

  #decodeFailure(what: string, error: unknown, executed: errors.Executed = 'unknown'): ArmatureError {
    this.#env.meter.add('decodeErrors');
    return error instanceof Error ? errors.undecodable(what, error, executed) : toArmatureError(error);
  }

  // ---- requests of peers

  #onRequest(peer: Peer<Reply>, id: number, timeoutMs: number, body: ByteReader): void {
    if (!isInTime(peer.frameAgeMs, timeoutMs)) {
      this.#sendBack(peer, id); // whoever asked may have given up, and done otherwise since
      return;
    }
    const obstacle = this.#obstacle(peer);
    if (obstacle !== undefined) {
      this.#sendError(peer, id, obstacle);
      return;
    }
    let message: Request;
    try {
      message = this.#env.codec.decodeRequest(body);
    } catch (error) {
      this.#sendError(peer, id, error instanceof DecodeError ? this.#decodeFailure('a request', error, 'no') : error);
      return;
    }
    const { mayHaveLargeAnswer } = this.#traits;
    const request = { id, message, buffer: this.#buffer };
    if (this.#held.isBacklogged(peer) && mayHaveLargeAnswer?.(message) === true) this.#held.hold(peer, request, timeoutMs);
    else this.#carryOut(peer, request, timeoutMs);
  }

  #carryOut(peer: Peer<Reply>, request: TakenRequest<Request>, timeoutMs: number): void {
    const { id, message } = request;
    let answer: Reply | Promise<Reply>;
    try {
      answer = (this.#handler as LinkHandler<Request, Reply>)(message, {
        address: peer.address,
        remainingMs: timeoutMs,
        token: peer.token,
      });
    } catch (error) {
      this.#sendError(peer, id, error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(peer, request, answer, this.#traits.mayHaveLargeAnswer?.(message) === true);
    else this.#sendReply(peer, id, answer);
  }

  /** Not carried out: with our answer the peer gets a stamp by which the age of its next frame can be told. */
  #sendBack(peer: Peer<Reply>, id: number): void {
    this.#env.meter.add('expired');
    if (this.#env.state() === 'closed') return;
    peer.outbox.open(RECORD.again).u32(id);
    peer.outbox.seal();
  }

  /** Why no request is taken at the moment, if none is. */
  #obstacle({ group }: Peer<Reply>): ArmatureError | undefined {
    const { address, meter } = this.#env;
    if (this.#env.state() === 'draining') return errors.draining(address);
    if (this.#handler === undefined) return errors.unreachable(address, 'no');
    const whose = this.#inHand.fullWith(group);
    if (whose === undefined) return undefined;
    meter.add('overloaded');
    return errors.overloaded(`${address} has too many requests in hand${whose}`);
  }

  #answerLater(peer: Peer<Reply>, { id, buffer }: TakenRequest<Request>, answer: Promise<Reply>, mayBeLarge: boolean): void {
    const session = peer.pairing.peerSession;
    this.#inHand.begin(peer, buffer);
    const expectedBytes = mayBeLarge ? this.#held.begun(peer) : 0;
    const askerIsAlive = (): boolean => {
      this.#inHand.end(peer, buffer);
      return peer.pairing.peerSession === session; // else its successor may use the same id
    };
    answer.then(
      (reply) => this.#held.ended(peer, expectedBytes, askerIsAlive() ? this.#sendReply(peer, id, reply) : 0),
      (error: unknown) => {
        if (askerIsAlive()) this.#sendError(peer, id, error);
        this.#held.ended(peer, expectedBytes, 0);
      },
    );
  }

  /** Its size in bytes, 0 where an error has been sent in its place. */
  #sendReply(peer: Peer<Reply>, id: number, reply: Reply): number {
    if (this.#env.state() === 'closed') return 0;
    const writer = peer.outbox.open(RECORD.reply).u32(id);
    try {
      this.#env.codec.encodeReply(writer, reply);
    } catch (error) {
      peer.outbox.undo();
      this.#sendError(peer, id, error);
      return 0;
    }
    const sealed = peer.outbox.seal();
    if (sealed === 'too-large') this.noteTooLarge(peer);
    if (typeof sealed !== 'string') return sealed;
    this.#sendError(peer, id, errors.notTaken(sealed, this.#env.limits.messageBytes));
    return 0;
  }

  #sendError(peer: Peer<Reply>, id: number, thrown: unknown): void {
    if (this.#env.state() === 'closed') return;
    const error = toArmatureError(thrown);
    if (error.code === 'internal') this.#env.log.error({ peer: peer.address, error: thrown }, 'answering a request failed');
    writeError(peer.outbox.open(RECORD.error).u32(id), error);
    peer.outbox.seal();
  }

  #onOneWay(peer: Peer<Reply>, body: ByteReader): void {
    const { meter } = this.#env;
    const handler = this.#handler;
    if (handler === undefined || this.#obstacle(peer) !== undefined) {
      meter.add('droppedMessages');
      return;
    }
    const failed = (error: unknown): void => {
      if (error instanceof DecodeError) meter.add('decodeErrors');
      else this.#warn({ peer: peer.address, error }, 'handling a one-way message failed');
    };
    const buffer = this.#buffer;
    try {
      const answer = handler(this.#env.codec.decodeRequest(body), {
        address: peer.address,
        remainingMs: Infinity,
        token: peer.token,
      });
      if (!(answer instanceof Promise)) return;
      this.#inHand.begin(peer, buffer);
      answer.catch(failed).finally(() => this.#inHand.end(peer, buffer));
    } catch (error) {
      failed(error);
    }
  }

  // ---- messages larger than a frame

  #onFragment(peer: Peer<Reply>, message: number, index: number, count: number, bytes: Uint8Array): void {
    const { limits } = this.#env;
    const nowMs = this.#env.clock.monotonicMs();
    if (this.#env.state() !== 'closed') {
      peer.outbox.open(RECORD.received).u32(message).u32(index);
      peer.outbox.seal();
    }
    const step = peer.reassembly.accept(message, index, count, bytes, nowMs);
    if (step.state === 'partial') {
      this.#env.wakeAt(nowMs + limits.reassemblyAgeMs);
    } else if (step.state === 'dropped') {
      this.#dropped(peer, step.reason, step.first);
    } else if (step.state === 'complete') {
      this.#onWhole(peer, step.bytes);
    }
  }

  #onWhole(peer: Peer<Reply>, bytes: Uint8Array): void {
    const content = new ByteReader(bytes);
    const kind = content.u8();
    if (kind === RECORD.fragment) {
      this.#env.meter.add('decodeErrors');
      return;
    }
    const frame = this.#buffer;
    this.#buffer = new IncomingBuffer(bytes.length);
    readRecord(kind, content, this.#visitor, peer);
    this.#buffer = frame;
  }

  /** Whoever asked is told, where there was no room for what it asked. */
  #dropped(peer: Peer<Reply>, reason: string, first: Uint8Array | undefined): void {
    const { meter, limits } = this.#env;
    meter.add('droppedMessages');
    this.#warn({ peer: peer.address, reason }, 'dropping a large message');
    const id = first === undefined ? undefined : requestBegunBy(first);
    if (id !== undefined) this.#sendError(peer, id, errors.noRoomFor(reason, limits.incomingBytes));
  }

  /** Of what anybody may bring about as often as he likes: one in a second is a warning. */
  #warn(fields: LogFields, message: string): void {
    const { clock, log } = this.#env;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) {
      log.debug(fields, message);
      return;
    }
    this.#warnedMs = nowMs;
    log.warn(fields, message);
  }
}
