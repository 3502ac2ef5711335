/**
 * Several runs of one cell as one: the median of each figure, since one run in a disturbed second must not decide. Errors are
 * added up.
 */
import type { CellResult } from './drive.js';

/** `runs`: of one cell, at least one. Of an even number of runs, the mean of the two in the middle. */
export function medians(runs: readonly CellResult[]): CellResult {
  const [first] = runs;
  if (first === undefined) throw new Error('a cell that was never run');
  const of = (figure: (run: CellResult) => number): number => median(runs.map(figure));
  return {
    ...first,
    operations: of((run) => run.operations),
    errors: runs.reduce((sum, { errors }) => sum + errors, 0),
    perSecond: Math.round(of((run) => run.perSecond)),
    cpuUs: first.cpuUs === undefined ? undefined : of((run) => run.cpuUs ?? NaN),
    meanMs: of((run) => run.meanMs),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    p999Ms: of((run) => run.p999Ms),
    maxMs: of((run) => run.maxMs),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return (lower + upper) / 2;
}
