import { expect, test } from 'vitest';
import { parseChangeRecord, type ChangeRecord } from '@armature/protocol';
import { formatDocument, parseClearings, parseStoredDocument, parseTenure } from './stored-documents.js';

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const COUNT = { tenure: 'n1/0000000000000001', count: 3 };
const RECORD = {
  id: '0'.repeat(16),
  at: 1,
  by: 'n1',
  author: 'n1',
  change: { kind: 'leave', node: 'n1' },
} as unknown as ChangeRecord;

test('what is stored is read as it was', () => {
  const tenure = { stint: '0000000000000001', loss: undefined };
  expect(parseTenure(formatDocument(tenure))).toEqual({ ok: true, value: tenure });
  const clearings = { own: COUNT, known: [COUNT] };
  expect(parseClearings(formatDocument(clearings))).toEqual({ ok: true, value: clearings });
  expect(parseStoredDocument(formatDocument(RECORD), parseChangeRecord)).toEqual({ ok: true, value: RECORD });
});

const corrupt = { ok: false, error: { code: 'storage-corrupt' } };

test.each(['', 'null', '[]', '{}', '{"stint":1}', '{"stint":"a","loss":2}'])(
  'a tenure that is %j is corrupt, and no other exception',
  (text) => {
    expect(parseTenure(utf8(text))).toMatchObject(corrupt);
  },
);

test.each([
  '',
  'null',
  '{"known":{}}',
  '{"known":[null]}',
  '{"known":[],"own":{"tenure":"a","count":-1}}',
  '{"known":[{"tenure":"a","count":0.5}]}',
])('counts that are %j are corrupt, and no other exception', (text) => {
  expect(parseClearings(utf8(text))).toMatchObject(corrupt);
});

test('a record that is cut off is corrupt, and no other exception', () => {
  expect(parseStoredDocument(formatDocument(RECORD).subarray(0, 20), parseChangeRecord)).toMatchObject(corrupt);
});
