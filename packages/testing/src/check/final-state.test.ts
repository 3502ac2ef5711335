import { expect, test } from 'vitest';
import { checkFinalState } from './final-state.js';
import { OperationLog, type Operation, type Outcome } from './operation-log.js';

function logOf(
  operations: readonly (readonly [id: string, kind: Operation['kind'], seen: string, outcome: Outcome])[],
): OperationLog {
  const log = new OperationLog();
  for (const [id, kind, seen, outcome] of operations) {
    const operation = log.begin({ id, key: 'k', kind, client: 'c', seen: seen === '' ? [] : seen.split(' '), beganMs: 0 });
    operation.outcome = outcome;
  }
  return log;
}
const judge = (log: OperationLog, present: string): string[] =>
  checkFinalState(log, new Map([['k', new Set(present === '' ? [] : present.split(' '))]])).map((found) =>
    found.split(' ').slice(0, 4).join(' '),
  );

test('an acknowledged put is there, or something that saw it is, at any remove', () => {
  const log = logOf([
    ['a', 'put', '', 'acknowledged'],
    ['b', 'put', 'a', 'unknown'],
    ['c', 'put', 'b', 'acknowledged'],
  ]);
  expect(judge(log, 'c')).toEqual([]);
  expect(judge(log, 'b')).toContain('lost: c in k,');
  expect(judge(log, '')).toEqual(['lost: a in k,', 'lost: c in k,']);
});

test('what an acknowledged write has superseded is not there any more, deleted or overwritten', () => {
  const log = logOf([
    ['a', 'put', '', 'acknowledged'],
    ['b', 'delete', 'a', 'acknowledged'],
  ]);
  expect(judge(log, '')).toEqual([]);
  expect(judge(log, 'a')).toEqual(['returned: k holds a,']);
});

test('an unknown write may have taken place or not; a refused one must not have', () => {
  const log = logOf([
    ['a', 'put', '', 'acknowledged'],
    ['b', 'put', 'a', 'unknown'],
    ['c', 'put', 'a', 'refused'],
  ]);
  expect(judge(log, 'a')).toEqual([]);
  expect(judge(log, 'b')).toEqual([]);
  expect(judge(log, 'a b')).toEqual(['returned: k holds a,']);
  expect(judge(log, 'a c')).toContain('invented: k holds c,');
  expect(judge(log, 'a x')).toEqual(['invented: k holds x,']);
});

test('a write that its bucket did not promise to keep may be missing, and what it superseded may be there', () => {
  const log = logOf([
    ['a', 'put', '', 'acknowledged'],
    ['b', 'put', 'a', 'acknowledged'],
  ]);
  const state = new Map([['k', new Set(['a'])]]);
  expect(checkFinalState(log, state)).toHaveLength(2);
  expect(checkFinalState(log, state, ({ id }) => id === 'b')).toEqual([]);
});

test('the own put that a write followed may stay beside it, or be gone', () => {
  const log = logOf([['a', 'put', '', 'acknowledged']]);
  log.begin({ id: 'b', key: 'k', kind: 'put', client: 'c', seen: [], own: ['a'], beganMs: 0 }).outcome = 'acknowledged';
  expect(judge(log, 'b')).toEqual([]);
  expect(judge(log, 'a b')).toEqual([]);
  expect(judge(log, 'a')).toEqual(['lost: b in k,']);
});

test('a write that was minted twice may show again once more versions have ended than a set remembers, and no sooner', () => {
  const judged = (writes: number, repeated: readonly string[]): string[] => {
    const chain = Array.from({ length: writes }, (_, i) => [`p${i}`, 'put', i === 0 ? '' : `p${i - 1}`, 'acknowledged'] as const);
    const state = new Map([['k', new Set(['p0', `p${writes - 1}`])]]);
    return checkFinalState(logOf(chain), state, undefined, new Set(repeated));
  };
  expect(judged(16, ['p0'])).toHaveLength(1);
  expect(judged(17, ['p0'])).toEqual([]);
  expect(judged(17, [])).toHaveLength(1);
});
