import { expect, test } from 'vitest';
import { checkLateMints } from './late-mints.js';
import { OperationLog } from './operation-log.js';

function judge(mintedMs: number | undefined, durability: 'fsync' | 'memory' = 'fsync'): number {
  const log = new OperationLog();
  const operation = log.begin({ id: 'a', key: 'k', kind: 'put', client: 'c', seen: [], beganMs: 0 });
  Object.assign(operation, { outcome: 'unknown', endedMs: 2_000 });
  return checkLateMints(log, { mintedMs: () => mintedMs }, durability).length;
}

test('a version that is minted long after its client has gone on is a violation, a little later is not', () => {
  expect(judge(undefined)).toBe(0);
  expect(judge(1)).toBe(0);
  expect(judge(5_000)).toBe(0);
  expect(judge(30_000)).toBe(1);
});

test('where versions come to a disk some time after they were minted, nothing is claimed', () => {
  expect(judge(30_000, 'memory')).toBe(0);
});
