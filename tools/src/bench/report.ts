/** The benchmark's figures as a table for people. */
import Table from 'cli-table3';
import type { CellResult } from './drive.js';

export interface Setting {
  readonly durability: readonly string[];
  readonly rounds: number;
  readonly storage: string;
  readonly routing: string;
  readonly nodes: number;
  readonly node: string;
  readonly cpu: string;
}

export function tableOf(setting: Setting, results: readonly CellResult[]): string {
  const builds = new Set(results.map(({ contender }) => contender)).size > 1 ? ['build'] : [];
  const table = new Table({
    head: [
      ...builds,
      'durability',
      'load',
      'bytes',
      'in flight',
      'ops/s',
      'CPU us',
      'mean ms',
      'p50',
      'p99',
      'p99.9',
      'max',
      'errors',
    ],
    colAligns: [...builds.map(() => 'left' as const), 'left', 'left', ...Array<'right'>(10).fill('right')],
    style: { head: [], border: [], compact: true },
  });
  const ms = (value: number): string => value.toFixed(2);
  for (const cell of results) {
    const latencies = [cell.meanMs, cell.p50Ms, cell.p99Ms, cell.p999Ms, cell.maxMs].map(ms);
    const cpu = cell.cpuUs === undefined ? '-' : cell.cpuUs.toFixed(0);
    const figures = [cell.perSecond.toLocaleString('en'), cpu, ...latencies, cell.errors];
    table.push([...builds.map(() => cell.contender), cell.durability, cell.load, cell.sizeBytes, cell.inFlight, ...figures]);
  }
  const title = `${setting.nodes} nodes, N=3 R=W=2, ${setting.storage}, ${setting.routing} client, ${setting.rounds === 1 ? '1 round' : `medians of ${setting.rounds} rounds`}; Node ${setting.node}, ${setting.cpu}`;
  return `${title}\n${table.toString()}`;
}
