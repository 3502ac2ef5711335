/**
 * The rows of the replica messages, which ask one node what it holds, or to hold something. See `codec.ts` for what encoders and
 * decoders promise.
 */
import { DecodeError, MAX_NAME_CHARS, parseNodeId, type BinaryString, type ByteReader } from '@armature/kernel';
import type { Durability } from './bucket.js';
import {
  decodeFlag,
  MIN_ADDRESS_BYTES,
  must,
  readAddress,
  readBound,
  readList,
  readOptional,
  readOptionalBucket,
  readRing,
  writeOptional,
} from './codec-parts.js';
import type { MessageRows } from './message-row.js';
import type { MergeRequest, ReadReply, ReadRequest } from './messages.js';

/** Bits of a read request; in the reply to one, 1 is a set and 2 its outline. */
const STAND_IN = 1;
const OUTLINE = 2;

/** A durability's place is its byte. */
const DURABILITY_BYTES: readonly Durability[] = ['memory', 'os', 'fsync', 'buffered'];

export const REPLICA_MESSAGES: MessageRows<'read' | 'merge' | 'pull'> = {
  read: {
    tag: 1,
    isFenced: true,
    mayHaveLargeAnswer: true,
    request: {
      encode: (w, m) =>
        w
          .varint(m.ring)
          .binary(m.address)
          .u8((m.standIn === true ? STAND_IN : 0) | (m.outline === true ? OUTLINE : 0)),
      decode: decodeRead,
    },
    reply: {
      encode: (w, m) => (m.set === undefined ? w.u8(0) : w.u8(m.isOutline === true ? OUTLINE : 1).blob(m.set)),
      decode: decodeReadReply,
    },
  },
  merge: {
    tag: 2,
    isFenced: true,
    mayHaveLargeAnswer: false,
    request: {
      encode(w, m) {
        w.varint(m.ring).binary(m.address).u8(DURABILITY_BYTES.indexOf(m.durability)).blob(m.set);
        w.text(m.hintFor ?? '');
      },
      decode: decodeMerge,
    },
    reply: {
      encode: (w, m) => w.u8(m.durable ? 1 : 0),
      decode: (r) => ({ kind: 'merge', durable: decodeFlag(r) }),
    },
  },
  pull: {
    tag: 3,
    isFenced: true,
    mayHaveLargeAnswer: true,
    request: {
      encode(w, m) {
        w.varint(m.ring).binary(m.start);
        writeOptional(w, m.end);
        writeOptional(w, m.bucket as string | undefined as BinaryString | undefined);
        w.varint(m.limit)
          .varint(m.limitBytes)
          .u8(m.withValues ? 1 : 0);
      },
      decode: (r) => ({
        kind: 'pull',
        ring: readRing(r),
        start: readBound(r),
        end: readOptional(r),
        bucket: readOptionalBucket(r),
        limit: r.varint(),
        limitBytes: r.varint(),
        withValues: decodeFlag(r),
      }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.entries.length);
        for (const entry of m.entries) w.binary(entry.address).blob(entry.set);
        writeOptional(w, m.next);
      },
      decode: (r) => ({
        kind: 'pull',
        entries: readList(r, MIN_ADDRESS_BYTES, () => ({ address: readAddress(r), set: r.blob() })),
        next: readOptional(r),
      }),
    },
  },
};

function decodeRead(r: ByteReader): ReadRequest {
  const ring = readRing(r);
  const address = readAddress(r);
  const flags = r.u8();
  if (flags > (STAND_IN | OUTLINE)) throw new DecodeError(`read flags ${flags}`);
  if (flags === 0) return { kind: 'read', ring, address };
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

function decodeMerge(r: ByteReader): MergeRequest {
  const merge = {
    kind: 'merge',
    ring: readRing(r),
    address: readAddress(r),
    durability: readDurability(r),
    set: r.blob(),
  } as const;
  const hintFor = r.text(MAX_NAME_CHARS);
  return hintFor === '' ? merge : { ...merge, hintFor: must(parseNodeId(hintFor)) };
}

function readDurability(r: ByteReader): Durability {
  const durability = DURABILITY_BYTES[r.u8()];
  if (durability === undefined) throw new DecodeError('unknown durability');
  return durability;
}
