/**
 * The binary codec of the messages: one tag byte, then the fields in order. Encoders write straight into the frame that
 * the link is filling; decoders are total: whatever the bytes, they return a message or throw a `DecodeError`, and they
 * allocate nothing that the input's own length does not pay for. Values, contexts and version sets decode to views
 * into the frame, so whoever keeps one longer than the turn copies it.
 */
import { DecodeError, MAX_NAME_CHARS, parseNodeId, type BinaryString, type ByteReader, type ByteWriter } from '@armature/kernel';
import type { Durability } from './bucket.js';
import {
  decodeFlag,
  decodeMeta,
  decodeReceipt,
  decodeSiblings,
  encodeMeta,
  encodeReceipt,
  encodeSiblings,
  MIN_ADDRESS_BYTES,
  must,
  readAddress,
  readBound,
  readBucket,
  readOptional,
  readOptionalBucket,
  readRing,
  writeOptional,
} from './codec-parts.js';
import { decodeControlReply, decodeControlRequest, encodeControlReply, encodeControlRequest } from './control-codec.js';
import type { FetchOptions, ReadReply, ReadRequest, Reply, Request } from './messages.js';
import { quorumWordFromByte, quorumWordToByte } from './quorum-word.js';
import { decodeReapingReply, decodeReapingRequest, encodeReapingReply, encodeReapingRequest } from './reaping-codec.js';
import {
  decodeSynchronisationReply,
  decodeSynchronisationRequest,
  encodeSynchronisationReply,
  encodeSynchronisationRequest,
} from './synchronisation-codec.js';

const TAGS = {
  ...{ read: 1, merge: 2, pull: 3, fetch: 4, write: 5, scan: 6, gossip: 7, propose: 8, status: 9, ping: 10 },
  ...{ tree: 11, digests: 12, sets: 13, absorb: 14, exchange: 15 },
  ...{ holdings: 16, reap: 17, clear: 18, drop: 19, note: 20 },
  ...{ history: 21, commands: 22, 'keep-command': 23, worker: 24 },
} as const;
const KINDS = new Map<number, Request['kind']>(Object.entries(TAGS).map(([kind, tag]) => [tag, kind as Request['kind']]));

/** Bits of a read request; in the reply to one, 1 is a set and 2 its outline. */
const STAND_IN = 1;
const OUTLINE = 2;

/** A durability's place is its byte. */
const DURABILITY_BYTES: readonly Durability[] = ['memory', 'os', 'fsync', 'buffered'];

export const protocolCodec = { encodeRequest, decodeRequest, encodeReply, decodeReply };

function encodeRequest(w: ByteWriter, m: Request): void {
  w.u8(TAGS[m.kind]);
  switch (m.kind) {
    case 'read':
      w.varint(m.ring)
        .binary(m.address)
        .u8((m.standIn === true ? STAND_IN : 0) | (m.outline === true ? OUTLINE : 0));
      break;
    case 'merge':
      w.varint(m.ring).binary(m.address).u8(DURABILITY_BYTES.indexOf(m.durability)).blob(m.set);
      w.text(m.hintFor ?? '');
      break;
    case 'pull':
      w.varint(m.ring).binary(m.start);
      writeOptional(w, m.end);
      writeOptional(w, m.bucket as string | undefined as BinaryString | undefined);
      w.varint(m.limit)
        .varint(m.limitBytes)
        .u8(m.withValues ? 1 : 0);
      break;
    case 'fetch':
      w.binary(m.address)
        .u8(quorumWordToByte(m.options.r))
        .u8(quorumWordToByte(m.options.pr))
        .u8(m.options.outline === true ? 1 : 0);
      break;
    case 'write':
      w.varint(m.ring).binary(m.address).blob(m.context).rawHex(m.operation);
      w.u8(
        (m.tombstone ? 1 : 0) | (m.options.returnContext ? 2 : 0) | (m.standIn === true ? 4 : 0) | (m.repeated === true ? 8 : 0),
      );
      w.u8(quorumWordToByte(m.options.w)).u8(quorumWordToByte(m.options.pw)).u8(quorumWordToByte(m.options.dw));
      w.blob(m.value);
      encodeMeta(w, m.meta);
      break;
    case 'scan':
      w.text(m.bucket)
        .binary(m.cursor)
        .varint(m.limit)
        .u8(m.withValues ? 1 : 0);
      break;
    case 'gossip':
    case 'propose':
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'keep-command':
    case 'worker':
    case 'ping':
      encodeControlRequest(w, m);
      break;
    case 'tree':
    case 'digests':
    case 'sets':
    case 'absorb':
    case 'exchange':
      encodeSynchronisationRequest(w, m);
      break;
    case 'reap':
    case 'clear':
    case 'note':
    case 'drop':
      encodeReapingRequest(w, m);
      break;
  }
}

function decodeRequest(r: ByteReader): Request {
  const kind = peekKind(r);
  r.u8();
  switch (kind) {
    case 'read':
      return decodeRead(r);
    case 'merge': {
      const merge = { kind, ring: readRing(r), address: readAddress(r), durability: readDurability(r), set: r.blob() };
      const hintFor = r.text(MAX_NAME_CHARS);
      return hintFor === '' ? merge : { ...merge, hintFor: must(parseNodeId(hintFor)) };
    }
    case 'pull':
      return {
        kind,
        ring: readRing(r),
        start: readBound(r),
        end: readOptional(r),
        bucket: readOptionalBucket(r),
        limit: r.varint(),
        limitBytes: r.varint(),
        withValues: decodeFlag(r),
      };
    case 'fetch':
      return { kind, address: readAddress(r), options: decodeFetchOptions(r) };
    case 'write': {
      const ring = readRing(r);
      const address = readAddress(r);
      const context = r.blob();
      const operation = r.rawHex(8);
      const flags = r.u8();
      if (flags > 15) throw new DecodeError(`write flags ${flags}`);
      const options = {
        w: quorumWordFromByte(r.u8()),
        pw: quorumWordFromByte(r.u8()),
        dw: quorumWordFromByte(r.u8()),
        returnContext: (flags & 2) !== 0,
      };
      const value = r.blob();
      const write = {
        kind,
        ring,
        address,
        context,
        operation,
        tombstone: (flags & 1) !== 0,
        value,
        meta: decodeMeta(r),
        options,
      };
      return {
        ...write,
        ...((flags & 4) === 0 ? {} : { standIn: true }),
        ...((flags & 8) === 0 ? {} : { repeated: true }),
      };
    }
    case 'scan':
      return {
        kind,
        bucket: readBucket(r.text(MAX_NAME_CHARS)),
        cursor: readBound(r),
        limit: r.varint(),
        withValues: decodeFlag(r),
      };
    case 'gossip':
    case 'propose':
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'keep-command':
    case 'worker':
    case 'ping':
      return decodeControlRequest(r, kind);
    case 'tree':
    case 'digests':
    case 'sets':
    case 'absorb':
    case 'exchange':
      return decodeSynchronisationRequest(r, kind);
    case 'reap':
    case 'clear':
    case 'note':
    case 'drop':
      return decodeReapingRequest(r, kind);
  }
}

function encodeReply(w: ByteWriter, m: Reply): void {
  w.u8(TAGS[m.kind]);
  switch (m.kind) {
    case 'read':
      if (m.set === undefined) w.u8(0);
      else w.u8(m.isOutline === true ? OUTLINE : 1).blob(m.set);
      break;
    case 'merge':
      w.u8(m.durable ? 1 : 0);
      break;
    case 'pull':
      w.varint(m.entries.length);
      for (const entry of m.entries) w.binary(entry.address).blob(entry.set);
      writeOptional(w, m.next);
      break;
    case 'fetch':
      encodeSiblings(w, m.siblings);
      w.blob(m.context);
      encodeReceipt(w, m.receipt);
      break;
    case 'write':
      w.blob(m.context);
      encodeReceipt(w, m.receipt);
      break;
    case 'scan':
      w.varint(m.items.length);
      for (const item of m.items) encodeSiblings(w.binary(item.address), item.siblings);
      writeOptional(w, m.next);
      break;
    case 'gossip':
    case 'propose':
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'keep-command':
    case 'worker':
    case 'ping':
      encodeControlReply(w, m);
      break;
    case 'tree':
    case 'digests':
    case 'sets':
    case 'absorb':
    case 'exchange':
      encodeSynchronisationReply(w, m);
      break;
    case 'reap':
    case 'clear':
    case 'note':
    case 'drop':
      encodeReapingReply(w, m);
      break;
  }
}

function decodeReply(r: ByteReader): Reply {
  const kind = peekKind(r);
  r.u8();
  switch (kind) {
    case 'read':
      return decodeReadReply(r);
    case 'merge':
      return { kind, durable: decodeFlag(r) };
    case 'pull': {
      const entries = [];
      for (let left = r.count(MIN_ADDRESS_BYTES); left > 0; left--) entries.push({ address: readAddress(r), set: r.blob() });
      return { kind, entries, next: readOptional(r) };
    }
    case 'fetch':
      return { kind, siblings: decodeSiblings(r), context: r.blob(), receipt: decodeReceipt(r) };
    case 'write':
      return { kind, context: r.blob(), receipt: decodeReceipt(r) };
    case 'scan': {
      const items = [];
      for (let left = r.count(MIN_ADDRESS_BYTES); left > 0; left--)
        items.push({ address: readAddress(r), siblings: decodeSiblings(r) });
      return { kind, items, next: readOptional(r) };
    }
    case 'gossip':
    case 'propose':
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'keep-command':
    case 'worker':
    case 'ping':
      return decodeControlReply(r, kind);
    case 'tree':
    case 'digests':
    case 'sets':
    case 'absorb':
    case 'exchange':
      return decodeSynchronisationReply(r, kind);
    case 'reap':
    case 'clear':
    case 'note':
    case 'drop':
      return decodeReapingReply(r, kind);
  }
}

function decodeRead(r: ByteReader): ReadRequest {
  const ring = readRing(r);
  const address = readAddress(r);
  const flags = r.u8();
  if (flags > (STAND_IN | OUTLINE)) throw new DecodeError(`read flags ${flags}`);
  return {
    kind: 'read',
    ring,
    address,
    ...((flags & STAND_IN) === 0 ? {} : { standIn: true }),
    ...((flags & OUTLINE) === 0 ? {} : { outline: true }),
  };
}

function decodeReadReply(r: ByteReader): ReadReply {
  const flag = r.u8();
  if (flag > OUTLINE) throw new DecodeError(`flag byte ${flag}`);
  if (flag === 0) return { kind: 'read', set: undefined };
  return flag === OUTLINE ? { kind: 'read', set: r.blob(), isOutline: true } : { kind: 'read', set: r.blob() };
}

function decodeFetchOptions(r: ByteReader): FetchOptions {
  const options = { r: quorumWordFromByte(r.u8()), pr: quorumWordFromByte(r.u8()) };
  return decodeFlag(r) ? { ...options, outline: true } : options;
}

/** Of the message that comes next. */
export function peekKind(r: ByteReader): Request['kind'] {
  const tag = r.peekU8();
  const kind = KINDS.get(tag);
  if (kind === undefined) throw new DecodeError(`message tag ${tag} is unknown to protocol version 1`);
  return kind;
}

function readDurability(r: ByteReader): Durability {
  const durability = DURABILITY_BYTES[r.u8()];
  if (durability === undefined) throw new DecodeError('unknown durability');
  return durability;
}
