/**
 * What the seed draws of a run before it begins, as far as the options do not say it: who is there, how they are set up, how
 * often something goes wrong.
 */
import { parseNodeId, unwrap, type NodeId, type Random } from '@armature/kernel';
import type { NodeOptions } from '@armature/server';
import { PRUNE_ABOVE } from './check/prune-above.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import type { FaultKind } from './faults/fault.js';
import type { SimulationOptions } from './simulation-options.js';
import type { World } from './world/world.js';

/** The last one goes through a router. */
export const CLIENTS = ['c1', 'c2', 'c3'];
export const WORKER = 'a1';
export const NEWCOMERS = ['n6', 'n7'];

/** Usually, before the first is over the next one comes. */
const DENSE = { everyMs: 2_000, lastMs: 4_000 };
/** So few that everybody has found out, and lives with it. */
const SPARSE = { everyMs: 12_000, lastMs: 15_000 };
/** Room for a hint or two: what does not find any is left to replica synchronisation. */
const SCARCE_HINT_BYTES = 400;
/** Many absences last longer than that. */
const SHORT_HINT_AGE_MS = 3_000;
/** So slow that a few kilobytes take seconds. */
const SLOW_TRANSFERS = { transfersAtOnce: 1, transferBytesPerSecond: 1_000 };

/**
 * So small that a few values fill a message, and that most sets are cut into fragments. Everything that depends on sizes happens
 * with kilobytes, which a run has the memory and the time for. Values have up to 24,000 bytes (`workload/large-values.ts`); puts
 * may make 87,000 of a key with n = 3, and 52,000 with n = 5.
 */
const SMALL_MESSAGES = { messageBytes: 512 * 1024, payloadBytes: 64 * 1024 };

export interface DrawnRun {
  /** From the beginning. */
  readonly nodes: readonly NodeId[];
  readonly worker: 'throughout' | 'in-peace';
  /** Whether its values are large for the messages that there are. */
  readonly isLarge: boolean;
  /** Whether a hostile client is there. */
  readonly isHostile: boolean;
  /** Whether applications need a token. */
  readonly demandsTokens: boolean;
  /** Whether at first only a part of the cluster is healed. */
  readonly isCore: boolean;
  /** Whether it is waited at the end for all that may be reaped to be gone. */
  readonly rests: boolean;
  /** Undefined: the usual. */
  readonly hintLimitBytes: number | undefined;
  readonly roomForHints: boolean;
  /** Undefined: the usual, which no run is long enough for. */
  readonly hintMaxAgeMs: number | undefined;
  /** Mean time between two faults, virtual ms. */
  readonly everyMs: number;
  /** Mean time that one lasts, virtual ms. */
  readonly lastMs: (kind: FaultKind) => number;
}

export function drawRun(random: Random, options: SimulationOptions): DrawnRun {
  const { faultsEveryMs, faultsLastMs } = options;
  const nodes = drawNodes(random, options.nodes);
  const worker = options.worker ?? (random.int(4) === 0 ? 'in-peace' : 'throughout');
  const isCore = options.core ?? random.int(4) === 0;
  const hintLimitBytes = options.hintLimitBytes ?? (random.int(4) === 0 ? SCARCE_HINT_BYTES : undefined);
  const isLarge = options.load?.workloads?.includes('large-values') ?? random.fork('sizes').int(8) === 0;
  const rests = options.rests ?? (!isLarge && random.fork('rest').int(4) === 0);
  const isHostile = options.isHostile ?? random.fork('hostile').int(4) === 0;
  const pace = random.int(4) === 0 ? SPARSE : DENSE;
  const hintMaxAgeMs = options.hintMaxAgeMs ?? (random.fork('age of hints').int(4) === 0 ? SHORT_HINT_AGE_MS : undefined);
  return {
    ...{ nodes, worker, isLarge, isCore, rests, hintLimitBytes, hintMaxAgeMs },
    isHostile,
    demandsTokens: options.demandsTokens ?? (isHostile && random.fork('tokens').int(2) === 0),
    roomForHints: (hintLimitBytes ?? Infinity) > SCARCE_HINT_BYTES,
    everyMs: faultsEveryMs ?? pace.everyMs,
    lastMs: (kind) => (typeof faultsLastMs === 'number' ? faultsLastMs : faultsLastMs?.[kind]) ?? pace.lastMs,
  };
}

/** Clocks are up to a second off, and run up to 100 ppm fast or slow. */
export function startCluster(world: World, run: DrawnRun, options: SimulationOptions): Promise<SimulatedCluster> {
  const { reads, verifyCycleMs, sweepCycleMs, transfers, skewsMs, latencyMs } = options;
  const engine = world.random('engine');
  const drawnReads = engine.int(2) === 0 ? 'at-once' : 'waiting';
  // What takes seconds with kilobytes would not end with megabytes.
  const drawnTransfers = engine.int(4) === 0 && !run.isLarge ? SLOW_TRANSFERS : {};
  const nodeOptions: Partial<NodeOptions> = {
    pruneAbove: PRUNE_ABOVE,
    ...(transfers ?? drawnTransfers),
    ...(run.hintLimitBytes === undefined ? {} : { hintLimitBytes: run.hintLimitBytes }),
    ...(run.hintMaxAgeMs === undefined ? {} : { hintMaxAgeMs: run.hintMaxAgeMs }),
    ...(verifyCycleMs === undefined ? {} : { verifyCycleMs }),
  };
  const off = (name: string): Random => world.random(`clock of ${name}`);
  const starting = SimulatedCluster.start(world, {
    nodes: run.nodes,
    routers: ['r1'],
    workers: run.worker === 'throughout' ? [WORKER] : [],
    ...(sweepCycleMs === undefined ? {} : { cycleMs: sweepCycleMs }),
    skewOf: (name) => skewsMs?.[name] ?? (off(name).float() - 0.5) * 2_000,
    rateOf: (name) => 1 + (off(name).fork('rate').float() - 0.5) * 2e-4,
    reads: reads ?? drawnReads,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    nodeOptions,
    ...(run.isLarge ? SMALL_MESSAGES : {}),
  });
  return world.until(starting);
}

function drawNodes(random: Random, wanted: number | undefined): NodeId[] {
  const drawn = 3 + random.int(3);
  return Array.from({ length: wanted ?? drawn }, (_, place) => unwrap(parseNodeId(`n${place + 1}`)));
}
