/**
 * Waiting until everybody has thought to the end: all promise reactions that can run have run, and theirs too. A simulation waits
 * for this between two events, so that what one event has set going is settled before time moves on.
 */

/** Resolves when no promise reaction is left to run. Nothing but those may have been under way: no I/O, no real timers. */
export function quiescence(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
