/**
 * Counting what passed and failed, from vitest's JSON report and from checks that are one thing each.
 */

/**
 * @typedef {{passed: number, failed: number, skipped: number}} Tally
 */

/** @type {Tally} */
export const NOTHING = { passed: 0, failed: 0, skipped: 0 };
/** @type {Tally} */
export const SUCCESS = { passed: 1, failed: 0, skipped: 0 };

/**
 * @param {number} count
 * @returns {Tally}
 */
export const failure = (count) => ({ passed: 0, failed: count, skipped: 0 });

/**
 * @param {Tally} a
 * @param {Tally} b
 * @returns {Tally}
 */
export function addTallies(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * @param {Tally} tally
 * @returns {string} '12 passed, 0 failed', and ', 3 skipped' where some were
 */
export function verdictLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

/**
 * The tally of a vitest run. A test file that could not be loaded has no tests, and counts as one failure; so does
 * whatever else made vitest exit with an error (an unhandled rejection, a crash, a time limit) without a failed test.
 * @param {unknown} report the parsed report; undefined where there is none
 * @param {number} exitCode
 * @returns {Tally}
 */
export function tallyOfReport(report, exitCode) {
  /** @type {Tally} */
  let tally = NOTHING;
  const files =
    /** @type {{testResults?: readonly {status: string, assertionResults: readonly {status: string}[]}[]} | undefined} */ (report)
      ?.testResults ?? [];
  for (const file of files) {
    const failedBefore = tally.failed;
    for (const { status } of file.assertionResults) tally = addTallies(tally, tallyOfStatus(status));
    if (file.status === 'failed' && tally.failed === failedBefore) tally = addTallies(tally, failure(1));
  }
  return exitCode !== 0 && tally.failed === 0 ? addTallies(tally, failure(1)) : tally;
}

/**
 * @param {string} status
 * @returns {Tally}
 */
function tallyOfStatus(status) {
  if (status === 'passed') return SUCCESS;
  return status === 'failed' ? failure(1) : { passed: 0, failed: 0, skipped: 1 };
}
