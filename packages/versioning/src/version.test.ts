import { MAX_META_ENTRIES, hlcFromMs, seededRandom, utf8Encode } from '@armature/kernel';
import { describe, expect, it } from 'vitest';
import {
  MAX_META_BYTES,
  checkMeta,
  compareVersions,
  metaSizeBytes,
  mintOperationId,
  parseOperationId,
  tombstoneVersion,
  valueVersion,
  type VersionMeta,
} from './version.js';
import { operation } from './arbitrary.test-support.js';

const at = hlcFromMs(1000);

describe('versions', () => {
  it('a tombstone holds nothing; an empty value is not a tombstone', () => {
    expect(tombstoneVersion({ at, operation: operation(1) })).toMatchObject({
      tombstone: true,
      value: new Uint8Array(0),
      meta: [],
    });
    expect(valueVersion({ value: new Uint8Array(0), at, operation: operation(1) }).tombstone).toBe(false);
  });

  it('operation ids: minted ones parse, others are refused', () => {
    const id = mintOperationId(seededRandom(1));
    expect(parseOperationId(id)).toEqual({ ok: true, value: id });
    expect(mintOperationId(seededRandom(2))).not.toBe(id);
    for (const text of ['', 'ABCDEF0123456789', `${id}0`])
      expect(parseOperationId(text)).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
  });

  it('metadata is bounded in entries and in UTF-8 bytes, at the bound exactly', () => {
    const entries = (count: number): VersionMeta => Array.from({ length: count }, (_, i) => [`name-${i}`, 'x']);
    expect(checkMeta(entries(MAX_META_ENTRIES)).ok).toBe(true);
    expect(checkMeta(entries(MAX_META_ENTRIES + 1))).toMatchObject({ ok: false, error: { code: 'too-large' } });
    const full: VersionMeta = [['é', 'x'.repeat(MAX_META_BYTES - 2)]];
    expect(metaSizeBytes(full)).toBe(MAX_META_BYTES);
    expect(checkMeta(full).ok).toBe(true);
    expect(checkMeta([...full, ['', 'x']])).toMatchObject({ ok: false, error: { code: 'too-large' } });
  });

  it('metadata that UTF-8 cannot express is refused, whole surrogate pairs are not', () => {
    expect(checkMeta([['name', 'half \ud83d']])).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    expect(checkMeta([['\udc00', 'text']])).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    expect(checkMeta([['smile', '😀']]).ok).toBe(true);
  });

  it('metadata in which a name stands twice is refused', () => {
    const twice: VersionMeta = [
      ['a', '1'],
      ['a', '2'],
    ];
    expect(checkMeta(twice)).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
  });

  it('two claims to one dot are ordered by time, then operation, whatever the values', () => {
    const early = valueVersion({ value: utf8Encode('z'), at, operation: operation(9) });
    const late = valueVersion({ value: utf8Encode('a'), at: hlcFromMs(1001), operation: operation(1) });
    const other = valueVersion({ value: utf8Encode('a'), at, operation: operation(10) });
    expect(
      [
        compareVersions(early, late),
        compareVersions(late, early),
        compareVersions(early, other),
        compareVersions(early, early),
      ].map(Math.sign),
    ).toEqual([-1, 1, -1, 0]);
  });
});
