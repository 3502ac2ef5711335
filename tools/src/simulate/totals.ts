/** What many runs come to: how much was tried, how fast, and what failed. */
import type { FaultKind, SimulationReport } from '@armature/testing';

export interface Summary extends Omit<SimulationReport, 'trace' | 'schedule'> {
  readonly faults: Partial<Record<FaultKind, number>>;
}

export interface Totals {
  readonly seeds: number;
  readonly failed: readonly (number | string)[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly mintedTwice: number;
  readonly reads: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly faults: Partial<Record<FaultKind, number>>;
  /** Virtual ms until all replicas were equal again: the longest. */
  readonly slowestConvergenceMs: number;
}

export const NOTHING_SIMULATED: Totals = {
  seeds: 0,
  failed: [],
  acknowledged: 0,
  unknown: 0,
  refused: 0,
  mintedTwice: 0,
  reads: 0,
  virtualMs: 0,
  events: 0,
  faults: {},
  slowestConvergenceMs: 0,
};

export function summaryOf({ trace: _trace, schedule, ...report }: SimulationReport): Summary {
  const faults: Partial<Record<FaultKind, number>> = {};
  for (const { kind } of schedule) faults[kind] = (faults[kind] ?? 0) + 1;
  return { ...report, faults };
}

export function addUp(totals: Totals, run: Summary | { readonly seed: number; readonly threw: string }): Totals {
  if ('threw' in run) return { ...totals, seeds: totals.seeds + 1, failed: [...totals.failed, run.seed] };
  const faults = { ...totals.faults };
  for (const [kind, count] of Object.entries(run.faults)) faults[kind as FaultKind] = (faults[kind as FaultKind] ?? 0) + count;
  return {
    seeds: totals.seeds + 1,
    failed: run.violations.length === 0 ? totals.failed : [...totals.failed, run.seed],
    acknowledged: totals.acknowledged + run.acknowledged,
    unknown: totals.unknown + run.unknown,
    refused: totals.refused + run.refused,
    mintedTwice: totals.mintedTwice + run.mintedTwice,
    reads: totals.reads + run.reads,
    virtualMs: totals.virtualMs + run.virtualMs,
    events: totals.events + run.events,
    faults,
    slowestConvergenceMs: Math.max(totals.slowestConvergenceMs, run.convergedAfterMs ?? 0),
  };
}

/** How fast it went. A process is one core, so what it comes to is of one core. */
export interface Speed {
  readonly virtualHoursAMinute: number;
  readonly seedsAMinute: number;
  /** Writes and reads that clients began, whatever became of them: all are judged. */
  readonly operationsAMinute: number;
  /** Virtual time by real time, of each process. */
  readonly timesRealTime: number;
}

export function speedOf(totals: Totals, tookMs: number, jobs: number): Speed {
  const minutes = tookMs / 60_000;
  const { acknowledged, unknown, refused, reads } = totals;
  return {
    virtualHoursAMinute: totals.virtualMs / 3_600_000 / minutes,
    seedsAMinute: totals.seeds / minutes,
    operationsAMinute: (acknowledged + unknown + refused + reads) / minutes,
    timesRealTime: totals.virtualMs / tookMs / jobs,
  };
}

export function describeTotals(totals: Totals, tookMs: number, jobs: number): string {
  const speed = speedOf(totals, tookMs, jobs);
  const count = (value: number): string => Math.round(value).toLocaleString('en-US');
  const faults = Object.values(totals.faults).reduce((sum, one) => sum + one, 0);
  return [
    `${count(totals.seeds)} seeds, ${totals.failed.length} failed${totals.failed.length === 0 ? '' : `: ${totals.failed.join(' ')}`}`,
    `${count(totals.acknowledged)} acknowledged writes and ${count(totals.reads)} reads checked, ${count(totals.unknown)} of unknown outcome, ${count(totals.mintedTwice)} carried out twice; ${count(faults)} faults of ${Object.keys(totals.faults).length} kinds; ${count(totals.events)} events`,
    `${(totals.virtualMs / 3_600_000).toFixed(2)} virtual hours in ${(tookMs / 60_000).toFixed(1)} min on ${jobs} process(es), each ${count(speed.timesRealTime)} times real time`,
    `a minute: ${speed.virtualHoursAMinute.toFixed(2)} virtual hours, ${count(speed.seedsAMinute)} seeds, ${count(speed.operationsAMinute)} operations checked`,
    `all replicas equal again at the latest ${(totals.slowestConvergenceMs / 1000).toFixed(0)} virtual seconds after the last fault`,
  ].join('\n');
}
