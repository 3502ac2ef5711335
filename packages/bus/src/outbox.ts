/**
 * What is on its way to one peer. Records are encoded straight into an open frame, which is published at the end of the turn or
 * when it is full: an idle system waits for nothing, and a busy one pays the price of a bus message once for hundreds of records.
 * A record that is larger than a frame is cut into fragments, sent one large message after another. The peer says of each that it
 * has received it, and only so many are under way: small records pass between them, and no buffer swells before a peer that
 * stands still.
 */
import { ByteWriter } from '@armature/kernel';
import type { Timer } from '@armature/runtime';
import { FRAGMENT_HEAD_BYTES, headerBytes, RECORD, RECORD_HEAD_BYTES, writeHeaderRest, type RecordKind } from './frame.js';
import type { Echo } from './frame-age.js';
import type { FrameClock } from './frame-clock.js';
import { MAC_BYTES, type FrameMac } from './frame-mac.js';
import type { LinkLimits } from './link-limits.js';
import type { Pairing } from './pairing.js';
import type { Carried } from './pending-requests.js';

/** What all outboxes of an endpoint share. */
export interface OutboxEnvironment {
  readonly headerPrefix: Uint8Array;
  /** The record with the token, which every frame begins with; empty where there is none. */
  readonly tokenRecord: Uint8Array;
  readonly limits: LinkLimits;
  maxPayloadBytes(): number;
  publish(subject: string, frame: Uint8Array, records: number, reply: string | undefined): void;
  readonly clock: FrameClock;
  /** Numbers frames upwards, all peers together. */
  nextFrame(): number;
  after(delayMs: number, work: () => void): Timer;
  /** Bytes of large messages that wait, all peers together. */
  readonly backlog: { sizeBytes: number };
  /** The outbox has something to send when this turn ends. */
  willFlush(outbox: Outbox): void;
  readonly writers: WriterPool;
}

/** Writers are kept for the next frame, so that steady traffic grows no buffers; a peer holds one only within a turn. */
export class WriterPool {
  readonly #free: ByteWriter[] = [];

  take(): ByteWriter {
    return this.#free.pop() ?? new ByteWriter(FIRST_FRAME_BYTES);
  }

  give(writer: ByteWriter): void {
    if (this.#free.length < MAX_FREE_WRITERS) this.#free.push(writer);
  }
}

/** Two or three dozen small records; doubles as needed. */
const FIRST_FRAME_BYTES = 4096;
/** Together with frames of 256 KiB this pins at most 4 MiB. */
const MAX_FREE_WRITERS = 16;
/** What the bus may add to a payload, with room to spare. */
const PAYLOAD_SLACK_BYTES = 1024;

/** When a frame is full. Well below what the bus takes, so that the record that fills it still fits. */
function softLimitBytes(hardBytes: number): number {
  return Math.floor(hardBytes * 0.75);
}

/** Why a record was not taken: it is larger than any message may be, or too many large ones wait already. */
export type Rejection = 'too-large' | 'queue-full';

interface LargeMessage {
  /** The record's kind and content. */
  readonly bytes: Uint8Array;
  readonly chunkBytes: number;
  readonly message: number;
  readonly carried: Carried | undefined;
  offset: number;
  index: number;
}

/** Where the frames of an outbox go, and what they bear. */
export interface OutboxPeer {
  readonly subject: string;
  /** With a frame's number behind it: where its refusal comes. */
  readonly refusalPrefix: string;
  readonly pairing: Pairing;
  /** Undefined where this endpoint holds no secret. */
  readonly mac: FrameMac | undefined;
}

export class Outbox {
  readonly #env: OutboxEnvironment;
  readonly #peer: OutboxPeer;
  #heardStamp = 0;
  #heardMs = 0;
  #writer: ByteWriter | undefined;
  #records = 0;
  #recordStart = 0;
  #asks = false;
  #softBytes = 0;
  #hardBytes = 0;
  #frame = 0;
  #large: LargeMessage[] = [];
  #largeBytes = 0;
  #nextMessage = 0;
  /** Fragments that the peer has not said it has received, in the order in which they were sent. */
  #underWay: { readonly message: number; readonly index: number; readonly sizeBytes: number }[] = [];
  #underWayBytes = 0;
  /** To be run once less waits. */
  #awaited: { readonly belowBytes: number; readonly work: () => void } | undefined;
  /** Set while fragments are under way: what has not been confirmed for so long was lost, or its confirmation was. */
  #stall: Timer | undefined;

  constructor(env: OutboxEnvironment, peer: OutboxPeer) {
    this.#env = env;
    this.#peer = peer;
  }

  get idle(): boolean {
    return this.#writer === undefined && this.#large.length === 0;
  }

  /** When a frame of the peer's was last taken, by our monotonic clock, ms; 0 before the first. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Of large messages that have not been sent whole. */
  get backlogBytes(): number {
    return this.#largeBytes;
  }

  /** Runs `work`, in a turn of its own, once the backlog is below so many bytes. One such work at a time. */
  whenBelow(belowBytes: number, work: () => void): void {
    this.#awaited = { belowBytes, work };
    this.#tellIfBelow();
  }

  /** The peer has begun a new life. What was gathered for the former one goes out as it is, and comes back. */
  renew(): void {
    this.flush();
    this.#nothingUnderWay();
    this.#sendLarge();
  }

  /** The peer has received this fragment, and so all that it will ever receive of those before it: the bus keeps their order. */
  received(message: number, index: number): void {
    const place = this.#underWay.findIndex((one) => one.message === message && one.index === index);
    if (place < 0) return;
    for (const { sizeBytes } of this.#underWay.splice(0, place + 1)) this.#underWayBytes -= sizeBytes;
    this.#sendLarge();
  }

  /** A frame of this stamp has come from the peer, at this time by our monotonic clock. */
  heard(stamp: number, nowMs: number): void {
    this.#heardStamp = stamp;
    this.#heardMs = nowMs;
  }

  /** Begins a record; its content is to be written into the result, then `seal` or `undo`. */
  open(kind: RecordKind): ByteWriter {
    let writer = this.#writer;
    if (writer === undefined) {
      writer = this.#env.writers.take();
      this.#writeHeader(writer);
      this.#writer = writer;
      this.#frame = this.#env.nextFrame();
      this.#hardBytes = this.#env.maxPayloadBytes() - PAYLOAD_SLACK_BYTES;
      this.#softBytes = Math.min(this.#env.limits.frameBytes, softLimitBytes(this.#hardBytes));
      this.#env.willFlush(this);
    }
    this.#recordStart = writer.length;
    return writer.u8(kind).u32(0);
  }

  /**
   * Ends a record. `carried` learns which frames carry it; given for requests only, it also asks the bus to tell when nobody
   * listens. Returns the record's size in bytes, or why it was not taken.
   */
  seal(carried?: Carried): number | Rejection {
    const writer = this.#writer as ByteWriter;
    const start = this.#recordStart;
    const sizeBytes = writer.length - start;
    if (sizeBytes > this.#env.limits.frameBytes || writer.length > this.#hardBytes) return this.#spill(writer, start, carried);
    writer.patchU32(start + 1, sizeBytes - RECORD_HEAD_BYTES);
    this.#records++;
    if (carried !== undefined) {
      this.#asks = true;
      carried.firstFrame = this.#frame;
      carried.lastFrame = this.#frame;
    }
    if (writer.length >= this.#softBytes || this.#records >= this.#env.limits.frameRecords) this.flush();
    return sizeBytes;
  }

  /** Takes back the record begun last. */
  undo(): void {
    const writer = this.#writer as ByteWriter;
    const kept = writer.finish().subarray(0, this.#recordStart);
    writer.raw(kept);
  }

  /** Publishes the open frame, if there is anything in it. */
  flush(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    if (this.#records > 0) this.#seal(writer);
    const frame = writer.copyOut();
    this.#writer = undefined;
    this.#env.writers.give(writer);
    this.#publish(frame, this.#records, this.#asks);
  }

  /**
   * Sends these requests back: the frame that they came in, whose nonce and stamp these are, was not of a session that we know.
   * The answer names that nonce, so that the peer can tell that it is no recording.
   */
  sendBack(ids: readonly number[], nonce: number, stamp: number): void {
    const writer = new ByteWriter();
    this.#writeHeader(writer, nonce, { stamp, heldMs: 0 });
    for (const id of ids) writer.u8(RECORD.again).u32(4).u32(id);
    this.#seal(writer);
    this.#publish(writer.finish(), ids.length, false);
  }

  /** Forgets everything: the bus is gone. */
  discard(): void {
    if (this.#writer !== undefined) {
      this.#writer.copyOut();
      this.#env.writers.give(this.#writer);
      this.#writer = undefined;
    }
    this.#records = 0;
    this.#asks = false;
    this.#large = [];
    this.#addLarge(-this.#largeBytes);
    this.#nothingUnderWay();
    this.#stall?.cancel();
    this.#stall = undefined;
    this.#tellIfBelow();
  }

  #nothingUnderWay(): void {
    this.#underWay = [];
    this.#underWayBytes = 0;
  }

  #addLarge(sizeBytes: number): void {
    this.#largeBytes += sizeBytes;
    this.#env.backlog.sizeBytes += sizeBytes;
  }

  #tellIfBelow(): void {
    const awaited = this.#awaited;
    if (awaited === undefined || this.#largeBytes >= awaited.belowBytes) return;
    this.#awaited = undefined;
    this.#env.after(0, awaited.work);
  }

  #publish(frame: Uint8Array, records: number, asks: boolean): void {
    this.#records = 0;
    this.#asks = false;
    if (records === 0) return;
    const reply = asks ? this.#peer.refusalPrefix + String(this.#frame) : undefined;
    this.#env.publish(this.#peer.subject, frame, records, reply);
  }

  /** Ends a frame with its MAC. */
  #seal(frame: ByteWriter): void {
    this.#peer.mac?.seal(frame);
  }

  /** The record at `start` does not fit: what came before it goes out as a frame, the record by itself or in fragments. */
  #spill(writer: ByteWriter, start: number, carried: Carried | undefined): number | Rejection {
    const sizeBytes = writer.length - start;
    const rejection = this.#rejection(sizeBytes);
    if (rejection !== undefined) {
      this.undo();
      return rejection;
    }
    const whole = writer.finish();
    this.#writer = undefined; // and not back to the pool: it may have grown large
    if (this.#records > 0) this.#publishBefore(whole.subarray(0, start));
    // The four bytes of the length become the record's kind: the rest of the message follows it without a copy.
    const first = start + RECORD_HEAD_BYTES - 1;
    whole[first] = whole[start] as number;
    const chunkBytes = Math.min(this.#env.limits.fragmentBytes, softLimitBytes(this.#hardBytes)) - this.#fragmentOverheadBytes();
    const bytes = whole.subarray(first);
    this.#large.push({ bytes, chunkBytes, message: this.#nextMessage, carried, offset: 0, index: 0 });
    this.#nextMessage = (this.#nextMessage + 1) >>> 0;
    this.#addLarge(bytes.length);
    this.#sendLarge();
    return sizeBytes;
  }

  /**
   * Publishes the records that were gathered before one that did not fit. They are copied, for their MAC would be written over
   * that one.
   */
  #publishBefore(gathered: Uint8Array): void {
    const writer = new ByteWriter(gathered.length + MAC_BYTES).raw(gathered);
    this.#seal(writer);
    this.#publish(writer.finish(), this.#records, this.#asks);
  }

  #rejection(sizeBytes: number): Rejection | undefined {
    const { messageBytes, largeQueueBytesPerPeer } = this.#env.limits;
    if (sizeBytes > messageBytes) return 'too-large';
    return this.#large.length > 0 && this.#largeBytes + sizeBytes > largeQueueBytesPerPeer ? 'queue-full' : undefined;
  }

  /** As many fragments as may be under way. */
  #sendLarge(): void {
    this.#stall?.cancel();
    this.#stall = undefined;
    const { fragmentWindowBytes, fragmentStallMs } = this.#env.limits;
    for (let message = this.#large[0]; message !== undefined; message = this.#large[0]) {
      const { bytes, chunkBytes, carried } = message;
      if (carried?.wanted === false) {
        this.#endLarge(message); // its requester has given up; the peer drops what it got of it
        continue;
      }
      const chunk = bytes.subarray(message.offset, message.offset + chunkBytes);
      if (this.#underWay.length > 0 && this.#underWayBytes + chunk.length > fragmentWindowBytes) break;
      this.#underWay.push({ message: message.message, index: message.index, sizeBytes: chunk.length });
      this.#underWayBytes += chunk.length;
      this.#sendFragment(message, Math.ceil(bytes.length / chunkBytes), chunk);
      message.offset += chunk.length;
      message.index++;
      if (message.offset === bytes.length) this.#endLarge(message);
    }
    // Also where nothing waits: the next large message must not wait for what went before it and will never be confirmed.
    if (this.#underWay.length > 0) this.#stall = this.#env.after(fragmentStallMs, () => this.#stalled());
  }

  #endLarge(message: LargeMessage): void {
    this.#large.shift();
    this.#addLarge(-message.bytes.length);
    this.#tellIfBelow();
  }

  #stalled(): void {
    this.#nothingUnderWay();
    this.#sendLarge();
  }

  #sendFragment(message: LargeMessage, count: number, chunk: Uint8Array): void {
    this.flush();
    this.#frame = this.#env.nextFrame();
    if (message.carried !== undefined) {
      if (message.carried.firstFrame === -1) message.carried.firstFrame = this.#frame;
      message.carried.lastFrame = this.#frame;
    }
    const writer = new ByteWriter(chunk.length + this.#fragmentOverheadBytes());
    this.#writeHeader(writer);
    writer
      .u8(RECORD.fragment)
      .u32(FRAGMENT_HEAD_BYTES + chunk.length)
      .u32(message.message)
      .u32(message.index)
      .u32(count)
      .raw(chunk);
    this.#seal(writer);
    this.#publish(writer.finish(), 1, message.carried !== undefined);
  }

  #writeHeader(writer: ByteWriter, named = this.#peer.pairing.peerNonce, echo = this.#echo()): void {
    const { session, nonce } = this.#peer.pairing;
    const sequence = this.#peer.pairing.nextSequence();
    const { headerPrefix, tokenRecord, clock } = this.#env;
    writeHeaderRest(writer.raw(headerPrefix), { session, nonce, named, sequence }, clock.sendTime(), echo);
    if (tokenRecord.length > 0) writer.raw(tokenRecord);
  }

  #echo(): Echo {
    return this.#env.clock.echo(this.#heardStamp, this.#heardMs);
  }

  #fragmentOverheadBytes(): number {
    return (
      headerBytes(this.#env.headerPrefix) + this.#env.tokenRecord.length + RECORD_HEAD_BYTES + FRAGMENT_HEAD_BYTES + MAC_BYTES
    );
  }
}
