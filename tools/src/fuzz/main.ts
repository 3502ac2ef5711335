/**
 * `npm run fuzz`: gives decoders and doors what nobody honest would send. For each target a line with what was tried; for an
 * input that fails, the input in hex and the command that tries it again.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { count } from '../option-values.js';
import { drive, type Plan, type Result } from './drive.js';
import { tryOnce } from './fuzzer.js';
import type { Target } from './target.js';
import type { Task } from './task.js';
import { TARGETS, targetNamed } from './targets/index.js';
import { usageOf } from './usage.js';
import { work } from './worker.js';

interface Options {
  readonly minutes: number;
  readonly runs?: number;
  readonly seed: number;
  readonly jobs: number;
  readonly list: boolean;
  readonly replay?: string;
  readonly json: boolean;
}

/** Longer inputs go to a file. */
const SHOWN_BYTES = 1_024;
const PROBLEM_LINES = 12;

if (!isMainThread) await work(workerData as Task, (word) => parentPort?.postMessage(word));
else await command().parseAsync();

function command(): Command {
  return new Command('fuzz')
    .description(
      'Gives each decoder and door of the project damaged, extreme and adversarial input, and checks what it does with it.',
    )
    .argument('[targets...]', 'which ones; all by default')
    .option('--minutes <n>', 'how long, for each target', minutesOf, 1)
    .option('--runs <n>', 'how many inputs, for each target; instead of minutes', count)
    .option('--seed <n>', 'of the inputs: one seed and so many runs are the same inputs each time', count, 1)
    .option('--jobs <n>', 'targets at a time', count, availableParallelism())
    .option('--list', 'which targets there are', false)
    .option('--replay <input>', 'one input of one target again, in hex or from a file')
    .option('--json', 'the report as JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run fuzz -- --list\n  npm run fuzz -- --minutes 0.1\n  npm run fuzz -- requests replies --runs 1000000 --seed 7\n  npm run fuzz -- tokens --replay 0105',
    )
    .action((names: readonly string[], options: Options) => main(names.map(known), options));
}

async function main(chosen: readonly Target[], options: Options): Promise<void> {
  const [first, ...more] = chosen;
  if (options.list) {
    list();
    return;
  }
  if (options.replay !== undefined) {
    if (first === undefined || more.length > 0)
      throw new InvalidArgumentError('name the one target that is to be given the input');
    await replay(first, inputOf(options.replay));
    return;
  }
  await many(chosen.length === 0 ? TARGETS : chosen, options);
}

function list(): void {
  const width = Math.max(...TARGETS.map(({ name }) => name.length));
  for (const { name, what } of TARGETS) console.log(`${name.padEnd(width)}  ${what}`);
}

async function many(targets: readonly Target[], { runs, minutes, seed, jobs, json }: Options): Promise<void> {
  const plan: Plan = {
    thread: new URL(import.meta.url),
    seed,
    jobs,
    runs: runs ?? Infinity,
    forMs: runs === undefined ? minutes * 60_000 : Infinity,
  };
  const bar = new cliProgress.SingleBar(
    { format: '{runs} inputs in {duration_formatted}', stream: process.stderr },
    cliProgress.Presets.shades_grey,
  );
  const isShown = process.stderr.isTTY && !json;
  const counts = new Map<string, number>();
  if (isShown) bar.start(targets.length, 0, { runs: 0 });
  const results = await drive(targets, plan, (target, word) => {
    counts.set(target, word.runs);
    if (isShown) bar.update({ runs: [...counts.values()].reduce((sum, one) => sum + one, 0) });
  });
  if (isShown) bar.stop();
  if (json) console.log(JSON.stringify({ seed, results: results.map(shownResult) }, undefined, 2));
  else describe(results, seed);
  if (results.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

function describe(results: readonly Result[], seed: number): void {
  const width = Math.max(...results.map(({ target }) => target.length));
  for (const { target, runs, outcomes, tookMs, failure } of results) {
    const rate = Math.round(runs / (tookMs / 1_000));
    const line = `${target.padEnd(width)}  ${runs} inputs, ${rate} a second, ${outcomes} ways of ending`;
    console.log(failure === undefined ? line : pc.red(`${line}: FAILS`));
    if (failure === undefined) continue;
    for (const words of failure.problem.split('\n').slice(0, PROBLEM_LINES)) console.log(`    ${words}`);
    console.log(`    seed ${seed}; again: npm run fuzz -- ${target} --replay ${kept(target, failure.input)}`);
  }
  const total = results.reduce((sum, { runs }) => sum + runs, 0);
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const verdict = `${total} inputs in ${results.length} targets, ${failed === 0 ? 'none of which does harm' : `${failed} of which fail`}`;
  console.log(failed === 0 ? pc.green(verdict) : pc.red(verdict));
}

function shownResult({ failure, ...rest }: Result): unknown {
  return failure === undefined
    ? rest
    : { ...rest, failure: { input: kept(rest.target, failure.input), problem: failure.problem } };
}

/** The input as `--replay` takes it: in hex, or the file that it was written to. */
function kept(target: string, input: Uint8Array): string {
  if (input.length <= SHOWN_BYTES) return Buffer.from(input).toString('hex');
  const file = join(mkdtempSync(join(tmpdir(), 'armature-fuzz-')), `${target}.bin`);
  writeFileSync(file, input);
  return file;
}

async function replay(target: Target, input: Uint8Array): Promise<void> {
  const outcome = await tryOnce(target, input);
  if (typeof outcome !== 'string') {
    console.log(pc.red(outcome.problem));
    process.exitCode = 1;
    return;
  }
  const { allocatedBytes, tookMs } = await usageOf(target, input);
  console.log(
    `${outcome}\n${input.length} bytes; allocates ${allocatedBytes ?? 'an unknown number of'} bytes in ${tookMs.toFixed(2)} ms`,
  );
}

function inputOf(text: string): Uint8Array {
  if (existsSync(text)) return readFileSync(text);
  if (/^([0-9a-fA-F]{2})*$/.test(text)) return Buffer.from(text, 'hex');
  throw new InvalidArgumentError(`${text.slice(0, 80)} is neither hex nor a file`);
}

function known(name: string): Target {
  try {
    return targetNamed(name);
  } catch {
    throw new InvalidArgumentError(`there is no target ${name}; there are ${TARGETS.map((one) => one.name).join(', ')}`);
  }
}

function minutesOf(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_440)) throw new InvalidArgumentError('a number of minutes, above 0');
  return value;
}
