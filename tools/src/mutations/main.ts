/**
 * `npm run simulate:mutations`: does the simulation find bugs? Each of the seeded bugs (`list/`) is switched on in a process of
 * its own, which runs seed after seed until one shows a violation. Then the sound code runs the same seeds under the same
 * options, and must show none.
 */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { count } from '../option-values.js';
import { workspaceRoot } from '../workspace-root.js';
import { hunt, type Catch } from './hunt.js';
import { MUTATIONS } from './list/index.js';
import { mutantOf, type Mutation, type RunOptions } from './mutation.js';
import { headLine, kindOf, lineOf, soundLine } from './table.js';

interface Options {
  readonly only?: readonly string[];
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly duration: number;
  readonly sound: boolean;
  readonly json: boolean;
}

interface Result extends Catch {
  readonly mutation: Mutation;
  readonly run: RunOptions;
}

await new Command('simulate:mutations')
  .description('Seeds one bug after the other into the code and runs simulations until each is caught.')
  .option('--only <names>', 'these mutations only', (text) => text.split(','))
  .option('--seeds <n>', 'seeds at most, for each', count, 1000)
  .option('--from <seed>', 'the first of them', count, 1)
  .option(
    '--duration <s>',
    'virtual seconds of load and faults in each run, where the mutation does not say otherwise',
    count,
    30,
  )
  .option('--jobs <n>', 'processes', count, availableParallelism())
  .option('--no-sound', 'do not run the sound code on the same seeds')
  .option('--json', 'the results as JSON', false)
  .addHelpText('after', `\nMutations:\n${MUTATIONS.map(({ name, trap }) => `  ${name}: ${trap}`).join('\n')}`)
  .action(main)
  .parseAsync();

async function main({ only, seeds, from, jobs, duration, sound, json }: Options): Promise<void> {
  const root = workspaceRoot(import.meta.dirname);
  const stranger = only?.find((name) => !MUTATIONS.some((mutation) => mutation.name === name));
  if (stranger !== undefined) throw new InvalidArgumentError(`there is no mutation ${stranger}`);
  const chosen = MUTATIONS.filter(({ name }) => only?.includes(name) ?? true);
  for (const mutation of chosen) mutantOf(root, mutation); // one that does not apply ends it at once
  const say = (line: string): void => {
    if (!json) console.log(line);
  };
  say(headLine());
  const runOf = ({ run }: Mutation): RunOptions => ({ durationMs: duration * 1000, ...run });
  const results = await inTurn(chosen, jobs, async (mutation): Promise<Result> => {
    const run = runOf(mutation);
    const result = { mutation, run, ...(await hunt(root, { mutation, run, from, seeds })) };
    say(lineOf(result));
    return result;
  });
  // Of each kind of run, as many seeds as some mutation has needed: what the sound code shows too is no catch.
  const groups = new Map<string, { run: RunOptions; seeds: number }>();
  for (const { run, seeds: needed, violations } of results) {
    const key = JSON.stringify(run);
    if (violations.length > 0) groups.set(key, { run, seeds: Math.max(needed, groups.get(key)?.seeds ?? 0) });
  }
  const unsound = !sound
    ? []
    : await inTurn([...groups.values()], jobs, async (group) => {
        const found = { ...group, ...(await hunt(root, { mutation: undefined, from, ...group })) };
        say(soundLine(found));
        return found;
      });
  const missed = results.filter(({ violations }) => violations.length === 0);
  const guilty = unsound.filter(({ violations }) => violations.length > 0);
  if (json) {
    const caught = results.map(({ mutation: { name, trap }, violations, seeds: needed, tookMs }) => ({
      ...{ name, trap, caught: kindOf(violations), seeds: needed, tookMs: Math.round(tookMs) },
      violations: violations.slice(0, 3),
    }));
    console.log(JSON.stringify({ mutations: caught, unsound: guilty }, undefined, 2));
  }
  const verdict = `${results.length - missed.length} of ${results.length} seeded bugs caught within ${seeds} seeds`;
  say(
    missed.length === 0
      ? pc.green(verdict)
      : pc.red(`${verdict}; not: ${missed.map(({ mutation }) => mutation.name).join(', ')}`),
  );
  if (missed.length > 0 || guilty.length > 0) process.exitCode = 1;
}

/** So many at a time, in order; results in that order. */
async function inTurn<T, R>(tasks: readonly T[], jobs: number, work: (task: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = tasks.entries();
  const worker = async (): Promise<void> => {
    for (const [place, task] of queue) results[place] = await work(task);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, worker));
  return results;
}
