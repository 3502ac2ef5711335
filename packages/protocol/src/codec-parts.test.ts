import { expect, test } from 'vitest';
import { ByteReader, ByteWriter, MAX_KEY_BYTES, MAX_META_ENTRIES, type BinaryString } from '@armature/kernel';
import { decodeMeta, encodeMeta, readAddress } from './codec-parts.js';

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

test('an address of the longest bucket and the longest key is read, a longer one is refused before it becomes a string', () => {
  const longest = 16 + 1 + 64 + MAX_KEY_BYTES;
  const read = (length: number): string =>
    readAddress(new ByteReader(new ByteWriter().binary('a'.repeat(length) as BinaryString).finish()));
  expect(read(longest)).toHaveLength(longest);
  expect(() => read(longest + 1)).toThrow(`at most ${longest} are allowed`);
});
