/**
 * `npm run simulate`: whole clusters in virtual time, seed after seed, on all cores. A line for each seed that fails, with the
 * command that has it again, and at the end how much was tried. With `--seed` one run, and with `--trace` every line of it.
 *
 * Each core has a process of its own: seeds are independent, and a run is one thread.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import {
  describeFault,
  FAULT_KINDS,
  shrink,
  simulate,
  type FaultKind,
  type SimulationOptions,
  type SimulationReport,
} from '@armature/testing';
import { count } from '../option-values.js';
import { addUp, describeTotals, NOTHING_SIMULATED, speedOf, summaryOf, type Totals } from './totals.js';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly trace: boolean;
  readonly shrink: boolean;
  readonly duration: number;
  readonly kinds?: readonly FaultKind[];
  readonly nodes?: number;
  readonly hostile: boolean;
  readonly jobs: number;
  readonly json: boolean;
}

/** What all runs have in common. */
type Run = Pick<SimulationOptions, 'durationMs' | 'kinds' | 'nodes' | 'isHostile'>;

/** What a child is told, and what it says of each seed. */
interface Share {
  readonly seeds: readonly number[];
  readonly run: Run;
}
type Word =
  { readonly seed: number; readonly summary: ReturnType<typeof summaryOf> } | { readonly seed: number; readonly threw: string };

const CHILD = '--child';
/**
 * Nearly all that a run makes is soon forgotten: with more room for it, in MB, collections are a quarter as many and find less to
 * copy.
 */
const ROOMY = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

if (process.argv[2] === CHILD) process.once('message', (share: Share) => void work(share));
else
  await new Command('simulate')
    .description(
      'Runs whole clusters in deterministic simulation, and checks that nothing is lost, nothing returns, and all replicas become equal.',
    )
    .option('--seeds <n>', 'how many seeds', count, 100)
    .option('--from <seed>', 'the first of them', count, 1)
    .option('--seed <seed>', 'this one only', count)
    .option('--trace', 'with --seed: print every line of the run', false)
    .option('--shrink', 'with --seed, of a run that fails: which of its faults are needed?', false)
    .option('--duration <s>', 'virtual seconds of load and faults in each run', count, 60)
    .option('--kinds <kinds>', `kinds of faults that may occur: ${FAULT_KINDS.join(',')}`, kindsOf)
    .option('--nodes <n>', 'nodes of each cluster, 3 to 5; drawn from the seed by default', nodesOf)
    .option('--hostile', 'a hostile client is on the bus in every run, instead of in one of four', false)
    .option('--jobs <n>', 'processes', count, availableParallelism())
    .option('--json', 'the report as JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run simulate -- --seeds 1000\n  npm run simulate -- --seeds 50 --nodes 5 --jobs 1\n  npm run simulate -- --seed 67 --trace\n  npm run simulate -- --seed 67 --shrink',
    )
    .action((options: Options) => (options.seed === undefined ? many(options) : one(options, options.seed)))
    .parseAsync();

async function one(options: Options, seed: number): Promise<void> {
  const run = { seed, ...runOf(options) };
  const report = await simulate({ ...run, keepTrace: options.trace });
  if (options.trace) console.log(report.trace.join('\n'));
  if (options.json) console.log(JSON.stringify({ ...report, trace: undefined }, undefined, 2));
  else describe(report);
  if (report.violations.length === 0) return;
  process.exitCode = 1;
  if (!options.shrink) return;
  const fails = async (schedule: SimulationReport['schedule']): Promise<boolean> =>
    (await simulate({ ...run, schedule })).violations.length > 0;
  const { schedule, runs } = await shrink(report.schedule, fails);
  console.log(`\n${report.schedule.length} faults, of which ${schedule.length} are needed (${runs} runs):`);
  for (const fault of schedule) console.log(`  ${describeFault(fault)}`);
  const { violations } = await simulate({ ...run, schedule });
  for (const violation of violations) console.log(pc.red(`  ${violation}`));
}

async function many(options: Options): Promise<void> {
  const seeds = Array.from({ length: options.seeds }, (_, place) => options.from + place);
  const startedMs = performance.now();
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {value}/{total} seeds  {eta_formatted}', stream: process.stderr },
    cliProgress.Presets.shades_grey,
  );
  const isShown = process.stderr.isTTY && !options.json;
  if (isShown) bar.start(seeds.length, 0);
  let totals: Totals = NOTHING_SIMULATED;
  const heard = (word: Word): void => {
    totals = addUp(totals, 'threw' in word ? { seed: word.seed, threw: word.threw } : word.summary);
    if (isShown) bar.increment();
    const failure = 'threw' in word ? [word.threw] : word.summary.violations;
    if (failure.length === 0 || options.json) return;
    console.log(
      `${pc.red(`seed ${word.seed} fails`)}: ${failure.length} violation(s)   npm run simulate -- --seed ${word.seed} --trace`,
    );
    for (const violation of failure.slice(0, 3)) console.log(`    ${violation}`);
  };
  const jobs = Math.max(1, Math.min(options.jobs, seeds.length));
  const shares = Array.from({ length: jobs }, (_, job) => seeds.filter((_seed, place) => place % jobs === job));
  await Promise.all(shares.map((share) => child({ seeds: share, run: runOf(options) }, heard)));
  if (isShown) bar.stop();
  const tookMs = performance.now() - startedMs;
  if (options.json) console.log(JSON.stringify({ ...totals, tookMs, speed: speedOf(totals, tookMs, jobs) }, undefined, 2));
  else console.log(describeTotals(totals, tookMs, jobs));
  if (totals.failed.length > 0) process.exitCode = 1;
}

function child(share: Share, heard: (word: Word) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const spawned = fork(fileURLToPath(import.meta.url), [CHILD], { execArgv: [...process.execArgv, ...ROOMY] });
    spawned.on('message', (word: Word) => heard(word));
    spawned.on('error', reject);
    spawned.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`a simulating process ended with code ${code ?? 'none'}`)),
    );
    spawned.send(share);
  });
}

async function work({ seeds, run }: Share): Promise<void> {
  for (const seed of seeds) {
    const word: Word = await simulate({ seed, ...run }).then(
      (report) => ({ seed, summary: summaryOf(report) }),
      (thrown: unknown) => ({ seed, threw: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }),
    );
    process.send?.(word);
  }
  process.disconnect();
}

function runOf({ duration, kinds, nodes, hostile }: Options): Run {
  return {
    durationMs: duration * 1000,
    ...(kinds === undefined ? {} : { kinds }),
    ...(nodes === undefined ? {} : { nodes }),
    ...(hostile ? { isHostile: true } : {}),
  };
}

function describe(report: SimulationReport): void {
  const { seed, load, violations, acknowledged, unknown, refused, reads, schedule, convergedAfterMs, digest } = report;
  for (const workload of load) console.log(`  ${workload}`);
  for (const fault of schedule) console.log(`  ${describeFault(fault)}`);
  console.log(
    `seed ${seed}: ${acknowledged} writes acknowledged, ${unknown} unknown, ${refused} refused, ${reads} reads; digest ${digest}`,
  );
  console.log(
    convergedAfterMs === undefined
      ? pc.red('the replicas did not become equal')
      : `all replicas equal ${(convergedAfterMs / 1000).toFixed(1)} virtual seconds after faults and load had ended`,
  );
  for (const violation of violations) console.log(pc.red(violation));
  if (violations.length === 0) console.log(pc.green('nothing lost, nothing returned'));
}

function nodesOf(text: string): number {
  const nodes = count(text);
  if (nodes < 3 || nodes > 5) throw new InvalidArgumentError('3, 4 or 5');
  return nodes;
}

function kindsOf(text: string): readonly FaultKind[] {
  const kinds = text.split(',');
  const stranger = kinds.find((kind) => !FAULT_KINDS.includes(kind as FaultKind));
  if (stranger !== undefined)
    throw new InvalidArgumentError(`there is no kind of fault ${stranger}; there are ${FAULT_KINDS.join(', ')}`);
  return kinds as FaultKind[];
}
