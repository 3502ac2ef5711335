/** The bytes of the reaping messages, after their tag. See `codec.ts` for what encoders and decoders promise. */
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
import {
  CLEARANCES,
  HOLD_REASONS,
  nothingHeldBack,
  type ClearingCount,
  type DigestedEntry,
  type ReapingReply,
  type ReapingRequest,
} from './reaping.js';
import { HASH_BYTES, MAX_PROBLEM_BYTES } from './synchronisation.js';

/** The name of a node, and the id of a record. */
const MAX_TENURE_BYTES = 128;
/** An empty text and a small number. */
const MIN_COUNT_BYTES = 2;

export function encodeReapingRequest(w: ByteWriter, m: ReapingRequest): void {
  switch (m.kind) {
    case 'reap':
      writeOptional(writeShare(w, m), m.start);
      writeOptional(w, m.bucket as string | undefined as BinaryString | undefined);
      break;
    case 'clear':
    case 'drop':
      w.varint(m.ring).varint(m.entries.length);
      for (const { address, digest } of m.entries) w.binary(address).rawBinary(digest);
      break;
    case 'note':
      w.varint(m.ring).varint(m.counts.length);
      for (const count of m.counts) writeCount(w, count);
      break;
  }
}

export function decodeReapingRequest(r: ByteReader, kind: ReapingRequest['kind']): ReapingRequest {
  switch (kind) {
    case 'reap':
      return { kind, ...readShare(r), start: readOptional(r), bucket: readOptionalBucket(r) };
    case 'clear':
    case 'drop':
      return { kind, ring: readRing(r), entries: readList(r, MIN_ADDRESS_BYTES + HASH_BYTES, () => readEntry(r)) };
    case 'note':
      return { kind, ring: readRing(r), counts: readList(r, MIN_COUNT_BYTES, () => readCount(r)) };
  }
}

export function encodeReapingReply(w: ByteWriter, m: ReapingReply): void {
  switch (m.kind) {
    case 'reap':
      w.varint(m.scanned).varint(m.candidates).varint(m.waiting).varint(m.reaped).varint(m.pruned);
      for (const reason of HOLD_REASONS) w.varint(m.heldBack[reason]);
      writeOptional(w.text(m.blocked), m.next);
      break;
    case 'clear':
      w.varint(m.clearances.length);
      for (const clearance of m.clearances) w.u8(CLEARANCES.indexOf(clearance));
      w.u8(m.counted === undefined ? 0 : 1);
      if (m.counted !== undefined) writeCount(w, m.counted);
      break;
    case 'note':
      break;
    case 'drop':
      w.varint(m.dropped.length);
      for (const dropped of m.dropped) w.u8(dropped ? 1 : 0);
      break;
  }
}

export function decodeReapingReply(r: ByteReader, kind: ReapingReply['kind']): ReapingReply {
  switch (kind) {
    case 'reap': {
      const looked = { scanned: r.varint(), candidates: r.varint(), waiting: r.varint() };
      const taken = { reaped: r.varint(), pruned: r.varint() };
      const heldBack = nothingHeldBack();
      for (const reason of HOLD_REASONS) heldBack[reason] = r.varint();
      return { kind, ...looked, ...taken, heldBack, blocked: r.text(MAX_PROBLEM_BYTES), next: readOptional(r) };
    }
    case 'clear':
      return {
        kind,
        clearances: readList(r, 1, () => readClearance(r)),
        counted: decodeFlag(r) ? readCount(r) : undefined,
      };
    case 'note':
      return { kind };
    case 'drop':
      return { kind, dropped: readList(r, 1, () => decodeFlag(r)) };
  }
}

function writeCount(w: ByteWriter, { tenure, count }: ClearingCount): void {
  w.text(tenure).varint(count);
}

function readCount(r: ByteReader): ClearingCount {
  return { tenure: r.text(MAX_TENURE_BYTES), count: r.varint() };
}

function readEntry(r: ByteReader): DigestedEntry {
  return { address: readAddress(r), digest: r.rawBinary(HASH_BYTES) };
}

function readClearance(r: ByteReader): (typeof CLEARANCES)[number] {
  const clearance = CLEARANCES[r.u8()];
  if (clearance === undefined) throw new DecodeError('unknown clearance');
  return clearance;
}
