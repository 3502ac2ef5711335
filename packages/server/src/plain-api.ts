/**
 * The plain API: get, put and delete as ordinary NATS requests, for every language that has a NATS client and for the `nats`
 * command line. docs/protocol.md is its reference.
 *
 *   nats request armature.local.api.put.default.greeting 'hello'
 *   nats request armature.local.api.get.default.greeting ''
 *
 * Bucket and key stand in the subject, or in headers when they are not subject tokens. Contexts and quorums are headers, values are payloads. Routers
 * share the requests as one queue group.
 */
import {
  ArmatureError,
  EMPTY_BYTES,
  fromBase64,
  toArmatureError,
  toBase64Url,
  toHex,
  utf8Encode,
  type Random,
} from '@armature/kernel';
import {
  headerValue,
  headersOf,
  serviceErrorHeaders,
  type Bus,
  type BusEndpoint,
  type BusMessage,
  type RunningService,
} from '@armature/bus';
import { checkedAddress, type Coordinator } from '@armature/coordination';
import {
  RING_UNKNOWN,
  parseQuorumWord,
  subjectsOf,
  type FetchReply,
  type Meta,
  type QuorumWord,
  type WriteReply,
} from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import { statusOfError } from './plain-api-status.js';
import { SERVER_VERSION, type ServerOptions } from './server-options.js';

export interface PlainApiParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly coordinator: Coordinator;
  readonly options: ServerOptions;
}

/** NATS requests of the command line wait 5 s; an answer that says "timeout" must be there before. */
const DEFAULT_TIMEOUT_MS = 4_000;
const MAX_TIMEOUT_MS = 60_000;
const META_PREFIX = 'armature-meta-';
const SIBLINGS_TYPE = 'application/vnd.armature.siblings+json';

type Verb = 'get' | 'put' | 'delete';

export function servePlainApi(parts: PlainApiParts): Promise<RunningService> {
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

async function answer(parts: PlainApiParts, verb: Verb, root: string, message: BusMessage): Promise<void> {
  try {
    const address = addressOfMessage(root, message);
    const timeoutMs = timeoutOf(message);
    if (verb === 'get') {
      const options = { r: quorum(message, 'R'), pr: quorum(message, 'PR') };
      respondFetched(parts, message, await parts.coordinator.fetch({ kind: 'fetch', address, options }, timeoutMs));
    } else {
      respondWritten(message, await write(parts, verb === 'delete', address, message, timeoutMs));
    }
  } catch (thrown) {
    respondError(message, toArmatureError(thrown));
  }
}

function write(
  parts: PlainApiParts,
  tombstone: boolean,
  address: Address,
  message: BusMessage,
  timeoutMs: number,
): Promise<WriteReply> {
  return parts.coordinator.write(
    {
      kind: 'write',
      ring: RING_UNKNOWN,
      address,
      context: contextOf(message),
      operation: operationOf(message) ?? toHex(parts.random.bytes(8)),
      tombstone,
      value: tombstone ? EMPTY_BYTES : message.payload,
      meta: tombstone ? [] : metaOf(message),
      options: { w: quorum(message, 'W'), pw: quorum(message, 'PW'), dw: quorum(message, 'DW'), returnContext: true },
    },
    timeoutMs,
  );
}

function respondFetched(parts: PlainApiParts, message: BusMessage, reply: FetchReply): void {
  const live = reply.siblings.filter(({ tombstone }) => !tombstone);
  const context: Record<string, string> = reply.context.length === 0 ? {} : { 'Armature-Context': toBase64Url(reply.context) };
  const [only] = live;
  if (only === undefined) {
    const deleted: Record<string, string> = reply.siblings.length > 0 ? { 'Armature-Deleted': 'true' } : {};
    const headers = new Map([
      ...serviceErrorHeaders(404, 'not found'),
      ...headersOf({ 'Armature-Error': 'not-found', ...deleted, ...context }),
    ]);
    message.respond(EMPTY_BYTES, { headers });
    return;
  }
  const headers: Record<string, string> = { 'Armature-Siblings': String(live.length), ...context };
  if (live.length === 1) {
    for (const [name, value] of only.meta) headers[name === 'content-type' ? 'Content-Type' : `Armature-Meta-${name}`] = value;
    respondBounded(parts, message, only.value, headers);
    return;
  }
  const document = live.map((sibling) => ({
    value: Buffer.from(sibling.value).toString('base64'),
    timestamp: new Date(sibling.at / 1024).toISOString(),
    meta: Object.fromEntries(sibling.meta),
  }));
  respondBounded(parts, message, utf8Encode(JSON.stringify({ siblings: document })), {
    ...headers,
    'Content-Type': SIBLINGS_TYPE,
  });
}

function respondWritten(message: BusMessage, reply: WriteReply): void {
  const replicas = reply.receipt.replicas.map(({ node, role, outcome }) => `${node}=${role}:${outcome}`).join(',');
  message.respond(EMPTY_BYTES, {
    headers: headersOf({ 'Armature-Context': toBase64Url(reply.context), 'Armature-Replicas': replicas }),
  });
}

/** Plain messages are not split, so what a link can carry may be too much here. */
function respondBounded(parts: PlainApiParts, message: BusMessage, payload: Uint8Array, headers: Record<string, string>): void {
  const encoded = headersOf(headers);
  const headerBytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 16);
  if (payload.length + headerBytes <= parts.bus.maxPayloadBytes) message.respond(payload, { headers: encoded });
  else {
    const remedy = 'Read it with @armature/client, which splits large values, or raise max_payload of the NATS server.';
    respondError(
      message,
      new ArmatureError('too-large', `the answer of ${payload.length} bytes exceeds the bus's ${parts.bus.maxPayloadBytes}`, {
        remedy,
      }),
    );
  }
}

function respondError(message: BusMessage, error: ArmatureError): void {
  const headers = new Map([
    ...serviceErrorHeaders(statusOfError(error.code), error.message),
    ...headersOf({ 'Armature-Error': error.code, ...(error.remedy === undefined ? {} : { 'Armature-Remedy': error.remedy }) }),
  ]);
  message.respond(EMPTY_BYTES, { headers });
}

function addressOfMessage(root: string, message: BusMessage): Address {
  const tokens = message.subject.length > root.length ? message.subject.slice(root.length + 1).split('.') : [];
  const bucket = headerValue(message.headers, 'Armature-Bucket') ?? tokens.shift() ?? 'default';
  const address = checkedAddress(bucket, keyOf(message, tokens));
  if (!address.ok) throw address.error;
  return address.value;
}

/** The key's header, or what is left of the subject: dots in it are part of the key. */
function keyOf(message: BusMessage, tokens: readonly string[]): Uint8Array {
  const encoded = headerValue(message.headers, 'Armature-Key-Base64');
  if (encoded === undefined) return utf8Encode(headerValue(message.headers, 'Armature-Key') ?? tokens.join('.'));
  const key = fromBase64(encoded);
  if (key === undefined) throw invalid('Armature-Key-Base64 is not base64', 'Encode the key as base64 or base64url.');
  return key;
}

function contextOf(message: BusMessage): Uint8Array {
  const text = headerValue(message.headers, 'Armature-Context');
  if (text === undefined || text === '') return EMPTY_BYTES;
  const context = fromBase64(text);
  if (context !== undefined) return context;
  throw new ArmatureError('invalid-context', 'Armature-Context is not base64', {
    remedy: 'Send the header back exactly as a get returned it.',
  });
}

function operationOf(message: BusMessage): string | undefined {
  const text = headerValue(message.headers, 'Armature-Operation');
  if (text === undefined || /^[0-9a-f]{16}$/.test(text)) return text;
  throw invalid(
    'Armature-Operation is not an operation id',
    'Give 16 lower-case hex digits, random, the same for each repetition of one write.',
  );
}

function metaOf(message: BusMessage): Meta {
  const meta: [string, string][] = [];
  for (const [name, values] of message.headers ?? []) {
    const lower = name.toLowerCase();
    if (lower === 'content-type') meta.push(['content-type', values[0] ?? '']);
    else if (lower.startsWith(META_PREFIX)) meta.push([lower.slice(META_PREFIX.length), values[0] ?? '']);
  }
  return meta;
}

function quorum(message: BusMessage, name: 'R' | 'PR' | 'W' | 'PW' | 'DW'): QuorumWord {
  const text = headerValue(message.headers, `Armature-${name}`);
  if (text === undefined) return 'default';
  const word = parseQuorumWord(name.toLowerCase(), text);
  if (!word.ok) throw word.error;
  return word.value;
}

function timeoutOf(message: BusMessage): number {
  const text = headerValue(message.headers, 'Armature-Timeout-Ms');
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Math.min(Number(text), MAX_TIMEOUT_MS);
  throw invalid(`Armature-Timeout-Ms is ${JSON.stringify(text.slice(0, 40))}`, `Give milliseconds from 1 to ${MAX_TIMEOUT_MS}.`);
}

function invalid(message: string, remedy: string): ArmatureError {
  return new ArmatureError('invalid-argument', message, { remedy });
}
