/**
 * One run from one seed: a cluster under load and faults, then peace, then judgement.
 *
 * The seed draws the cluster (three to five nodes, clocks that are off), the load (few keys, so that writes conflict), the kinds of faults and their
 * moments. Whatever is written to a disk is looked at:
 * no dot may ever name two versions. When all is healed the replicas
 * must become equal in bounded time, and what they then hold must be what the clients' own log says must be left.
 */
import type { NodeId } from '@armature/kernel';
import { agreementOf, contentsOf, DotRegister, heldUnder, nameOf, type Held } from './check/replica-contents.js';
import { checkFinalState } from './check/final-state.js';
import { OperationLog } from './check/operation-log.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import { FAULT_KINDS, Nemesis, type FaultKind } from './faults/nemesis.js';
import { RegisterClient } from './workload/registers.js';
import { World } from './world/world.js';
import { utf8Decode } from '@armature/kernel';

export interface SimulationOptions {
  readonly seed: number | string;
  readonly keepTrace?: boolean;
  /** Load and faults, virtual ms. */
  readonly durationMs?: number;
  readonly kinds?: readonly FaultKind[];
}

export interface SimulationReport {
  readonly seed: number | string;
  readonly digest: string;
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly reads: number;
  readonly faults: readonly FaultKind[];
  readonly virtualMs: number;
  readonly events: number;
  readonly convergedAfterMs: number | undefined;
  readonly trace: readonly string[];
}

const LOOK_EVERY_MS = 2_000;
/** In peace, replicas must have become equal by then. */
const CONVERGENCE_LIMIT_MS = 300_000;

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const world = new World({ seed: options.seed, keepTrace: options.keepTrace ?? false });
  const random = world.random('run');
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'].slice(0, 3 + random.int(3));
  const skews = world.random('skews');
  const skewOf = new Map([...nodes, 'r1', 'a1', 'c1', 'c2', 'c3'].map((name) => [name, (skews.float() - 0.5) * 2_000]));
  const rateOf = new Map([...skewOf.keys()].map((name) => [name, 1 + (skews.float() - 0.5) * 2e-4]));
  const cluster = await world.until(
    SimulatedCluster.start(world, {
      nodes,
      routers: ['r1'],
      workers: ['a1'],
      skewOf: (name) => skewOf.get(name) ?? 0,
      rateOf: (name) => rateOf.get(name) ?? 1,
    }),
  );
  const log = new OperationLog();
  const dots = new DotRegister();
  const load = { bucket: 'default', keys: 3 + random.int(20), thinkMs: 50 + random.int(400), deletes: 0.1, blind: 0.15 };
  const clients: RegisterClient[] = [];
  for (const name of ['c1', 'c2', 'c3']) {
    const client = await world.until(cluster.connect(name, name === 'c3' ? 'router' : 'direct'));
    clients.push(new RegisterClient(world, log, name, client, load));
  }
  const nemesis = new Nemesis(cluster, { kinds: options.kinds ?? FAULT_KINDS, everyMs: 2_000, lastMs: 4_000 });
  const contents = (): Map<NodeId, Held[]> =>
    new Map([...cluster.members.values()].map(({ name, disk }) => [name, contentsOf(disk.image())]));
  for (const { name, disk } of cluster.members.values()) {
    disk.onWrite = (batch) => {
      for (const operation of batch) {
        const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
        if (held !== undefined) dots.see(held, `${name} after ${(world.nowMs / 1000).toFixed(1)} s`);
      }
    };
  }

  const running = Promise.all([...clients.map((client) => client.run()), nemesis.run()]);
  const untilMs = world.nowMs + (options.durationMs ?? 60_000);
  await world.run(untilMs);
  for (const client of clients) client.stop();
  await world.until(nemesis.heal());
  await world.until(running);

  const healedMs = world.nowMs;
  const view = (): ReturnType<typeof viewOf> => viewOf(cluster);
  let agreement = agreementOf(view(), contents());
  while (agreement.differences.length > 0 && world.nowMs < healedMs + CONVERGENCE_LIMIT_MS) {
    await world.run(world.nowMs + LOOK_EVERY_MS);
    agreement = agreementOf(view(), contents());
  }
  const violations = [
    ...world.problems,
    ...dots.violations,
    ...agreement.differences.map((difference) => `not converged: ${difference}`),
    ...checkFinalState(log, finalState(contents()), dots.repeated),
  ];
  return {
    seed: options.seed,
    digest: world.digest,
    violations,
    acknowledged: log.count('acknowledged'),
    unknown: log.count('unknown'),
    reads: clients.reduce((sum, client) => sum + client.reads, 0),
    faults: nemesis.kinds,
    virtualMs: world.nowMs,
    events: world.events,
    convergedAfterMs: agreement.differences.length === 0 ? world.nowMs - healedMs : undefined,
    trace: world.trace.lines,
  };
}

function viewOf(cluster: SimulatedCluster) {
  const [node] = cluster.running;
  if (node === undefined) throw new Error('no node runs');
  return node.participant.membership.view;
}

/** Over all replicas: whatever any of them still holds is there. */
function finalState(contents: ReadonlyMap<NodeId, readonly Held[]>): Map<string, Set<string>> {
  const state = new Map<string, Set<string>>();
  for (const held of contents.values()) {
    for (const { address, set } of held) {
      const key = nameOf(address).slice('default/'.length);
      const present = state.get(key) ?? new Set();
      state.set(key, present);
      for (const { version } of set.siblings) if (!version.tombstone) present.add(utf8Decode(version.value));
    }
  }
  return state;
}
