import { ByteWriter, toHex } from '@armature/kernel';
import { expect, test } from 'vitest';
import { requestsByKind } from './arbitraries.test-support.js';
import { protocolCodec } from './codec.js';
import { kindOfTag, MESSAGES } from './message-table.js';
import type { Kind } from './message-row.js';
import type { Reply, Request } from './messages.js';

const KINDS = Object.keys(MESSAGES) as Kind[];
const address = '0123456789abcdef\u0004cartk1' as never;
const ring = 281_474_976_710_655 as never;
const share = { ring, partition: 300 as never, n: 3 };
const set = Uint8Array.of(1, 2, 3);
const digest = '\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007' as never;
const counted = { tenure: 'n1 a', count: 5 };
const receipt = {
  coordinator: 'n1' as never,
  replicas: [
    { node: 'n1' as never, role: 'primary', outcome: 'durable' },
    { node: 'n2' as never, role: 'fallback', outcome: 'timeout' },
  ],
} as const;
const sibling = { value: set, tombstone: false, at: 77, meta: [['type', 'x']] } as const;

/** What is on the wire between releases: a change here is a change of the protocol's version. */
const REQUESTS: readonly (readonly [Request, string])[] = [
  [{ kind: 'read', ring, address }, '01ffffffffffff3f173031323334353637383961626364656604636172746b3100'],
  [
    { kind: 'read', ring, address, standIn: true, outline: true },
    '01ffffffffffff3f173031323334353637383961626364656604636172746b3103',
  ],
  [
    { kind: 'merge', ring, address, durability: 'fsync', set },
    '02ffffffffffff3f173031323334353637383961626364656604636172746b31020301020300',
  ],
  [
    { kind: 'merge', ring, address, durability: 'buffered', set, hintFor: 'n2' as never },
    '02ffffffffffff3f173031323334353637383961626364656604636172746b310303010203026e32',
  ],
  [
    {
      kind: 'pull',
      ring,
      start: 'a' as never,
      end: undefined,
      bucket: 'cart' as never,
      limit: 9,
      limitBytes: 900,
      withValues: true,
    },
    '03ffffffffffff3f01610001046361727409840701',
  ],
  [{ kind: 'fetch', address, options: { r: 2, pr: 0 } }, '04173031323334353637383961626364656604636172746b3102fc00'],
  [
    { kind: 'fetch', address, options: { r: 'all', pr: 'default', outline: true } },
    '04173031323334353637383961626364656604636172746b31ff0001',
  ],
  [
    {
      kind: 'write',
      ring,
      address,
      context: set,
      operation: '0011223344556677',
      tombstone: false,
      value: set,
      meta: [['type', 'x']],
      options: { w: 'quorum', pw: 0, dw: 'one', returnContext: true },
    },
    '05ffffffffffff3f173031323334353637383961626364656604636172746b3103010203001122334455667702fefcfd030102030104747970650178',
  ],
  [
    {
      kind: 'write',
      ring,
      address,
      context: set,
      operation: '0011223344556677',
      tombstone: true,
      value: set,
      meta: [],
      options: { w: 'default', pw: 1, dw: 2, returnContext: false },
      standIn: true,
      repeated: true,
    },
    '05ffffffffffff3f173031323334353637383961626364656604636172746b310301020300112233445566770d0001020301020300',
  ],
  [{ kind: 'scan', bucket: 'cart' as never, cursor: '' as never, limit: 9, withValues: false }, '060463617274000900'],
  [{ kind: 'status' }, '09'],
  [{ kind: 'ping' }, '0a'],
  [{ kind: 'history' }, '15'],
  [{ kind: 'commands' }, '16'],
  [{ kind: 'holdings' }, '10'],
  [{ kind: 'worker', command: 'pause' }, '1801'],
  [{ kind: 'tree', ...share, level: 2, indices: [0, 300] }, '0bffffffffffff3fac0203020200ac02'],
  [
    { kind: 'digests', ...share, start: 'a' as never, end: 'b' as never, bucket: undefined, limit: 9 },
    '0cffffffffffff3fac020301610101620009',
  ],
  [{ kind: 'sets', ring, addresses: [address] }, '0dffffffffffff3f01173031323334353637383961626364656604636172746b31'],
  [
    { kind: 'absorb', ring, durable: true, entries: [{ address, set }] },
    '0effffffffffff3f0101173031323334353637383961626364656604636172746b3103010203',
  ],
  [{ kind: 'exchange', ...share, peer: 'n2' as never, bucket: 'cart' as never }, '0fffffffffffff3fac0203026e32010463617274'],
  [{ kind: 'reap', ...share, start: undefined, bucket: 'cart' as never }, '11ffffffffffff3fac020300010463617274'],
  [
    { kind: 'clear', ring, entries: [{ address, digest }] },
    '12ffffffffffff3f01173031323334353637383961626364656604636172746b310001020304050607',
  ],
  [
    { kind: 'drop', ring, entries: [{ address, digest }] },
    '13ffffffffffff3f01173031323334353637383961626364656604636172746b310001020304050607',
  ],
  [{ kind: 'note', ring, counts: [counted] }, '14ffffffffffff3f01046e31206105'],
];

const REPLIES: readonly (readonly [Reply, string])[] = [
  [{ kind: 'read', set: undefined }, '0100'],
  [{ kind: 'read', set }, '010103010203'],
  [{ kind: 'read', set, isOutline: true }, '010203010203'],
  [{ kind: 'merge', durable: true }, '0201'],
  [
    { kind: 'pull', entries: [{ address, set }], next: 'b' as never },
    '0301173031323334353637383961626364656604636172746b3103010203010162',
  ],
  [
    { kind: 'fetch', siblings: [sibling], context: set, receipt },
    '0401004d03010203010474797065017803010203026e3102026e310001026e3202ff0774696d656f7574',
  ],
  [{ kind: 'write', context: set, receipt }, '0503010203026e3102026e310001026e3202ff0774696d656f7574'],
  [
    { kind: 'scan', items: [{ address, siblings: [sibling] }], next: undefined },
    '0601173031323334353637383961626364656604636172746b3101004d03010203010474797065017800',
  ],
  [{ kind: 'ping' }, '0a'],
  [{ kind: 'keep-command' }, '17'],
  [{ kind: 'tree', depth: 4, keys: 300, hashes: [digest] }, '0b04ac02010001020304050607'],
  [
    { kind: 'digests', entries: [{ address, digest, sizeBytes: 300 }], next: undefined },
    '0c01173031323334353637383961626364656604636172746b310001020304050607ac0200',
  ],
  [{ kind: 'sets', sets: [set, undefined] }, '0d02010301020300'],
  [{ kind: 'absorb', merged: 300, refused: 1 }, '0eac0201'],
  [
    {
      kind: 'exchange',
      outcome: 'repaired',
      compared: 1,
      differing: 2,
      pulled: 3,
      pushed: 4,
      bytes: 300,
      elapsedMs: 6,
      problem: 'no',
    },
    '0f0101020304ac0206026e6f',
  ],
  [{ kind: 'clear', clearances: ['clear', 'differs'], counted }, '1202000101046e31206105'],
  [{ kind: 'drop', dropped: [true, false] }, '13020100'],
  [{ kind: 'note' }, '14'],
];

test('each tag names one kind, and each kind has one', () => {
  const tags = KINDS.map((kind) => MESSAGES[kind].tag);
  expect(new Set(tags).size).toBe(KINDS.length);
  for (const kind of KINDS) expect(kindOfTag(MESSAGES[kind].tag)).toBe(kind);
  expect(kindOfTag(0)).toBeUndefined();
  expect(KINDS.toSorted()).toEqual(Object.keys(requestsByKind).toSorted());
});

test.each(REQUESTS.map(([request, hex]) => [request.kind, request, hex] as const))(
  'request %s: these bytes',
  (_, request, hex) => {
    const w = new ByteWriter();
    protocolCodec.encodeRequest(w, request);
    expect(toHex(w.finish())).toBe(hex);
  },
);

test.each(REPLIES.map(([reply, hex]) => [reply.kind, reply, hex] as const))('reply %s: these bytes', (_, reply, hex) => {
  const w = new ByteWriter();
  protocolCodec.encodeReply(w, reply);
  expect(toHex(w.finish())).toBe(hex);
});

test('the bytes of every kind that is no JSON document are pinned', () => {
  const documents: readonly Kind[] = ['gossip', 'propose', 'keep-command'];
  expect(new Set([...REQUESTS.map(([{ kind }]) => kind), ...documents])).toEqual(new Set(KINDS));
});
