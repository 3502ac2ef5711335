/**
 * The plain API of a router: any NATS client, any subject, any headers. An input is a verb, then texts and the payload, each
 * behind its length: what follows the verb in the subject, and pairs of header names and values. Whatever they are, there is one
 * answer; the router is asked for nothing that the gate has not allowed, in the bucket of the subject, and for nothing at all
 * where the answer is a refusal.
 */
import {
  ByteReader,
  ByteWriter,
  EMPTY_BYTES,
  ArmatureError,
  bytesEqual,
  utf8Decode,
  utf8Encode,
  type BucketName,
} from '@armature/kernel';
import type { BusEndpoint, BusHeaders, BusMessage, BusService } from '@armature/bus';
import type { Coordinator } from '@armature/coordination';
import type { FetchReply, WriteReply, WriteRequest } from '@armature/protocol';
import { bucketOfAddress, keyOfAddress, verifyAddress, type Address } from '@armature/ring';
import { silentLog } from '@armature/runtime';
import { seededRandom } from '@armature/kernel';
import {
  headersOfMeta,
  isRepeated,
  metaOfHeaders,
  operationOf,
  quorumOf,
  readHeaders,
  readRequest,
  servePlainApi,
  type Gate,
} from '@armature/server/decoders';
import { holds, type Target } from '../target.js';
import { attempt } from './outcomes.js';
import { LonelyBus, StillClock } from './speaker.js';
import { BUCKET, CLUSTER, NODES, SECRET } from './values.js';
import { denseList } from './dense.js';

const VERBS = ['get', 'put', 'delete'] as const;
const CONTEXT = Buffer.from('ab'.repeat(20), 'hex');
const RECEIPT = { coordinator: NODES[0], replicas: [{ node: NODES[0], role: 'primary', outcome: 'ok' }] } as const;
const SIBLINGS = [
  { value: utf8Encode('hello'), tombstone: false, at: 1_024, meta: [['größe', '1\n2']] as const },
  { value: utf8Encode('world'), tombstone: false, at: 2_048, meta: [] },
];
/** Headers that the API writes into an answer that is no refusal. */
const IS_ERROR = 'Armature-Error';

/** A service that keeps its endpoints, to be called by hand. */
class ServingBus extends LonelyBus {
  endpoints: readonly BusEndpoint[] = [];

  override serve(service?: BusService): never {
    this.endpoints = service?.endpoints ?? [];
    return { stop: () => Promise.resolve() } as never;
  }
}

export const plainApi: Target = {
  name: 'plain-api',
  what: 'the plain API: subjects, headers and payloads of any NATS client',
  covers: [
    ...['readRequest', 'readHeaders', 'metaOfHeaders', 'servePlainApi'].map((name) => `server/${name}`),
    ...[
      'protocol/parseQuorumWord',
      'kernel/fromBase64',
      'kernel/exactUtf8Decode',
      'versioning/parseOperationId',
      'ring/verifyAddress',
      'ring/parseAddress',
      'kernel/parseBucketName',
    ],
  ],
  words: [
    ...[
      'Armature-Bucket',
      'Armature-Key',
      'Armature-Key-Base64',
      'Armature-Context',
      'Armature-Timeout-Ms',
      'Armature-Token',
      'Armature-Sibling',
    ],
    ...[
      'Armature-R',
      'Armature-PR',
      'Armature-W',
      'Armature-PW',
      'Armature-DW',
      'Armature-Operation',
      'Armature-Repeated',
      'Armature-Meta-',
      'Content-Type',
    ],
    ...['quorum', 'all', 'default', 'payments', 'true', '00112233aabbccdd', 'armt1.AQ', '%C3%B6', '%0A', '.'],
  ],
  seeds: () => [
    requested(0, '.default.greeting', []),
    requested(
      1,
      '.payments.a.b.c',
      [
        ['Content-Type', 'text/plain'],
        ['Armature-Meta-gr%C3%B6%C3%9Fe', '1%0A2'],
        ['Armature-W', 'quorum'],
      ],
      'value',
    ),
    requested(
      1,
      '',
      [
        ['armature-bucket', 'default'],
        ['Armature-Key-Base64', 'AAH/'],
        ['Armature-Operation', '00112233aabbccdd'],
        ['Armature-Repeated', 'true'],
      ],
      'v',
    ),
    requested(2, '.default', [
      ['Armature-Key', 'greeting'],
      ['Armature-Context', CONTEXT.toString('base64url')],
      ['Armature-DW', '1'],
    ]),
    requested(0, '.default.x', [
      ['Armature-Sibling', '2'],
      ['Armature-Context', CONTEXT.toString('base64url')],
      ['Armature-R', 'all'],
      ['Armature-Timeout-Ms', '500'],
    ]),
    requested(2, '.default.x', [['Armature-Token', 'armt1.AQ']]),
  ],
  dense: (sizeBytes) => [
    requested(0, `.default.${'a'.repeat(sizeBytes - 64)}`, []),
    requested(0, '.'.repeat(sizeBytes - 64), []),
    Buffer.concat([
      Uint8Array.of(1),
      new ByteWriter().text('.default.k').copyOut(),
      denseList(sizeBytes - 32, EMPTY_BYTES, Uint8Array.of(1, 0x41, 1, 0x42)).subarray(3),
    ]),
    requested(1, '.default.k', [['Armature-Meta-a', '%41'.repeat(Math.floor(sizeBytes / 3) - 32)]]),
    requested(1, '.default.k', [['Armature-Context', 'A'.repeat(sizeBytes - 64)]]),
  ],
  ownBytesPerByte: 100,
  async run(input) {
    const message = messageIn(input);
    if (typeof message === 'string') return message;
    const { verb, root, request } = message;
    const read = attempt(() => readRequest(verb, root, request));
    const asked: { readonly address: Address; readonly write: WriteRequest | undefined }[] = [];
    const bus = new ServingBus();
    let allowed: { readonly bucket: BucketName; readonly right: string; readonly key: Uint8Array | undefined } | undefined;
    const gate = {
      authorize(bucket: BucketName, right: string, key: Uint8Array | undefined) {
        allowed = { bucket, right, key };
        return bucket === BUCKET ? undefined : new ArmatureError('forbidden', 'another bucket');
      },
    } as unknown as Gate;
    const coordinator = {
      fetch: ({ address }: { readonly address: Address }): Promise<FetchReply> => {
        asked.push({ address, write: undefined });
        return Promise.resolve({ kind: 'fetch', siblings: SIBLINGS, context: CONTEXT, receipt: RECEIPT });
      },
      write: (write: WriteRequest): Promise<WriteReply> => {
        asked.push({ address: write.address, write });
        return Promise.resolve({ kind: 'write', context: CONTEXT, receipt: RECEIPT });
      },
      isSameState: () => true,
    } as unknown as Coordinator;
    await servePlainApi({
      ...{ bus, clock: new StillClock(), random: seededRandom(1), log: silentLog, coordinator, gate },
      options: { prefix: 'armature', cluster: CLUSTER, secrets: [SECRET], seeds: [], gossipIntervalMs: 1_000 },
    });
    const endpoint = bus.endpoints.find(({ name }) => name === verb);
    endpoint?.handler(request);
    for (let turn = 0; turn < 12; turn++) await Promise.resolve();
    const [answer, ...more] = request.answers;
    holds(answer !== undefined && more.length === 0, `${request.answers.length} answers to one request`);
    const code = answer.get(IS_ERROR)?.[0];
    holds(code !== 'internal', `a bug of ours is answered: ${answer.get('Nats-Service-Error')?.[0]}`);
    for (const { address, write } of asked) checkAsked(verb, root, request, address, write, allowed);
    if (!read.taken) holds(asked.length === 0, 'a request that is refused is carried out all the same');
    return `${verb}: ${code ?? 'done'}${read.taken ? '' : `, ${read.refusal}`}`;
  },
};

/** What the router is asked for must be what the request says and the gate has allowed. */
function checkAsked(
  verb: (typeof VERBS)[number],
  root: string,
  request: Asked,
  address: Address,
  write: WriteRequest | undefined,
  allowed: { readonly bucket: BucketName; readonly right: string; readonly key: Uint8Array | undefined } | undefined,
): void {
  holds(verifyAddress(address).ok, 'a key that is no key is asked for');
  const bucket = bucketOfAddress(address);
  holds(
    allowed?.bucket === bucket && allowed.key !== undefined && bytesEqual(allowed.key, keyOfAddress(address)),
    'a key that the gate was not asked about',
  );
  holds(allowed.right === (verb === 'get' ? 'read' : 'write') && bucket === BUCKET, 'what the gate has refused is carried out');
  const inSubject = request.subject.slice(root.length).split('.')[1];
  holds(inSubject === undefined || inSubject === bucket, 'another bucket than that of the subject is asked for');
  holds(write === undefined || verb !== 'get', 'a get that writes');
  if (write === undefined) return;
  const headers = readHeaders(verb, request);
  const meta = metaOfHeaders(headers.meta);
  holds(JSON.stringify(meta) === JSON.stringify(write.meta), 'metadata that is written is not what was sent');
  const back = headersOfMeta(meta).map(([name, value]) => [name.replace(/^Armature-Meta-/, ''), value] as const);
  holds(
    JSON.stringify(metaOfHeaders(back.map(([name, value]) => [name.toLowerCase(), value]))) === JSON.stringify(meta),
    'metadata that is not read as it was written',
  );
  attempt(() => [operationOf(headers), isRepeated(headers), quorumOf(headers, 'W')]);
}

/** A message that keeps the headers of its answers. */
interface Asked extends BusMessage {
  readonly answers: BusHeaders[];
}

function messageIn(
  input: Uint8Array,
): { readonly verb: (typeof VERBS)[number]; readonly root: string; readonly request: Asked } | string {
  const parts = attempt(() => {
    const reader = new ByteReader(input);
    const verb = VERBS[reader.u8() % VERBS.length] as (typeof VERBS)[number];
    const tail = utf8Decode(reader.blob());
    const headers = new Map<string, readonly string[]>();
    for (let left = reader.count(2); left > 0; left--) {
      const [name, value] = [utf8Decode(reader.blob()), utf8Decode(reader.blob())];
      headers.set(name, [...(headers.get(name) ?? []), value]);
    }
    return { verb, tail, headers, payload: reader.rest() };
  });
  if (!parts.taken) return 'no request';
  const { verb, tail, headers, payload } = parts.value;
  const root = `armature.${CLUSTER}.api.${verb}`;
  const answers: BusHeaders[] = [];
  const respond: BusMessage['respond'] = (_payload, options) => {
    answers.push(options?.headers ?? new Map());
    return true;
  };
  // NATS delivers to these endpoints what begins with their subject and a dot.
  const subject = tail === '' || tail.startsWith('.') ? root + tail : `${root}.${tail}`;
  return { verb, root, request: { subject, payload, reply: '_INBOX.1', headers, status: undefined, respond, answers } };
}

function requested(verb: number, tail: string, headers: readonly (readonly [string, string])[], payload = ''): Uint8Array {
  const writer = new ByteWriter().u8(verb).text(tail).varint(headers.length);
  for (const [name, value] of headers) writer.text(name).text(value);
  return writer.raw(utf8Encode(payload)).copyOut();
}
