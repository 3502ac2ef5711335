import { expect, test } from 'vitest';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type Receipt, type ReplicaRole } from '@armature/protocol';
import { OperationLog } from './operation-log.js';
import { checkQuorumReads, leavesWhole } from './quorum-reads.js';

type Said = Readonly<Record<string, ReplicaRole | 'failed' | 'failed pending' | 'silent pending'>>;

const BUCKET = { name: DEFAULT_BUCKET, properties: DEFAULT_BUCKET_PROPERTIES };

function receipt(said: Said): Receipt {
  const replicas = Object.entries(said).map(([node, role]) => {
    if (role === 'failed') return { node, role: 'fallback', outcome: 'timeout' };
    if (role === 'failed pending') return { node, role: 'pending', outcome: 'timeout' };
    return role === 'silent pending' ? { node, role: 'pending', outcome: 'waiting' } : { node, role, outcome: 'ok' };
  });
  return { coordinator: 'n1', replicas } as unknown as Receipt;
}

/** A put of `a` that took a millisecond, and a read that answered with `values`. */
function judged(
  written: Said,
  read: Said,
  { values = [] as string[], beganMs = 6_000, deleted = false, areLost = false, bucket = BUCKET } = {},
): string[] {
  const log = new OperationLog();
  const operation = { key: 'k', client: 'c', seen: [], beganMs: 0 };
  Object.assign(log.begin({ ...operation, id: 'a', kind: 'put' }), {
    outcome: 'acknowledged',
    endedMs: 1,
    receipt: receipt(written),
  });
  if (deleted) Object.assign(log.begin({ ...operation, id: 'd', kind: 'delete', seen: ['a'] }), { outcome: 'unknown' });
  log.reads.push({ key: 'k', client: 'c', values, receipt: receipt(read), beganMs, endedMs: beganMs + 1 });
  return checkQuorumReads(log, bucket, () => areLost).map((found) => found.split(' ', 2).join(' '));
}

const TWO: Said = { n1: 'primary', n2: 'primary' };
const OTHERS: Said = { n3: 'primary', n4: 'primary' };

test('where R + W > N a read returns what owners acknowledged, whoever they are by then', () => {
  expect(judged(TWO, OTHERS)).toEqual(['missed: a']);
  expect(judged(TWO, { ...OTHERS, n5: 'failed' })).toEqual(['missed: a']);
  expect(judged(TWO, OTHERS, { values: ['a'] })).toEqual([]);
  expect(judged(TWO, OTHERS, { deleted: true })).toEqual([]);
  expect(judged(TWO, OTHERS, { areLost: true }), 'with the disks of all that had it').toEqual([]);
});

test('a put in a partition that moves counts for those who become owners', () => {
  expect(judged({ ...TWO, n5: 'pending' }, OTHERS)).toEqual(['missed: a']);
  expect(judged({ ...TWO, n5: 'silent pending' }, OTHERS)).toEqual(['missed: a']);
  expect(judged({ ...TWO, n4: 'primary', n5: 'failed pending' }, OTHERS), 'two of three stay').toEqual(['missed: a']);
});

test('unless one could not be reached, and an owner about to go has stood in for it', () => {
  expect(judged({ ...TWO, n3: 'primary', n4: 'failed pending', n5: 'failed pending' }, OTHERS)).toEqual([]);
});

test('a network that is cut for a moment is whole', () => {
  expect(leavesWhole({ kind: 'partition', lastMs: 500 })).toBe(true);
  expect(leavesWhole({ kind: 'partition', lastMs: 5_000 })).toBe(false);
  expect(leavesWhole({ kind: 'leave', lastMs: 5_000 })).toBe(true);
});

test('nothing is claimed where quorums need not meet: too few answers, fallbacks', () => {
  expect(judged({ n1: 'primary' }, OTHERS)).toEqual([]);
  expect(judged(TWO, { n3: 'primary' })).toEqual([]);
  expect(judged({ n1: 'primary', n5: 'fallback' }, OTHERS)).toEqual([]);
  expect(judged(TWO, { n3: 'primary', n5: 'fallback' })).toEqual([]);
});

test('nor of a put that may not have reached all yet, nor where a crash may undo it', () => {
  expect(judged(TWO, OTHERS, { beganMs: 4_000 })).toEqual([]);
  const memory = { ...BUCKET, properties: { ...DEFAULT_BUCKET_PROPERTIES, durability: 'memory' } as const };
  expect(judged(TWO, OTHERS, { bucket: memory })).toEqual([]);
});
