import { expect, test } from 'vitest';
import { LARGE_RECORD_BYTES, LargeRecords } from './large-records.js';

const record = new Uint8Array(LARGE_RECORD_BYTES);
const done = Promise.resolve();

test('a repetition of a large record waits for the commit that stores it, if that is as durable as asked', () => {
  const large = new LargeRecords();
  large.note(record, 'os', done);
  expect(large.commitOf(record.subarray(9), 'os')).toBe(undefined); // too small to be remembered
  const held = new Uint8Array(LARGE_RECORD_BYTES + 9);
  large.note(held, 'os', done);
  expect(large.commitOf(held.subarray(9), 'os')).toBe(done);
  expect(large.commitOf(held.subarray(9), 'fsync')).toBe(undefined);
});

test('a commit that failed is waited for by those who came before it failed, and by nobody after', async () => {
  const large = new LargeRecords();
  const failed = Promise.reject(new Error('the disk did not answer'));
  large.note(record, 'fsync', failed);
  expect(large.commitOf(record, 'fsync')).toBe(failed);
  await expect(failed).rejects.toThrow('did not answer');
  expect(large.commitOf(record, 'fsync')).toBe(undefined);
});

test('of a record that was handed over twice the later commit counts, whatever becomes of the earlier one', async () => {
  const large = new LargeRecords();
  const failed = Promise.reject(new Error('the disk did not answer'));
  large.note(record, 'fsync', failed);
  large.note(record, 'fsync', done);
  await expect(failed).rejects.toThrow('did not answer');
  expect(large.commitOf(record, 'fsync')).toBe(done);
});
