/**
 * `npm run bench`: puts, gets and a mix of both against node processes over a real nats-server, at several numbers of operations
 * in flight and value sizes. One client process drives; everything shares the machine, so figures compare within a run and not
 * across machines.
 *
 * What is to be compared is run in turns: several durabilities, or two builds, in several rounds, forth and back, so that a
 * disturbance of the machine meets all of them; then medians over the rounds are reported. That is how the paper compares
 * buffered with direct writes (figure 5).
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DURABILITIES, type Durability, type ResolverName } from '@armature/protocol';
import { Contender } from './contender.js';
import { drive, preload, type Cell, type CellResult, type Load } from './drive.js';
import { medians } from './medians.js';
import { tableOf } from './report.js';

interface Options {
  readonly loads: readonly Load[];
  readonly inFlight: readonly number[];
  readonly sizes: readonly number[];
  readonly seconds: number;
  readonly keys: number;
  readonly overwrite: number;
  readonly resolver: ResolverName;
  readonly against: readonly string[];
  readonly rounds: number;
  readonly durability: readonly Durability[];
  readonly storage: 'level' | 'memory';
  readonly routing: 'direct' | 'router';
  readonly nodes: number;
  readonly json?: string;
  readonly profile?: string;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0');
  return value;
};
const numbers = (text: string): number[] => text.split(',').map(positive);
const loads = (text: string): Load[] =>
  text.split(',').map((word) => {
    if (word === 'put' || word === 'get' || word === 'mixed') return word;
    throw new InvalidArgumentError('must be of put, get, mixed');
  });
const durabilities = (text: string): Durability[] =>
  text.split(',').map((word) => {
    const found = DURABILITIES.find((one) => one === word);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`must be of ${DURABILITIES.join(', ')}`);
  });

const appended = (text: string, before: readonly string[]): readonly string[] => [...before, text];

const program = new Command('bench')
  .description('Drives a cluster of real processes and reports throughput and latency.')
  .option('--loads <list>', 'of put, get, mixed', loads, ['put', 'get', 'mixed'])
  .option('--in-flight <list>', 'operations in flight', numbers, [1, 16, 64, 256])
  .option('--sizes <list>', 'value sizes, in bytes', numbers, [100, 1024])
  .option('--seconds <n>', 'measured per cell, after a warm-up of a third of it', positive, 4)
  .option('--keys <n>', 'keys written before the gets', positive, 20_000)
  .option('--overwrite <keys>', 'puts overwrite so many keys; otherwise each writes one of its own', positive, 0)
  .addOption(new Option('--resolver <kind>', 'of the buckets').choices(['siblings', 'last-write-wins']).default('siblings'))
  .option('--against <directory>', 'also run another checkout, built, in turns with this one; may be repeated', appended, [])
  .option('--rounds <n>', 'how often each cell is run; medians are reported', positive, 1)
  .option('--durability <list>', `of the buckets, compared within the run: of ${DURABILITIES.join(', ')}`, durabilities, [
    'fsync',
  ])
  .addOption(new Option('--storage <engine>', 'of the nodes').choices(['level', 'memory']).default('level'))
  .addOption(new Option('--routing <kind>', 'of the client').choices(['direct', 'router']).default('direct'))
  .option('--nodes <n>', 'node processes', positive, 3)
  .option('--json <file>', 'also write the figures as JSON; - for standard output')
  .option('--profile <directory>', 'write a CPU profile of each node there')
  .addHelpText(
    'after',
    `
Examples:
  npm run bench                                        all loads, sizes and concurrencies (about 2 minutes)
  npm run bench -- --loads put --in-flight 64          one cell per size
  npm run bench -- --durability os --json bench.json   without fsync, figures also as JSON
  npm run bench -- --durability fsync,buffered --loads put --in-flight 1,64 --rounds 5
  npm run bench -- --routing router                    through the router tier
  npm run bench -- --loads put --in-flight 64 --overwrite 10000 --resolver last-write-wins
  npm run bench -- --loads put,get --in-flight 64 --rounds 5 --against ../before   this build and another one`,
  );

async function main(options: Options): Promise<void> {
  const contenders: Contender[] = [];
  try {
    for (const root of [undefined, ...options.against]) contenders.push(await contend(options, root));
    const cells: { readonly contender: Contender; readonly cell: Cell }[] = [];
    for (const sizeBytes of options.sizes) {
      for (const { client } of contenders)
        for (const durability of options.durability) await preload(client, durability, sizeBytes, options.keys);
      for (const cell of cellsOf(options, sizeBytes)) for (const contender of contenders) cells.push({ contender, cell });
    }
    const rounds: CellResult[][] = cells.map(() => []);
    for (let round = 0; round < options.rounds; round++) {
      const order = [...cells.entries()];
      if (round % 2 === 1) order.reverse();
      for (const [done, [at, { contender, cell }]] of order.entries()) {
        rounds[at]?.push(await drive(contender, cell));
        process.stderr.write(`\r${round * cells.length + done + 1} of ${options.rounds * cells.length} cells`);
      }
    }
    process.stderr.write('\n');
    report(options, rounds.map(medians));
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}

async function contend(options: Options, root: string | undefined): Promise<Contender> {
  const { nodes, storage, routing, profile, durability, resolver } = options;
  const contender = await Contender.start({ root, nodes, storage, routing, profile });
  await contender.prepare(durability, resolver);
  return contender;
}

function cellsOf(options: Options, sizeBytes: number): Cell[] {
  const { seconds, keys, overwrite } = options;
  return options.loads.flatMap((load) =>
    options.inFlight.flatMap((inFlight) =>
      options.durability.map((durability) => ({ durability, load, inFlight, sizeBytes, seconds, keys, overwrite })),
    ),
  );
}

function report(options: Options, results: readonly CellResult[]): void {
  const cpu = `${cpus().length} x ${cpus()[0]?.model ?? '?'}`;
  const setting = { ...options, profile: undefined, node: process.version, cpu };
  const json = `${JSON.stringify({ setting, results }, null, 2)}\n`;
  process.stdout.write(options.json === '-' ? json : `${tableOf(setting, results)}\n`);
  if (options.json !== undefined && options.json !== '-') writeFileSync(options.json, json);
}

await main(program.parse().opts<Options>());
