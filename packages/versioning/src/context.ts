/**
 * The opaque context that a get hands to the user and a put takes back (4.1, 4.4): what the reader has seen, so that the
 * put supersedes just that.
 *
 * A context is a licence to destroy: a put drops every sibling that its context covers. Counters are easily guessed, so an
 * unprotected context with huge ones would delete data that its author never read, and leave a clock that swallows later
 * writes too. The context is therefore authenticated: an HMAC-SHA256, cut to 128 bits, under a key that only the cluster's
 * processes hold, over the contents and over what they are valid for, the cluster and the address of the key. It is
 * not encrypted: it holds actor ids, counters, a time and a node name, no user data.
 *
 *   format    u8, 1
 *   length    u32 little-endian, of the contents
 *   contents  clock, own event as a vector of one or none, timestamp (clock-codec.ts), name of the fastest replica (varint
 *             length, bytes; empty for none)
 *   mac       16 bytes
 *
 * What an error tells depends only on what the sender knows, the format and the length, and on whether the MAC holds. A MAC
 * that does not hold is one answer whatever the reason, and nothing is parsed before it, so there is no oracle to ask.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  ArmatureError,
  ByteReader,
  ByteWriter,
  DecodeError,
  assert,
  asBuffer,
  concatBytes,
  err,
  fromBase64,
  ok,
  parseNodeId,
  toBase64Url,
  type BinaryString,
  type ClusterName,
  type NodeId,
  type Result,
} from '@armature/kernel';
import { readHlc, readVersionVector, writeHlc, writeVersionVector } from './clock-codec.js';
import { MAX_CONTEXT_ENTRIES, type CausalContext } from './version-set.js';
import { partOfVector, versionVector } from './version-vector.js';

/** The cluster's key for contexts: a function, not bytes, so that logging or serialising it shows nothing. */
export interface ContextKey {
  /** The first 16 bytes of the HMAC-SHA256 of `message`. */
  readonly mac: (message: Uint8Array) => Uint8Array;
}

export interface ContextContents extends CausalContext {
  /** The replica that answered the read fastest; it is to coordinate the write that follows (5). */
  readonly fastest: NodeId | undefined;
}

/** What a context is valid for. */
export interface ContextBinding {
  readonly cluster: ClusterName;
  /** Bucket and key, in whatever form identifies them in the cluster. */
  readonly address: BinaryString;
}

/** Longest context accepted: 1,024 entries of at most 16 bytes take half of it. */
export const MAX_CONTEXT_BYTES = 32 * 1024;

const FORMAT = 1;
const HEADER_BYTES = 1 + 4;
const MAC_BYTES = 16;
const KEY_PURPOSE = 'armature context 1';

/** The key from the cluster's secret. Other uses of the secret, and other clusters with the same secret, get unrelated keys. */
export function deriveContextKey(secret: Uint8Array | string, cluster: ClusterName): ContextKey {
  assert(secret.length > 0, 'a cluster has a secret');
  const key = createHmac('sha256', secret).update(`${KEY_PURPOSE}\0${cluster}`).digest();
  // A Buffer as the key, because a KeyObject nearly doubles the time of an HMAC this short.
  return { mac: (message) => createHmac('sha256', key).update(message).digest().subarray(0, MAC_BYTES) };
}

/**
 * The bytes for the user. Of a clock with more than `MAX_CONTEXT_ENTRIES` actors only so many are named, whichever they are:
 * `contextOf` and `contextAfter` know which of them matter, and return clocks that are no longer than that.
 */
export function sealContext(contents: ContextContents, key: ContextKey, binding: ContextBinding): Uint8Array {
  const writer = bindingWriter(binding);
  const start = writer.length;
  writer.u8(FORMAT).u32(0);
  writeVersionVector(writer, partOfVector(contents.clock, MAX_CONTEXT_ENTRIES, []));
  writeVersionVector(writer, versionVector(contents.own === undefined ? [] : [contents.own]));
  writeHlc(writer, contents.at);
  writer.text(contents.fastest ?? '');
  writer.patchU32(start + 1, writer.length - start - HEADER_BYTES);
  const signed = writer.finish();
  return concatBytes([signed.subarray(start), key.mac(signed)]);
}

/** The contents of an authentic context for this key. Error: `invalid-context`. */
export function openContext(bytes: Uint8Array, key: ContextKey, binding: ContextBinding): Result<ContextContents, ArmatureError> {
  if (bytes.length > MAX_CONTEXT_BYTES) {
    return refuse(
      `context of ${bytes.length} bytes exceeds ${MAX_CONTEXT_BYTES}`,
      'Pass only the context that the get returned.',
    );
  }
  const framing = checkFraming(bytes);
  if (!framing.ok) return framing;

  const signed = bindingWriter(binding).raw(bytes.subarray(0, -MAC_BYTES)).finish();
  if (!timingSafeEqual(key.mac(signed), bytes.subarray(-MAC_BYTES))) {
    return refuse(
      'context was not issued by this cluster for this key, or was altered',
      'Get the key, and put with the context of that get.',
    );
  }
  try {
    return ok(readContents(new ByteReader(bytes.subarray(HEADER_BYTES, -MAC_BYTES))));
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    // Authentic, so written by a process with the cluster's key that disagrees with us about the format.
    return refuse(`context cannot be read: ${thrown.message}`, 'Bring all processes of the cluster to one version.');
  }
}

/** For URLs, headers and JSON: base64url without padding. */
export function contextToText(bytes: Uint8Array): string {
  return toBase64Url(bytes);
}

/** Bytes of the text form, not yet authenticated. Error: `invalid-context`. */
export function contextFromText(text: string): Result<Uint8Array, ArmatureError> {
  const bytes = text.length <= MAX_CONTEXT_BYTES * 2 ? fromBase64(text) : undefined;
  if (bytes !== undefined) return ok(bytes);
  return refuse('context is not base64url, or is too long', 'Pass the context text exactly as the get returned it.');
}

/** Format and length: facts that the sender can see for itself. */
function checkFraming(bytes: Uint8Array): Result<void, ArmatureError> {
  const format = bytes[0];
  if (format !== undefined && format !== FORMAT) {
    return refuse(
      `context of unsupported format ${format}`,
      'Get the key again, from a process of the same version as the one you put through.',
    );
  }
  const declaredBytes = bytes.length < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + asBuffer(bytes).readUInt32LE(1);
  const expectedBytes = declaredBytes + MAC_BYTES;
  if (bytes.length < expectedBytes) {
    return refuse(
      `context is truncated: ${bytes.length} bytes, expected ${expectedBytes}`,
      'Check what carries it: a header, cookie or column may be too short.',
    );
  }
  if (bytes.length > expectedBytes) {
    return refuse(
      `context has ${bytes.length - expectedBytes} bytes too many`,
      'Pass the context exactly as the get returned it.',
    );
  }
  return ok(undefined);
}

function readContents(reader: ByteReader): ContextContents {
  const clock = readVersionVector(reader);
  if (clock.length > MAX_CONTEXT_ENTRIES) throw new DecodeError(`${clock.length} actors`);
  const [own, ...more] = readVersionVector(reader);
  if (more.length > 0) throw new DecodeError('more than one own event');
  const at = readHlc(reader);
  const name = reader.text();
  reader.end();
  const seen = own === undefined ? { clock, at } : { clock, own, at };
  if (name === '') return { ...seen, fastest: undefined };
  const fastest = parseNodeId(name);
  if (!fastest.ok) throw new DecodeError('malformed node name');
  return { ...seen, fastest: fastest.value };
}

/** What the MAC covers begins with what the context is valid for, each part with its length so that none can pass for another. */
function bindingWriter(binding: ContextBinding): ByteWriter {
  return new ByteWriter().text(binding.cluster).binary(binding.address);
}

function refuse(message: string, remedy: string): { readonly ok: false; readonly error: ArmatureError } {
  return err(new ArmatureError('invalid-context', message, { remedy }));
}
