import { expect, test } from 'vitest';
import { utf8Encode, type BinaryString, type Hlc, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, type BucketProperties } from '@armature/protocol';
import { sealRecord } from '@armature/replica';
import { addressOf } from '@armature/ring';
import { spaceKey } from '@armature/storage';
import { encodeVersionSet, versionSet, versionVector, type ActorId, type Dot, type OperationId } from '@armature/versioning';
import type { Mishap } from '../world/disk.js';
import type { LoadedBucket } from '../workload/workload.js';
import { Copies } from './copies.js';

const BUCKET = 'b' as LoadedBucket['name'];
const [A, B] = ['00000000000000aa', '00000000000000bb'] as [ActorId, ActorId];
const PUT = '0000000000000001';
const OTHER = '0000000000000002';
const DELETE = '0000000000000003';
const address = addressOf(BUCKET, utf8Encode('k'));
const record = spaceKey('data', address);
const hintFor = (owner: string): BinaryString => spaceKey('hints', `${owner}/${address}`);
const dot = (actor: ActorId, counter: number): Dot => ({ actor, counter });

/** A record of these versions, that has seen the events `seen` besides. */
function holding(versions: readonly (readonly [operation: string, dot: Dot, tombstone?: boolean])[], seen: readonly Dot[] = []) {
  const siblings = versions.map(([operation, of, tombstone = false]) => ({
    dot: of,
    version: {
      ...{ value: new Uint8Array(0), tombstone, meta: [], repeated: false },
      ...{ operation: operation as OperationId, at: of.counter as Hlc },
    },
  }));
  const clock = versionVector([...seen, ...versions.map(([, of]) => of)]);
  return sealRecord(encodeVersionSet(versionSet(clock, siblings)));
}
const THE_PUT = holding([[PUT, dot(A, 1)]]);

/** Disks n1 to n4 of members, on which a put is kept as W=2 wants, by n1 as its own and by n2 for n3. */
function kept(properties: Partial<BucketProperties> = {}) {
  const mishaps = new Map<NodeId, Mishap[]>();
  let members = new Set(['n1', 'n2', 'n3', 'n4'] as NodeId[]);
  const copies = new Copies({
    nowMs: () => 2_000,
    mishaps: () => mishaps,
    members: () => members,
  });
  const bucket = {
    name: BUCKET,
    properties: { ...DEFAULT_BUCKET_PROPERTIES, w: 2, durability: 'fsync', ...properties } as const,
  };
  const write = (node: string, stored: BinaryString, value?: Uint8Array): void =>
    copies.changed(node as NodeId, [[stored, value]]);
  const told = (operation = PUT): void => copies.acknowledged({ bucket, key: 'k', operation, beganMs: 1_000 });
  write('n1', record, THE_PUT);
  write('n2', hintFor('n3'), THE_PUT);
  return {
    copies,
    write,
    told,
    gone: (...nodes: string[]): void => {
      members = new Set([...members].filter((node) => !nodes.includes(node)));
      copies.look();
    },
    suffered: (node: string, kind: Mishap['kind'], atMs = 1_500): void =>
      void mishaps.set(node as NodeId, [...(mishaps.get(node as NodeId) ?? []), { kind, atMs, endedMs: atMs, keys: [record] }]),
  };
}

test('a record and a hint are two copies, and a hint that goes home before it is deleted leaves two', () => {
  const { copies, write, told } = kept();
  told();
  write('n3', record, THE_PUT);
  write('n2', hintFor('n3'));
  expect(copies.violations).toEqual([]);
});

test('acknowledged with one copy', () => {
  const { copies, write, told } = kept();
  write('n2', hintFor('n3'));
  told();
  expect(copies.violations).toEqual([
    `too few copies: ${PUT} in b/k, acknowledged at 2.000 s: at 2.000 s, when the client was told, and it is on n1 (record); 2 wanted`,
  ]);
});

test('a hint is deleted before it is home: found at that moment, though it comes home later', () => {
  const { copies, write, told } = kept();
  told();
  write('n2', hintFor('n3'));
  write('n3', record, THE_PUT);
  expect(copies.violations).toEqual([expect.stringContaining('n2 dropped its hint for n3, and it is on n1 (record); 2 wanted')]);
});

test('several copies on one disk are one', () => {
  const { copies, write, told } = kept();
  write('n1', hintFor('n3'), THE_PUT);
  write('n2', hintFor('n3'));
  told();
  expect(copies.violations).toHaveLength(1);
});

test('what superseded it counts for it, what is beside it does not', () => {
  const over = kept();
  over.told();
  over.write('n1', record, holding([[OTHER, dot(B, 1)]], [dot(A, 1)]));
  expect(over.copies.violations).toEqual([]);
  const beside = kept();
  beside.told();
  beside.write('n1', record, holding([[OTHER, dot(B, 1)]]));
  expect(beside.copies.violations).toEqual([expect.stringContaining('n1 overwrote its record')]);
});

test('a damaged record is none', () => {
  const { copies, write, told } = kept();
  told();
  write('n1', record, THE_PUT.slice(0, -1));
  expect(copies.violations).toHaveLength(1);
});

test('the disk of a node that has left, or was removed, does not count', () => {
  const { copies, told, gone } = kept();
  told();
  gone('n3', 'n4');
  expect(copies.violations).toEqual([]);
  gone('n2');
  expect(copies.violations).toEqual([expect.stringContaining('n2 ceased to be a member, and it is on n1 (record)')]);
});

test('a hint goes to one that has nothing of the key, also from a node that leaves: two copies on one disk are one', () => {
  for (const [heir, found] of [
    ['n4', 0],
    ['n1', 1],
    [undefined, 1],
  ] as const) {
    const { copies, write, told, gone } = kept();
    told();
    if (heir !== undefined) write(heir, hintFor('n3'), THE_PUT);
    write('n2', hintFor('n3'));
    gone('n2');
    expect(copies.violations, `to ${heir}`).toHaveLength(found);
  }
});

test('each node that has suffered since is one copy less, of what its durability does not survive, and no node twice', () => {
  const cases = [
    ['fsync', 'replaced', 1_500, 0],
    ['fsync', 'replaced', 500, 1],
    ['fsync', 'rot', 1_500, 0],
    ['fsync', 'power', 1_500, 1],
    ['os', 'power', 1_500, 0],
    ['os', 'kill', 1_500, 1],
  ] as const;
  for (const [durability, kind, atMs, found] of cases) {
    const { copies, told, suffered } = kept({ durability });
    told();
    suffered('n2', kind, atMs);
    copies.replaced('n2' as NodeId, new Map());
    expect(copies.violations, `${durability} ${kind} ${atMs}`).toHaveLength(found);
  }
  const { copies, told, suffered } = kept();
  told();
  suffered('n1', 'replaced');
  suffered('n1', 'replaced');
  copies.replaced('n1' as NodeId, new Map());
  copies.replaced('n2' as NodeId, new Map());
  expect(copies.violations).toHaveLength(1);
});

test('a whole disk that is another: what lies on it counts', () => {
  const { copies, told } = kept();
  told();
  copies.replaced('n4' as NodeId, new Map([[record, THE_PUT]]));
  copies.replaced('n2' as NodeId, new Map());
  expect(copies.violations).toEqual([]);
  copies.replaced('n1' as NodeId, new Map());
  expect(copies.violations).toHaveLength(1);
});

test('a deleted value may be nowhere once its tombstone is reaped; one that the tombstone does not cover may not', () => {
  const tombstone = holding([[DELETE, dot(A, 2), true]]);
  const reaped = kept();
  reaped.told();
  for (const node of ['n1', 'n2', 'n3']) reaped.write(node, record, tombstone);
  reaped.write('n2', hintFor('n3'));
  for (const node of ['n1', 'n2', 'n3']) reaped.write(node, record);
  expect(reaped.copies.violations).toEqual([]);

  const beside = kept();
  const both = holding([
    [DELETE, dot(A, 1), true],
    [OTHER, dot(B, 1)],
  ]);
  for (const node of ['n1', 'n2']) beside.write(node, record, both);
  beside.told(OTHER);
  for (const node of ['n1', 'n2']) beside.write(node, record);
  expect(beside.copies.violations).toHaveLength(1);
});

test('a tombstone that is lost, or goes home as a hint, is not reaped', () => {
  for (const lose of ['power', 'hint'] as const) {
    const { copies, write, told } = kept();
    const tombstone = holding([[DELETE, dot(A, 2), true]]);
    write('n1', record, tombstone);
    write('n2', hintFor('n3'), tombstone);
    told(DELETE);
    if (lose === 'power') copies.replaced('n1' as NodeId, new Map());
    else write('n2', hintFor('n3'));
    expect(copies.violations, lose).toHaveLength(1);
  }
});

test('a delete is kept as a put is, until it is reaped', () => {
  const { copies, write, told } = kept();
  const tombstone = holding([[DELETE, dot(A, 2), true]]);
  write('n1', record, tombstone);
  write('n2', hintFor('n3'), tombstone);
  told(DELETE);
  write('n2', hintFor('n3'), THE_PUT);
  expect(copies.violations).toEqual([expect.stringContaining(DELETE)]);
});

test('minted twice: whoever has either has a copy', () => {
  const { copies, write, told } = kept();
  write('n2', hintFor('n3'), holding([[PUT, dot(B, 1)]]));
  told();
  expect(copies.violations).toEqual([]);
  write('n2', hintFor('n3'));
  expect(copies.violations).toHaveLength(1);
});

test('buckets that answer from memory promise no disks', () => {
  for (const durability of ['memory', 'buffered'] as const) {
    const { copies, write, told } = kept({ durability });
    write('n2', hintFor('n3'));
    told();
    expect(copies.violations).toEqual([]);
  }
});

test('of the writes of one actor the latest speaks for all', () => {
  const { copies, write, told } = kept();
  told();
  const next = holding([[OTHER, dot(A, 2)]]);
  for (const node of ['n1', 'n3']) write(node, record, next);
  told(OTHER);
  write('n2', hintFor('n3'));
  expect(copies.violations).toEqual([]);
  write('n3', record);
  expect(copies.violations).toEqual([expect.stringContaining(OTHER)]);
});
