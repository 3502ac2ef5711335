import { expect, test } from 'vitest';
import type { Receipt } from '@armature/protocol';
import { OperationLog } from './operation-log.js';
import { checkSteadyReads } from './steady-reads.js';

const RECEIPT = { coordinator: 'n1', replicas: [] } as unknown as Receipt;

function judged(
  values: readonly string[],
  beganMs: number,
  rest: readonly (readonly ['put' | 'delete', string, string])[] = [],
): string[] {
  const log = new OperationLog();
  const begin = (id: string, kind: 'put' | 'delete', seen: readonly string[], at: number): void => {
    const operation = log.begin({ id, key: 'k', kind, client: 'c', seen, beganMs: at });
    Object.assign(operation, { outcome: 'acknowledged', endedMs: at + 1 });
  };
  begin('a', 'put', [], 0);
  for (const [kind, id, seen] of rest) begin(id, kind, [seen], 2);
  log.reads.push({ key: 'k', client: 'c', values, receipt: RECEIPT, beganMs, endedMs: beganMs + 1 });
  return checkSteadyReads(log).map((found) => found.split(' ', 2).join(' '));
}

test('an acknowledged put is read after a while, or what supersedes it', () => {
  expect(judged(['a'], 6_000)).toEqual([]);
  expect(judged([], 6_000)).toEqual(['unseen: a']);
  expect(judged(['b'], 6_000, [['put', 'b', 'a']])).toEqual([]);
  expect(judged(['a'], 6_000, [['put', 'b', 'a']])).toEqual(['unseen: b']);
  expect(judged([], 6_000, [['delete', 'd', 'a']])).toEqual([]);
});

test('of a put that may still be under way nothing is claimed', () => {
  expect(judged([], 4_000)).toEqual([]);
});
