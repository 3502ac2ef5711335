/** Every message there can be, for property tests: built from the types, so that a new field fails to compile here first. */
import {
  ERROR_CODES,
  hlcFromMs,
  toBinaryString,
  type BinaryString,
  type BucketName,
  type ClusterName,
  type ErrorCode,
  type Hlc,
  type NodeId,
  type PartitionId,
  type ZoneName,
  isPlainName,
} from '@armature/kernel';
import { MAX_GENERATION } from '@armature/rights';
import type { Address } from '@armature/ring';
import * as fc from 'fast-check';
import type { BucketProperties } from './bucket.js';
import type { Change, ChangeRecord, MemberSettings } from './change.js';
import { MAX_COMMAND_CHARS, type CommandRecord } from './command-record.js';
import type { Holdings } from './holdings.js';
import { MAX_PARTITIONS, largestValueBytes } from './limits.js';
import type { FetchedSibling, Meta, NodeStatus, Reply, Request, RingVersion } from './messages.js';
import { MAX_N, type QuorumWord } from './quorum-word.js';
import { CLEARANCES, HOLD_REASONS, type HoldReason } from './reaping.js';
import type { Receipt } from './receipt.js';
import { EXCHANGE_OUTCOMES, HASH_BYTES } from './synchronisation.js';
import type { TransferStatus } from './transfers.js';
import { WORKER_COMMANDS, WORKER_STATES, type WorkerStatus } from './worker-status.js';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
export const nodeId = name as fc.Arbitrary<NodeId>;
const bucketName = name as fc.Arbitrary<BucketName>;
const hexOf = (length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const bytes = fc.uint8Array({ maxLength: 64 });
const binary = bytes.map((one) => toBinaryString(one));
const text = fc.string({ unit: 'binary', maxLength: 20 });
const ring = fc.integer({ min: 0, max: 2 ** 48 - 1 }) as fc.Arbitrary<RingVersion>;
const count = fc.maxSafeNat();
/** Only the framing is the codec's concern, so any position goes with any bucket and key. */
const address = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), name, binary)
  .map(([position, bucket, key]) => (toBinaryString(position) + String.fromCharCode(bucket.length) + bucket + key) as Address);
const optionalBinary: fc.Arbitrary<BinaryString | undefined> = fc.option(binary, { nil: undefined });

export const quorumWord: fc.Arbitrary<QuorumWord> = fc.oneof(
  fc.constantFrom('default', 'one', 'quorum', 'all'),
  fc.integer({ min: 0, max: MAX_N }),
);

const meta: fc.Arbitrary<Meta> = fc.array(fc.tuple(text, text), { maxLength: 4 });
const sibling: fc.Arbitrary<FetchedSibling> = fc.record({ value: bytes, tombstone: fc.boolean(), at: count, meta });
const siblings = fc.array(sibling, { maxLength: 4 });

const receipt: fc.Arbitrary<Receipt> = fc.record({
  coordinator: nodeId,
  replicas: fc.array(
    fc.record({
      node: nodeId,
      role: fc.constantFrom('primary', 'pending', 'fallback'),
      outcome: fc.constantFrom('ok', 'durable', 'waiting', ...(Object.keys(ERROR_CODES) as ErrorCode[])),
    }),
    { maxLength: 5 },
  ),
});

export const bucketProperties: fc.Arbitrary<BucketProperties> = fc.integer({ min: 1, max: MAX_N }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    r: fc.integer({ min: 1, max: n }),
    w: fc.integer({ min: 1, max: n }),
    pr: fc.integer({ min: 0, max: n }),
    pw: fc.integer({ min: 0, max: n }),
    dw: fc.integer({ min: 0, max: n }),
    resolver: fc.constantFrom('siblings', 'last-write-wins'),
    durability: fc.constantFrom('fsync', 'os', 'memory', 'buffered'),
    maxValueBytes: fc.integer({ min: 1, max: largestValueBytes(n) }),
    maxSiblings: fc.integer({ min: 1, max: 10_000 }),
  }),
);

const weight = fc.double({ min: 0.01, max: 100, noNaN: true });
const zone = name as fc.Arbitrary<ZoneName>;
const member: fc.Arbitrary<MemberSettings> = fc.record({ node: nodeId, weight, zone });

export const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant('create'),
    clusterId: hexOf(32),
    cluster: name as fc.Arbitrary<ClusterName>,
    strategy: fc.constantFrom(2, 3),
    partitionCount: fc.integer({ min: 0, max: 16 }).map((exponent) => 2 ** exponent),
    targetN: fc.integer({ min: 1, max: MAX_N }),
    members: fc.uniqueArray(member, { selector: (one) => one.node, minLength: 1, maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant('join'), node: nodeId, weight, zone }),
  fc.record({ kind: fc.constantFrom('leave', 'left', 'remove'), node: nodeId }),
  fc.record({ kind: fc.constant('replace'), node: nodeId, by: member, dead: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('actor', 'lost'), node: nodeId, actor: hexOf(16) }),
  fc.record({
    kind: fc.constant('access'),
    tokens: fc.constantFrom('optional', 'required'),
    revision: fc.nat({ max: MAX_GENERATION }),
    generation: fc.nat({ max: MAX_GENERATION }),
  }),
  fc.record({ kind: fc.constant('weight'), node: nodeId, weight }),
  fc.record({ kind: fc.constant('zone'), node: nodeId, zone }),
  fc.record({ kind: fc.constant('bucket'), bucket: bucketName, properties: bucketProperties }),
  fc.record({
    kind: fc.constant('ready'),
    node: nodeId,
    change: hexOf(16),
    partitions: fc.array(fc.integer({ min: 0, max: MAX_PARTITIONS - 1 }), { maxLength: 20 }),
  }),
);

const author = fc.string({ minLength: 1, maxLength: 128 }).filter((text) => isPlainName(text, 128));

export const changeRecord: fc.Arbitrary<ChangeRecord> = fc.record({
  id: hexOf(16),
  at: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) as fc.Arbitrary<Hlc>,
  by: nodeId,
  author,
  change,
});

const partition = fc.nat(MAX_PARTITIONS - 1) as fc.Arbitrary<PartitionId>;

const transfers: fc.Arbitrary<TransferStatus> = fc.record({
  pendingPartitions: count,
  filledPartitions: count,
  records: count,
  bytes: count,
  bytesPerSecond: count,
  active: fc.array(fc.record({ partition, from: nodeId, records: count, bytes: count, comparedRecords: count }), {
    maxLength: 3,
  }),
  strayPartitions: count,
  clear: fc.boolean(),
  relinquishedRecords: count,
  lastProblem: text,
});

const holdings: fc.Arbitrary<Holdings> = fc.record({
  node: nodeId,
  ring,
  shares: fc.array(
    fc.record({ partition, n: fc.integer({ min: 1, max: MAX_N }), records: count, bytes: count, exact: fc.boolean() }),
    { maxLength: 3 },
  ),
});

const status: fc.Arbitrary<NodeStatus> = fc.record({
  name: text,
  role: fc.constantFrom('node', 'router'),
  version: text,
  startedAtMs: fc.integer({ min: 0, max: hlcFromMs(2 ** 40) }),
  clusterId: fc.option(hexOf(32), { nil: undefined }),
  historyFingerprint: text,
  historyRecords: count,
  ring,
  ready: fc.boolean(),
  notes: fc.array(text, { maxLength: 3 }),
  suspects: fc.array(nodeId, { maxLength: 3 }),
  pendingPartitions: fc.integer({ min: 0, max: MAX_PARTITIONS }),
  transfers: fc.option(transfers, { nil: undefined }),
  hintBytes: count,
  stuckHints: fc.array(
    fc.record({ owner: nodeId, count, oldestMs: fc.integer({ min: 0, max: 2 ** 40 }), keyHash: hexOf(32), reason: text }),
    { maxLength: 2 },
  ),
  storage: fc.option(fc.record({ engine: text, healthy: fc.boolean(), sizeBytes: count }), { nil: undefined }),
  actor: fc.option(text, { nil: undefined }),
  clock: fc.option(
    fc.record({ offsetMs: fc.option(fc.integer(), { nil: undefined }), peers: fc.integer({ min: 0, max: 1_000 }) }),
    { nil: undefined },
  ),
});

export const workerStatus: fc.Arbitrary<WorkerStatus> = fc.record({
  name: fc.string(),
  state: fc.constantFrom(...WORKER_STATES),
  sweeps: count,
  progressPercent: fc.integer({ min: 0, max: 100 }),
  exchanges: count,
  differing: count,
  bytes: count,
  failed: count,
  skipped: count,
  problem: fc.string(),
  reaping: fc.record({
    passes: count,
    candidates: count,
    waiting: count,
    reaped: count,
    heldBack: count,
    blocked: count,
    problem: fc.string(),
  }),
});

const command: fc.Arbitrary<CommandRecord> = fc.record({
  id: hexOf(16),
  firstMs: count,
  lastMs: count,
  count,
  at: nodeId.map((one) => `node.${one}`),
  author,
  command: fc.string({ minLength: 1, maxLength: MAX_COMMAND_CHARS }).filter((one) => isPlainName(one, MAX_COMMAND_CHARS)),
  outcome: fc.constantFrom('done', ...(Object.keys(ERROR_CODES) as ErrorCode[])),
});

const clearingCount = fc.record({ tenure: text, count });
const gossipParts = {
  kind: fc.constant('gossip' as const),
  fingerprint: text,
  records: fc.array(changeRecord, { maxLength: 3 }),
  clearings: fc.array(clearingCount, { maxLength: 3 }),
};
const gossip = fc.record(gossipParts, { requiredKeys: ['kind', 'fingerprint', 'records'] });

const share = { ring, partition, n: fc.integer({ min: 1, max: MAX_N }) };
const hash = fc.uint8Array({ minLength: HASH_BYTES, maxLength: HASH_BYTES }).map((one) => toBinaryString(one));
const optionalBucket = fc.option(bucketName, { nil: undefined });
const digested = fc.array(fc.record({ address, digest: hash }), { maxLength: 4 });
const heldBack: fc.Arbitrary<Record<HoldReason, number>> = fc.record(
  Object.fromEntries(HOLD_REASONS.map((reason) => [reason, count])) as Record<HoldReason, typeof count>,
);

const REQUESTS: { readonly [K in Request['kind']]: fc.Arbitrary<Extract<Request, { kind: K }>> } = {
  read: fc.record(
    { kind: fc.constant('read'), ring, address, standIn: fc.constant(true), outline: fc.constant(true) },
    { requiredKeys: ['kind', 'ring', 'address'] },
  ),
  merge: fc.record(
    {
      kind: fc.constant('merge'),
      ring,
      address,
      set: bytes,
      durability: fc.constantFrom('fsync', 'os', 'memory', 'buffered'),
      hintFor: nodeId,
    },
    { requiredKeys: ['kind', 'ring', 'address', 'set', 'durability'] },
  ),
  pull: fc.record({
    kind: fc.constant('pull'),
    ring,
    start: binary,
    end: optionalBinary,
    bucket: optionalBucket,
    limit: count,
    limitBytes: count,
    withValues: fc.boolean(),
  }),
  fetch: fc.record({
    kind: fc.constant('fetch'),
    address,
    options: fc.record({ r: quorumWord, pr: quorumWord, outline: fc.constant(true) }, { requiredKeys: ['r', 'pr'] }),
  }),
  write: fc.record(
    {
      kind: fc.constant('write'),
      ring,
      address,
      context: bytes,
      operation: hexOf(16),
      tombstone: fc.boolean(),
      value: bytes,
      meta,
      options: fc.record({ w: quorumWord, pw: quorumWord, dw: quorumWord, returnContext: fc.boolean() }),
      standIn: fc.constant(true),
      repeated: fc.constant(true),
    },
    { requiredKeys: ['kind', 'ring', 'address', 'context', 'operation', 'tombstone', 'value', 'meta', 'options'] },
  ),
  scan: fc.record({ kind: fc.constant('scan'), bucket: bucketName, cursor: binary, limit: count, withValues: fc.boolean() }),
  gossip,
  propose: fc.record({ kind: fc.constant('propose'), change, author }),
  history: fc.constant({ kind: 'history' }),
  status: fc.constant({ kind: 'status' }),
  holdings: fc.constant({ kind: 'holdings' }),
  commands: fc.constant({ kind: 'commands' }),
  'keep-command': fc.record({ kind: fc.constant('keep-command'), command }),
  worker: fc.record({ kind: fc.constant('worker'), command: fc.constantFrom(...WORKER_COMMANDS) }),
  ping: fc.constant({ kind: 'ping' }),
  tree: fc.record({
    kind: fc.constant('tree'),
    ...share,
    level: fc.integer({ min: 0, max: 255 }),
    indices: fc.array(count, { maxLength: 5 }),
  }),
  digests: fc.record({
    kind: fc.constant('digests'),
    ...share,
    start: binary,
    end: optionalBinary,
    bucket: optionalBucket,
    limit: count,
  }),
  sets: fc.record({ kind: fc.constant('sets'), ring, addresses: fc.array(address, { maxLength: 4 }) }),
  absorb: fc.record({
    kind: fc.constant('absorb'),
    durable: fc.boolean(),
    ring,
    entries: fc.array(fc.record({ address, set: bytes }), { maxLength: 4 }),
  }),
  exchange: fc.record({ kind: fc.constant('exchange'), ...share, peer: nodeId, bucket: optionalBucket }),
  reap: fc.record({ kind: fc.constant('reap'), ...share, start: optionalBinary, bucket: optionalBucket }),
  clear: fc.record({ kind: fc.constant('clear'), ring, entries: digested }),
  note: fc.record({ kind: fc.constant('note'), ring, counts: fc.array(clearingCount, { maxLength: 3 }) }),
  drop: fc.record({ kind: fc.constant('drop'), ring, entries: digested }),
};

const REPLIES: { readonly [K in Reply['kind']]: fc.Arbitrary<Extract<Reply, { kind: K }>> } = {
  read: fc.oneof(
    fc.record({ kind: fc.constant('read'), set: fc.option(bytes, { nil: undefined }) }),
    fc.record({ kind: fc.constant('read'), set: bytes, isOutline: fc.constant(true) }),
  ),
  merge: fc.record({ kind: fc.constant('merge'), durable: fc.boolean() }),
  pull: fc.record({
    kind: fc.constant('pull'),
    entries: fc.array(fc.record({ address, set: bytes }), { maxLength: 4 }),
    next: optionalBinary,
  }),
  fetch: fc.record({ kind: fc.constant('fetch'), siblings, context: bytes, receipt }),
  write: fc.record({ kind: fc.constant('write'), context: bytes, receipt }),
  scan: fc.record({
    kind: fc.constant('scan'),
    items: fc.array(fc.record({ address, siblings }), { maxLength: 3 }),
    next: optionalBinary,
  }),
  gossip,
  propose: fc.record({ kind: fc.constant('propose'), record: changeRecord }),
  history: fc.record({ kind: fc.constant('history'), records: fc.array(changeRecord, { maxLength: 3 }) }),
  status: fc.record({ kind: fc.constant('status'), status }),
  commands: fc.record({ kind: fc.constant('commands'), commands: fc.array(command, { maxLength: 3 }) }),
  'keep-command': fc.constant({ kind: 'keep-command' }),
  worker: fc.record({ kind: fc.constant('worker'), status: workerStatus }),
  holdings: fc.record({ kind: fc.constant('holdings'), holdings }),
  ping: fc.constant({ kind: 'ping' }),
  tree: fc.record({
    kind: fc.constant('tree'),
    depth: fc.integer({ min: 0, max: 255 }),
    keys: count,
    hashes: fc.array(hash, { maxLength: 5 }),
  }),
  digests: fc.record({
    kind: fc.constant('digests'),
    entries: fc.array(fc.record({ address, digest: hash, sizeBytes: fc.maxSafeNat() }), { maxLength: 4 }),
    next: optionalBinary,
  }),
  sets: fc.record({ kind: fc.constant('sets'), sets: fc.array(fc.option(bytes, { nil: undefined }), { maxLength: 4 }) }),
  absorb: fc.record({ kind: fc.constant('absorb'), merged: count, refused: count }),
  exchange: fc.record({
    kind: fc.constant('exchange'),
    outcome: fc.constantFrom(...EXCHANGE_OUTCOMES),
    compared: count,
    differing: count,
    pulled: count,
    pushed: count,
    bytes: count,
    elapsedMs: count,
    problem: text,
  }),
  reap: fc.record({
    kind: fc.constant('reap'),
    scanned: count,
    candidates: count,
    waiting: count,
    reaped: count,
    pruned: count,
    heldBack,
    blocked: text,
    next: optionalBinary,
  }),
  clear: fc.record({
    kind: fc.constant('clear'),
    clearances: fc.array(fc.constantFrom(...CLEARANCES), { maxLength: 5 }),
    counted: fc.option(clearingCount, { nil: undefined }),
  }),
  note: fc.record({ kind: fc.constant('note') }),
  drop: fc.record({ kind: fc.constant('drop'), dropped: fc.array(fc.boolean(), { maxLength: 5 }) }),
};

export const requestsByKind = REQUESTS;
export const repliesByKind = REPLIES;
export const anyRequest: fc.Arbitrary<Request> = fc.oneof(...Object.values(REQUESTS));
export const anyReply: fc.Arbitrary<Reply> = fc.oneof(...Object.values(REPLIES));
