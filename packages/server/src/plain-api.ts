/**
 * The plain API: get, put and delete as ordinary NATS requests, for every language that has a NATS client and for the `nats`
 * command line. docs/protocol.md is its reference.
 *
 *   nats request armature.local.api.put.default.greeting 'hello'
 *   nats request armature.local.api.get.default.greeting ''
 *
 * Bucket and key stand in the subject, or in headers when they are not subject tokens. Contexts, quorums and tokens are headers,
 * values are payloads. Routers share the requests as one queue group. What a request says is read in plain-request.ts, and what
 * is answered is made in plain-answer.ts.
 */
import { ArmatureError, EMPTY_BYTES, toArmatureError, toHex, type Random } from '@armature/kernel';
import type { Bus, BusEndpoint, BusMessage, RunningService } from '@armature/bus';
import type { Coordinator } from '@armature/coordination';
import { isTooLargeToSend, RING_UNKNOWN, subjectsOf, type FetchReply, type WriteReply } from '@armature/protocol';
import type { Clock, Logger } from '@armature/runtime';
import type { Gate } from './gate.js';
import { answerError, answerFetched, answerNotFound, answerOutline, answerWritten, liveOf } from './plain-answer.js';
import type { Verb } from './plain-headers.js';
import { metaOfHeaders } from './plain-meta.js';
import { PlainReads } from './plain-reads.js';
import { isRepeated, operationOf, quorumOf, readRequest, type PlainRequest } from './plain-request.js';
import { SERVER_VERSION, type ServerOptions } from './server-options.js';

export interface PlainApiParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly coordinator: Coordinator;
  readonly gate: Gate;
  readonly options: ServerOptions;
}

/** What its requests have in common. */
interface ServedParts extends PlainApiParts {
  readonly reads: PlainReads;
}

export function servePlainApi(given: PlainApiParts): Promise<RunningService> {
  const parts: ServedParts = { ...given, reads: new PlainReads(given.bus, given.clock) };
  const subjects = subjectsOf(parts.options.prefix, parts.options.cluster);
  const endpoints = (['get', 'put', 'delete'] as const).flatMap((verb): BusEndpoint[] => {
    const handler = (message: BusMessage): void => void answer(parts, verb, subjects.api(verb), message);
    return [
      { name: verb, subject: subjects.api(verb), queue: 'routers', handler },
      { name: `${verb}-by-subject`, subject: subjects.api(`${verb}.>`), queue: 'routers', handler },
    ];
  });
  return parts.bus.serve({
    name: 'armature-api',
    version: SERVER_VERSION,
    description: 'Get, put and delete as plain NATS requests.',
    metadata: { cluster: parts.options.cluster },
    endpoints,
  });
}

/** Never rejects: an answer that cannot be sent is logged, and its requester hears nothing. */
async function answer(parts: ServedParts, verb: Verb, root: string, message: BusMessage): Promise<void> {
  try {
    const request = readRequest(verb, root, message);
    const { bucket, key, token } = request;
    const refusal = parts.gate.authorize(bucket, verb === 'get' ? 'read' : 'write', key, token);
    if (refusal === undefined) await carryOut(parts, request, message);
    else answerError(message, refusal);
  } catch (thrown) {
    try {
      answerError(message, toArmatureError(thrown));
    } catch (unsent) {
      parts.log.warn({ err: toArmatureError(unsent) }, 'a plain request could not be answered');
    }
  }
}

async function carryOut(parts: ServedParts, request: PlainRequest, message: BusMessage): Promise<void> {
  switch (request.verb) {
    case 'get':
      await parts.reads.take(request.timeoutMs, (leftMs) => get(parts, { ...request, timeoutMs: leftMs }, message));
      return;
    case 'put':
      answerWritten(message, await write(parts, request, request.context, request.timeoutMs));
      return;
    case 'delete':
      await remove(parts, request, message);
  }
}

/** What is too large to be read is answered with its sizes and its context. Resolves with the bytes that were read. */
async function get(parts: ServedParts, request: PlainRequest, message: BusMessage): Promise<number> {
  const deadlineMs = parts.clock.monotonicMs() + request.timeoutMs;
  try {
    const reply = await readFrom(parts, request, request.timeoutMs);
    checkUnchanged(parts, request, reply);
    answerFetched(message, reply, request.sibling, parts.bus.maxPayloadBytes);
    return reply.siblings.reduce((sum, { value }) => sum + value.length, 0);
  } catch (thrown) {
    const error = toArmatureError(thrown);
    if (!isTooLargeToSend(error)) throw error;
    const leftMs = Math.max(1, deadlineMs - parts.clock.monotonicMs());
    answerOutline(message, await readFrom(parts, request, leftMs, true), error);
    return 0;
  }
}

/**
 * Deletes what the context has seen, or, without one, what is there now: a delete that has seen nothing would be a tombstone
 * beside the value, and delete nothing. A write that is concurrent with the delete survives it.
 */
async function remove(parts: PlainApiParts, request: PlainRequest, message: BusMessage): Promise<void> {
  if (request.context.length > 0) {
    answerWritten(message, await write(parts, request, request.context, request.timeoutMs));
    return;
  }
  const deadlineMs = parts.clock.monotonicMs() + request.timeoutMs;
  const found = await readFrom(parts, request, request.timeoutMs / 2, true).catch((thrown: unknown) => {
    throw withoutRead(toArmatureError(thrown));
  });
  const values = liveOf(found).length;
  if (values === 0) {
    answerNotFound(message, found);
    return;
  }
  const leftMs = Math.max(1, deadlineMs - parts.clock.monotonicMs());
  answerWritten(message, await write(parts, request, found.context, leftMs), values);
}

function readFrom(
  parts: PlainApiParts,
  { address, headers }: PlainRequest,
  timeoutMs: number,
  outline = false,
): Promise<FetchReply> {
  const options = { r: quorumOf(headers, 'R'), pr: quorumOf(headers, 'PR'), outline };
  return parts.coordinator.fetch({ kind: 'fetch', address, options }, timeoutMs);
}

function write(parts: PlainApiParts, request: PlainRequest, context: Uint8Array, timeoutMs: number): Promise<WriteReply> {
  const { verb, address, headers, payload } = request;
  const tombstone = verb === 'delete';
  return parts.coordinator.write(
    {
      kind: 'write',
      ring: RING_UNKNOWN,
      address,
      context,
      operation: operationOf(headers) ?? toHex(parts.random.bytes(8)),
      repeated: isRepeated(headers),
      tombstone,
      value: tombstone ? EMPTY_BYTES : payload,
      meta: metaOfHeaders(headers.meta),
      options: { w: quorumOf(headers, 'W'), pw: quorumOf(headers, 'PW'), dw: quorumOf(headers, 'DW'), returnContext: true },
    },
    timeoutMs,
  );
}

/**
 * Siblings that are fetched one by one must be those of one state: whoever puts with a context destroys what it covers, and must
 * have seen all of that. So a reader who names the context of its first answer is told when the key has changed since.
 */
function checkUnchanged(parts: PlainApiParts, { address, context }: PlainRequest, reply: FetchReply): void {
  if (context.length === 0 || reply.context.length === 0) return;
  if (parts.coordinator.isSameState(address, context, reply.context)) return;
  throw new ArmatureError('invalid-context', 'the key has changed since the get that returned this context', {
    remedy: 'Get the key without Armature-Sibling, and begin again with the siblings and the context of that answer.',
  });
}

function withoutRead(error: ArmatureError): ArmatureError {
  if (error.code !== 'unavailable' && error.code !== 'timeout') return error;
  return new ArmatureError('unavailable', `the key could not be read before the delete: ${error.message}`, {
    remedy: 'Nothing was deleted. Repeat later, or send the Armature-Context of an earlier get: then nothing is read.',
    cause: error,
    details: error.details,
  });
}
