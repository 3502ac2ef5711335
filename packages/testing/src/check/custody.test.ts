import { expect, test } from 'vitest';
import { utf8Encode, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, type BucketProperties, type Durability, type ReplicaRole } from '@armature/protocol';
import { addressOf } from '@armature/ring';
import { spaceKey } from '@armature/storage';
import type { Mishap } from '../world/disk.js';
import type { LoadedBucket } from '../workload/workload.js';
import { Custody, hasSuffered, type Kept } from './custody.js';

const bucketOf = (properties: Partial<BucketProperties>): LoadedBucket => ({
  name: 'b' as LoadedBucket['name'],
  properties: { ...DEFAULT_BUCKET_PROPERTIES, ...properties },
});
const custodyOf = (mishaps: Readonly<Record<string, readonly Mishap[]>>, ownersChanged = false): Custody =>
  new Custody({ mishaps: new Map(Object.entries(mishaps) as [NodeId, readonly Mishap[]][]), ownersChanged });
const mishap = (kind: Mishap['kind'], atMs = 10, keys: Mishap['keys'] = []): Mishap => ({ kind, atMs, endedMs: atMs, keys });
const keptBy = (nodes: readonly string[], role: ReplicaRole = 'primary'): Kept => ({
  key: 'k',
  beganMs: 5,
  receipt: {
    coordinator: nodes[0] as NodeId,
    replicas: nodes.map((node) => ({ node: node as NodeId, role, outcome: 'ok' as const })),
  },
});

test.each([
  ['fsync', []],
  ['os', ['power']],
  ['memory', ['power', 'kill']],
  ['buffered', ['power', 'kill']],
] as const)('the only copy under %s survives all but a replaced disk, and %j', (durability: Durability, lethal) => {
  const bucket = bucketOf({ w: 1, durability });
  for (const kind of ['power', 'kill', 'replaced'] as const) {
    const isLost = custodyOf({ n1: [mishap(kind)] }).mayBeLost(keptBy(['n1']), bucket);
    expect(isLost, kind).toBe(kind === 'replaced' || (lethal as readonly string[]).includes(kind));
  }
});

test('a write is kept while one of those who acknowledged it has suffered nothing since', () => {
  const replaced = [mishap('replaced')];
  expect(custodyOf({ n1: replaced }).mayBeLost(keptBy(['n1', 'n2']), bucketOf({}))).toBe(false);
  expect(custodyOf({ n1: replaced, n2: replaced }).mayBeLost(keptBy(['n1', 'n2']), bucketOf({}))).toBe(true);
  expect(custodyOf({ n1: [mishap('replaced', 1)] }).mayBeLost(keptBy(['n1']), bucketOf({}))).toBe(false);
  expect(custodyOf({ n3: replaced }).mayBeLost(keptBy(['n1']), bucketOf({}))).toBe(false);
});

test('where copies have moved, or nobody knows who had them, as many misfortunes as W count, wherever', () => {
  const n3 = { n3: [mishap('replaced')] };
  expect(custodyOf(n3, true).mayBeLost(keptBy(['n1']), bucketOf({ w: 1 }))).toBe(true);
  expect(custodyOf(n3).mayBeLost(keptBy(['n1'], 'fallback'), bucketOf({ w: 1 }))).toBe(true);
  expect(custodyOf(n3, true).mayBeLost(keptBy(['n1', 'n2']), bucketOf({ w: 2 }))).toBe(false);
  expect(custodyOf(n3).mayBeLost({ key: 'k', beganMs: 0, receipt: undefined }, bucketOf({ w: 2 }))).toBe(false);
  expect(custodyOf(n3).mayBeLost({ key: 'k', beganMs: 0, receipt: undefined }, bucketOf({ w: 1 }))).toBe(true);
});

test('rot costs the keys that it befell', () => {
  const rotten = (key: string): Mishap =>
    mishap('rot', 10, [spaceKey('data', addressOf('b' as LoadedBucket['name'], utf8Encode(key)))]);
  expect(custodyOf({ n1: [rotten('k')] }).mayBeLost(keptBy(['n1']), bucketOf({}))).toBe(true);
  expect(custodyOf({ n1: [rotten('other')] }).mayBeLost(keptBy(['n1']), bucketOf({}))).toBe(false);
});

test('with a node that has suffered rot, reads that want all N records are not asked for, and others are', () => {
  const custody = custodyOf({ n1: [mishap('rot')], n2: [mishap('power')] });
  expect(custody.mayBeUnreadable(bucketOf({ n: 1, r: 1 }))).toBe(true);
  expect(custody.mayBeUnreadable(bucketOf({ n: 3, r: 3 }))).toBe(true);
  expect(custody.mayBeUnreadable(bucketOf({ n: 3, r: 2 }))).toBe(false);
  expect(custodyOf({ n1: [mishap('power')] }).mayBeUnreadable(bucketOf({ n: 1, r: 1 }))).toBe(false);
});

test('writes may be refused where too few owners have been spared by rot, and nobody can stand in', () => {
  const mishaps = new Map([['n1' as NodeId, [mishap('rot')]]]);
  const may = (roomForHints: boolean, n: number, w: number): boolean =>
    new Custody({ mishaps, ownersChanged: false, roomForHints }).mayLeadTooFew(bucketOf({ n, w }));
  expect(may(false, 1, 1)).toBe(true);
  expect(may(true, 1, 1)).toBe(false);
  expect(may(false, 3, 2)).toBe(false);
});

test('what is given to a node while not all know that it is removed may be lost, and what it is given later may not', () => {
  const mishaps: readonly Mishap[] = [{ kind: 'removed', atMs: 10, endedMs: 20, keys: [] }];
  const may = (fromMs: number): boolean => hasSuffered(mishaps, 'b/k', 'fsync', fromMs);
  expect([may(5), may(15), may(25)]).toEqual([true, true, false]);
});
