/** What a plain request says, out of its subject and its headers: all that comes from outside is checked here. */
import {
  ArmatureError,
  bytesEqual,
  EMPTY_BYTES,
  exactUtf8Encode,
  fromBase64,
  quoted,
  REPLACEMENT,
  unwrap,
  type BucketName,
} from '@armature/kernel';
import type { BusMessage } from '@armature/bus';
import { checkedAddress } from '@armature/coordination';
import { parseQuorumWord, type QuorumWord } from '@armature/protocol';
import { bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';
import { tokenFromText } from '@armature/rights';
import { readHeaders, type RequestHeader, type RequestHeaders, type Verb } from './plain-headers.js';
import { invalid } from './plain-errors.js';

export interface PlainRequest {
  readonly verb: Verb;
  readonly bucket: BucketName;
  readonly key: Uint8Array;
  readonly address: Address;
  /** As it was sent, not yet verified; undefined where there is none. */
  readonly token: Uint8Array | undefined;
  readonly headers: RequestHeaders;
  readonly payload: Uint8Array;
  readonly timeoutMs: number;
  /** Sealed; empty where there is none. */
  readonly context: Uint8Array;
  /** get: which of several concurrent values is asked for, counted from 1. */
  readonly sibling: number | undefined;
}

/** NATS requests of the command line wait 5 s; an answer that says "timeout" must be there before. */
const DEFAULT_TIMEOUT_MS = 4_000;
const MAX_TIMEOUT_MS = 60_000;

/** What is sent with a get or a delete says nothing, and is kept for as long as that waits for its turn. */
const MAX_IDLE_PAYLOAD_BYTES = 1024;

/** `root` is the verb's subject without bucket and key. */
export function readRequest(verb: Verb, root: string, message: BusMessage): PlainRequest {
  if (verb !== 'put' && message.payload.length > MAX_IDLE_PAYLOAD_BYTES)
    throw invalid(`a ${verb} takes no payload, and this one has ${message.payload.length} bytes`, 'Send an empty message.');
  const headers = readHeaders(verb, message);
  const address = addressOf(root, message.subject, headers);
  const request = {
    verb,
    bucket: bucketOfAddress(address),
    key: keyOfAddress(address),
    address,
    token: tokenOf(headers),
    headers,
    payload: message.payload,
    timeoutMs: timeoutOf(headers),
    context: contextOf(headers),
    sibling: siblingOf(headers),
  };
  if (verb === 'get' && request.context.length > 0 && request.sibling === undefined)
    throw invalid(
      'a get takes Armature-Context only together with Armature-Sibling',
      'Leave it out, or say which sibling to get.',
    );
  return request;
}

export function quorumOf(headers: RequestHeaders, name: 'R' | 'PR' | 'W' | 'PW' | 'DW'): QuorumWord {
  const text = headers.get(`Armature-${name}`);
  return text === undefined ? 'default' : unwrap(parseQuorumWord(name.toLowerCase(), text));
}

/** The writer's own operation id, if it gave one. */
export function operationOf(headers: RequestHeaders): string | undefined {
  const text = headers.get('Armature-Operation');
  if (text === undefined || /^[0-9a-f]{16}$/.test(text)) return text;
  throw invalid(
    'Armature-Operation is not an operation id',
    'Give 16 lower-case hex digits, random, the same for each repetition of one write.',
  );
}

/** Whether the writer says that an earlier attempt at this write may have been carried out. */
export function isRepeated(headers: RequestHeaders): boolean {
  const text = headers.get('Armature-Repeated');
  if (text === undefined) return false;
  if (headers.get('Armature-Operation') === undefined)
    throw invalid('Armature-Repeated without Armature-Operation', 'Send the Armature-Operation of the earlier attempt, too.');
  if (text === 'true' || text === 'false') return text === 'true';
  throw invalid(`Armature-Repeated is ${quoted(text)}`, 'Give true or false.');
}

/**
 * Bucket and key, from the subject or else from headers. The server of the bus checks who may use which subject, so what stands
 * there cannot be taken back by a header.
 */
function addressOf(root: string, subject: string, headers: RequestHeaders): Address {
  const [bucketToken, ...tokens] = subject.length > root.length ? subject.slice(root.length + 1).split('.') : [];
  const bucketHeader = headers.get('Armature-Bucket');
  if (bucketToken !== undefined && bucketHeader !== undefined && bucketToken !== bucketHeader) throw contradiction('bucket');
  const inSubject = tokens.length === 0 ? undefined : bytesOf(tokens.join('.'), 'the key in the subject');
  const inHeader = keyHeader(headers);
  if (inSubject !== undefined && inHeader !== undefined && !bytesEqual(inSubject, inHeader)) throw contradiction('key');
  return unwrap(checkedAddress(bucketToken ?? bucketHeader ?? 'default', inSubject ?? inHeader ?? EMPTY_BYTES));
}

function keyHeader(headers: RequestHeaders): Uint8Array | undefined {
  const text = headers.get('Armature-Key');
  const encoded = headers.get('Armature-Key-Base64');
  if (text !== undefined && encoded !== undefined)
    throw invalid('there are both Armature-Key and Armature-Key-Base64', 'Give one of them.');
  if (encoded === undefined) return text === undefined ? undefined : bytesOf(text, 'Armature-Key');
  return fromHeader(encoded, 'Armature-Key-Base64', (message) => invalid(message, 'Encode the key as base64 or base64url.'));
}

/** The client library of the bus puts U+FFFD in the place of what is no UTF-8: then it cannot be known which key was meant. */
function bytesOf(text: string, what: string): Uint8Array {
  const bytes = text.includes(REPLACEMENT) ? undefined : exactUtf8Encode(text);
  if (bytes !== undefined) return bytes;
  throw invalid(`${what} is not UTF-8, or has U+FFFD in it`, 'Give such a key as base64, in the header Armature-Key-Base64.');
}

function contextOf(headers: RequestHeaders): Uint8Array {
  const text = headers.get('Armature-Context');
  if (text === undefined || text === '') return EMPTY_BYTES;
  const remedy = 'Send the header back exactly as a get returned it.';
  return fromHeader(text, 'Armature-Context', (message) => new ArmatureError('invalid-context', message, { remedy }));
}

function fromHeader(text: string, name: RequestHeader, error: (message: string) => ArmatureError): Uint8Array {
  const bytes = fromBase64(text);
  if (bytes === undefined) throw error(`${name} is not base64`);
  return bytes;
}

function tokenOf(headers: RequestHeaders): Uint8Array | undefined {
  const text = headers.get('Armature-Token');
  return text === undefined ? undefined : unwrap(tokenFromText(text));
}

function siblingOf(headers: RequestHeaders): number | undefined {
  const text = headers.get('Armature-Sibling');
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw invalid(`Armature-Sibling is ${quoted(text)}`, 'Give the number of a concurrent value, counted from 1.');
}

function timeoutOf(headers: RequestHeaders): number {
  const text = headers.get('Armature-Timeout-Ms');
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Math.min(Number(text), MAX_TIMEOUT_MS);
  throw invalid(`Armature-Timeout-Ms is ${quoted(text)}`, `Give milliseconds from 1 to ${MAX_TIMEOUT_MS}.`);
}

function contradiction(what: 'bucket' | 'key'): ArmatureError {
  return invalid(
    `the subject names one ${what} and a header another`,
    'Name it once: in the subject, or, with a subject that ends before it, in a header.',
  );
}
