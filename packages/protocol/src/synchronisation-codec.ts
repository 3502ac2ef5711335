/** The bytes of the synchronisation messages, after their tag. See `codec.ts` for what encoders and decoders promise. */
import {
  DecodeError,
  MAX_NAME_CHARS,
  parseNodeId,
  type BinaryString,
  type BucketName,
  type ByteReader,
  type ByteWriter,
} from '@armature/kernel';
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
  readShare,
  writeOptional,
  writeShare,
} from './codec-parts.js';
import {
  EXCHANGE_OUTCOMES,
  HASH_BYTES,
  MAX_PROBLEM_BYTES,
  type SynchronisationReply,
  type SynchronisationRequest,
} from './synchronisation.js';

type Kind = SynchronisationRequest['kind'];

export function encodeSynchronisationRequest(w: ByteWriter, m: SynchronisationRequest): void {
  switch (m.kind) {
    case 'tree':
      writeShare(w, m).u8(m.level).varint(m.indices.length);
      for (const index of m.indices) w.varint(index);
      break;
    case 'digests':
      writeShare(w, m).binary(m.start);
      writeOptional(w, m.end);
      writeBucket(w, m.bucket);
      w.varint(m.limit);
      break;
    case 'sets':
      w.varint(m.ring).varint(m.addresses.length);
      for (const address of m.addresses) w.binary(address);
      break;
    case 'absorb':
      w.varint(m.ring)
        .u8(m.durable ? 1 : 0)
        .varint(m.entries.length);
      for (const { address, set } of m.entries) w.binary(address).blob(set);
      break;
    case 'exchange':
      writeShare(w, m).text(m.peer);
      writeBucket(w, m.bucket);
      break;
  }
}

export function decodeSynchronisationRequest(r: ByteReader, kind: Kind): SynchronisationRequest {
  switch (kind) {
    case 'tree':
      return { kind, ...readShare(r), level: r.u8(), indices: readList(r, 1, () => r.varint()) };
    case 'digests':
      return {
        kind,
        ...readShare(r),
        start: readBound(r),
        end: readOptional(r),
        bucket: readOptionalBucket(r),
        limit: r.varint(),
      };
    case 'sets':
      return { kind, ring: readRing(r), addresses: readList(r, MIN_ADDRESS_BYTES, () => readAddress(r)) };
    case 'absorb':
      return {
        kind,
        ring: readRing(r),
        durable: decodeFlag(r),
        entries: readList(r, MIN_ADDRESS_BYTES, () => ({ address: readAddress(r), set: r.blob() })),
      };
    case 'exchange':
      return { kind, ...readShare(r), peer: must(parseNodeId(r.text(MAX_NAME_CHARS))), bucket: readOptionalBucket(r) };
  }
}

export function encodeSynchronisationReply(w: ByteWriter, m: SynchronisationReply): void {
  switch (m.kind) {
    case 'tree':
      w.u8(m.depth).varint(m.keys).varint(m.hashes.length);
      for (const hash of m.hashes) w.rawBinary(hash);
      break;
    case 'digests':
      w.varint(m.entries.length);
      for (const { address, digest, sizeBytes } of m.entries) w.binary(address).rawBinary(digest).varint(sizeBytes);
      writeOptional(w, m.next);
      break;
    case 'sets':
      w.varint(m.sets.length);
      for (const set of m.sets) {
        if (set === undefined) w.u8(0);
        else w.u8(1).blob(set);
      }
      break;
    case 'absorb':
      w.varint(m.merged).varint(m.refused);
      break;
    case 'exchange':
      w.u8(EXCHANGE_OUTCOMES.indexOf(m.outcome)).varint(m.compared).varint(m.differing).varint(m.pulled);
      w.varint(m.pushed).varint(m.bytes).varint(m.elapsedMs).text(m.problem);
      break;
  }
}

export function decodeSynchronisationReply(r: ByteReader, kind: Kind): SynchronisationReply {
  switch (kind) {
    case 'tree':
      return { kind, depth: r.u8(), keys: r.varint(), hashes: readList(r, HASH_BYTES, () => r.rawBinary(HASH_BYTES)) };
    case 'digests':
      return {
        kind,
        entries: readList(r, MIN_ADDRESS_BYTES + HASH_BYTES + 1, () => ({
          address: readAddress(r),
          digest: r.rawBinary(HASH_BYTES),
          sizeBytes: r.varint(),
        })),
        next: readOptional(r),
      };
    case 'sets':
      return { kind, sets: readList(r, 1, () => (decodeFlag(r) ? r.blob() : undefined)) };
    case 'absorb':
      return { kind, merged: r.varint(), refused: r.varint() };
    case 'exchange': {
      const outcome = EXCHANGE_OUTCOMES[r.u8()];
      if (outcome === undefined) throw new DecodeError('unknown outcome of an exchange');
      return {
        kind,
        outcome,
        compared: r.varint(),
        differing: r.varint(),
        pulled: r.varint(),
        pushed: r.varint(),
        bytes: r.varint(),
        elapsedMs: r.varint(),
        problem: r.text(MAX_PROBLEM_BYTES),
      };
    }
  }
}

function writeBucket(w: ByteWriter, bucket: BucketName | undefined): void {
  writeOptional(w, bucket as string | undefined as BinaryString | undefined);
}
