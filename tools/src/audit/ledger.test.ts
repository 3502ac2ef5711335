import { describe, expect, test } from 'vitest';
import { accountText, settle, type Account, type Operation } from './ledger.js';

function write(id: string, parts: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: 'register',
    action: 'write',
    key: 'k',
    saw: [],
    outcome: 'acknowledged',
    problem: '',
    startedMs: 0,
    endedMs: 0,
    ...parts,
  };
}

function settled(operations: readonly Operation[], present: readonly string[]): Account {
  return settle(operations, new Map([['k', present]]), { startedMs: 0, endedMs: 0 });
}

const idsOf = (operations: readonly Operation[]): string[] => operations.map(({ id }) => id);

describe('an acknowledged write', () => {
  test('is accounted for when it is a final value, alone or beside others', () => {
    expect(settled([write('a'), write('b')], ['a', 'b']).lost).toEqual([]);
  });

  test('is accounted for when a final value had read it, or had read one that had', () => {
    const operations = [write('a'), write('b', { saw: ['a'] }), write('c', { saw: ['b'] })];
    expect(settled(operations, ['c']).lost).toEqual([]);
  });

  test('is accounted for when only an unacknowledged write that is there had read it', () => {
    expect(settled([write('a'), write('b', { saw: ['a'], outcome: 'unknown' })], ['b']).lost).toEqual([]);
  });

  test('is lost when what stands had not read it, however late that was written', () => {
    expect(idsOf(settled([write('a'), write('b')], ['b']).lost)).toEqual(['a']);
    expect(idsOf(settled([write('a'), write('b', { saw: ['a'] }), write('c')], ['c']).lost)).toEqual(['a', 'b']);
  });

  test('is lost when nothing stands, whatever unacknowledged writes may have replaced it', () => {
    expect(idsOf(settled([write('a'), write('b', { saw: ['a'], outcome: 'unknown' })], []).lost)).toEqual(['a']);
  });
});

describe('a deletion', () => {
  const put = write('a', { kind: 'deletion' });
  const deletion = write('d', { kind: 'deletion', action: 'delete', saw: ['a'] });

  test('accounts for the value that it deleted', () => {
    expect(settled([put, deletion], [])).toMatchObject({ lost: [], returned: [] });
    expect(settled([put, { ...deletion, outcome: 'unknown' }], [])).toMatchObject({ lost: [], returned: [] });
  });

  test('that was refused accounts for nothing', () => {
    expect(idsOf(settled([put, { ...deletion, outcome: 'refused' }], []).lost)).toEqual(['a']);
  });

  test('was in vain when its value is there again, unless nobody acknowledged it', () => {
    expect(idsOf(settled([put, deletion], ['a']).returned)).toEqual(['d']);
    expect(settled([put, { ...deletion, outcome: 'partial' }], ['a'])).toMatchObject({ lost: [], returned: [] });
  });
});

test.each(['partial', 'unknown'] as const)('a %s write may be there or not', (outcome) => {
  expect(settled([write('a', { outcome })], ['a'])).toMatchObject({ lost: [], surfaced: [] });
  expect(settled([write('a', { outcome })], [])).toMatchObject({ lost: [], surfaced: [] });
});

test.each(['refused', 'unread'] as const)(
  'a write that is %s must not be there, nor may one that nobody asked for',
  (outcome) => {
    expect(settled([write('a', { outcome })], ['a']).surfaced).toEqual(['k: a']);
    expect(settled([write('a')], ['a', 'z']).surfaced).toEqual(['k: z']);
  },
);

test('what was refused must not be read either, even if it is gone in the end', () => {
  const refused = write('a', { outcome: 'refused' });
  expect(settled([refused, write('b', { saw: ['a'] })], ['b']).surfaced).toEqual(['k: a']);
});

test('silence is counted from the first moment to the last, and ends with acknowledgements only', () => {
  const operations = [
    write('a', { endedMs: 150 }),
    write('b', { endedMs: 160, outcome: 'partial', saw: ['a'] }),
    write('c', { endedMs: 200, saw: ['a'] }),
  ];
  const at = (startedMs: number, endedMs: number): number =>
    settle(operations, new Map([['k', ['c']]]), { startedMs, endedMs }).unavailableMs;
  expect(at(140, 210)).toBe(50);
  expect(at(50, 210)).toBe(100);
  expect(at(140, 900)).toBe(700);
});

test('the account is one line, with the breaches only where there are any', () => {
  const operations = [write('a'), write('b', { outcome: 'partial' }), write('c', { outcome: 'unread' })];
  expect(accountText('kill', settled(operations, ['a']))).toBe(
    'kill: 1 acknowledged, 0 lost, 1 partial, 0 unknown, 1 refused, unavailable for 0 ms at most',
  );
  expect(accountText('kill', settled(operations, ['c']))).toMatch(/1 lost.* 0 deleted and back, 1 refused and there/);
});
