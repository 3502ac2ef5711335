/**
 * What comes in at an endpoint: frames, and the records in them. Requests go to the responder, answers to the requester. No
 * record's trouble is another's, and nothing a peer sends makes this throw.
 */
import { ByteReader, DecodeError } from '@armature/kernel';
import type { LogFields } from '@armature/runtime';
import type { BusMessage } from './bus.js';
import { clockWord, longestAgeMs } from './frame-age.js';
import type { FrameClock } from './frame-clock.js';
import type { FrameGate } from './frame-gate.js';
import { readRecord, readRecords, RECORD, type FrameHeader, type RecordVisitor } from './frame.js';
import type { Greeter } from './greeter.js';
import { isLinkAddress } from './link-address.js';
import * as errors from './link-errors.js';
import { MAX_TOKEN_BYTES } from './link-options.js';
import type { Peer } from './link-peers.js';
import type { LinkRequester } from './link-requester.js';
import type { LinkResponder } from './link-responder.js';
import type { LinkSide } from './link-side.js';
import { IncomingBuffer } from './requests-in-hand.js';
import { requestBegunBy, requestsIn } from './unconfirmed.js';

/** What the receiver needs of its endpoint. */
export interface ReceiverEnvironment<Request, Reply> {
  readonly side: LinkSide<Request, Reply>;
  readonly requester: LinkRequester<Request, Reply>;
  readonly responder: LinkResponder<Request, Reply>;
  readonly gate: FrameGate<Reply>;
  readonly greeter: Greeter;
  readonly frameClock: FrameClock;
}

const WARN_EVERY_MS = 1_000;
/** A frame that was under way for longer does not tell what its sender's wall clock shows. */
const PROMPT_MS = 500;

export class LinkReceiver<Request, Reply> {
  readonly #env: ReceiverEnvironment<Request, Reply>;
  readonly #side: LinkSide<Request, Reply>;
  /** What the record at hand came in. */
  #buffer = new IncomingBuffer(0);
  #warnedMs = -Infinity;

  constructor(env: ReceiverEnvironment<Request, Reply>) {
    this.#env = env;
    this.#side = env.side;
  }

  receive(message: BusMessage): void {
    const { gate } = this.#env;
    const { meter, peers } = this.#side;
    const frame = gate.admit(message);
    if (frame === undefined) return;
    const { header, records } = frame;
    const peer = peers.known(header.address) ?? this.#meet(header, records);
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
    const { clock } = this.#side;
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
    const { greeter } = this.#env;
    const { peers, meter, address: own } = this.#side;
    const { address, named } = header;
    if (!isLinkAddress(address)) {
      meter.add('decodeErrors');
      return undefined;
    }
    if (!greeter.hasTold(address, named)) {
      meter.add('unconfirmedFrames');
      if (this.#side.state() !== 'closed') greeter.sendBack(peers.stranger(header, address), requestsIn(records));
      return undefined;
    }
    const peer = peers.meet(address, named);
    if (peer !== undefined) return peer;
    meter.add('overloaded');
    greeter.refuse(peers.stranger(header, address), requestsIn(records), errors.overloaded(`${own} has too many peers`));
    return undefined;
  }

  /**
   * Nobody can tell that this frame is of the peer's present life, and meant for ours: the requests in it are asked for again.
   */
  #sendBackAll(peer: Peer<Reply>, { nonce, sent }: FrameHeader, records: ByteReader): void {
    this.#side.meter.add('unconfirmedFrames');
    if (this.#side.state() === 'closed') return;
    const ids = requestsIn(records);
    if (ids.length > 0) peer.outbox.sendBack(ids, nonce, sent.monotonic);
  }

  /** Drops what is too old. Returns when the peer's incomplete message is due for that, Infinity if there is none. */
  sweep(peer: Peer<Reply>, nowMs: number): number {
    if (!peer.reassembly.active) return Infinity;
    const dueMs = peer.reassembly.progressMs + this.#side.limits.reassemblyAgeMs;
    if (nowMs < dueMs) return dueMs;
    peer.reassembly.reset();
    this.#side.meter.add('droppedMessages');
    return Infinity;
  }

  /** The peer has begun a new life: what its former one had half sent leads nowhere. */
  #renew(peer: Peer<Reply>): void {
    peer.token = undefined;
    peer.reassembly.renew();
    peer.outbox.renew();
  }

  readonly #visitor: RecordVisitor<Peer<Reply>> = {
    request: (peer, id, timeoutMs, body) => this.#env.responder.onRequest(peer, id, timeoutMs, body, this.#buffer),
    reply: (peer, id, body) => this.#env.requester.onReply(peer, id, body),
    error: (peer, id, body) => this.#env.requester.onError(peer, id, body),
    oneWay: (peer, body) =>
      this.#env.responder.onOneWay(peer, body, this.#buffer, (error) =>
        this.#warn({ peer: peer.address, error }, 'handling a one-way message failed'),
      ),
    fragment: (peer, message, index, count, bytes) => this.#onFragment(peer, message, index, count, bytes),
    received: (peer, message, index) => peer.outbox.received(message, index),
    again: (peer, id) => this.#env.requester.onAgain(peer, id),
    token: (peer, bytes) => {
      if (bytes.length > MAX_TOKEN_BYTES) throw new DecodeError('a token of more than 4 KiB');
      if (peer.token === undefined || Buffer.compare(peer.token, bytes) !== 0) peer.token = Uint8Array.from(bytes);
    },
    malformed: (peer, reason) => {
      this.#side.meter.add('decodeErrors');
      this.#side.log.debug({ peer: peer.address, reason }, 'a malformed record');
    },
  };

  // ---- messages larger than a frame

  #onFragment(peer: Peer<Reply>, message: number, index: number, count: number, bytes: Uint8Array): void {
    const { limits } = this.#side;
    const nowMs = this.#side.clock.monotonicMs();
    if (this.#side.state() !== 'closed') {
      peer.outbox.open(RECORD.received).u32(message).u32(index);
      peer.outbox.seal();
    }
    const step = peer.reassembly.accept(message, index, count, bytes, nowMs);
    if (step.state === 'partial') {
      this.#side.wakeAt(nowMs + limits.reassemblyAgeMs);
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
      this.#side.meter.add('decodeErrors');
      return;
    }
    const frame = this.#buffer;
    this.#buffer = new IncomingBuffer(bytes.length);
    readRecord(kind, content, this.#visitor, peer);
    this.#buffer = frame;
  }

  /** Whoever asked is told, where there was no room for what it asked. */
  #dropped(peer: Peer<Reply>, reason: string, first: Uint8Array | undefined): void {
    const { meter, limits } = this.#side;
    meter.add('droppedMessages');
    this.#warn({ peer: peer.address, reason }, 'dropping a large message');
    const id = first === undefined ? undefined : requestBegunBy(first);
    if (id !== undefined) this.#env.responder.sendError(peer, id, errors.noRoomFor(reason, limits.incomingBytes));
  }

  /** Of what anybody may bring about as often as he likes: one in a second is a warning. */
  #warn(fields: LogFields, message: string): void {
    const { clock, log } = this.#side;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) {
      log.debug(fields, message);
      return;
    }
    this.#warnedMs = nowMs;
    log.warn(fields, message);
  }
}
