/**
 * Shrinking: which of many faults does a failure need? Leaves out ever smaller parts of the schedule for as long as what is left
 * still fails (delta debugging: Zeller and Hildebrandt, 2002), and then makes each fault as short as may be. What remains is a
 * story that fits on a page.
 */
import type { Fault } from './fault.js';

export interface Shrunk {
  readonly schedule: readonly Fault[];
  /** Runs that it took. */
  readonly runs: number;
}

/** `fails` is asked for smaller and smaller schedules, at most `maxRuns` times; the schedule given is known to fail. */
export async function shrink(
  schedule: readonly Fault[],
  fails: (schedule: readonly Fault[]) => Promise<boolean>,
  maxRuns = 200,
): Promise<Shrunk> {
  let runs = 0;
  const stillFails = async (candidate: readonly Fault[]): Promise<boolean> => runs < maxRuns && (runs++, await fails(candidate));
  let current = schedule;
  for (let size = Math.ceil(current.length / 2); current.length > 0;) {
    const smaller = await firstThatFails(without(current, size), stillFails);
    if (smaller === undefined && size === 1) break;
    current = smaller ?? current;
    size = Math.ceil((smaller === undefined ? size : Math.min(size, current.length)) / 2);
  }
  for (const [place, fault] of current.entries()) {
    for (let shorter = fault.lastMs / 2; shorter >= 1; shorter /= 2) {
      const candidate = current.map((one, at) => (at === place ? { ...one, lastMs: shorter } : one));
      if (!(await stillFails(candidate))) break;
      current = candidate;
    }
  }
  return { schedule: current, runs };
}

/** The schedule without each run of `size` faults, one after the other. */
function* without(schedule: readonly Fault[], size: number): Generator<readonly Fault[]> {
  for (let from = 0; from < schedule.length; from += size) yield [...schedule.slice(0, from), ...schedule.slice(from + size)];
}

async function firstThatFails(
  candidates: Iterable<readonly Fault[]>,
  fails: (schedule: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  for (const candidate of candidates) if (await fails(candidate)) return candidate;
  return undefined;
}
