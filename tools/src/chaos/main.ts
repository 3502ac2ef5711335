/**
 * `npm run chaos`: a cluster of real processes under load, with faults drawn from a seed, and the audit of what became of every
 * acknowledged write. Exit code 1 on any loss, 130 when it was stopped; nothing is left running in any case.
 */
import { writeFileSync } from 'node:fs';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { faultText, pageOf, reportText, runChaos, scheduleOf, type ChaosProgress, type ChaosReport } from './index.js';

interface Options {
  readonly minutes: number;
  readonly nodes: number;
  readonly seed?: number;
  readonly every: number;
  readonly out: string;
  readonly data?: string;
  readonly json: boolean;
  readonly dryRun: boolean;
}

const QUIET_MS = 5_000;
const STOPPED = 130;

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0');
  return value;
};
const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`must be a whole number from ${least} on`);
    return value;
  };

await new Command('chaos')
  .description(
    'Starts a cluster of real processes over a real nats-server (LevelDB, a router, an anti-entropy worker), writes all the time, kills, pauses and restarts, lets nodes join and leave, and then audits: is every acknowledged write accounted for, are all replicas equal?',
  )
  .option('--minutes <n>', 'of load with faults', positive, 10)
  .option('--nodes <n>', 'node processes at the beginning', whole(3), 5)
  .option('--seed <n>', 'draws the faults and their moments; drawn itself when not given', whole(0))
  .option('--every <s>', 'mean time between two faults', positive, 8)
  .option('--out <file>', 'the timeline, as an HTML file that needs nothing else', 'chaos.html')
  .option('--data <directory>', 'keep data and logs of all processes there')
  .option('--json', 'the report as JSON on standard output', false)
  .option('--dry-run', 'print the faults that the seed draws, and start nothing', false)
  .addHelpText(
    'after',
    `
Examples:
  npm run chaos                                       ten minutes, five nodes, a seed of its own
  npm run chaos -- --minutes 2 --seed 7               the faults of seed 7 again: the same at the same moments
  npm run chaos -- --minutes 30 --nodes 7 --every 4   more of everything
  npm run chaos -- --seed 7 --dry-run                 what would happen`,
  )
  .action(main)
  .parseAsync();

async function main(options: Options): Promise<void> {
  const seed = options.seed ?? Math.floor(Math.random() * 1_000_000);
  const run = { seed, durationMs: options.minutes * 60_000, nodes: options.nodes, everyMs: options.every * 1_000 };
  const schedule = scheduleOf(run);
  if (options.dryRun) {
    if (options.json) console.log(JSON.stringify(schedule, undefined, 2));
    else
      for (const fault of schedule)
        console.log(
          `${(fault.atMs / 1000).toFixed(1).padStart(8)} s  ${faultText(fault)}${fault.lastMs === 0 ? '' : `, for ${(fault.lastMs / 1000).toFixed(1)} s`}`,
        );
    return;
  }
  process.stderr.write(`chaos of seed ${seed}: ${options.nodes} nodes, ${schedule.length} faults in ${options.minutes} min\n`);
  const progress = progressBar(run.durationMs + QUIET_MS);
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(STOPPED); // a second time: at once; the processes get their SIGTERM at the exit
    process.stderr.write('\nstopping: ending all processes (once more to leave at once)\n');
    stopping.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  let report: ChaosReport;
  try {
    report = await runChaos({
      ...run,
      schedule,
      quietMs: QUIET_MS,
      signal: stopping.signal,
      onProgress: progress.show,
      ...(options.data === undefined ? {} : { dataDirectory: options.data }),
    });
  } catch (thrown) {
    progress.end();
    if (!stopping.signal.aborted) throw thrown;
    process.exitCode = STOPPED;
    return;
  }
  progress.end();
  writeFileSync(options.out, pageOf(report));
  console.log(options.json ? JSON.stringify(report, undefined, 2) : reportText(report));
  if (!options.json) console.log(`the timeline is in ${options.out}`);
  if (report.violations.length > 0) process.exitCode = 1;
}

/** On a terminal only. */
function progressBar(totalMs: number): { show: (progress: ChaosProgress) => void; end: () => void } {
  if (!process.stderr.isTTY) return { show: () => undefined, end: () => undefined };
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {value}/{total} s  {acknowledged} acknowledged  {doing}', stream: process.stderr },
    cliProgress.Presets.shades_grey,
  );
  bar.start(Math.ceil(totalMs / 1000), 0, { acknowledged: 0, doing: '' });
  return {
    show: ({ atMs, acknowledged, doing }) =>
      bar.update(Math.min(Math.floor(atMs / 1000), Math.ceil(totalMs / 1000)), { acknowledged, doing }),
    end: () => bar.stop(),
  };
}
