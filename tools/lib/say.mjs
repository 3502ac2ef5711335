/**
 * What the tools say while they work: one line per step, on stderr where stdout is for machines.
 *
 * Plain JavaScript without dependencies, like everything in `tools/lib`: these files run before `npm ci` has.
 */

/**
 * @typedef {(line: string) => void} Say Tells the user one line.
 */

/** @type {Say} */
export const sayOut = (line) => void process.stdout.write(`${line}\n`);

/** @type {Say} */
export const sayErr = (line) => void process.stderr.write(`${line}\n`);

/**
 * An error the user can act on: `message` says what is wrong, `hints` what to do. Printed without a stack.
 */
export class UsageError extends Error {
  /**
   * @param {string} message
   * @param {readonly string[]} [hints]
   */
  constructor(message, hints = []) {
    super(message);
    this.name = 'UsageError';
    /** @readonly */
    this.hints = hints;
  }
}

/**
 * @param {number} milliseconds
 * @returns {string} '0.4 s', '12 s', '3 min 20 s'
 */
export function formatDuration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
