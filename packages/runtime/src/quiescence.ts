/**
 * Waiting until everybody has thought to the end: all promise reactions that can run have run, and theirs too. A simulation waits
 * for this between two events, so that what one event has set going is settled before time moves on.
 *
 * Nothing but promise reactions may be under way meanwhile: no I/O, no real timers. Node lets all of them run between two
 * immediates.
 */

/** Immediates entered at once: they run in one turn of the event loop, which costs a system call. */
const BATCH = 64;

/**
 * Calls `step` again and again until it says that it was the last, each time when no promise reaction is left to run. Rejects as
 * it throws.
 */
export function whenQuiescent(step: () => 'more' | 'last'): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      try {
        if (step() === 'more') return;
        resolve();
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
      isOver = true;
    };
    const batch = (): void => {
      if (isOver) return;
      for (let i = 0; i < BATCH; i++) setImmediate(once);
      setImmediate(batch);
    };
    batch();
  });
}
