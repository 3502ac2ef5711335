/**
 * Time as a port. Engines never call `Date.now` or `setTimeout`: they are handed a `Clock`, so that a whole cluster
 * can run in virtual time, where every delay, drift and pause is part of a seed.
 */
export interface Clock {
  /** Wall-clock time in ms since the Unix epoch. May jump; use it for timestamps that leave the process only. */
  nowMs(): number;
  /** Monotonic time in ms from an arbitrary origin, with a fraction. Use it for durations and deadlines. */
  monotonicMs(): number;
  /** Runs `task` once, no sooner than `delayMs` from now. */
  after(delayMs: number, task: () => void): Timer;
  /** Runs `task` when what this turn of the event loop has in hand is done: where links flush and commits gather. */
  defer(task: () => void): void;
}

export interface Timer {
  /** Idempotent. The task does not run after this returns. */
  cancel(): void;
}

/** Runs `task` again and again, `intervalMs` after the previous run has settled, so that runs never overlap. */
export function repeat(clock: Clock, intervalMs: number, task: () => void | Promise<void>): Timer {
  let cancelled = false;
  let timer: Timer | undefined;
  const schedule = (): void => {
    if (!cancelled) timer = clock.after(intervalMs, run);
  };
  const run = (): void => {
    const settled = task();
    if (settled === undefined) schedule();
    else void settled.then(schedule, schedule);
  };
  schedule();
  return {
    cancel() {
      cancelled = true;
      timer?.cancel();
    },
  };
}

/**
 * Waits for `work`, but no longer than `limitMs`. Whether it was done by then; rejects as it does. What comes later is nobody's
 * affair.
 */
export function waitAtMost(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => resolve(false));
    work.then(
      () => {
        timer.cancel();
        resolve(true);
      },
      (thrown: unknown) => {
        timer.cancel();
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    );
  });
}

/** Resolves no sooner than `delayMs` from now. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
