/**
 * The layout of a frame: everything one endpoint has for one peer, in one bus message.
 *
 *     header   magic u8, version u8, cluster (u8 length, ASCII), sender's address (u8 length, ASCII),
 *              sealed u8 (1: the frame ends with a MAC; see frame-mac.ts),
 *              the sender's session for this receiver u32, its nonce u32, the receiver's nonce as far as the sender knows it u32
 *              (0: not yet), the number of the frame in the session, low half u32, high half u32 (see pairing.ts), when it was
 *              begun: by the sender's monotonic clock u32, in ms modulo 2^32, and by its wall clock, in ms since the Unix epoch,
 *              low half u32, high half u32, the first of these times in the last frame from the receiver u32, how long ago that
 *              was heard in ms u32 (see frame-age.ts)
 *     record*  kind u8, length u32, then `length` bytes:
 *                request   id u32, timeout in ms u32, body        reply   id u32, body
 *                error     id u32, error (see remote-error.ts)    one-way body
 *                fragment  message u32, index u32, count u32, bytes
 *                received  message u32, index u32: of a fragment that has come
 *                token     bytes: what its sender shows to be let in; before all others
 *                again     id u32: this request was not carried out, because nobody can tell that it is not too old; send it
 *                          again
 *     mac      16 bytes, if the frame is sealed
 *
 * The header up to the address keeps its shape in every version, so that a frame that cannot be understood can be refused
 * in a way its sender understands. Record lengths frame the records: what is malformed in one costs no other.
 */
import { ByteReader, DecodeError, type ByteWriter } from '@armature/kernel';
import type { Echo, SendTime } from './frame-age.js';
import type { FrameNumbers } from './pairing.js';

export const FRAME_MAGIC = 0xa7;
export const PROTOCOL_VERSION = 6;

export const RECORD = { request: 1, reply: 2, error: 3, oneWay: 4, fragment: 5, received: 6, again: 7, token: 8 } as const;
export type RecordKind = (typeof RECORD)[keyof typeof RECORD];

/** Bytes of a record before its content: kind and length. */
export const RECORD_HEAD_BYTES = 5;
/** Bytes of a fragment record's content before the fragment's bytes. */
export const FRAGMENT_HEAD_BYTES = 12;
const U32 = 2 ** 32;
/** Bytes of a frame's header after the part that never changes for one endpoint. */
const CHANGING_BYTES = 40;

export interface FrameHeader extends FrameNumbers {
  readonly version: number;
  readonly cluster: string;
  readonly address: string;
  /** Whether the frame ends with a MAC. */
  readonly isSealed: boolean;
  readonly sent: SendTime;
  /** Of use only where the frame is one of a session that has been taken up. */
  readonly echo: Echo;
}

/** The part of the header that is the same in all frames of an endpoint; `writeHeaderRest` follows it. */
export function writeHeaderPrefix(writer: ByteWriter, cluster: string, address: string, isSealed: boolean): void {
  const ascii = (text: string): void => void writer.u8(text.length).raw(Buffer.from(text, 'latin1'));
  writer.u8(FRAME_MAGIC).u8(PROTOCOL_VERSION);
  ascii(cluster);
  ascii(address);
  writer.u8(isSealed ? 1 : 0);
}

export function writeHeaderRest(writer: ByteWriter, numbers: FrameNumbers, sent: SendTime, echo: Echo): void {
  const { session, nonce, named, sequence } = numbers;
  const sequenceHigh = Math.floor(sequence / U32);
  const high = Math.floor(sent.wall / U32);
  writer
    .u32(session)
    .u32(nonce)
    .u32(named)
    .u32(sequence - sequenceHigh * U32)
    .u32(sequenceHigh)
    .u32(sent.monotonic)
    .u32(sent.wall - high * U32)
    .u32(high)
    .u32(echo.stamp)
    .u32(echo.heldMs);
}

export function headerBytes(prefix: Uint8Array): number {
  return prefix.length + CHANGING_BYTES;
}

/** Throws `DecodeError` where this is no frame at all. Of another version's frame numbers and times are 0. */
export function readHeader(reader: ByteReader): FrameHeader {
  if (reader.u8() !== FRAME_MAGIC) throw new DecodeError('not a frame');
  const version = reader.u8();
  const cluster = reader.rawBinary(reader.u8());
  const address = reader.rawBinary(reader.u8());
  if (version !== PROTOCOL_VERSION) {
    const numbers = { session: 0, nonce: 0, named: 0, sequence: 0 };
    const times = { sent: { monotonic: 0, wall: 0 }, echo: { stamp: 0, heldMs: 0 } };
    return { version, cluster, address, isSealed: false, ...numbers, ...times };
  }
  const isSealed = readFlag(reader);
  const session = reader.u32();
  const nonce = reader.u32();
  const named = reader.u32();
  const sequence = readU64(reader);
  const sent = { monotonic: reader.u32(), wall: readU64(reader) };
  const echo = { stamp: reader.u32(), heldMs: reader.u32() };
  return { version, cluster, address, isSealed, session, nonce, named, sequence, sent, echo };
}

/** Low half first. Above 2^53 two numbers would read as one. */
function readU64(reader: ByteReader): number {
  const low = reader.u32();
  const high = reader.u32();
  if (high >= 2 ** 21) throw new DecodeError('a number beyond 2^53');
  return high * U32 + low;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new DecodeError('a flag is 0 or 1');
  return flag === 1;
}

/** What is done with each record; `C` is handed through. A `DecodeError` thrown by any of them counts as malformed. */
export interface RecordVisitor<C> {
  request(context: C, id: number, timeoutMs: number, body: ByteReader): void;
  reply(context: C, id: number, body: ByteReader): void;
  error(context: C, id: number, body: ByteReader): void;
  oneWay(context: C, body: ByteReader): void;
  fragment(context: C, message: number, index: number, count: number, bytes: Uint8Array): void;
  received(context: C, message: number, index: number): void;
  again(context: C, id: number): void;
  token(context: C, bytes: Uint8Array): void;
  malformed(context: C, reason: string): void;
}

/** Visits the records that follow a header. Returns how many there were. Throws only what a visitor throws. */
export function readRecords<C>(reader: ByteReader, visitor: RecordVisitor<C>, context: C): number {
  let records = 0;
  while (reader.remaining > 0) {
    records++;
    if (reader.remaining < RECORD_HEAD_BYTES) {
      visitor.malformed(context, 'truncated record head');
      break;
    }
    const kind = reader.u8();
    const length = reader.u32();
    if (length > reader.remaining) {
      visitor.malformed(context, 'a record longer than its frame');
      break;
    }
    readRecord(kind, new ByteReader(reader.raw(length)), visitor, context);
  }
  return records;
}

/** Visits one record. `content` is all of it but kind and length. */
export function readRecord<C>(kind: number, content: ByteReader, visitor: RecordVisitor<C>, context: C): void {
  try {
    switch (kind) {
      case RECORD.request:
        visitor.request(context, content.u32(), content.u32(), content);
        break;
      case RECORD.reply:
        visitor.reply(context, content.u32(), content);
        break;
      case RECORD.error:
        visitor.error(context, content.u32(), content);
        break;
      case RECORD.oneWay:
        visitor.oneWay(context, content);
        break;
      case RECORD.fragment:
        visitor.fragment(context, content.u32(), content.u32(), content.u32(), content.rest());
        break;
      case RECORD.received:
        visitor.received(context, content.u32(), content.u32());
        break;
      case RECORD.again:
        visitor.again(context, content.u32());
        break;
      case RECORD.token:
        visitor.token(context, content.rest());
        break;
      default:
        visitor.malformed(context, `unknown record kind ${kind}`);
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    visitor.malformed(context, error.message);
  }
}
