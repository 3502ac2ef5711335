/**
 * The binary codec of the messages: one tag byte, then the fields in order, as the row of the kind says (`message-table.ts`).
 * Encoders write straight into the frame that the link is filling; decoders are total: whatever the bytes, they return a message
 * or throw a `DecodeError`, and they allocate nothing that the input's own length does not pay for. Values, contexts and version
 * sets decode to views into the frame, so whoever keeps one longer than the turn copies it.
 */
import { DecodeError, type ByteReader, type ByteWriter } from '@armature/kernel';
import type { Kind } from './message-row.js';
import { kindOfTag, rowOf } from './message-table.js';
import type { Reply, Request } from './messages.js';

export const protocolCodec = { encodeRequest, decodeRequest, encodeReply, decodeReply };

function encodeRequest(w: ByteWriter, message: Request): void {
  const { tag, request } = rowOf(message.kind);
  request.encode(w.u8(tag), message);
}

function decodeRequest(r: ByteReader): Request {
  const { request } = rowOf(peekKind(r));
  r.u8();
  return request.decode(r);
}

function encodeReply(w: ByteWriter, message: Reply): void {
  const { tag, reply } = rowOf(message.kind);
  reply.encode(w.u8(tag), message);
}

function decodeReply(r: ByteReader): Reply {
  const { reply } = rowOf(peekKind(r));
  r.u8();
  return reply.decode(r);
}

/** Of the message that comes next. */
export function peekKind(r: ByteReader): Kind {
  const tag = r.peekU8();
  const kind = kindOfTag(tag);
  if (kind === undefined) throw new DecodeError(`message tag ${tag} is unknown to protocol version 1`);
  return kind;
}
