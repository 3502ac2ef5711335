/** The experiment's results as a table for people: a row for each run, and one for each resolver over all seeds. */
import Table from 'cli-table3';
import type { ResolverName } from '@armature/protocol';
import type { ExperimentResult } from './experiment.js';

export interface ResolverTotals extends Omit<ExperimentResult, 'seed'> {
  readonly seeds: number;
  /** Of the acknowledged adds, 0 to 100: over all seeds, in the best of them, and in the worst. */
  readonly lostPercent: number;
  readonly leastPercent: number;
  readonly mostPercent: number;
}

/** One entry for each resolver, in the order of their first runs. */
export function totalsOf(results: readonly ExperimentResult[]): ResolverTotals[] {
  const resolvers = [...new Set(results.map(({ resolver }) => resolver))];
  return resolvers.map((resolver) => {
    const runs = results.filter((result) => result.resolver === resolver);
    const sum = (figure: (run: ExperimentResult) => number): number => runs.reduce((total, run) => total + figure(run), 0);
    const [acknowledged, lost] = [sum((run) => run.acknowledged), sum((run) => run.lost)];
    const percents = runs.map((run) => percentOf(run.lost, run.acknowledged));
    return {
      resolver,
      seeds: runs.length,
      attempted: sum((run) => run.attempted),
      acknowledged,
      surviving: sum((run) => run.surviving),
      lost,
      lostPercent: percentOf(lost, acknowledged),
      leastPercent: Math.min(...percents),
      mostPercent: Math.max(...percents),
    };
  });
}

export function tableOf(results: readonly ExperimentResult[]): string {
  const table = new Table({
    head: ['resolver', 'seed', 'attempted', 'acknowledged', 'surviving', 'lost', 'lost %'],
    colAligns: ['left', ...Array<'right'>(6).fill('right')],
    style: { head: [], border: [], compact: true },
  });
  const row = (resolver: ResolverName, seed: string, run: Omit<ExperimentResult, 'seed' | 'resolver'>): void => {
    const counts = [run.attempted, run.acknowledged, run.surviving, run.lost].map((count) => count.toLocaleString('en'));
    table.push([resolver, seed, ...counts, percentOf(run.lost, run.acknowledged).toFixed(1)]);
  };
  const totals = totalsOf(results);
  for (const { resolver } of totals) {
    for (const run of results) if (run.resolver === resolver) row(resolver, String(run.seed), run);
  }
  for (const total of totals) row(total.resolver, 'all', total);
  return table.toString();
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
