/**
 * The messages of the link: all requests and all replies (`protocol/codec.ts`). What is taken must be encoded to the very bytes
 * that it came in, but for messages whose content is JSON, which people write with blanks: these must be encoded to something
 * that is encoded to itself.
 */
import { ByteReader, ByteWriter, EMPTY_BYTES, utf8Encode, type BinaryString } from '@armature/kernel';
import {
  NO_TRANSFERS,
  nothingHeldBack,
  protocolCodec,
  type CommandRecord,
  type Meta,
  type NodeStatus,
  type Receipt,
  type Reply,
  type Request,
  type WorkerStatus,
} from '@armature/protocol';
import { holds, type Target } from '../target.js';
import { denseJson, denseList } from './dense.js';
import { attempt, outcomeOf } from './outcomes.js';
import {
  ADDRESS,
  BUCKET,
  CHANGES,
  DIGEST,
  NODES,
  NOW_MS,
  OPERATION,
  OTHER_ADDRESS,
  OTHER_BUCKET,
  RECORDS,
  RING,
  SET,
  SHARE,
} from './values.js';

const CURSOR = ADDRESS as BinaryString;
const META: Meta = [
  ['content-type', 'text/plain'],
  ['größe', '1\n2'],
];
const CONTEXT = Buffer.from('01'.repeat(40), 'hex');
const RECEIPT: Receipt = {
  coordinator: NODES[0],
  replicas: [
    { node: NODES[0], role: 'primary', outcome: 'durable' },
    { node: NODES[1], role: 'fallback', outcome: 'storage-full' },
    { node: NODES[2], role: 'pending', outcome: 'waiting' },
  ],
};
const SIBLINGS = [
  { value: utf8Encode('hello'), tombstone: false, at: NOW_MS * 1024, meta: META },
  { value: EMPTY_BYTES, tombstone: true, at: 0, meta: [] },
];
const COUNTS = [
  { tenure: 'n1/0000000000000001', count: 3 },
  { tenure: 'n2/0000000000000001', count: 2 ** 40 },
];
const ENTRIES = [ADDRESS, OTHER_ADDRESS].map((address) => ({ address, digest: DIGEST }));
export const STATUS: NodeStatus = {
  ...{
    name: 'n1',
    role: 'node',
    version: '0.1.0',
    startedAtMs: NOW_MS,
    clusterId: 'c'.repeat(32),
    historyFingerprint: 'f'.repeat(32),
  },
  ...{
    historyRecords: 13,
    ring: RING,
    ready: false,
    notes: ['waits for its cluster'],
    suspects: [NODES[1]],
    pendingPartitions: 2,
  },
  transfers: {
    ...NO_TRANSFERS,
    active: [{ partition: SHARE.partition, from: NODES[1], records: 1, bytes: 2, comparedRecords: 3 }],
  },
  ...{ hintBytes: 5, stuckHints: [{ owner: NODES[2], count: 1, oldestMs: NOW_MS, keyHash: 'ab', reason: 'too-large: x' }] },
  storage: { engine: 'level', healthy: true, sizeBytes: 7 },
  ...{ actor: 'a'.repeat(16), clock: { offsetMs: -3.5, peers: 2 } },
};
export const HOLDINGS = {
  node: NODES[0],
  ring: RING,
  shares: [{ partition: SHARE.partition, n: 3, records: 10, bytes: 1_000, exact: true }],
};

export const COMMAND: CommandRecord = {
  ...{ id: OPERATION, firstMs: NOW_MS, lastMs: NOW_MS + 1, count: 2, at: 'node.n1' },
  ...{ author: 'ops', command: 'repair of bucket carts', outcome: 'unavailable' },
};
export const WORKER: WorkerStatus = {
  ...{
    name: 'w1',
    state: 'sweeping',
    sweeps: 1,
    progressPercent: 50,
    exchanges: 2,
    differing: 3,
    bytes: 4,
    failed: 5,
    skipped: 6,
    problem: 'x',
  },
  reaping: { passes: 1, candidates: 2, waiting: 3, reaped: 4, heldBack: 5, blocked: 6, problem: '' },
};

export const REQUESTS: readonly Request[] = [
  { kind: 'read', ring: RING, address: ADDRESS, standIn: true, outline: true },
  { kind: 'merge', ring: RING, address: ADDRESS, set: SET, durability: 'fsync', hintFor: NODES[1] },
  { kind: 'pull', ring: RING, start: CURSOR, end: CURSOR, bucket: BUCKET, limit: 100, limitBytes: 2 ** 22, withValues: true },
  { kind: 'fetch', address: ADDRESS, options: { r: 2, pr: 'quorum', outline: true } },
  {
    ...{
      kind: 'write',
      ring: RING,
      address: ADDRESS,
      context: CONTEXT,
      operation: OPERATION,
      tombstone: false,
      value: SET,
      meta: META,
    },
    options: { w: 'all', pw: 0, dw: 1, returnContext: true },
    repeated: true,
  },
  { kind: 'scan', bucket: OTHER_BUCKET, cursor: CURSOR, limit: 1_000, withValues: true },
  { kind: 'gossip', fingerprint: 'f'.repeat(32), records: RECORDS, clearings: COUNTS },
  { kind: 'gossip', fingerprint: '', records: [] },
  ...CHANGES.slice(0, 4).map((change): Request => ({ kind: 'propose', change, author: 'secret of root@host' })),
  ...([{ kind: 'status' }, { kind: 'holdings' }, { kind: 'ping' }, { kind: 'history' }, { kind: 'commands' }] as const),
  { kind: 'keep-command', command: COMMAND },
  { kind: 'worker', command: 'pause' },
  { kind: 'tree', ...SHARE, level: 2, indices: [0, 17, 255] },
  { kind: 'digests', ...SHARE, start: CURSOR, end: undefined, bucket: BUCKET, limit: 1_000 },
  { kind: 'sets', ring: RING, addresses: [ADDRESS, OTHER_ADDRESS] },
  { kind: 'absorb', ring: RING, durable: true, entries: [{ address: ADDRESS, set: SET }] },
  { kind: 'exchange', ...SHARE, peer: NODES[1], bucket: undefined },
  { kind: 'reap', ...SHARE, start: CURSOR, bucket: BUCKET },
  { kind: 'clear', ring: RING, entries: ENTRIES },
  { kind: 'note', ring: RING, counts: COUNTS },
  { kind: 'drop', ring: RING, entries: ENTRIES },
];

export const REPLIES: readonly Reply[] = [
  { kind: 'read', set: SET },
  { kind: 'read', set: undefined },
  { kind: 'read', set: SET, isOutline: true },
  { kind: 'merge', durable: true },
  { kind: 'pull', entries: [{ address: ADDRESS, set: SET }], next: CURSOR },
  { kind: 'fetch', siblings: SIBLINGS, context: CONTEXT, receipt: RECEIPT },
  { kind: 'write', context: CONTEXT, receipt: RECEIPT },
  { kind: 'scan', items: [{ address: ADDRESS, siblings: SIBLINGS }], next: CURSOR },
  { kind: 'gossip', fingerprint: 'f'.repeat(32), records: RECORDS, clearings: COUNTS },
  { kind: 'propose', record: RECORDS[0] as (typeof RECORDS)[0] },
  { kind: 'status', status: STATUS },
  { kind: 'holdings', holdings: HOLDINGS },
  { kind: 'history', records: RECORDS },
  { kind: 'commands', commands: [COMMAND] },
  { kind: 'keep-command' },
  { kind: 'worker', status: WORKER },
  { kind: 'ping' },
  { kind: 'tree', depth: 3, keys: 4_000, hashes: [DIGEST, DIGEST] },
  { kind: 'digests', entries: ENTRIES.map((entry) => ({ ...entry, sizeBytes: 300 })), next: CURSOR },
  { kind: 'sets', sets: [SET, undefined] },
  { kind: 'absorb', merged: 3, refused: 1 },
  {
    kind: 'exchange',
    outcome: 'failed',
    compared: 1,
    differing: 2,
    pulled: 3,
    pushed: 4,
    bytes: 5,
    elapsedMs: 6,
    problem: 'timeout: x',
  },
  {
    kind: 'reap',
    scanned: 1,
    candidates: 2,
    waiting: 3,
    reaped: 4,
    pruned: 5,
    heldBack: nothingHeldBack(),
    blocked: 'x',
    next: CURSOR,
  },
  { kind: 'clear', clearances: ['clear', 'unsettled'], counted: COUNTS[0] },
  { kind: 'note' },
  { kind: 'drop', dropped: [true, false] },
];

/** In these messages all or most is JSON. */
const DOCUMENTS: ReadonlySet<Request['kind']> = new Set([
  ...(['gossip', 'propose', 'status', 'holdings'] as const),
  ...(['history', 'commands', 'keep-command', 'worker'] as const),
]);

const WORDS = [
  '"records":',
  '"change":',
  '"kind":',
  '"at":',
  '"clearings":[',
  '{"tenure":"","count":0}',
  '"__proto__":{',
  '1e999',
];

export const requests: Target = {
  name: 'requests',
  what: 'the requests of the link: all messages that a process answers',
  covers: [
    ...['decodeRequest', 'decodeMeta', 'readAddress', 'readRing'],
    ...[
      'readShare',
      'readList',
      'readBound',
      'decodeFlag',
      'readBucket',
      'readOptional',
      'readOptionalBucket',
      'quorumWordFromByte',
      'parseCommandRecords',
      'readCommandRecord',
    ],
  ].map((name) => `protocol/${name}`),
  words: WORDS,
  seeds: () => REQUESTS.map((request) => written((w) => protocolCodec.encodeRequest(w, request))),
  dense: denseRequests,
  decode: (input) => protocolCodec.decodeRequest(new ByteReader(input)),
  run: (input) => roundTrip(input, protocolCodec.decodeRequest, protocolCodec.encodeRequest),
};

export const replies: Target = {
  name: 'replies',
  what: 'the replies of the link: all that a process is answered',
  covers: ['protocol/decodeReply', 'protocol/decodeSiblings', 'protocol/decodeReceipt'],
  words: WORDS,
  seeds: () => REPLIES.map((reply) => written((w) => protocolCodec.encodeReply(w, reply))),
  dense: denseReplies,
  decode: (input) => protocolCodec.decodeReply(new ByteReader(input)),
  run: (input) => roundTrip(input, protocolCodec.decodeReply, protocolCodec.encodeReply),
};

function roundTrip<M extends { readonly kind: Request['kind'] }>(
  input: Uint8Array,
  decode: (r: ByteReader) => M,
  encode: (w: ByteWriter, message: M) => void,
): string {
  const reader = new ByteReader(input);
  return outcomeOf(
    attempt(() => decode(reader)),
    (message) => {
      const bytes = written((w) => encode(w, message));
      const same = DOCUMENTS.has(message.kind) ? bytes : input.subarray(0, reader.offset);
      holds(Buffer.compare(bytes, same) === 0, `a ${message.kind} that is encoded to other bytes than it came in`);
      const again = written((w) => encode(w, decode(new ByteReader(bytes))));
      holds(Buffer.compare(again, bytes) === 0, `a ${message.kind} that is decoded to another one after it has been encoded`);
      return message.kind;
    },
  );
}

function written(write: (w: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.copyOut();
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const TAG = {
  fetch: 4,
  write: 5,
  scan: 6,
  gossip: 7,
  propose: 8,
  status: 9,
  pull: 3,
  tree: 11,
  digests: 12,
  sets: 13,
  absorb: 14,
} as const;
const MORE_TAGS = { holdings: 16, clear: 18, drop: 19, note: 20 } as const;
const LEAST_ADDRESS = Buffer.concat([bytes(18), Buffer.alloc(16), bytes(1, 0x61)]);

function denseRequests(sizeBytes: number): readonly Uint8Array[] {
  const write = written((w) => {
    w.u8(TAG.write)
      .varint(0)
      .raw(LEAST_ADDRESS)
      .blob(EMPTY_BYTES)
      .raw(bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
      .blob(EMPTY_BYTES);
  });
  return [
    denseList(sizeBytes, write, bytes(0, 0)),
    denseList(sizeBytes, bytes(TAG.tree, 0, 0, 0, 0), bytes(0)),
    denseList(sizeBytes, bytes(TAG.sets, 0), LEAST_ADDRESS),
    denseList(sizeBytes, bytes(TAG.absorb, 0, 0), Buffer.concat([LEAST_ADDRESS, bytes(0)])),
    denseList(sizeBytes, bytes(MORE_TAGS.clear, 0), Buffer.concat([LEAST_ADDRESS, Buffer.alloc(16)])),
    denseList(sizeBytes, bytes(MORE_TAGS.note, 0), bytes(0, 0)),
    ...[TAG.gossip, TAG.propose].flatMap((tag) => documents(sizeBytes, tag, tag === TAG.gossip ? 'records' : 'change')),
    written((w) => {
      w.u8(TAG.fetch)
        .blob(Buffer.alloc(sizeBytes - 16))
        .raw(bytes(0, 0, 0));
    }),
  ];
}

function denseReplies(sizeBytes: number): readonly Uint8Array[] {
  const sibling = bytes(0, 0, 0, 0);
  const replica = bytes(0, 0, 0);
  return [
    denseList(sizeBytes, bytes(TAG.pull), Buffer.concat([LEAST_ADDRESS, bytes(0)]), bytes(0)),
    denseList(sizeBytes, bytes(TAG.fetch), sibling, bytes(0, 0, 0)),
    denseList(sizeBytes, bytes(TAG.write, 0, 0), replica),
    denseList(sizeBytes, bytes(TAG.scan), Buffer.concat([LEAST_ADDRESS, bytes(4), sibling, sibling, sibling, sibling]), bytes(0)),
    denseList(sizeBytes, bytes(TAG.tree, 0, 0), Buffer.alloc(16)),
    denseList(sizeBytes, bytes(TAG.digests), Buffer.concat([LEAST_ADDRESS, Buffer.alloc(17)]), bytes(0)),
    denseList(sizeBytes, bytes(TAG.sets), bytes(0)),
    denseList(sizeBytes, bytes(TAG.sets), bytes(1, 0)),
    denseList(sizeBytes, bytes(MORE_TAGS.clear), bytes(0), bytes(0)),
    denseList(sizeBytes, bytes(MORE_TAGS.drop), bytes(1)),
    ...documents(sizeBytes, TAG.gossip, 'records'),
    ...documents(sizeBytes, TAG.status, 'notes'),
    ...documents(sizeBytes, MORE_TAGS.holdings, 'shares'),
  ];
}

function documents(sizeBytes: number, tag: number, field: string): readonly Uint8Array[] {
  return denseJson(sizeBytes - 8, field).map((text) => written((w) => void w.u8(tag).blob(text)));
}
