/**
 * How large a cluster may be described, and how large what it stores. Beyond these a record of the history, or a put, is refused
 * by every process alike.
 *
 * What is stored must always fit into one message, or it could be neither read nor repaired nor moved. Every replica may add to a
 * key while it cannot hear of the others, so the room of a message is divided: see `maxSetBytes` and decision 0009.
 */
import { LATEST_WALL_MS, hlcFromMs } from '@armature/kernel';
import { MAX_SUBJECT_CHARS } from '@armature/rights';

/** Largest Q: 2^16 partitions serve a few hundred nodes at 100+ partitions each; more only costs metadata. */
export const MAX_PARTITIONS = 65_536;
export const MAX_MEMBERS = 1_024;

/** Weights are ratios: four orders of magnitude lie between the smallest machine and the largest. */
export const MIN_WEIGHT = 0.01;
export const MAX_WEIGHT = 100;

/**
 * Of who gave a command: the subject of a token, which is a user and a host where somebody who holds the secret has made it for
 * himself.
 */
export const MAX_AUTHOR_CHARS = MAX_SUBJECT_CHARS;

/**
 * The latest time a record may take from a clock: the year 2200. Those that follow are stamped beyond it, one tick each (see
 * `History`).
 */
export const MAX_RECORD_AT = hlcFromMs(LATEST_WALL_MS);

const KIB = 1024;
const MIB = 1024 * KIB;

/** Largest message that two processes of a cluster exchange, in bytes. */
export const MAX_MESSAGE_BYTES = 128 * MIB;

/**
 * Largest JSON document of each kind, in bytes. A record with all partitions or all members takes half a MiB at most, a status as
 * much, and the records of 1,000 commands, too. A history of 64 MiB has some 300,000 records, six times as many as operators are
 * warned of; holdings name each partition for each N.
 */
export const MAX_DOCUMENT_BYTES = {
  ...{ gossip: 64 * MIB, holdings: 64 * MIB },
  ...{ propose: MIB, status: 4 * MIB, commands: 4 * MIB, command: 64 * KIB, worker: 64 * KIB },
} as const;

/**
 * What comes with values in a message, a version set or a version: clocks, contexts, receipts, and up to 8 KiB of metadata for
 * each version.
 */
const OVERHEAD_BYTES = 64 * KIB;

/**
 * Largest encoded version set that a put may leave in a bucket of `n` replicas, in bytes; 21 MiB for three. So n replicas that
 * cannot hear of one another make half a message together. The other half is for what the rule does not see: fallbacks that mint
 * beside the n owners, and key after key that is resolved on one side of a cut while it grows on the other.
 */
export function maxSetBytes(n: number, messageBytes = MAX_MESSAGE_BYTES): number {
  return Math.floor(messageBytes / 2 / n);
}

/**
 * Largest encoded version set that is sent, in bytes: a message less what comes with it. Puts cannot make a larger one of a key,
 * but what several sides of cuts made can be larger together, and so can what was written under other limits. Nobody sends such a
 * set: see `tooLargeToSend` for what is done with it.
 */
export function largestSetSentBytes(messageBytes = MAX_MESSAGE_BYTES): number {
  return messageBytes - Math.min(2 * OVERHEAD_BYTES, Math.floor(messageBytes / 8));
}

/**
 * Of several sets or values in one message, in bytes, where messages are not smaller: a page of a listing, say. A larger one is
 * in a message of its own.
 */
export function pageBytes(mostBytes: number, messageBytes = MAX_MESSAGE_BYTES): number {
  return Math.min(mostBytes, Math.floor(messageBytes / 4));
}

/** Largest message that an application without the secret may send, in bytes: the largest value, and what comes with it. */
export const MAX_FRONT_REQUEST_BYTES = 16 * MIB + 4 * OVERHEAD_BYTES;

/**
 * No bucket takes larger values, whatever its N: a node works at one value for some ms for each MiB, and does nothing else
 * meanwhile.
 */
export const MAX_VALUE_BYTES = 16 * MIB;

/**
 * Largest `maxValueBytes` of a bucket of `n` replicas: two values of that size fit into one set, so that two writers at once
 * never hinder one another.
 */
export function largestValueBytes(n: number): number {
  return Math.min(MAX_VALUE_BYTES, Math.floor(maxSetBytes(n) / 2) - OVERHEAD_BYTES);
}

/**
 * The rate that a connection is trusted to have at least, in bytes per second. A message is given the time that it takes at this
 * rate in addition to what an answer to a small one may take; a large set would never arrive over a slow connection otherwise,
 * however often it is sent.
 */
const SLOWEST_BYTES_PER_SECOND = MIB;

/** The time to grant to a message of that size beyond what a small one gets, in ms. */
export function transferTimeMs(sizeBytes: number): number {
  return (sizeBytes * 1_000) / SLOWEST_BYTES_PER_SECOND;
}
