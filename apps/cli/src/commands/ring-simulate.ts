/**
 * `armature ring simulate`: figure 8 of the paper, load balancing efficiency against the size of the membership metadata, for
 * the three partitioning strategies. Needs no cluster.
 *
 * The rings are formed one join after the other, as clusters grow. Keys are uniform, so a partition's load is the part of the
 * circle it covers; what differs between the strategies is then only how evenly they divide it.
 */
import { parseNodeId, parseZoneName, quoted, unwrap } from '@armature/kernel';
import { balanceOf, emptyRing, metadataBytes, ringJoin, type RingSettings, type RingStrategy } from '@armature/ring';
import { define, option, type Outcome } from '../command.js';
import { percentText, sizeText, tableText } from '../format.js';
import { integerBetween, invalid, words } from '../parse.js';
import { barText } from '../ring-drawing.js';
import type { Session } from '../session.js';

interface SimulateOptions {
  readonly nodes: number;
  readonly n: number;
  readonly runs: number;
  readonly strategies: readonly RingStrategy[];
}

interface Point {
  readonly strategy: RingStrategy;
  /** Tokens per node (strategies 1 and 2). */
  readonly tokensPerNode: number | undefined;
  /** Q (strategies 2 and 3). */
  readonly partitions: number | undefined;
  readonly metadataBytes: number;
  /** Mean over the runs. */
  readonly efficiency: number;
  readonly outOfBalance: number;
}

const BAR_CELLS = 30;
const TOKENS = [8, 32, 128, 512];
/** Strategy 2 wants Q much larger than S * T. */
const ORDERED_PARTITIONS = 16_384;
const CLAIMED_PARTITIONS = [128, 512, 2_048, 8_192];

export const ringSimulateCommand = define<SimulateOptions>({
  details:
    'Strategy 1: T random tokens per node, partitions between tokens. Strategy 2: the same tokens, Q equal partitions.\n' +
    'Strategy 3: Q/S tokens per node, Q equal partitions; clusters use it. Efficiency is the load of the mean node over\n' +
    'the load of the hottest one; metadata is what every node must hold to know who has what.',
  options: [
    option('--nodes <count>', 'S', integerBetween('--nodes', 1, 300)).default(30),
    option('--n <count>', 'replicas of each key', integerBetween('--n', 1, 16)).default(3),
    option('--runs <count>', 'rings per line, of which the mean is shown', integerBetween('--runs', 1, 100)).default(3),
    option('--strategies <list>', 'of 1, 2, 3', strategiesOf).default([1, 2, 3], '1,2,3'),
  ],
  examples: ['ring simulate', 'ring simulate --nodes 100 --strategies 3', 'ring simulate --json'],
  run: (session, _args, options) => simulate(session, options),
});

async function simulate(session: Session, options: SimulateOptions): Promise<Outcome> {
  const points = options.strategies.flatMap((strategy) =>
    settingsOf(strategy, options).map((settings) => measure(settings, options)),
  );
  if (session.voice.json) {
    await session.printJson({ nodes: options.nodes, n: options.n, runs: options.runs, points });
    return undefined;
  }
  const rows = points.map((point) => [
    String(point.strategy),
    point.tokensPerNode === undefined ? '-' : String(point.tokensPerNode),
    point.partitions === undefined ? '-' : String(point.partitions),
    sizeText(point.metadataBytes),
    `${barText(point.efficiency, 1, BAR_CELLS)} ${percentText(point.efficiency)}`,
    percentText(point.outOfBalance),
  ]);
  await session.print(
    [
      `${options.nodes} nodes of equal weight, ${options.n} replicas, uniform keys, mean of ${options.runs} runs`,
      '',
      tableText(session, ['strategy', 'tokens/node', 'partitions', 'metadata', 'efficiency', 'nodes >15 % off'], rows),
    ].join('\n'),
  );
  return undefined;
}

function settingsOf(strategy: RingStrategy, { n }: SimulateOptions): Omit<RingSettings, 'seed'>[] {
  switch (strategy) {
    case 1:
      return TOKENS.map((tokensPerNode) => ({ strategy, tokensPerNode, partitionCount: 1, targetN: n }));
    case 2:
      return TOKENS.map((tokensPerNode) => ({ strategy, tokensPerNode, partitionCount: ORDERED_PARTITIONS, targetN: n }));
    case 3:
      return CLAIMED_PARTITIONS.map((partitionCount) => ({ strategy, partitionCount, targetN: n }));
  }
}

function measure(settings: Omit<RingSettings, 'seed'>, { nodes, n, runs }: SimulateOptions): Point {
  let efficiency = 0;
  let outOfBalance = 0;
  let bytes = 0;
  for (let run = 0; run < runs; run++) {
    let ring = emptyRing({ ...settings, seed: `simulate-${run}` });
    const zone = unwrap(parseZoneName('default'));
    for (let node = 0; node < nodes; node++)
      ring = ringJoin(ring, { node: unwrap(parseNodeId(`s${run}-${node}`)), weight: 1, zone });
    const balance = balanceOf(ring, n);
    efficiency += balance.efficiency / runs;
    outOfBalance += balance.outOfBalance / runs;
    bytes = metadataBytes(ring);
  }
  const { strategy } = settings;
  return {
    strategy,
    tokensPerNode: settings.tokensPerNode,
    partitions: strategy === 1 ? undefined : settings.partitionCount,
    metadataBytes: bytes,
    efficiency,
    outOfBalance,
  };
}

function strategiesOf(text: string): readonly RingStrategy[] {
  return words('--strategies')(text).map((word) => {
    if (word === '1' || word === '2' || word === '3') return Number(word) as RingStrategy;
    throw invalid(`${quoted(word)} is no strategy`, 'There are 1, 2 and 3.');
  });
}
