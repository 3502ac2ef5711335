/**
 * The answers of the plain API: values as payloads, all else as headers; errors as service errors that any NATS client
 * understands.
 */
import { ArmatureError, EMPTY_BYTES, toBase64Url, utf8Encode } from '@armature/kernel';
import { encodedHeadersBytes, headersOf, serviceErrorHeaders, type BusHeaders, type BusMessage } from '@armature/bus';
import type { FetchReply, FetchedSibling, WriteReply } from '@armature/protocol';
import { outlinedBytes } from '@armature/versioning';
import { invalid, statusOfError } from './plain-errors.js';
import { headersOfMeta } from './plain-meta.js';

const SIBLINGS_TYPE = 'application/vnd.armature.siblings+json';

/** What readers are shown of a key: its concurrent values, without the tombstones among them. */
export function liveOf({ siblings }: FetchReply): readonly FetchedSibling[] {
  return siblings.filter(({ tombstone }) => !tombstone);
}

/**
 * One value as it is, several as a document, or the one that was asked for. What does not fit into a message of the bus (a plain
 * message is not split) is answered with the context all the same, or nobody could replace or delete the key through this door.
 */
export function answerFetched(
  message: BusMessage,
  reply: FetchReply,
  sibling: number | undefined,
  maxPayloadBytes: number,
): void {
  const live = liveOf(reply);
  if (live.length === 0) {
    answerNotFound(message, reply);
    return;
  }
  if (sibling !== undefined && sibling > live.length) {
    throw invalid(
      `the key has ${live.length} concurrent values, there is no number ${sibling}`,
      'Get the key without Armature-Sibling.',
    );
  }
  const only = live.length === 1 ? live[0] : live[(sibling ?? 0) - 1];
  const headers = headersOf({
    'Armature-Siblings': String(live.length),
    ...contextHeader(reply.context),
    ...(only === undefined ? { 'Content-Type': SIBLINGS_TYPE } : Object.fromEntries(headersOfMeta(only.meta))),
  });
  const payload = only === undefined ? documentOf(live) : only.value;
  const sizeBytes = payload.length + encodedHeadersBytes(headers);
  if (sizeBytes <= maxPayloadBytes) message.respond(payload, { headers });
  else answerTooLarge(message, reply, sizeBytes, maxPayloadBytes);
}

export function answerNotFound(message: BusMessage, { siblings, context }: FetchReply): void {
  const deleted = siblings.length > 0 ? { 'Armature-Deleted': 'true' } : {};
  const error = headersOf({ 'Armature-Error': 'not-found', ...deleted, ...contextHeader(context) });
  message.respond(EMPTY_BYTES, { headers: new Map([...serviceErrorHeaders(404, 'not found'), ...error]) });
}

/** `deleted`: how many concurrent values a delete has read and deleted, where it has read. */
export function answerWritten(message: BusMessage, reply: WriteReply, deleted?: number): void {
  const replicas = reply.receipt.replicas.map(({ node, role, outcome }) => `${node}=${role}:${outcome}`).join(',');
  const headers = headersOf({
    ...contextHeader(reply.context),
    'Armature-Replicas': replicas,
    ...(deleted === undefined ? {} : { 'Armature-Siblings': String(deleted) }),
  });
  message.respond(EMPTY_BYTES, { headers });
}

export function answerError(message: BusMessage, error: ArmatureError, more: Readonly<Record<string, string>> = {}): void {
  message.respond(EMPTY_BYTES, { headers: errorHeaders(error, more) });
}

function errorHeaders(error: ArmatureError, more: Readonly<Record<string, string>>): BusHeaders {
  const remedy = error.remedy === undefined ? {} : { 'Armature-Remedy': error.remedy };
  return new Map([
    ...serviceErrorHeaders(statusOfError(error.code), error.message),
    ...headersOf({ 'Armature-Error': error.code, ...remedy, ...more }),
  ]);
}

function answerTooLarge(message: BusMessage, reply: FetchReply, sizeBytes: number, maxPayloadBytes: number): void {
  const sizes = liveOf(reply).map(({ value }) => value.length);
  const one = 'Read the value with @armature/client, which splits large ones, or raise max_payload of the NATS server.';
  const many = `Get one at a time, with Armature-Sibling: 1 to ${sizes.length} and this Armature-Context. A value that is too large by itself is read with @armature/client.`;
  const replace = 'A put or delete with this context replaces what is there.';
  const remedy = `${sizes.length === 1 ? one : many} ${replace}`;
  const error = new ArmatureError(
    'too-large',
    `the answer of ${sizeBytes} bytes exceeds the bus's max_payload of ${maxPayloadBytes}`,
    { remedy },
  );
  answerError(message, error, sizesHeaders(reply, sizes));
}

/** Of what is too large to be read at all: no value of it can be fetched by itself. */
export function answerOutline(message: BusMessage, outline: FetchReply, error: ArmatureError): void {
  const sizes = liveOf(outline).map(outlinedBytes);
  if (sizes.length === 0) answerNotFound(message, outline);
  else answerError(message, error, sizesHeaders(outline, sizes));
}

/** Sizes named in a header, of which a key may have thousands. */
const MAX_SIZES = 100;

function sizesHeaders({ context }: FetchReply, sizes: readonly number[]): Record<string, string> {
  return {
    ...contextHeader(context),
    'Armature-Siblings': String(sizes.length),
    'Armature-Sibling-Sizes': sizes.slice(0, MAX_SIZES).join(','),
  };
}

function documentOf(live: readonly FetchedSibling[]): Uint8Array {
  const siblings = live.map(({ value, at, meta }) => ({
    value: Buffer.from(value).toString('base64'),
    timestamp: new Date(at / 1024).toISOString(),
    meta: Object.fromEntries(meta),
  }));
  return utf8Encode(JSON.stringify({ siblings }));
}

function contextHeader(context: Uint8Array): Record<string, string> {
  return context.length === 0 ? {} : { 'Armature-Context': toBase64Url(context) };
}
