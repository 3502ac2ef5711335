/**
 * Wall clocks that can be set, for processes that are to believe in another time. Node loads this file before their program
 * (`node --import`). Then the wall clock of the process is ahead by as many ms as the file `clockFileOf(name)` in its
 * working directory says, or behind. Its monotonic clock goes on as it was.
 */
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 20;

/**
 * @param {string} name of a process
 * @returns {string} in which a number of ms stands; below 0 the clock is behind
 */
export function clockFileOf(name) {
  return `clock-of-${name}`;
}

if (process.execArgv.includes(import.meta.url)) {
  setByFile(clockFileOf(process.argv[process.argv.indexOf('--name') + 1] ?? ''));
}

/** @param {string} file */
function setByFile(file) {
  const real = Date.now.bind(Date);
  let aheadMs = 0;
  setInterval(() => {
    try {
      aheadMs = Number(readFileSync(file, 'utf8'));
    } catch {
      // nobody has set it yet
    }
  }, LOOK_EVERY_MS).unref();
  Date.now = () => real() + aheadMs;
}
