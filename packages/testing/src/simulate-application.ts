/**
 * An application under test: its own clients, doing what it has them do, on a cluster in which things go wrong; then peace, equal
 * replicas, and its own judgement of what stands.
 *
 * Faults are those that cost no acknowledged write: cuts, lost and late messages, paused, killed and restarted processes, power
 * failures, full and failing disks, nodes that join and leave. What the application was told is done must therefore be there in
 * the end, merged as its merge function says. What failed with an error may or may not have happened: that is for the application
 * to reckon with, here as in production.
 */
import { toArmatureError, type NodeId, type Random } from '@armature/kernel';
import type { Client } from '@armature/client';
import type { BucketProperties } from '@armature/protocol';
import type { Clock } from '@armature/runtime';
import { untilConverged } from './check/convergence.js';
import { DotRegister, heldUnder } from './check/replica-contents.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import { describeFault, drawSchedule, FAULT_KINDS, OF_THE_FRAIL, type Fault, type FaultKind } from './faults/fault.js';
import { Nemesis } from './faults/nemesis.js';
import { World } from './world/world.js';

/** What one simulated process of the application has in its hands. */
export interface ApplicationProcess {
  readonly name: string;
  readonly client: Client;
  /** Of this process: virtual, and a little off, as all clocks are. */
  readonly clock: Clock;
  readonly random: Random;
}

/** One thing that a user of the application does. Rejects where the application fails. */
export type ApplicationStep = () => Promise<unknown>;

export interface ApplicationOptions {
  readonly seed: number | string;
  /** Called once for each process: makes the application there, and says what its users do, again and again. */
  readonly start: (parts: ApplicationProcess) => ApplicationStep;
  /**
   * Called in the end, in a process of its own, when all is well: throws, or rejects, where what stands is not what must stand.
   */
  readonly check: (parts: ApplicationProcess) => unknown;
  /** Processes of the application; three by default. */
  readonly processes?: number;
  /** Buckets besides `default`. */
  readonly buckets?: Readonly<Record<string, Partial<BucketProperties>>>;
  /** Mean time between two steps of one process, virtual ms; 200 by default. */
  readonly thinkMs?: number;
  /** Of steps and faults, virtual ms; half a minute by default. */
  readonly durationMs?: number;
  /** Kinds of faults that may occur; by default all that destroy no data. Of those that do, one node only is befallen. */
  readonly kinds?: readonly FaultKind[];
  /** These faults instead of those that the seed draws. */
  readonly schedule?: readonly Fault[];
  readonly keepTrace?: boolean;
}

export interface ApplicationReport {
  readonly seed: number | string;
  /** Equal for equal runs. */
  readonly digest: string;
  /**
   * What must not be: replicas that differ, a step that threw what is no `ArmatureError`, or what `check` has said. Empty: the
   * run is good.
   */
  readonly violations: readonly string[];
  readonly steps: number;
  /** Steps that failed with an `ArmatureError`. */
  readonly failedSteps: number;
  /** For a reader. */
  readonly faults: readonly string[];
  readonly trace: readonly string[];
}

const NODES = ['n1', 'n2', 'n3', 'n4'];
const NEWCOMERS = ['n5'];
const HARMLESS = FAULT_KINDS.filter((kind) => !OF_THE_FRAIL.has(kind));
const THINK_MS = 200;
const DURATION_MS = 30_000;
const FAULTS_EVERY_MS = 2_000;
const FAULTS_LAST_MS = 4_000;
const CONVERGENCE_LIMIT_MS = 300_000;
const FLUSH_MS = 5_000;
/** Any clock may be that far off, half to each side. */
const SKEW_MS = 200;

/** Rejects only where the simulation itself cannot be set up. */
export async function simulateApplication(options: ApplicationOptions): Promise<ApplicationReport> {
  const { seed, keepTrace = false, durationMs = DURATION_MS, kinds = HARMLESS, processes = 3 } = options;
  const world = new World({ seed, keepTrace });
  const cluster = await world.until(
    SimulatedCluster.start(world, {
      nodes: NODES,
      routers: ['r1'],
      workers: ['a1'],
      skewOf: (name) => (world.random(`clock of ${name}`).float() - 0.5) * SKEW_MS,
    }),
  );
  const dots = new DotRegister();
  cluster.onDiskWrite = (node, batch) => {
    for (const operation of batch) {
      const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
      if (held !== undefined) dots.see(held, node);
    }
  };
  await makeBuckets(cluster, options.buckets ?? {});
  const users: User[] = [];
  for (let i = 1; i <= processes; i++) {
    // One in three leaves coordination to the router.
    const user = await world.until(connect(cluster, `app${i}`, i % 3 === 0 ? 'router' : 'direct'));
    users.push(new User(world, user, options.start(user), options.thinkMs ?? THINK_MS));
  }
  const schedule =
    options.schedule ??
    drawSchedule(world.random('schedule'), {
      ...{ kinds, durationMs, everyMs: FAULTS_EVERY_MS, lastMs: () => FAULTS_LAST_MS },
      ...{ nodes: NODES, newcomers: NEWCOMERS, processes: [...cluster.connections] },
    });

  const nemesis = new Nemesis(cluster, schedule);
  nemesis.start();
  const running = Promise.all(users.map((user) => user.run()));
  await world.run(world.nowMs + durationMs);
  for (const user of users) user.stop();
  await world.until(nemesis.heal());
  await world.until(running);
  await world.run(world.nowMs + FLUSH_MS); // what is only in memory yet is on disk after this
  const { differences } = await untilConverged(cluster, world.nowMs + CONVERGENCE_LIMIT_MS);
  return {
    seed,
    violations: [
      ...world.problems,
      ...dots.violations,
      ...differences.map((difference) => `not converged: ${difference}`),
      ...users.flatMap((user) => user.violations),
      ...(await judged(cluster, options.check)),
    ],
    steps: users.reduce((sum, user) => sum + user.steps, 0),
    failedSteps: users.reduce((sum, user) => sum + user.failedSteps, 0),
    faults: schedule.map(describeFault),
    trace: world.trace.lines,
    digest: world.digest,
  };
}

/** Steps, with pauses, until it is stopped. */
class User {
  steps = 0;
  failedSteps = 0;
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #name: string;
  readonly #step: ApplicationStep;
  readonly #thinkMs: number;
  readonly #pace: Random;
  #stopped = false;

  constructor(world: World, parts: ApplicationProcess, step: ApplicationStep, thinkMs: number) {
    this.#world = world;
    this.#name = parts.name;
    this.#step = step;
    this.#thinkMs = thinkMs;
    this.#pace = world.random(`pace of ${parts.name}`);
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#world.sleep(this.#thinkMs * 2 * this.#pace.float());
      await this.#once();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #once(): Promise<void> {
    this.steps++;
    try {
      await this.#step();
    } catch (thrown) {
      this.failedSteps++;
      const { code, message } = toArmatureError(thrown);
      this.#world.trace.note(this.#name, `a step failed: ${code}: ${message}`);
      if (code === 'internal' || code === 'application-error')
        this.violations.push(
          `${this.#name}: a step threw: ${(thrown instanceof Error ? thrown.stack : undefined) ?? String(thrown)}`,
        );
    }
  }
}

async function connect(cluster: SimulatedCluster, name: string, routing: 'direct' | 'router'): Promise<ApplicationProcess> {
  const client = await cluster.connect(name, routing);
  return { name, client, clock: cluster.clockOf(name), random: cluster.world.random(`steps of ${name}`) };
}

async function makeBuckets(
  cluster: SimulatedCluster,
  buckets: Readonly<Record<string, Partial<BucketProperties>>>,
): Promise<void> {
  const { world } = cluster;
  if (Object.keys(buckets).length === 0) return;
  const { admin } = await world.until(cluster.connect('administrator'));
  for (const [name, properties] of Object.entries(buckets)) await world.until(admin.setBucket(name, properties));
  const fingerprintOf = (node: NodeId): string | undefined => cluster.member(node).node?.participant.membership.view.fingerprint;
  const known = (): boolean => new Set([...cluster.members.keys()].map(fingerprintOf)).size === 1;
  await world.run(world.nowMs + CONVERGENCE_LIMIT_MS, known);
}

async function judged(cluster: SimulatedCluster, check: ApplicationOptions['check']): Promise<readonly string[]> {
  const { world } = cluster;
  try {
    const judge = await world.until(connect(cluster, 'judge', 'direct'));
    await world.until(Promise.resolve(check(judge)));
    return [];
  } catch (thrown) {
    return [`check: ${thrown instanceof Error ? thrown.message : String(thrown)}`];
  }
}
