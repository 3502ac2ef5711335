import { expect, test } from 'vitest';
import { ByteReader, ByteWriter, MAX_META_ENTRIES } from '@armature/kernel';
import { decodeMeta, encodeMeta } from './codec-parts.js';

const entries = (count: number): [string, string][] => Array.from({ length: count }, (_, i) => [String(i), '']);
const decoded = (count: number) => {
  const writer = new ByteWriter();
  encodeMeta(writer, entries(count));
  return decodeMeta(new ByteReader(writer.finish()));
};

test('metadata of as many entries as a value may have is read, of more none', () => {
  expect(decoded(MAX_META_ENTRIES)).toEqual(entries(MAX_META_ENTRIES));
  expect(() => decoded(MAX_META_ENTRIES + 1)).toThrow('65 entries of metadata, at most 64 are allowed');
});
