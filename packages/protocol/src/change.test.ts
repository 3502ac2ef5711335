import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { change, changeRecord } from './arbitraries.test-support.js';
import { parseChange, parseChangeRecord } from './change-parser.js';
import { compareRecords } from './change.js';

const overJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const RECORD = {
  id: '00112233445566ff',
  at: 5,
  by: 'n1',
  author: 'alice@host',
  change: {
    kind: 'create',
    clusterId: 'a'.repeat(32),
    cluster: 'c',
    strategy: 3,
    partitionCount: 64,
    targetN: 3,
    members: [{ node: 'n1', weight: 1, zone: 'z' }],
  },
};

/** The record with one field of it, or of its change, replaced. */
const recordWith = (field: string, value: unknown): unknown => ({ ...RECORD, [field]: value });
const changeWith = (field: string, value: unknown): unknown => ({ ...RECORD.change, [field]: value });

describe('change parser', () => {
  test('every change survives JSON', () => {
    fc.assert(
      fc.property(change, (one) => {
        expect(parseChange(overJson(one))).toEqual({ ok: true, value: one });
      }),
    );
  });

  test('every record survives JSON', () => {
    fc.assert(
      fc.property(changeRecord, (one) => {
        expect(parseChangeRecord(overJson(one))).toEqual({ ok: true, value: one });
      }),
    );
  });

  test('any value at all: a change or an error value, never an exception', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 4, withNullPrototype: true, withSparseArray: true, withBigInt: true }), (value) => {
        for (const parsed of [parseChange(value), parseChangeRecord(value)])
          if (!parsed.ok) expect(parsed.error.code).toBe('invalid-argument');
      }),
      { numRuns: 1_000 },
    );
  });

  test('a record with any one part replaced by anything: a record or an error value, never an exception', () => {
    fc.assert(
      fc.property(changeRecord, fc.nat(), fc.anything(), (record, pick, junk) => {
        const names = Object.keys(record.change);
        const field = names[pick % names.length] as string;
        const parsed = parseChangeRecord({ ...record, change: { ...record.change, [field]: junk } });
        if (!parsed.ok) expect(parsed.error.message).toContain('not a membership change');
      }),
      { numRuns: 1_000 },
    );
  });

  test('what is parsed is rebuilt: unknown fields do not travel on', () => {
    const parsed = parseChangeRecord({ ...RECORD, extra: 1, change: { ...RECORD.change, more: 2 } });
    expect(parsed).toEqual({ ok: true, value: RECORD });
  });

  test('weight and zone default on join', () => {
    expect(parseChange({ kind: 'join', node: 'n2' })).toEqual({
      ok: true,
      value: { kind: 'join', node: 'n2', weight: 1, zone: 'default' },
    });
  });

  test.each([
    ['id too short', recordWith('id', '00')],
    ['id in capitals', recordWith('id', '00112233445566FF')],
    ['time before the epoch', recordWith('at', -1)],
    ['time with a fraction', recordWith('at', 1.5)],
    ['time past the end of the clock', recordWith('at', 2 ** 53)],
    ['no node', recordWith('by', undefined)],
    ['a node that is no name', recordWith('by', 'a.b')],
    ['an author with a line break', recordWith('author', 'a\nb')],
    ['an author of 129 characters', recordWith('author', 'a'.repeat(129))],
    ['nobody who gave it', recordWith('author', undefined)],
    ['no change', recordWith('change', undefined)],
  ])('record: %s: refused', (_what, input) => {
    expect(parseChangeRecord(input).ok).toBe(false);
  });

  test.each([
    ['unknown kind', { kind: 'explode' }, 'explode'],
    ['kind that is an object', { kind: {} }, 'object'],
    ['partitions not a power of two', changeWith('partitionCount', 100), 'power of two'],
    ['too many partitions', changeWith('partitionCount', 131_072), 'partitionCount'],
    ['strategy 1', changeWith('strategy', 1), 'strategy'],
    ['no members', changeWith('members', []), 'members'],
    ['a member twice', changeWith('members', [RECORD.change.members[0], RECORD.change.members[0]]), 'twice'],
    ['cluster id too short', changeWith('clusterId', 'ab'), 'clusterId'],
    ['weight 0', { kind: 'weight', node: 'n1', weight: 0 }, 'weight'],
    ['weight NaN', { kind: 'weight', node: 'n1', weight: Number.NaN }, 'weight'],
    ['weight so small that shares lose their meaning', { kind: 'join', node: 'n1', weight: 5e-324 }, 'weight'],
    ['a zone that is no name', { kind: 'zone', node: 'n1', zone: '' }, 'zone'],
    ['tokens neither optional nor required', { kind: 'access', tokens: 'maybe', revision: 1, generation: 0 }, 'tokens'],
    ['a generation that is none', { kind: 'access', tokens: 'required', revision: 1, generation: -1 }, 'generation'],
    ['bad bucket properties', { kind: 'bucket', bucket: 'b', properties: { n: 0 } }, 'n must be'],
    ['a bucket that is no name', { kind: 'bucket', bucket: 'a/b', properties: {} }, 'bucket'],
    [
      'ready for a partition that cannot be',
      { kind: 'ready', node: 'n1', change: '0'.repeat(16), partitions: [70_000] },
      'partition',
    ],
    ['ready without partitions', { kind: 'ready', node: 'n1', change: '0'.repeat(16) }, 'partitions'],
  ])('change: %s: refused, naming it', (_what, input, word) => {
    const parsed = parseChange(input);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.error.message).toContain(word);
  });

  test('the message never repeats a long input', () => {
    for (const input of [{ kind: 'k'.repeat(10_000) }, { kind: 'join', node: 'n'.repeat(10_000) }]) {
      const parsed = parseChange(input);
      expect(!parsed.ok && parsed.error.message.length < 300).toBe(true);
    }
  });
});

describe('order of records', () => {
  test('total: antisymmetric, transitive, and zero only for one time and id', () => {
    fc.assert(
      fc.property(changeRecord, changeRecord, changeRecord, (a, b, c) => {
        expect(Math.sign(compareRecords(a, b))).toBe(-Math.sign(compareRecords(b, a)) + 0);
        if (compareRecords(a, b) <= 0 && compareRecords(b, c) <= 0) expect(compareRecords(a, c)).toBeLessThanOrEqual(0);
        expect(compareRecords(a, b) === 0).toBe(a.at === b.at && a.id === b.id);
      }),
    );
  });

  test('same time: by id', () => {
    fc.assert(
      fc.property(changeRecord, changeRecord, (a, b) => {
        fc.pre(a.id !== b.id);
        expect(compareRecords({ ...a, at: b.at }, b) < 0).toBe(a.id < b.id);
      }),
    );
  });
});
