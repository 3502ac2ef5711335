/** The rows of the coordinated messages, for which the receiver runs the whole operation over a quorum. */
import { DecodeError, MAX_NAME_CHARS, type ByteReader } from '@armature/kernel';
import {
  decodeFlag,
  decodeMeta,
  decodeReceipt,
  decodeSiblings,
  encodeMeta,
  encodeReceipt,
  encodeSiblings,
  MIN_ADDRESS_BYTES,
  readAddress,
  readBound,
  readBucket,
  readList,
  readOptional,
  readRing,
  writeOptional,
} from './codec-parts.js';
import type { MessageRows } from './message-row.js';
import type { FetchOptions, WriteRequest } from './messages.js';
import { quorumWordFromByte, quorumWordToByte } from './quorum-word.js';

/** Bits of a write request. */
const TOMBSTONE = 1;
const RETURN_CONTEXT = 2;
const STAND_IN = 4;
const REPEATED = 8;
const OPERATION_BYTES = 8;

export const COORDINATED_MESSAGES: MessageRows<'fetch' | 'write' | 'scan'> = {
  fetch: {
    tag: 4,
    isFenced: false,
    mayHaveLargeAnswer: true,
    request: {
      encode: (w, m) =>
        w
          .binary(m.address)
          .u8(quorumWordToByte(m.options.r))
          .u8(quorumWordToByte(m.options.pr))
          .u8(m.options.outline === true ? 1 : 0),
      decode: (r) => ({ kind: 'fetch', address: readAddress(r), options: decodeFetchOptions(r) }),
    },
    reply: {
      encode(w, m) {
        encodeSiblings(w, m.siblings);
        w.blob(m.context);
        encodeReceipt(w, m.receipt);
      },
      decode: (r) => ({ kind: 'fetch', siblings: decodeSiblings(r), context: r.blob(), receipt: decodeReceipt(r) }),
    },
  },
  write: {
    tag: 5,
    isFenced: false, // its ring says by which ring the receiver was picked; whoever mints asks replicas under its own
    mayHaveLargeAnswer: false,
    request: {
      encode(w, m) {
        w.varint(m.ring).binary(m.address).blob(m.context).rawHex(m.operation).u8(flagsOf(m));
        w.u8(quorumWordToByte(m.options.w)).u8(quorumWordToByte(m.options.pw)).u8(quorumWordToByte(m.options.dw));
        w.blob(m.value);
        encodeMeta(w, m.meta);
      },
      decode: decodeWrite,
    },
    reply: {
      encode: (w, m) => encodeReceipt(w.blob(m.context), m.receipt),
      decode: (r) => ({ kind: 'write', context: r.blob(), receipt: decodeReceipt(r) }),
    },
  },
  scan: {
    tag: 6,
    isFenced: false,
    mayHaveLargeAnswer: true,
    request: {
      encode: (w, m) =>
        w
          .text(m.bucket)
          .binary(m.cursor)
          .varint(m.limit)
          .u8(m.withValues ? 1 : 0),
      decode: (r) => ({
        kind: 'scan',
        bucket: readBucket(r.text(MAX_NAME_CHARS)),
        cursor: readBound(r),
        limit: r.varint(),
        withValues: decodeFlag(r),
      }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.items.length);
        for (const item of m.items) encodeSiblings(w.binary(item.address), item.siblings);
        writeOptional(w, m.next);
      },
      decode: (r) => ({
        kind: 'scan',
        items: readList(r, MIN_ADDRESS_BYTES, () => ({ address: readAddress(r), siblings: decodeSiblings(r) })),
        next: readOptional(r),
      }),
    },
  },
};

function decodeFetchOptions(r: ByteReader): FetchOptions {
  const options = { r: quorumWordFromByte(r.u8()), pr: quorumWordFromByte(r.u8()) };
  return decodeFlag(r) ? { ...options, outline: true } : options;
}

function flagsOf(m: WriteRequest): number {
  return (
    (m.tombstone ? TOMBSTONE : 0) |
    (m.options.returnContext ? RETURN_CONTEXT : 0) |
    (m.standIn === true ? STAND_IN : 0) |
    (m.repeated === true ? REPEATED : 0)
  );
}

function decodeWrite(r: ByteReader): WriteRequest {
  const ring = readRing(r);
  const address = readAddress(r);
  const context = r.blob();
  const operation = r.rawHex(OPERATION_BYTES);
  const flags = r.u8();
  if (flags > (TOMBSTONE | RETURN_CONTEXT | STAND_IN | REPEATED)) throw new DecodeError(`write flags ${flags}`);
  const options = {
    w: quorumWordFromByte(r.u8()),
    pw: quorumWordFromByte(r.u8()),
    dw: quorumWordFromByte(r.u8()),
    returnContext: (flags & RETURN_CONTEXT) !== 0,
  };
  const tombstone = (flags & TOMBSTONE) !== 0;
  const write = {
    kind: 'write',
    ring,
    address,
    context,
    operation,
    tombstone,
    value: r.blob(),
    meta: decodeMeta(r),
    options,
  } as const;
  if ((flags & (STAND_IN | REPEATED)) === 0) return write;
  return {
    ...write,
    ...((flags & STAND_IN) === 0 ? {} : { standIn: true }),
    ...((flags & REPEATED) === 0 ? {} : { repeated: true }),
  };
}
