/** What a run of chaos came to, for people at a terminal. Pure. */
import Table from 'cli-table3';
import { accountText } from '../audit/ledger.js';
import type { ChaosReport, FaultWithGap } from './run.js';
import { faultText } from './schedule.js';
import { recoveryMs } from './timeline.js';

const MOST_VIOLATIONS = 20;

export const FAULT_COLUMNS = ['', 'at', 'fault', 'lasted', 'recovered after', 'longest gap'] as const;

/** One row for each fault, in the order of `FAULT_COLUMNS`: seconds, `-` where something is not known. */
export function faultRow(fault: FaultWithGap): string[] {
  const { number, beganMs, liftedMs, gapMs, skipped, problem } = fault;
  const lastedMs = liftedMs === undefined || fault.lastMs === 0 ? undefined : liftedMs - beganMs;
  const figures = skipped ? ['left out', '-', '-'] : [seconds(lastedMs), seconds(recoveryMs(fault)), seconds(gapMs)];
  const [firstLine = ''] = problem.split('\n'); // what a log said is among the violations
  return [
    String(number),
    seconds(beganMs),
    `${faultText(fault)}${problem === '' || skipped ? '' : ` (${firstLine})`}`,
    ...figures,
  ];
}

/** The figures of the whole run, one line each. */
export function summaryLines(report: ChaosReport): string[] {
  const { account, largeAccount, problems, faults, equalAfterMs, keys, dots, violations, evidence } = report;
  const carriedOut = faults.filter(({ skipped }) => !skipped);
  const slowestMs = Math.max(0, ...carriedOut.map((fault) => recoveryMs(fault) ?? 0));
  return [
    account === undefined
      ? 'the final state could not be read'
      : accountText(`seed ${report.seed}, ${report.nodes} nodes, ${seconds(report.loadMs)}`, account),
    ...(largeAccount === undefined ? [] : [accountText('values of 64 KiB to 10 MiB', largeAccount)]),
    ...(Object.keys(problems).length === 0 ? [] : [`not acknowledged: ${problemText(problems)}`]),
    `${carriedOut.length} faults; the slowest recovery took ${seconds(slowestMs)}`,
    equalAfterMs === undefined
      ? 'the replicas did not become equal'
      : `all replicas of ${keys.toLocaleString('en')} keys equal ${seconds(equalAfterMs)} after the load; ${dots.toLocaleString('en')} dots name one version each`,
    violations.length === 0 ? 'nothing lost, nothing returned' : `${violations.length} violation(s):`,
    ...violations.slice(0, MOST_VIOLATIONS).map((violation) => `  ${violation}`),
    ...evidence,
  ];
}

function problemText(problems: ChaosReport['problems']): string {
  return Object.entries(problems)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ');
}

export function reportText(report: ChaosReport): string {
  const table = new Table({
    head: [...FAULT_COLUMNS],
    colAligns: ['right', 'right', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const fault of report.faults) table.push(faultRow(fault));
  return [table.toString(), ...summaryLines(report)].join('\n');
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`;
}
