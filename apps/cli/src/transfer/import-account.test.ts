import { expect, test } from 'vitest';
import type { ReadRecord } from '../records/record.js';
import { ImportAccount } from './import-account.js';

const read: ReadRecord = { line: 1, offsetBytes: 10, record: undefined, problem: 'none', source: new Uint8Array(0) };

test('gives up at the failure that is one too many, whatever their kind', () => {
  const account = new ImportAccount({ maxFailures: 3, maxRefusedInARow: 100 });
  account.failedAt(read, false);
  account.wrote(read);
  account.failedAt(read, true);
  expect(account.hopeless()).toBeUndefined();
  account.failedAt(read, false);
  expect(account.hopeless()).toBe('3 failures (--max-failures)');
});

test('gives up when the cluster takes nothing any more; one success shows that it does', () => {
  const account = new ImportAccount({ maxFailures: 1_000, maxRefusedInARow: 3 });
  for (const outcome of ['refused', 'refused', 'wrote', 'refused', 'malformed', 'refused'] as const) {
    if (outcome === 'wrote') account.wrote(read);
    else account.failedAt(read, outcome === 'refused');
    expect(account.hopeless()).toBeUndefined();
  }
  account.failedAt(read, true);
  expect(account.hopeless()).toBe('the cluster took none of the last 3 records');
});
