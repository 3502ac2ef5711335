/**
 * Names that must not be mixed up are branded strings: free at run time, distinct to the compiler.
 *
 * The limits below are shared by every layer, so that a name that one accepts no other refuses. Names end up in NATS
 * subjects, metric labels, file names and terminal tables, hence the narrow alphabet; keys, which belong to
 * the user, are arbitrary bytes and never appear in any of those.
 */
import { ArmatureError } from './errors.js';
import { err, ok, type Result } from './result.js';
import { quoted } from './quoted.js';

declare const brand: unique symbol;
/** Brands compose: an address is a binary string is a string. */
export type Brand<T, B extends string> = T & { readonly [brand]: { readonly [K in B]: true } };

/** A node's name, chosen by its operator, unique in the cluster for as long as its membership history. */
export type NodeId = Brand<string, 'NodeId'>;
/** A cluster's name: the first thing two processes must agree on. */
export type ClusterName = Brand<string, 'ClusterName'>;
export type BucketName = Brand<string, 'BucketName'>;
/** A failure domain: a data centre, a rack, an availability zone. */
export type ZoneName = Brand<string, 'ZoneName'>;
/** Index of one of the Q equal (or, under strategy 1, unequal) arcs of the ring, counted clockwise from position 0. */
export type PartitionId = Brand<number, 'PartitionId'>;

/** Of every name, and so many bytes. */
export const MAX_NAME_CHARS = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
export const NAME_RULE = '1 to 64 ASCII letters, digits, "-" or "_", starting with a letter or digit';

/** Largest user key, in bytes. Riak and DynamoDB draw the line at 64 KiB and 2 KiB; the larger one costs us nothing. */
export const MAX_KEY_BYTES = 65_536;

/** Entries of a value's metadata. It is for headers, not for documents: what a value holds belongs into the value. */
export const MAX_META_ENTRIES = 64;

function parseName<B extends string>(kind: string, text: string): Result<Brand<string, B>, ArmatureError> {
  if (NAME.test(text)) return ok(text as Brand<string, B>);
  return err(
    new ArmatureError('invalid-argument', `${kind} ${quoted(text)} is not a valid name`, {
      remedy: `Use ${NAME_RULE}.`,
    }),
  );
}

export const parseNodeId = (text: string): Result<NodeId, ArmatureError> => parseName<'NodeId'>('node', text);
export const parseClusterName = (text: string): Result<ClusterName, ArmatureError> => parseName<'ClusterName'>('cluster', text);
export const parseBucketName = (text: string): Result<BucketName, ArmatureError> => parseName<'BucketName'>('bucket', text);
export const parseZoneName = (text: string): Result<ZoneName, ArmatureError> => parseName<'ZoneName'>('zone', text);
