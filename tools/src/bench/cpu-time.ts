/**
 * The CPU time of processes, so that what an operation costs can be said: throughput on a shared machine moves with whatever else
 * runs there, and CPU per operation hardly does. Read from Linux's `/proc`, in ticks of 10 ms; other systems have none, and the
 * figure is left out there.
 */
import { readFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
/**
 * Of the fields behind the program's name, which may have blanks in it and ends with the last bracket: user and system time,
 * `proc(5)`.
 */
const [USER_FIELD, SYSTEM_FIELD] = [11, 12];

/**
 * User and system time of these processes together, in microseconds; undefined where it cannot be known. A process that has ended
 * counts nothing.
 */
export function cpuTimeUs(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  return pids.reduce((sum, pid) => sum + timeOf(pid), 0);
}

function timeOf(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return 0;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_FIELD]) + Number(fields[SYSTEM_FIELD])) * TICK_US;
}
