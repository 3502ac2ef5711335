/** The rows of the synchronisation messages, which compare two replicas of a partition and make them equal. */
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
import type { MessageRows } from './message-row.js';
import {
  EXCHANGE_OUTCOMES,
  HASH_BYTES,
  MAX_PROBLEM_BYTES,
  type DigestsReply,
  type ExchangeReply,
  type SynchronisationRequest,
} from './synchronisation.js';

/** Address, hash, and a size of at least one byte. */
const MIN_DIGEST_BYTES = MIN_ADDRESS_BYTES + HASH_BYTES + 1;

export const SYNCHRONISATION_MESSAGES: MessageRows<SynchronisationRequest['kind']> = {
  tree: {
    tag: 11,
    isFenced: true,
    mayHaveLargeAnswer: false,
    request: {
      encode(w, m) {
        writeShare(w, m).u8(m.level).varint(m.indices.length);
        for (const index of m.indices) w.varint(index);
      },
      decode: (r) => ({ kind: 'tree', ...readShare(r), level: r.u8(), indices: readList(r, 1, () => r.varint()) }),
    },
    reply: {
      encode(w, m) {
        w.u8(m.depth).varint(m.keys).varint(m.hashes.length);
        for (const hash of m.hashes) w.rawBinary(hash);
      },
      decode: (r) => ({
        kind: 'tree',
        depth: r.u8(),
        keys: r.varint(),
        hashes: readList(r, HASH_BYTES, () => r.rawBinary(HASH_BYTES)),
      }),
    },
  },
  digests: {
    tag: 12,
    isFenced: true,
    mayHaveLargeAnswer: false,
    request: {
      encode(w, m) {
        writeShare(w, m).binary(m.start);
        writeOptional(w, m.end);
        writeBucket(w, m.bucket);
        w.varint(m.limit);
      },
      decode: (r) => ({
        kind: 'digests',
        ...readShare(r),
        start: readBound(r),
        end: readOptional(r),
        bucket: readOptionalBucket(r),
        limit: r.varint(),
      }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.entries.length);
        for (const { address, digest, sizeBytes } of m.entries) w.binary(address).rawBinary(digest).varint(sizeBytes);
        writeOptional(w, m.next);
      },
      decode: (r) => ({ kind: 'digests', entries: readList(r, MIN_DIGEST_BYTES, () => readDigest(r)), next: readOptional(r) }),
    },
  },
  sets: {
    tag: 13,
    isFenced: true,
    mayHaveLargeAnswer: true,
    request: {
      encode(w, m) {
        w.varint(m.ring).varint(m.addresses.length);
        for (const address of m.addresses) w.binary(address);
      },
      decode: (r) => ({ kind: 'sets', ring: readRing(r), addresses: readList(r, MIN_ADDRESS_BYTES, () => readAddress(r)) }),
    },
    reply: {
      encode(w, m) {
        w.varint(m.sets.length);
        for (const set of m.sets) {
          if (set === undefined) w.u8(0);
          else w.u8(1).blob(set);
        }
      },
      decode: (r) => ({ kind: 'sets', sets: readList(r, 1, () => (decodeFlag(r) ? r.blob() : undefined)) }),
    },
  },
  absorb: {
    tag: 14,
    isFenced: true,
    mayHaveLargeAnswer: false,
    request: {
      encode(w, m) {
        w.varint(m.ring)
          .u8(m.durable ? 1 : 0)
          .varint(m.entries.length);
        for (const { address, set } of m.entries) w.binary(address).blob(set);
      },
      decode: (r) => ({
        kind: 'absorb',
        ring: readRing(r),
        durable: decodeFlag(r),
        entries: readList(r, MIN_ADDRESS_BYTES, () => ({ address: readAddress(r), set: r.blob() })),
      }),
    },
    reply: {
      encode: (w, m) => w.varint(m.merged).varint(m.refused),
      decode: (r) => ({ kind: 'absorb', merged: r.varint(), refused: r.varint() }),
    },
  },
  exchange: {
    tag: 15,
    isFenced: true,
    mayHaveLargeAnswer: false,
    request: {
      encode: (w, m) => writeBucket(writeShare(w, m).text(m.peer), m.bucket),
      decode: (r) => ({
        kind: 'exchange',
        ...readShare(r),
        peer: must(parseNodeId(r.text(MAX_NAME_CHARS))),
        bucket: readOptionalBucket(r),
      }),
    },
    reply: {
      encode(w, m) {
        w.u8(EXCHANGE_OUTCOMES.indexOf(m.outcome)).varint(m.compared).varint(m.differing).varint(m.pulled);
        w.varint(m.pushed).varint(m.bytes).varint(m.elapsedMs).text(m.problem);
      },
      decode: decodeExchangeReply,
    },
  },
};

function readDigest(r: ByteReader): DigestsReply['entries'][number] {
  return { address: readAddress(r), digest: r.rawBinary(HASH_BYTES), sizeBytes: r.varint() };
}

function decodeExchangeReply(r: ByteReader): ExchangeReply {
  const outcome = EXCHANGE_OUTCOMES[r.u8()];
  if (outcome === undefined) throw new DecodeError('unknown outcome of an exchange');
  return {
    kind: 'exchange',
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

function writeBucket(w: ByteWriter, bucket: BucketName | undefined): void {
  writeOptional(w, bucket as string | undefined as BinaryString | undefined);
}
