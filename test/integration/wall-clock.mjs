/**
 * Loaded into a node before its program (`node --import`): sets the wall clock of that process ahead by as many ms as the file `clock-of-<name>` in its working
 * directory says, and back when it says 0. The monotonic clock goes on as it was.
 */
import { readFileSync } from 'node:fs';

const name = process.argv[process.argv.indexOf('--name') + 1];
const real = Date.now.bind(Date);
let aheadMs = 0;
setInterval(() => {
  try {
    aheadMs = Number(readFileSync(`clock-of-${name}`, 'utf8'));
  } catch {
    // nobody has set it yet
  }
}, 20).unref();
Date.now = () => real() + aheadMs;
