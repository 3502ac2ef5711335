/**
 * One run from one seed: a cluster under load and faults, then peace, then judgement.
 *
 * The seed draws the cluster (three to five nodes, clocks that are off), the load (one or two workloads, few keys, so that writes
 * conflict), the kinds of faults and their moments. Whatever is written to a disk is looked at: no dot may ever name two
 * versions. In some runs only a core of the cluster is healed at first, and what it holds must become equal although the rest is
 * never heard of. When all is healed, every operation must succeed after some seconds, the replicas must become equal in bounded
 * time, what they then hold must be what the clients' own logs say must be left, to read it must write nothing, listings must
 * list it, and nodes must know what they hold.
 */
import { shuffle, type NodeId } from '@armature/kernel';
import type { CommandRecord } from '@armature/protocol';
import { agreementIn, pauseWorkers, untilConverged } from './check/convergence.js';
import { Custody } from './check/custody.js';
import { DiskObservers } from './check/disk-observers.js';
import { checkUsable, MessageSizes } from './check/sizes.js';
import { needlessLosses } from './check/losses.js';
import { checkOldCopy } from './check/old-copy.js';
import { damagedNames } from './check/replica-contents.js';
import { checkReaped } from './check/reaped.js';
import { checkQuietReads } from './check/quiet-reads.js';
import { leavesWhole } from './check/quorum-reads.js';
import { STEADY } from './check/steady-reads.js';
import { checkTrees } from './check/trees.js';
import { demandTokens } from './cluster/demand-tokens.js';
import type { SimulatedCluster } from './cluster/simulated-cluster.js';
import { Conditions } from './faults/conditions.js';
import { drawSchedule, FAULT_KINDS } from './faults/fault.js';
import { Hostile } from './faults/hostile.js';
import { Intruder } from './faults/intruder.js';
import { Nemesis } from './faults/nemesis.js';
import { CLIENTS, drawRun, NEWCOMERS, startCluster, WORKER } from './simulated-run.js';
import type { SimulationOptions, SimulationReport } from './simulation-options.js';
import { Load } from './workload/load.js';
import { World } from './world/world.js';

const DEFAULT_DURATION_MS = 60_000;
/** In peace, replicas must have become equal by then. */
const CONVERGENCE_LIMIT_MS = 300_000;
/** With nothing wrong any more, the cluster must be there for everybody after this; */
const RECOVERY_MS = 15_000;
/** and then it is tried for so long. */
const PROBATION_MS = 10_000;
/** What is only in memory is on disk after this. */
const FLUSH_MS = 5_000;

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, keepTrace = false, durationMs = DEFAULT_DURATION_MS, kinds = FAULT_KINDS } = options;
  const world = new World({ seed, keepTrace });
  const random = world.random('run');
  const run = drawRun(random, options);
  const { nodes, worker, isCore } = run;
  const cluster = await startCluster(world, run, options);
  const conditions = new Conditions(cluster, { routed: CLIENTS.slice(-1), roomForHints: run.roomForHints });
  const disks = new DiskObservers(cluster, conditions);
  const sizes = new MessageSizes(world);
  if (run.demandsTokens) await world.until(demandTokens(cluster));
  const preparing = Load.prepare(cluster, random.fork('load'), {
    wishes: options.load ?? {},
    isLarge: run.isLarge,
    nodes: nodes.length,
    clients: CLIENTS,
    conditions,
    acknowledged: (write) => disks.copies.acknowledged(write),
  });
  const load = await world.until(preparing);
  const drawn = { kinds, allKinds: options.allKinds, durationMs, everyMs: run.everyMs, lastMs: run.lastMs };
  const schedule =
    options.schedule ??
    drawSchedule(world.random('schedule'), { ...drawn, nodes, newcomers: NEWCOMERS, processes: [...cluster.connections] });
  const nemesis = new Nemesis(cluster, schedule, conditions);
  if (schedule.every(({ kind }) => kind !== 'namesake'))
    cluster.onNameLost = (name) =>
      world.problems.push(`names: ${name} gave way to somebody, and there is nobody else of its name`);

  const hostile = run.isHostile ? new Hostile(cluster) : undefined;
  hostile?.start();
  const intruder = run.isHostile ? await world.until(Intruder.enter(cluster, [WORKER])) : undefined;
  intruder?.start();
  nemesis.start();
  conditions.start();
  const ring = ringOf(cluster);
  let running = load.run();
  await world.run(world.nowMs + durationMs);
  conditions.stop();
  hostile?.stop();
  intruder?.stop();

  const frozen = new Set(isCore ? shuffle(random, nodes).slice(0, nodes.length >= 5 ? 1 + random.int(2) : 1) : []);
  const others = [...cluster.connections, ...NEWCOMERS, WORKER].filter((name) => !frozen.has(name as NodeId));
  await world.until(nemesis.heal([...frozen], others));
  if (worker === 'in-peace') await world.until(cluster.startWorker(WORKER));
  const violations: string[] = [];
  if (isCore) {
    await world.run(world.nowMs + PROBATION_MS);
    load.stop();
    await world.until(running);
    await world.run(world.nowMs + FLUSH_MS);
    const { differences } = await untilConverged(cluster, world.nowMs + CONVERGENCE_LIMIT_MS, frozen);
    const without = [...frozen].join(' ');
    violations.push(...differences.map((difference) => `core not converged: ${difference}, without ${without}`));
    running = load.run();
    await world.until(nemesis.heal());
  }

  const healedMs = world.nowMs;
  await world.run(healedMs + RECOVERY_MS + PROBATION_MS);
  load.stop();
  await world.until(running);
  const endedMs = world.nowMs;
  const blocked = cluster.running.flatMap(({ options, participant: { clocks } }) =>
    clocks.note === undefined ? [] : [`blocked: ${options.node}, with all clocks right: ${clocks.note}`],
  );
  await world.run(world.nowMs + FLUSH_MS);
  const { differences, states } = await untilConverged(cluster, world.nowMs + CONVERGENCE_LIMIT_MS);
  const isConverged = differences.length === 0;
  const convergedAfterMs = isConverged ? world.nowMs - endedMs : undefined;

  const { dots, witness, copies, handovers, lists, names, stamps, suspicion } = disks;
  const custody = new Custody({
    mishaps: disks.mishaps,
    ownersChanged: ringOf(cluster) !== ring,
    roomForHints: run.roomForHints,
  });
  const isSteady = !isCore && schedule.every(({ kind }) => STEADY.has(kind));
  const isWhole = !isCore && schedule.every(leavesWhole);
  violations.push(
    ...world.problems,
    ...dots.violations,
    ...copies.violations,
    ...handovers.violations,
    ...lists.violations,
    ...names.violations,
    ...suspicion.violations,
    ...stamps.violations,
    ...lossesIn(cluster),
    ...blocked,
    ...((await hostile?.visit()) ?? []),
    ...(hostile?.judge(states) ?? []),
    ...(intruder?.judge(await commandsKept(cluster)) ?? []),
    ...differences.map((difference) => `not converged: ${difference}`),
    ...load.judge(states, { custody, witness, isSteady, isWhole, dots }, healedMs + RECOVERY_MS),
  );
  if (isConverged) {
    if (run.rests) {
      violations.push(...(await checkReaped(cluster)));
      violations.push(...(await checkOldCopy(cluster, () => nemesis.putBackOldest(), states)));
    }
    await pauseWorkers(cluster);
    const isDamaged = damagedNames([...cluster.members.values()].map(({ disk }) => disk.image())).size > 0;
    violations.push(
      ...(await checkQuietReads(world, () => load.readAll(custody), witness, isDamaged)),
      ...(await world.until(load.checkListings(agreementIn(cluster).states, custody))),
      ...(await checkTrees(cluster)),
    );
    for (const usable of run.isLarge ? load.usable(custody) : []) violations.push(...(await checkUsable(world, usable)));
  }
  return {
    ...{ seed, digest: world.digest, violations: [...sizes.violations, ...violations], load: load.describe(), ...load.tally },
    sessionPairs: load.sessionPairs,
    unavailableMs: load.unavailableMs,
    dropped: disks.dropped,
    mintedTwice: dots.repeated.size,
    ...{ schedule, virtualMs: world.nowMs, events: world.events, convergedAfterMs, trace: world.trace.lines },
  };
}

/** The commands that the members have on record. */
async function commandsKept(cluster: SimulatedCluster): Promise<readonly CommandRecord[]> {
  const { world } = cluster;
  const auditor = await world.until(cluster.connect('auditor'));
  return (await world.until(auditor.admin.commands())).commands;
}

function lossesIn({ running, members }: SimulatedCluster): string[] {
  const stated = running[0]?.participant.membership.view.members.values() ?? [];
  return needlessLosses(stated, (node) => members.get(node)?.disk.mishaps ?? []);
}

/**
 * What all nodes that run hold for the ring. Versions are chained: where owners have changed it is another, even if they are the
 * old ones again.
 */
function ringOf(cluster: SimulatedCluster): string {
  return cluster.running.map(({ participant }) => String(participant.membership.view.ringVersion)).join(' ');
}
