/**
 * One run of chaos: a cluster of real processes over a real nats-server, the audit's workload all the time, the nemesis among them; then everything is brought back, replicas
 * must become equal, no dot may name two versions, and the ledger is settled: every acknowledged write is in the final state or was superseded by what is.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, toArmatureError } from '@armature/kernel';
import type { Client } from '@armature/client';
import { systemClock } from '@armature/runtime';
import { expectNoDotNamesTwoValues } from '../audit/dots.js';
import { takeInventory } from '../audit/inventory.js';
import type { Account } from '../audit/ledger.js';
import { expectReplicasEqual } from '../audit/replicas.js';
import { startWorkload, type Workload } from '../audit/workload.js';
import { ProcessCluster } from '../process-cluster.js';
import { breachesOf } from './breaches.js';
import { evidenceOf } from './evidence.js';
import { ChaosNemesis } from './nemesis.js';
import { drawSchedule, faultText, type ChaosFault } from './schedule.js';
import { acknowledgedAt, longestGapMs, timelineOf, type FaultRecord, type Second } from './timeline.js';

export interface ChaosOptions {
  readonly seed: number | string;
  /** Of load with faults, ms. */
  readonly durationMs: number;
  /** Node processes at the beginning. */
  readonly nodes: number;
  /** Mean time between the beginnings of two faults, ms. */
  readonly everyMs: number;
  /** These faults instead of those that the seed draws. */
  readonly schedule?: readonly ChaosFault[];
  /** Of load without faults at the end, so that the last recovery is seen, ms. */
  readonly quietMs: number;
  /** Where data and logs stay; otherwise they go with the run. */
  readonly dataDirectory?: string;
  /** Ends the run early: it rejects once everything is cleaned up. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ChaosProgress) => void;
}

export interface ChaosProgress {
  /** Ms since the load began. */
  readonly atMs: number;
  readonly acknowledged: number;
  readonly doing: string;
}

export interface ChaosReport {
  readonly seed: number | string;
  readonly nodes: number;
  /** Of the load, from its beginning to its end, ms. */
  readonly loadMs: number;
  readonly faults: readonly FaultWithGap[];
  /** Undefined when the final state could not be read. */
  readonly account: Account | undefined;
  /** From the end of the load until all replicas were equal, ms; undefined if they never were. */
  readonly equalAfterMs: number | undefined;
  /** Distinct keys, deleted ones included, and dots that were looked at. */
  readonly keys: number;
  readonly dots: number;
  /** What must not be, in words. Empty: the run is good. */
  readonly violations: readonly string[];
  /** What was asked of the first keys that breach a promise, and what the nodes hold of them; empty when none does. */
  readonly evidence: readonly string[];
  readonly timeline: readonly Second[];
}

/** With the longest time without an acknowledged write that touches the fault or its recovery, ms. */
export type FaultWithGap = FaultRecord & { readonly gapMs: number };

const ROUTERS = ['r1'];
const WORKERS = ['a1'];
const PARTITIONS = 32;
const WRITERS = 6;
/** So that the sets stay small in a long run, and conflicts frequent in a short one. */
const KEYS_PER_MINUTE = 60;
/** More than six writers can do. */
const MOST_PER_SECOND = 2_000;
const EQUAL_LIMIT_MS = 180_000;
const PROGRESS_EVERY_MS = 500;
const MOST_EVIDENCE = 10;

export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, place) => `n${place + 1}`);
}

/** The faults that a seed draws. */
export function scheduleOf({
  seed,
  durationMs,
  everyMs,
  nodes,
}: Pick<ChaosOptions, 'seed' | 'durationMs' | 'everyMs' | 'nodes'>): ChaosFault[] {
  const random = seededRandom(seed).fork('chaos');
  return drawSchedule(random, { durationMs, everyMs, nodes: nodeNames(nodes), routers: ROUTERS, workers: WORKERS });
}

/** Rejects if the cluster does not start, or the signal aborts; in any case with nothing left running. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { signal = new AbortController().signal, dataDirectory } = options;
  const tell = options.onProgress ?? (() => undefined);
  tell({ atMs: 0, acknowledged: 0, doing: 'starting' });
  const cluster = await ProcessCluster.start({
    ...{ nodes: nodeNames(options.nodes), routers: ROUTERS, workers: WORKERS, partitionCount: PARTITIONS },
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
  });
  const clients: Client[] = [];
  let workload: Workload | undefined;
  try {
    signal.throwIfAborted();
    clients.push(await cluster.connect({ routing: 'direct' }));
    clients.push(await cluster.connect({ routing: 'router' }));
    const minutes = Math.ceil(options.durationMs / 60_000);
    workload = startWorkload(clients, {
      name: 'chaos',
      seed: options.seed,
      writers: WRITERS,
      keys: KEYS_PER_MINUTE * minutes,
      maxOperations: MOST_PER_SECOND * 60 * (minutes + 10),
    });
    const faults = await underFaults(options, signal, { cluster, client: clients[0] as Client, workload });
    await workload.stop();
    signal.throwIfAborted();
    tell({ atMs: workload.endedMs - workload.startedMs, acknowledged: workload.acknowledged, doing: 'auditing' });
    return await judge(options, cluster, clients[0] as Client, workload, faults);
  } finally {
    await workload?.stop();
    await Promise.allSettled(clients.map((client) => client.close()));
    await cluster.stop();
  }
}

async function underFaults(
  options: ChaosOptions,
  signal: AbortSignal,
  actors: { cluster: ProcessCluster; client: Client; workload: Workload },
): Promise<readonly FaultRecord[]> {
  const { workload } = actors;
  const nowMs = (): number => systemClock.monotonicMs() - workload.startedMs;
  let doing = '';
  const onFault = (fault: ChaosFault): void => void (doing = faultText(fault));
  const nemesis = new ChaosNemesis({ ...actors, nowMs, signal, onFault });
  const ticking = setInterval(
    () => options.onProgress?.({ atMs: nowMs(), acknowledged: workload.acknowledged, doing }),
    PROGRESS_EVERY_MS,
  );
  try {
    await nemesis.run(options.schedule ?? scheduleOf(options));
    doing = 'quiet';
    await delay(Math.max(options.durationMs - nowMs(), 0) + options.quietMs, undefined, { signal });
  } finally {
    clearInterval(ticking);
  }
  return nemesis.records;
}

async function judge(
  options: ChaosOptions,
  cluster: ProcessCluster,
  client: Client,
  workload: Workload,
  faults: readonly FaultRecord[],
): Promise<ChaosReport> {
  const { startedMs, endedMs, operations } = workload;
  const violations = faults
    .filter(({ problem, skipped }) => problem !== '' && !skipped)
    .map((fault) => `${faultText(fault)}: ${fault.problem}`);
  /** What cannot be established is a violation. */
  const established = async <T>(finding: Promise<T>): Promise<T | undefined> => {
    try {
      return await finding;
    } catch (thrown) {
      violations.push(toArmatureError(thrown).message);
      return undefined;
    }
  };
  const audit = await established(expectReplicasEqual(cluster, { timeoutMs: EQUAL_LIMIT_MS }));
  const equalAfterMs = audit === undefined ? undefined : systemClock.monotonicMs() - endedMs;
  const dots = await established(expectNoDotNamesTwoValues(cluster));
  const account = await established(workload.account(client));
  if (account !== undefined) violations.push(...breachesOf(account));
  const suspicious = account === undefined ? [] : [...account.lost, ...account.returned].map(({ key }) => key);
  const inventory = suspicious.length === 0 ? undefined : await established(takeInventory(cluster));
  const evidence =
    inventory === undefined
      ? []
      : suspicious
          .slice(0, MOST_EVIDENCE)
          .flatMap((key) => [`${key}:`, ...evidenceOf(key, operations, startedMs, inventory).map((line) => `  ${line}`)]);
  const times = acknowledgedAt(operations, startedMs);
  const loadMs = endedMs - startedMs;
  return {
    seed: options.seed,
    nodes: options.nodes,
    loadMs,
    faults: faults.map((fault) => ({ ...fault, gapMs: longestGapMs(times, fault.beganMs, fault.recoveredMs ?? loadMs, loadMs) })),
    account,
    equalAfterMs,
    keys: audit?.keys ?? 0,
    dots: dots?.size ?? 0,
    violations,
    evidence,
    timeline: timelineOf(operations, startedMs, endedMs),
  };
}
