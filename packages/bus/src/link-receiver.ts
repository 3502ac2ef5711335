/**
 * The receiving half of an endpoint: frames come in, requests go to the handler and its answers to the outbox of whoever asked,
 * replies go to the request that waits for them. Nothing a peer sends makes this throw, and no record's trouble is another's.
 */
import { ByteReader, DecodeError, toArmatureError, type ArmatureError } from '@armature/kernel';
import type { Clock, Logger } from '@armature/runtime';
import type { BusMessage } from './bus.js';
import { PROTOCOL_VERSION, readHeader, readRecord, readRecords, RECORD, type FrameHeader, type RecordVisitor } from './frame.js';
import { clockWord, isInTime, longestAgeMs } from './frame-age.js';
import type { FrameClock } from './frame-clock.js';
import type { LinkAddress } from './link-address.js';
import type { LinkCodec, LinkHandler, RequestTraits } from './link-codec.js';
import { HeldRequests } from './held-requests.js';
import * as errors from './link-errors.js';
import type { LinkLimits } from './link-limits.js';
import type { LinkMeter } from './link-meter.js';
import type { Peer, PeerTable } from './link-peers.js';
import type { PendingRequest } from './pending-requests.js';
import { refusalPayload, type RefusalCode } from './refusal.js';
import { readError, writeError } from './remote-error.js';
import { belongingOf, type TrustDomain } from './trust-domain.js';

/** What the receiver needs of its endpoint. */
export interface ReceiverEnvironment<Request, Reply> {
  readonly address: LinkAddress;
  readonly cluster: string;
  readonly session: number;
  readonly codec: LinkCodec<Request, Reply>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LinkLimits;
  readonly meter: LinkMeter;
  readonly peers: PeerTable<Reply>;
  /** The secret that we hold makes us part of it; undefined: we hold none. */
  readonly domain: TrustDomain | undefined;
  readonly frameClock: FrameClock;
  state(): 'open' | 'draining' | 'closed';
  /** One of our own requests has been taken out of its table. */
  settled(): void;
  /** A request of ours that the peer did not carry out is to go out once more. */
  sendAgain(peer: Peer<Reply>, request: PendingRequest<Reply>): void;
  /** `sweep` is to run about then. */
  wakeAt(dueMs: number): void;
}

/** A frame that was under way for longer does not tell what its sender's wall clock shows. */
const PROMPT_MS = 500;

/** Two clusters of one name on one bus, or a process with the wrong secret. */
const OTHER_SECRET = 'another cluster of this name, with another secret, is on this bus: nothing that it says is taken in';
/** Frames refused for the same reason from the same address are logged once, up to this many pairs. */
const MAX_LOGGED_REFUSALS = 256;

export class LinkReceiver<Request, Reply> {
  readonly #env: ReceiverEnvironment<Request, Reply>;
  readonly #loggedRefusals = new Set<string>();
  #handler: LinkHandler<Request, Reply> | undefined;
  #traits: RequestTraits<Request> = {};
  readonly #held: HeldRequests<Request, Reply>;
  #executing = 0;

  constructor(env: ReceiverEnvironment<Request, Reply>) {
    this.#env = env;
    this.#held = new HeldRequests(env, (peer, id, timeoutMs, message) => this.#carryOut(peer, id, timeoutMs, message));
  }

  /** Requests of peers that the handler has not answered yet. */
  get executing(): number {
    return this.#executing + this.#held.size;
  }

  get serving(): boolean {
    return this.#handler !== undefined;
  }

  serve(handler: LinkHandler<Request, Reply>, traits: RequestTraits<Request>): void {
    this.#handler = handler;
    this.#traits = traits;
  }

  receive(message: BusMessage): void {
    const { meter, peers } = this.#env;
    const reader = new ByteReader(message.payload);
    let header: FrameHeader;
    try {
      header = readHeader(reader);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      meter.add('decodeErrors');
      return;
    }
    if (header.cluster !== this.#env.cluster) {
      this.#refuse(message, header, 'wrong-cluster');
      return;
    }
    if (header.version !== PROTOCOL_VERSION) {
      this.#refuse(message, header, 'protocol-mismatch');
      return;
    }
    const belonging = belongingOf(this.#env.domain, header.address, header.mark);
    if (belonging === 'stranger') {
      this.#refuse(message, header, 'wrong-secret');
      return;
    }
    const peer = peers.at(header.address);
    if (peer === undefined) {
      meter.add('decodeErrors');
      return;
    }
    if (peer.session !== header.session) this.#renew(peer, header.session);
    peer.belonging = belonging;
    this.#clockIn(peer, header);
    meter.frameIn(message.payload.length, readRecords(reader, this.#visitor, peer));
  }

  /** Takes the frame's age, and its stamp for the echo. */
  #clockIn(peer: Peer<Reply>, { receiverSession, sent, echo }: FrameHeader): void {
    const { clock, session } = this.#env;
    const monotonicMs = clock.monotonicMs();
    const wakingMs = this.#env.frameClock.wakingMs(monotonicMs, clock.nowMs());
    peer.answersAreOurs = receiverSession === session;
    peer.frameAgeMs = peer.answersAreOurs ? longestAgeMs(echo, clockWord(wakingMs)) : undefined;
    peer.outbox.heard(sent.monotonic, monotonicMs);
    if (peer.frameAgeMs !== undefined && peer.frameAgeMs < PROMPT_MS) {
      peer.wallMs = sent.wall;
      peer.heardAtMs = monotonicMs;
    }
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
  #renew(peer: Peer<Reply>, session: number): void {
    peer.session = session;
    peer.reassembly.renew();
    peer.outbox.addressSession(session);
  }

  /** A message to the peer is larger than the link takes. */
  noteTooLarge({ address }: Peer<Reply>): void {
    const { limits, log, meter } = this.#env;
    meter.add('tooLarge');
    log.error({ peer: address, messageBytes: limits.messageBytes }, errors.TOO_LARGE_TO_SEND);
  }

  /** Somebody with another secret listens at this address, or speaks from it. Logged once for each. */
  noteStranger(address: string): void {
    if (this.#isLogged(`wrong-secret ${address}`)) return;
    this.#env.log.error({ code: 'wrong-secret', peer: address, remedy: errors.OTHER_SECRET_REMEDY }, OTHER_SECRET);
  }

  #refuse(message: BusMessage, header: FrameHeader, code: RefusalCode): void {
    const { address, cluster, version } = header;
    this.#env.meter.add('refusedFrames');
    message.respond(refusalPayload(code));
    if (code === 'wrong-secret') this.noteStranger(address);
    else if (!this.#isLogged(`${code} ${address}`))
      this.#env.log.warn({ code, from: address, cluster, version }, 'refusing frames of this sender');
  }

  #isLogged(refusal: string): boolean {
    if (this.#loggedRefusals.has(refusal) || this.#loggedRefusals.size >= MAX_LOGGED_REFUSALS) return true;
    this.#loggedRefusals.add(refusal);
    return false;
  }

  readonly #visitor: RecordVisitor<Peer<Reply>> = {
    request: (peer, id, timeoutMs, body) => this.#onRequest(peer, id, timeoutMs, body),
    reply: (peer, id, body) => this.#onReply(peer, id, body),
    error: (peer, id, body) => this.#onError(peer, id, body),
    oneWay: (peer, body) => this.#onOneWay(peer, body),
    fragment: (peer, message, index, count, bytes) => this.#onFragment(peer, message, index, count, bytes),
    received: (peer, message, index) => {
      if (peer.answersAreOurs) peer.outbox.received(message, index);
    },
    again: (peer, id) => this.#onAgain(peer, id),
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
    const pending = peer.answersAreOurs ? peer.pending.take(id) : undefined;
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
    const ageMs = peer.frameAgeMs;
    if (ageMs !== undefined && !isInTime(ageMs, timeoutMs)) {
      this.#sendBack(peer, id); // whoever asked may have given up, and done otherwise since
      return;
    }
    const obstacle = this.#obstacle();
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
    const { isHarmlessLate, mayHaveLargeAnswer } = this.#traits;
    if (ageMs === undefined && isHarmlessLate?.(message) === false) this.#sendBack(peer, id);
    else if (this.#held.isBacklogged(peer) && mayHaveLargeAnswer?.(message) === true)
      this.#held.hold(peer, id, timeoutMs, message);
    else this.#carryOut(peer, id, timeoutMs, message);
  }

  #carryOut(peer: Peer<Reply>, id: number, timeoutMs: number, message: Request): void {
    let answer: Reply | Promise<Reply>;
    try {
      const isMember = peer.belonging === 'member';
      answer = (this.#handler as LinkHandler<Request, Reply>)(message, {
        address: peer.address,
        remainingMs: timeoutMs,
        isMember,
      });
    } catch (error) {
      this.#sendError(peer, id, error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(peer, id, answer);
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
  #obstacle(): ArmatureError | undefined {
    const { address, limits, meter } = this.#env;
    if (this.#env.state() === 'draining') return errors.draining(address);
    if (this.#handler === undefined) return errors.unreachable(address, 'no');
    if (this.executing < limits.executing) return undefined;
    meter.add('overloaded');
    return errors.overloaded(`${address} has too many requests in hand`);
  }

  #answerLater(peer: Peer<Reply>, id: number, answer: Promise<Reply>): void {
    const session = peer.session;
    this.#executing++;
    peer.executing++;
    const askerIsAlive = (): boolean => {
      this.#executing--;
      peer.executing--;
      return peer.session === session; // else its successor may use the same id
    };
    answer.then(
      (reply) => {
        if (askerIsAlive()) this.#sendReply(peer, id, reply);
      },
      (error: unknown) => {
        if (askerIsAlive()) this.#sendError(peer, id, error);
      },
    );
  }

  #sendReply(peer: Peer<Reply>, id: number, reply: Reply): void {
    if (this.#env.state() === 'closed') return;
    const writer = peer.outbox.open(RECORD.reply).u32(id);
    try {
      this.#env.codec.encodeReply(writer, reply);
    } catch (error) {
      peer.outbox.undo();
      this.#sendError(peer, id, error);
      return;
    }
    const sealed = peer.outbox.seal();
    if (sealed === 'too-large') this.noteTooLarge(peer);
    if (typeof sealed === 'string') this.#sendError(peer, id, errors.notTaken(sealed, this.#env.limits.messageBytes));
  }

  #sendError(peer: Peer<Reply>, id: number, thrown: unknown): void {
    if (this.#env.state() === 'closed') return;
    const error = toArmatureError(thrown);
    if (error.code === 'internal') this.#env.log.error({ peer: peer.address, error: thrown }, 'answering a request failed');
    writeError(peer.outbox.open(RECORD.error).u32(id), error);
    peer.outbox.seal();
  }

  #onOneWay(peer: Peer<Reply>, body: ByteReader): void {
    const { meter, log } = this.#env;
    const handler = this.#handler;
    if (handler === undefined || this.#obstacle() !== undefined) {
      meter.add('droppedMessages');
      return;
    }
    const failed = (error: unknown): void => {
      if (error instanceof DecodeError) meter.add('decodeErrors');
      else log.warn({ peer: peer.address, error }, 'handling a one-way message failed');
    };
    try {
      const answer = handler(this.#env.codec.decodeRequest(body), {
        address: peer.address,
        remainingMs: Infinity,
        isMember: peer.belonging === 'member',
      });
      if (!(answer instanceof Promise)) return;
      this.#executing++;
      answer.catch(failed).finally(() => this.#executing--);
    } catch (error) {
      failed(error);
    }
  }

  // ---- messages larger than a frame

  #onFragment(peer: Peer<Reply>, message: number, index: number, count: number, bytes: Uint8Array): void {
    const { meter, log, limits } = this.#env;
    const nowMs = this.#env.clock.monotonicMs();
    if (this.#env.state() !== 'closed') {
      peer.outbox.open(RECORD.received).u32(message).u32(index);
      peer.outbox.seal();
    }
    const step = peer.reassembly.accept(message, index, count, bytes, nowMs);
    if (step.state === 'partial') {
      this.#env.wakeAt(nowMs + limits.reassemblyAgeMs);
    } else if (step.state === 'dropped') {
      meter.add('droppedMessages');
      log.warn({ peer: peer.address, reason: step.reason }, 'dropping a large message');
    } else if (step.state === 'complete') {
      const content = new ByteReader(step.bytes);
      const kind = content.u8();
      if (kind === RECORD.fragment) meter.add('decodeErrors');
      else readRecord(kind, content, this.#visitor, peer);
    }
  }
}
