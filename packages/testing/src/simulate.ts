/**
 * One run from one seed: a cluster under load and faults, then peace, then judgement.
 *
 * The seed draws the cluster (three to five nodes, clocks that are off), the load (one or two workloads, few keys, so that writes conflict), the kinds of faults and their
 * moments. Whatever is written to a disk is looked at: no dot may ever name two versions. In some runs only a core of the cluster is healed at first, and
 * what it holds must become equal although the rest is never heard of. When all is healed, every operation must succeed after some seconds, the
 * replicas must become equal in bounded time, what they then hold must be what the clients' own logs say must be left, to read it must write nothing, and nodes must know what
 * they hold.
 */
import { parseNodeId, shuffle, unwrap, type NodeId, type Random } from '@armature/kernel';
import { pauseWorkers, untilConverged } from './check/convergence.js';
import { Copies, type AcknowledgedWrite } from './check/copies.js';
import { Custody } from './check/custody.js';
import { DiskWitness } from './check/disk-witness.js';
import { Members } from './check/members.js';
import { checkQuietReads } from './check/quiet-reads.js';
import { DotRegister, heldUnder, type Agreement } from './check/replica-contents.js';
import { WHOLE } from './check/quorum-reads.js';
import { STEADY } from './check/steady-reads.js';
import { checkTrees } from './check/trees.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import type { NodeOptions } from '@armature/server';
import { parseSpaceKey } from '@armature/storage';
import { Conditions } from './faults/conditions.js';
import { drawSchedule, FAULT_KINDS, type Fault, type FaultKind } from './faults/fault.js';
import { Nemesis } from './faults/nemesis.js';
import { Load, type LoadWishes } from './workload/load.js';
import type { DiskReads, Mishap } from './world/disk.js';
import { World } from './world/world.js';

export interface SimulationOptions {
  readonly seed: number | string;
  readonly keepTrace?: boolean;
  /** Load and faults, virtual ms; a minute by default. */
  readonly durationMs?: number;
  /** Kinds of faults that may occur; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** Whether every run has all of them; by default the seed draws some. */
  readonly allKinds?: boolean;
  /** These faults instead of those that the seed draws. */
  readonly schedule?: readonly Fault[];
  /** Mean time between two faults that the seed draws, virtual ms; two seconds by default, or twelve in one run of four. */
  readonly faultsEveryMs?: number;
  /** Mean time that a fault lasts, virtual ms, of every kind or of these; four seconds by default, or fifteen where faults are few. */
  readonly faultsLastMs?: number | Readonly<Partial<Record<FaultKind, number>>>;
  /** Nodes from the beginning, 3 to 5; drawn from the seed by default. */
  readonly nodes?: number;
  /** Room for hints at each node, bytes; by default one run in four, drawn from the seed, has hardly any. */
  readonly hintLimitBytes?: number;
  /** Whether engines answer reads at once; drawn from the seed by default. */
  readonly reads?: DiskReads;
  /** In which nodes compare all that they store with their hash trees, virtual ms; a minute by default. */
  readonly verifyCycleMs?: number;
  /** Whether an anti-entropy worker is there throughout, or only in peace; drawn from the seed by default. */
  readonly worker?: 'throughout' | 'in-peace';
  /** Whether at first only a part of the cluster is healed, and must do without the rest; drawn from the seed by default. */
  readonly core?: boolean;
  /** For one sweep of the worker, virtual ms; twenty seconds by default. */
  readonly sweepCycleMs?: number;
  /** How fast and how many at a time nodes transfer partitions; drawn from the seed by default. */
  readonly transfers?: Pick<NodeOptions, 'transfersAtOnce' | 'transferBytesPerSecond'>;
  readonly load?: LoadWishes;
}

export interface SimulationReport {
  readonly seed: number | string;
  /** Equal for equal runs. */
  readonly digest: string;
  /** What must not be. Empty: the run is good. */
  readonly violations: readonly string[];
  /** Its workloads and their buckets, for a reader. */
  readonly load: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  /** Pairs of a put and a later read that were checked against each other (see `check/sessions.ts`). */
  readonly sessionPairs: number;
  /** How long clients could not write, all clients and workloads together, virtual ms. */
  readonly unavailableMs: number;
  /** Records that nodes have dropped: reaped tombstones, one on each of their owners, and what former owners gave up. */
  readonly dropped: number;
  /** Writes that were carried out more than once, because somebody repeated them without knowing what had become of them. */
  readonly mintedTwice: number;
  readonly schedule: readonly Fault[];
  /** Of the whole run, ms. */
  readonly virtualMs: number;
  readonly events: number;
  /** From the end of faults and load until all replicas were equal, virtual ms; undefined if they never were. */
  readonly convergedAfterMs: number | undefined;
  readonly trace: readonly string[];
}

const DEFAULT_DURATION_MS = 60_000;
/** Usually, before the first is over the next one comes. */
const DENSE = { everyMs: 2_000, lastMs: 4_000 };
/** So few that everybody has found out, and lives with it. */
const SPARSE = { everyMs: 12_000, lastMs: 15_000 };
/** Room for a hint or two: what does not find any is left to replica synchronisation. */
const SCARCE_HINT_BYTES = 400;
/** In peace, replicas must have become equal by then. */
const CONVERGENCE_LIMIT_MS = 300_000;
/** With nothing wrong any more, the cluster must be there for everybody after this; */
const RECOVERY_MS = 15_000;
/** and then it is tried for so long. */
const PROBATION_MS = 10_000;
const FLUSH_MS = 5_000;
/** So slow that a few kilobytes take seconds. */
const SLOW_TRANSFERS = { transfersAtOnce: 1, transferBytesPerSecond: 1_000 };
const CLIENTS = ['c1', 'c2', 'c3'];
const WORKER = 'a1';
const NEWCOMERS = ['n6', 'n7'];

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, keepTrace = false, durationMs = DEFAULT_DURATION_MS, kinds = FAULT_KINDS } = options;
  const world = new World({ seed, keepTrace });
  const random = world.random('run');
  const nodes = drawNodes(random, options.nodes);
  const worker = options.worker ?? (random.int(4) === 0 ? 'in-peace' : 'throughout');
  const isCore = options.core ?? random.int(4) === 0;
  const hintLimitBytes = options.hintLimitBytes ?? (random.int(4) === 0 ? SCARCE_HINT_BYTES : undefined);
  const pace = drawPace(random, options);
  const cluster = await startCluster(world, nodes, { ...options, worker, hintLimitBytes });
  const dots = new DotRegister();
  const witness = new DiskWitness();
  let dropped = 0;
  cluster.onDiskWrite = (node, batch) => {
    witness.count(batch);
    for (const operation of batch) {
      if (operation.kind === 'delete' && parseSpaceKey(operation.key)?.space === 'data') dropped++;
      const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
      if (held === undefined) continue;
      dots.see(held, `${node} after ${(world.nowMs / 1000).toFixed(1)} s`, world.nowMs);
      witness.see(node, held);
    }
  };
  cluster.onDiskSync = (node, batch) => {
    for (const operation of batch) {
      const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
      if (held !== undefined) witness.synced(node, held, world.nowMs);
    }
  };
  const conditions = new Conditions(cluster, {
    routed: CLIENTS.slice(-1),
    roomForHints: (hintLimitBytes ?? Infinity) > SCARCE_HINT_BYTES,
  });
  const copies = watchCopies(cluster);
  const wishes = {
    wishes: options.load ?? {},
    nodes: nodes.length,
    clients: CLIENTS,
    conditions,
    acknowledged: (write: AcknowledgedWrite) => copies.acknowledged(write),
  };
  const load = await world.until(Load.prepare(cluster, random.fork('load'), wishes));
  const schedule =
    options.schedule ??
    drawSchedule(world.random('schedule'), {
      kinds,
      allKinds: options.allKinds,
      durationMs,
      ...pace,
      nodes,
      newcomers: NEWCOMERS,
      processes: [...cluster.connections],
    });

  const nemesis = new Nemesis(cluster, schedule, conditions);
  nemesis.start();
  conditions.start();
  const ring = ringOf(cluster);
  let running = load.run();
  await world.run(world.nowMs + durationMs);
  conditions.stop();
  const frozen = new Set(isCore ? shuffle(random, nodes).slice(0, nodes.length >= 5 ? 1 + random.int(2) : 1) : []);
  const others = [...cluster.connections, ...NEWCOMERS, WORKER].filter((name) => !frozen.has(name as NodeId));
  await world.until(nemesis.heal([...frozen], others));
  if (worker === 'in-peace') await world.until(cluster.startWorker(WORKER));
  let core: Agreement | undefined;
  if (isCore) {
    await world.run(world.nowMs + PROBATION_MS);
    load.stop();
    await world.until(running);
    await world.run(world.nowMs + FLUSH_MS);
    core = await untilConverged(cluster, world.nowMs + CONVERGENCE_LIMIT_MS, frozen);
    running = load.run();
    await world.until(nemesis.heal());
  }
  const healedMs = world.nowMs;
  await world.run(healedMs + RECOVERY_MS + PROBATION_MS);
  load.stop();
  await world.until(running);
  const endedMs = world.nowMs;

  // What is only in memory yet is on disk after this.
  await world.run(world.nowMs + FLUSH_MS);
  const agreement = await untilConverged(cluster, world.nowMs + CONVERGENCE_LIMIT_MS);
  const convergedMs = world.nowMs;
  const custody = new Custody({ mishaps: mishapsOf(cluster), ownersChanged: ringOf(cluster) !== ring });
  const isSteady = !isCore && schedule.every(({ kind }) => STEADY.has(kind));
  const isWhole = !isCore && schedule.every(({ kind }) => WHOLE.has(kind));
  const violations = [
    ...world.problems,
    ...dots.violations,
    ...copies.violations,
    ...(core?.differences ?? []).map((difference) => `core not converged: ${difference}, without ${[...frozen].join(' ')}`),
    ...agreement.differences.map((difference) => `not converged: ${difference}`),
    ...load.judge(agreement.states, { custody, witness, isSteady, isWhole, dots }, healedMs + RECOVERY_MS),
  ];
  if (agreement.differences.length === 0) {
    await pauseWorkers(cluster);
    violations.push(...(await checkQuietReads(world, () => load.readAll(custody), witness)), ...(await checkTrees(cluster)));
  }
  return {
    seed,
    digest: world.digest,
    violations,
    load: load.describe(),
    ...load.tally,
    sessionPairs: load.sessionPairs,
    unavailableMs: load.unavailableMs,
    dropped,
    mintedTwice: dots.repeated.size,
    schedule,
    virtualMs: world.nowMs,
    events: world.events,
    convergedAfterMs: agreement.differences.length === 0 ? convergedMs - endedMs : undefined,
    trace: world.trace.lines,
  };
}

function drawPace(
  random: Random,
  { faultsEveryMs, faultsLastMs }: SimulationOptions,
): { everyMs: number; lastMs: (kind: FaultKind) => number } {
  const drawn = random.int(4) === 0 ? SPARSE : DENSE;
  const lastMs = (kind: FaultKind): number =>
    (typeof faultsLastMs === 'number' ? faultsLastMs : faultsLastMs?.[kind]) ?? drawn.lastMs;
  return { everyMs: faultsEveryMs ?? drawn.everyMs, lastMs };
}

function drawNodes(random: Random, wanted: number | undefined): NodeId[] {
  const drawn = 3 + random.int(3);
  return Array.from({ length: wanted ?? drawn }, (_, place) => unwrap(parseNodeId(`n${place + 1}`)));
}

/** Clocks that are up to a second off, and run up to 100 ppm fast or slow. */
function startCluster(
  world: World,
  nodes: readonly string[],
  {
    reads,
    verifyCycleMs,
    hintLimitBytes,
    worker,
    sweepCycleMs,
    transfers,
  }: Omit<SimulationOptions, 'hintLimitBytes'> & { readonly hintLimitBytes: number | undefined },
): Promise<SimulatedCluster> {
  const engine = world.random('engine');
  const drawnReads = engine.int(2) === 0 ? 'at-once' : 'waiting';
  const drawnTransfers = engine.int(4) === 0 ? SLOW_TRANSFERS : {};
  const nodeOptions = {
    ...(transfers ?? drawnTransfers),
    ...(hintLimitBytes === undefined ? {} : { hintLimitBytes }),
    ...(verifyCycleMs === undefined ? {} : { verifyCycleMs }),
  };
  const off = (name: string): Random => world.random(`clock of ${name}`);
  const starting = SimulatedCluster.start(world, {
    nodes,
    routers: ['r1'],
    workers: worker === 'throughout' ? [WORKER] : [],
    ...(sweepCycleMs === undefined ? {} : { cycleMs: sweepCycleMs }),
    skewOf: (name) => (off(name).float() - 0.5) * 2_000,
    rateOf: (name) => 1 + (off(name).fork('rate').float() - 0.5) * 2e-4,
    reads: reads ?? drawnReads,
    nodeOptions,
  });
  return world.until(starting);
}

/** Follows the disks of all nodes, and who is a member. */
function watchCopies(cluster: SimulatedCluster): Copies {
  const members = new Members(cluster);
  const copies = new Copies({
    nowMs: () => cluster.world.nowMs,
    mishaps: () => mishapsOf(cluster),
    members: () => members.now,
    isLeaving: (node) => cluster.member(node).node?.participant.membership.view.members.get(node)?.state === 'leaving',
  });
  cluster.onDiskChange = (node, keys) => {
    const { disk } = cluster.member(node);
    if (keys === undefined) copies.replaced(node, disk.image());
    else
      copies.changed(
        node,
        keys.map((key) => [key, disk.at(key)] as const),
      );
  };
  return copies;
}

function mishapsOf(cluster: SimulatedCluster): ReadonlyMap<NodeId, readonly Mishap[]> {
  return new Map([...cluster.members.values()].map(({ name, disk }) => [name, disk.mishaps]));
}

/** What all nodes that run hold for the ring. Versions are chained: where owners have changed it is another, even if they are the old ones again. */
function ringOf(cluster: SimulatedCluster): string {
  return cluster.running.map(({ participant }) => String(participant.membership.view.ringVersion)).join(' ');
}
