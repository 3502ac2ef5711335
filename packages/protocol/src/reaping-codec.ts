/**
 * The rows of the reaping messages, by which all owners of a key agree that its tombstone can go. See `codec.ts` for what
 * encoders and decoders promise.
 */
import { DecodeError, type BinaryString, type ByteReader, type ByteWriter } from '@armature/kernel';
import {
  decodeFlag,
  MIN_ADDRESS_BYTES,
  readAddress,
  readList,
  readOptional,
  readOptionalBucket,
  readRing,
  readShare,
  writeOptional,
  writeShare,
} from './codec-parts.js';
import { bare, type MessageRows } from './message-row.js';
import {
  CLEARANCES,
  HOLD_REASONS,
  nothingHeldBack,
  type ClearingCount,
  type DigestedEntry,
  type ClearRequest,
  type DropRequest,
  type ReapReply,
  type ReapingRequest,
} from './reaping.js';
import { HASH_BYTES, MAX_PROBLEM_BYTES } from './synchronisation.js';

/** The name of a node, and the id of a record. */
const MAX_TENURE_BYTES = 128;
/** An empty text and a small number. */
const MIN_COUNT_BYTES = 2;

const OF_REAPING = { isFenced: true, mayHaveLargeAnswer: false } as const;

export const REAPING_MESSAGES: MessageRows<ReapingRequest['kind']> = {
  reap: {
    ...{ tag: 17, ...OF_REAPING },
    request: {
      encode(w, m) {
        writeOptional(writeShare(w, m), m.start);
        writeOptional(w, m.bucket as string | undefined as BinaryString | undefined);
      },
      decode: (r) => ({ kind: 'reap', ...readShare(r), start: readOptional(r), bucket: readOptionalBucket(r) }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.scanned).varint(m.candidates).varint(m.waiting).varint(m.reaped).varint(m.pruned);
        for (const reason of HOLD_REASONS) w.varint(m.heldBack[reason]);
        writeOptional(w.text(m.blocked), m.next);
      },
      decode: decodeReapReply,
    },
  },
  clear: {
    ...{ tag: 18, ...OF_REAPING },
    request: {
      encode: writeEntries,
      decode: (r) => ({ kind: 'clear', ring: readRing(r), entries: readEntries(r) }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.clearances.length);
        for (const clearance of m.clearances) w.u8(CLEARANCES.indexOf(clearance));
        w.u8(m.counted === undefined ? 0 : 1);
        if (m.counted !== undefined) writeCount(w, m.counted);
      },
      decode: (r) => ({
        kind: 'clear',
        clearances: readList(r, 1, () => readClearance(r)),
        counted: decodeFlag(r) ? readCount(r) : undefined,
      }),
    },
  },
  drop: {
    ...{ tag: 19, ...OF_REAPING },
    request: {
      encode: writeEntries,
      decode: (r) => ({ kind: 'drop', ring: readRing(r), entries: readEntries(r) }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.dropped.length);
        for (const dropped of m.dropped) w.u8(dropped ? 1 : 0);
      },
      decode: (r) => ({ kind: 'drop', dropped: readList(r, 1, () => decodeFlag(r)) }),
    },
  },
  note: {
    ...{ tag: 20, ...OF_REAPING },
    request: {
      encode(w, m) {
        w.varint(m.ring).varint(m.counts.length);
        for (const count of m.counts) writeCount(w, count);
      },
      decode: (r) => ({ kind: 'note', ring: readRing(r), counts: readList(r, MIN_COUNT_BYTES, () => readCount(r)) }),
    },
    reply: bare('note'),
  },
};

function decodeReapReply(r: ByteReader): ReapReply {
  const looked = { scanned: r.varint(), candidates: r.varint(), waiting: r.varint() };
  const taken = { reaped: r.varint(), pruned: r.varint() };
  const heldBack = nothingHeldBack();
  for (const reason of HOLD_REASONS) heldBack[reason] = r.varint();
  return { kind: 'reap', ...looked, ...taken, heldBack, blocked: r.text(MAX_PROBLEM_BYTES), next: readOptional(r) };
}

function writeEntries(w: ByteWriter, { ring, entries }: ClearRequest | DropRequest): void {
  w.varint(ring).varint(entries.length);
  for (const { address, digest } of entries) w.binary(address).rawBinary(digest);
}

function readEntries(r: ByteReader): DigestedEntry[] {
  return readList(r, MIN_ADDRESS_BYTES + HASH_BYTES, () => ({ address: readAddress(r), digest: r.rawBinary(HASH_BYTES) }));
}

function writeCount(w: ByteWriter, { tenure, count }: ClearingCount): void {
  w.text(tenure).varint(count);
}

function readCount(r: ByteReader): ClearingCount {
  return { tenure: r.text(MAX_TENURE_BYTES), count: r.varint() };
}

function readClearance(r: ByteReader): (typeof CLEARANCES)[number] {
  const clearance = CLEARANCES[r.u8()];
  if (clearance === undefined) throw new DecodeError('unknown clearance');
  return clearance;
}
