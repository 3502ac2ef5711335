/**
 * `npm run bench`: puts, gets and a mix of both against node processes over a real nats-server, at several numbers of operations in flight and
 * value sizes. One client process drives; everything shares the machine, so figures compare within a run and not across machines.
 *
 * What is to be compared is run in turns: several durabilities in several rounds, forth and back, so that a disturbance of the machine meets all of them; then
 * medians over the rounds are reported. That is how the paper compares buffered with direct writes (figure 5).
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ProcessCluster } from '../process-cluster.js';
import { DURABILITIES, type Durability } from '@armature/protocol';
import { bucketNameOf, drive, preload, type Cell, type CellResult, type Load } from './drive.js';
import { medians } from './medians.js';
import { tableOf } from './report.js';

interface Options {
  readonly loads: readonly Load[];
  readonly inFlight: readonly number[];
  readonly sizes: readonly number[];
  readonly seconds: number;
  readonly keys: number;
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

const program = new Command('bench')
  .description('Drives a cluster of real processes and reports throughput and latency.')
  .option('--loads <list>', 'of put, get, mixed', loads, ['put', 'get', 'mixed'])
  .option('--in-flight <list>', 'operations in flight', numbers, [1, 16, 64, 256])
  .option('--sizes <list>', 'value sizes, in bytes', numbers, [100, 1024])
  .option('--seconds <n>', 'measured per cell, after a warm-up of a third of it', positive, 4)
  .option('--keys <n>', 'keys written before the gets', positive, 20_000)
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
  npm run bench -- --routing router                    through the router tier`,
  );

async function main(options: Options): Promise<void> {
  const names = Array.from({ length: options.nodes }, (_, i) => `n${i + 1}`);
  const cluster = await ProcessCluster.start({
    nodes: names,
    routers: options.routing === 'router' ? ['r1'] : [],
    storage: options.storage,
    ...(options.profile === undefined ? {} : { execArgv: ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] }),
  });
  try {
    const client = await cluster.connect({ routing: options.routing });
    for (const durability of options.durability) await client.admin.setBucket(bucketNameOf(durability), { durability });
    const cells: Cell[] = [];
    for (const sizeBytes of options.sizes) {
      for (const durability of options.durability) await preload(client, durability, sizeBytes, options.keys);
      for (const load of options.loads)
        for (const inFlight of options.inFlight)
          for (const durability of options.durability)
            cells.push({ durability, load, inFlight, sizeBytes, seconds: options.seconds, keys: options.keys });
    }
    const rounds: CellResult[][] = cells.map(() => []);
    for (let round = 0; round < options.rounds; round++) {
      const order = [...cells.entries()];
      if (round % 2 === 1) order.reverse();
      for (const [done, [at, cell]] of order.entries()) {
        rounds[at]?.push(await drive(client, cell));
        process.stderr.write(`\r${round * cells.length + done + 1} of ${options.rounds * cells.length} cells`);
      }
    }
    const results = rounds.map(medians);
    process.stderr.write('\n');
    await client.close();
    const setting = {
      ...options,
      profile: undefined,
      node: process.version,
      cpu: `${cpus().length} x ${cpus()[0]?.model ?? '?'}`,
    };
    if (options.json !== '-') process.stdout.write(`${tableOf(setting, results)}\n`);
    if (options.json === '-') process.stdout.write(`${JSON.stringify({ setting, results }, null, 2)}\n`);
    else if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ setting, results }, null, 2)}\n`);
  } finally {
    await cluster.stop();
  }
}

await main(program.parse().opts<Options>());
