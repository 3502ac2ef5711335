import type { Clock, Timer } from './clock.js';

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, task: () => void): Timer {
    const handle = setTimeout(task, delayMs);
    return {
      cancel() {
        clearTimeout(handle);
      },
    };
  },
  defer(task: () => void): void {
    setImmediate(task);
  },
};
