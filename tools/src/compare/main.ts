/**
 * `npm run compare:conflicts`: what a bucket's resolver makes of concurrent writes. The same experiment (see `experiment.ts`)
 * once with a last-write-wins bucket and once with siblings and a merge, for several seeds; exit code 1 if siblings lose
 * anything, since that must not be.
 */
import { Command, InvalidArgumentError } from 'commander';
import type { ResolverName } from '@armature/protocol';
import { runExperiment, type ExperimentResult } from './experiment.js';
import { tableOf, totalsOf } from './report.js';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly before: number;
  readonly cut: number;
  readonly after: number;
  readonly think: number;
  readonly json: boolean;
}

const RESOLVERS: readonly ResolverName[] = ['last-write-wins', 'siblings'];

const atLeast =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`a whole number from ${least} on`);
    return value;
  };

await new Command('compare:conflicts')
  .description(
    'Five clients add to one set, read-modify-write, while five nodes are cut into two and three for a time: what becomes of the acknowledged adds under each resolver. Deterministic: a seed is a run.',
  )
  .option('--seeds <n>', 'how many seeds', atLeast(1), 5)
  .option('--from <seed>', 'the first of them', atLeast(1), 1)
  .option('--before <s>', 'virtual seconds of adding before the cut', atLeast(0), 10)
  .option('--cut <s>', 'virtual seconds of adding while the nodes are cut into two and three', atLeast(0), 30)
  .option('--after <s>', 'virtual seconds of adding after the cut has healed', atLeast(0), 10)
  .option('--think <ms>', 'mean pause of a client between two adds', atLeast(1), 250)
  .option('--json', 'the figures as JSON', false)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run compare:conflicts\n  npm run compare:conflicts -- --cut 0        no cut: what concurrent writers alone bring about\n  npm run compare:conflicts -- --seeds 20 --json',
  )
  .action(compare)
  .parseAsync();

async function compare(options: Options): Promise<void> {
  const { seeds, from, before, cut, after, think } = options;
  const spans = { beforeMs: before * 1_000, cutMs: cut * 1_000, afterMs: after * 1_000, thinkMs: think };
  const results: ExperimentResult[] = [];
  for (const resolver of RESOLVERS) {
    for (let seed = from; seed < from + seeds; seed++) {
      results.push(await runExperiment({ seed, resolver, ...spans }));
      if (process.stderr.isTTY) process.stderr.write(`\r${results.length} of ${RESOLVERS.length * seeds} runs`);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const totals = totalsOf(results);
  if (options.json) console.log(JSON.stringify({ ...spans, results, totals }, undefined, 2));
  else {
    console.log(
      `five clients, one set, N=3 R=W=2; ${before} s whole, ${cut} s cut into two and three nodes, ${after} s whole; ${think} ms between adds`,
    );
    console.log(tableOf(results));
  }
  if (totals.some(({ resolver, lost }) => resolver === 'siblings' && lost > 0)) process.exitCode = 1;
}
