/**
 * One run from one seed: a cluster under load and faults, then peace, then judgement.
 *
 * The seed draws the cluster (three to five nodes, clocks that are off), the load (few keys, so that writes conflict), the kinds of faults and their
 * moments. Whatever is written to a disk is looked at: no dot may ever name two versions. When all is healed the replicas must become equal in
 * bounded time, and what they then hold must be what the clients' own log says must be left.
 */
import { utf8Decode, type NodeId, type Random } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { Address } from '@armature/ring';
import type { VersionSet } from '@armature/versioning';
import { checkFinalState } from './check/final-state.js';
import { OperationLog } from './check/operation-log.js';
import { agreementOf, contentsOf, DotRegister, heldUnder, nameOf, type Agreement } from './check/replica-contents.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import { drawSchedule, FAULT_KINDS, type Fault, type FaultKind } from './faults/fault.js';
import { parseSpaceKey } from '@armature/storage';
import { Nemesis } from './faults/nemesis.js';
import { RegisterClient, type RegistersOptions } from './workload/registers.js';
import { World } from './world/world.js';

export interface SimulationOptions {
  readonly seed: number | string;
  readonly keepTrace?: boolean;
  /** Load and faults, virtual ms; a minute by default. */
  readonly durationMs?: number;
  /** Kinds of faults that may occur; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** These faults instead of those that the seed draws. */
  readonly schedule?: readonly Fault[];
  /** Mean time between two faults that the seed draws, virtual ms; two seconds by default. */
  readonly faultsEveryMs?: number;
  /** Instead of what the seed draws. */
  readonly load?: Partial<RegistersOptions>;
}

export interface SimulationReport {
  readonly seed: number | string;
  /** Equal for equal runs. */
  readonly digest: string;
  /** What must not be. Empty: the run is good. */
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  /** Records that nodes have dropped: reaped tombstones, one on each of their owners, and what former owners gave up. */
  readonly dropped: number;
  readonly schedule: readonly Fault[];
  /** Of the whole run, ms. */
  readonly virtualMs: number;
  readonly events: number;
  /** From the end of the last fault until all replicas were equal, virtual ms; undefined if they never were. */
  readonly convergedAfterMs: number | undefined;
  readonly trace: readonly string[];
}

const DEFAULT_DURATION_MS = 60_000;
const FAULTS_EVERY_MS = 2_000;
const FAULTS_LAST_MS = 4_000;
const LOOK_EVERY_MS = 2_000;
/** In peace, replicas must have become equal by then. */
const CONVERGENCE_LIMIT_MS = 300_000;
const CLIENTS = ['c1', 'c2', 'c3'];
const NEWCOMERS = ['n6', 'n7'];

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, keepTrace = false, durationMs = DEFAULT_DURATION_MS, kinds = FAULT_KINDS } = options;
  const world = new World({ seed, keepTrace });
  const random = world.random('run');
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'].slice(0, 3 + random.int(3));
  const cluster = await startCluster(world, nodes);
  const dots = new DotRegister();
  let dropped = 0;
  cluster.onDiskWrite = (node, batch) => {
    for (const operation of batch) {
      if (operation.kind === 'delete' && parseSpaceKey(operation.key)?.space === 'data') dropped++;
      const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
      if (held !== undefined) dots.see(held, `${node} after ${(world.nowMs / 1000).toFixed(1)} s`);
    }
  };
  const log = new OperationLog();
  const clients = await startClients(world, cluster, log, random, options.load);
  const schedule =
    options.schedule ??
    drawSchedule(world.random('schedule'), {
      kinds,
      durationMs,
      everyMs: options.faultsEveryMs ?? FAULTS_EVERY_MS,
      lastMs: FAULTS_LAST_MS,
      nodes,
      newcomers: NEWCOMERS,
      processes: [...cluster.connections],
    });

  const nemesis = new Nemesis(cluster, schedule);
  nemesis.start();
  const running = Promise.all(clients.map((client) => client.run()));
  await world.run(world.nowMs + durationMs);
  for (const client of clients) client.stop();
  await world.until(nemesis.heal());
  await world.until(running);

  const healedMs = world.nowMs;
  const agreement = await untilConverged(cluster, healedMs + CONVERGENCE_LIMIT_MS);
  const violations = [
    ...world.problems,
    ...dots.violations,
    ...agreement.differences.map((difference) => `not converged: ${difference}`),
    ...checkFinalState(log, finalState(agreement.states), dots.repeated),
  ];
  return {
    seed,
    digest: world.digest,
    violations,
    acknowledged: log.count('acknowledged'),
    unknown: log.count('unknown'),
    refused: log.count('refused'),
    reads: clients.reduce((sum, client) => sum + client.reads, 0),
    dropped,
    schedule,
    virtualMs: world.nowMs,
    events: world.events,
    convergedAfterMs: agreement.differences.length === 0 ? world.nowMs - healedMs : undefined,
    trace: world.trace.lines,
  };
}

/** Clocks that are up to a second off, and run up to 100 ppm fast or slow. */
function startCluster(world: World, nodes: readonly string[]): Promise<SimulatedCluster> {
  const off = (name: string): Random => world.random(`clock of ${name}`);
  const starting = SimulatedCluster.start(world, {
    nodes,
    routers: ['r1'],
    workers: ['a1'],
    skewOf: (name) => (off(name).float() - 0.5) * 2_000,
    rateOf: (name) => 1 + (off(name).fork('rate').float() - 0.5) * 2e-4,
  });
  return world.until(starting);
}

async function startClients(
  world: World,
  cluster: SimulatedCluster,
  log: OperationLog,
  random: Random,
  wanted: Partial<RegistersOptions> = {},
): Promise<RegisterClient[]> {
  const load = {
    bucket: 'default',
    keys: 3 + random.int(20),
    thinkMs: 50 + random.int(400),
    deletes: 0.1,
    blind: 0.15,
    ...wanted,
  };
  const clients: RegisterClient[] = [];
  for (const [place, name] of CLIENTS.entries()) {
    const client = await world.until(cluster.connect(name, place === CLIENTS.length - 1 ? 'router' : 'direct'));
    clients.push(new RegisterClient(world, log, name, client, load));
  }
  return clients;
}

/** What stands when all replicas are equal, or at the limit. */
async function untilConverged(cluster: SimulatedCluster, limitMs: number): Promise<Agreement> {
  const { world } = cluster;
  for (;;) {
    const found = agreement(cluster);
    if (found.differences.length === 0 || world.nowMs >= limitMs) return found;
    await world.run(world.nowMs + LOOK_EVERY_MS);
  }
}

function agreement(cluster: SimulatedCluster): Agreement {
  const views = new Map<NodeId, View>();
  for (const node of cluster.running) {
    const { view } = node.participant.membership;
    if (view.members.has(node.options.node)) views.set(node.options.node, view);
  }
  const [view] = views.values();
  if (view === undefined) return { differences: ['no member runs'], states: new Map() };
  const contents = new Map([...cluster.members.values()].map(({ name, disk }) => [name, contentsOf(disk.image())]));
  const found = agreementOf(view, contents);
  const behind = [...views]
    .filter(([, other]) => other.fingerprint !== view.fingerprint)
    .map(([node]) => `${node} has another history`);
  return { ...found, differences: [...behind, ...found.differences] };
}

/** Of each key of the registers, the operations whose values its owners hold. */
function finalState(states: ReadonlyMap<Address, VersionSet>): Map<string, Set<string>> {
  const state = new Map<string, Set<string>>();
  for (const [address, { siblings }] of states) {
    const values = siblings.filter(({ version }) => !version.tombstone).map(({ version }) => utf8Decode(version.value));
    state.set(nameOf(address).slice('default/'.length), new Set(values));
  }
  return state;
}
