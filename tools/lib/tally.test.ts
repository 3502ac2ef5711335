import { expect, test } from 'vitest';
import { addTallies, failure, SUCCESS, tallyOfReport, verdictLine } from './tally.mjs';

const file = (status: string, ...statuses: string[]) => ({
  status,
  assertionResults: statuses.map((each) => ({ status: each })),
});

test('tests are summed over files; whatever neither passed nor failed was skipped', () => {
  const report = { testResults: [file('passed', 'passed', 'passed', 'pending'), file('failed', 'failed', 'passed', 'todo')] };
  expect(tallyOfReport(report, 1)).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

test('a file that does not load is one failure', () => {
  expect(tallyOfReport({ testResults: [file('failed'), file('passed', 'passed')] }, 1)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
  });
});

test('an error outside of every test is one failure', () => {
  expect(tallyOfReport({ testResults: [file('passed', 'passed')] }, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  expect(tallyOfReport(undefined, 124)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('the verdict mentions skipped tests only where there are some', () => {
  expect(verdictLine(addTallies(SUCCESS, failure(2)))).toBe('1 passed, 2 failed');
  expect(verdictLine({ passed: 5, failed: 0, skipped: 3 })).toBe('5 passed, 0 failed, 3 skipped');
});
