import { expect, test } from 'vitest';
import { parseNodeId, unwrap, type NodeId } from '@armature/kernel';
import type { ReplicaReceipt } from '@armature/protocol';
import { OperationLog } from './operation-log.js';
import { checkReceipts } from './receipts.js';

const node = (name: string): NodeId => unwrap(parseNodeId(name));
const BUCKET = { w: 2, pw: 0, durability: 'fsync' } as const;

function judged(replicas: readonly ReplicaReceipt[], { pw = 0, disks = 'n1 n2', syncedMs = 4, later = false } = {}): string[] {
  const log = new OperationLog();
  const operation = log.begin({ id: 'a', key: 'k', kind: 'put', client: 'c', seen: [], beganMs: 0 });
  Object.assign(operation, { outcome: 'acknowledged', endedMs: 5, receipt: { coordinator: node('n1'), replicas } });
  if (later) log.begin({ id: 'b', key: 'k', kind: 'put', client: 'c', seen: ['a'], beganMs: 6 });
  const nodes = new Set(disks.split(' ').map(node));
  const witness = { of: () => ({ nodes, at: 0 as never, lastAt: 0 as never }), syncedMs: (): number => syncedMs };
  return checkReceipts(log, { ...BUCKET, pw }, witness).map((found) => found.split(':', 1)[0] ?? '');
}
const has = (name: string, role: ReplicaReceipt['role'] = 'primary', outcome: ReplicaReceipt['outcome'] = 'durable') =>
  ({ node: node(name), role, outcome }) as const;

test('a receipt that names W replicas which have it, synced, is true', () => {
  expect(judged([has('n1'), has('n2')])).toEqual([]);
  expect(judged([has('n1'), has('n2', 'fallback'), has('n3', 'primary', 'timeout')])).toEqual([]);
});

test('future owners do not count for W, nor fallbacks for PW', () => {
  expect(judged([has('n1'), has('n2', 'pending'), has('n3', 'primary', 'timeout')])).toEqual(['short']);
  expect(judged([has('n1'), has('n2', 'fallback')], { pw: 2 })).toEqual(['short']);
});

test('where there are fewer owners than W, all of them and future ones are counted', () => {
  expect(judged([has('n1'), has('n2', 'pending')])).toEqual([]);
  expect(judged([has('n1', 'primary', 'timeout'), has('n2', 'pending'), has('n3', 'pending')], { disks: 'n2 n3' })).toEqual([
    'short',
  ]);
});

test('who is named must have written it, unless what came later was there first', () => {
  expect(judged([has('n1'), has('n2')], { disks: 'n1' })).toEqual(['claimed']);
  expect(judged([has('n1'), has('n2')], { disks: 'n1', later: true })).toEqual([]);
});

test('durable means synced before the client is told', () => {
  expect(judged([has('n1'), has('n2', 'primary', 'ok')], { syncedMs: 6 })).toEqual(['unsynced']);
  expect(judged([has('n1'), has('n2')], { syncedMs: Number.NaN })).toEqual(['unsynced', 'unsynced']);
});
