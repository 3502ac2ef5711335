/**
 * The clock of the machine. Node's `setTimeout` takes a time that does not fit into 31 bits, which is 24.8 days, for 1 ms;
 * settings allow for a year. So longer times are waited for in steps.
 */
import type { Clock, Timer } from './clock.js';

const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, task: () => void): Timer {
    if (delayMs > MAX_TIMER_MS) return afterLong(delayMs, task);
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

function afterLong(delayMs: number, task: () => void): Timer {
  const dueMs = performance.now() + delayMs;
  let handle: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    const leftMs = dueMs - performance.now();
    handle = leftMs > MAX_TIMER_MS ? setTimeout(wait, MAX_TIMER_MS) : setTimeout(task, leftMs);
  };
  wait();
  return {
    cancel() {
      clearTimeout(handle);
    },
  };
}
