/**
 * One run of chaos: a cluster of real processes over a real nats-server, the audit's workload all the time, the nemesis among
 * them; then everything is brought back, replicas must become equal, no dot may name two versions, and the ledger is settled:
 * every acknowledged write is in the final state or was superseded by what is.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, toArmatureError } from '@armature/kernel';
import type { Client } from '@armature/client';
import { largestValueBytes } from '@armature/protocol';
import { systemClock } from '@armature/runtime';
import { expectNoDotNamesTwoValues } from '../audit/dots.js';
import { takeInventory } from '../audit/inventory.js';
import type { Account } from '../audit/ledger.js';
import { expectReplicasEqual } from '../audit/replicas.js';
import { largeIds } from '../audit/large-values.js';
import { startWorkload, type Workload } from '../audit/workload.js';
import { ProcessCluster } from '../process-cluster.js';
import { breachesOf, lossesOf } from './breaches.js';
import { evidenceOf } from './evidence.js';
import { ChaosNemesis } from './nemesis.js';
import { drawSchedule, faultText, type ChaosFault } from './schedule.js';
import { acknowledgedAt, longestGapMs, problemCounts, timelineOf, type FaultRecord, type Second } from './timeline.js';

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
  /** Of the small values. Undefined when the final state could not be read. */
  readonly account: Account | undefined;
  /** Of the large ones. */
  readonly largeAccount: Account | undefined;
  /** How often each error code came, small and large values together. */
  readonly problems: Readonly<Record<string, number>>;
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
/**
 * Beside the small ones: values from 64 KiB to the largest that a bucket with N = 3 takes. Few keys, because the audit holds all
 * replicas of all of them in memory.
 */
const LARGE = { bucket: 'large', leastBytes: 64 * 1024, mostBytes: largestValueBytes(3) };
const LARGE_WRITERS = 2;
const LARGE_KEYS = 8;
const LARGE_TIMEOUT_MS = 20_000;
const LARGE_PAUSE_MS = 500;
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

/** Both under the same faults, against the same clients. */
interface Load {
  readonly small: Workload;
  readonly large: Workload;
}

/** Rejects if the cluster does not start, or the signal aborts; in any case with nothing left running. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { signal = new AbortController().signal, dataDirectory } = options;
  const tell = options.onProgress ?? (() => undefined);
  tell({ atMs: 0, acknowledged: 0, doing: 'starting' });
  const cluster = await ProcessCluster.start({
    ...{ nodes: nodeNames(options.nodes), routers: ROUTERS, workers: WORKERS, partitionCount: PARTITIONS, settableClocks: true },
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
  });
  const clients: Client[] = [];
  let load: Load | undefined;
  try {
    signal.throwIfAborted();
    const direct = await cluster.connect({ routing: 'direct' });
    clients.push(direct, await cluster.connect({ routing: 'router' }));
    await direct.admin.setBucket(LARGE.bucket, { maxValueBytes: LARGE.mostBytes });
    load = startLoad(clients, options);
    const faults = await underFaults(options, signal, { cluster, client: direct, workload: load.small });
    await stopLoad(load);
    signal.throwIfAborted();
    const { startedMs, endedMs, acknowledged } = load.small;
    tell({ atMs: endedMs - startedMs, acknowledged, doing: 'auditing' });
    return await judge(options, cluster, direct, load, faults);
  } finally {
    if (load !== undefined) await stopLoad(load);
    await Promise.allSettled(clients.map((client) => client.close()));
    await cluster.stop();
  }
}

function startLoad(clients: readonly Client[], { seed, durationMs }: ChaosOptions): Load {
  const minutes = Math.ceil(durationMs / 60_000);
  const small = startWorkload(clients, {
    name: 'chaos',
    seed,
    writers: WRITERS,
    keys: KEYS_PER_MINUTE * minutes,
    maxOperations: MOST_PER_SECOND * 60 * (minutes + 10),
  });
  const large = startWorkload(clients, {
    ...{ name: 'chaos large', seed: `${seed} large`, bucket: LARGE.bucket, codec: largeIds(LARGE) },
    ...{ writers: LARGE_WRITERS, keys: LARGE_KEYS, timeoutMs: LARGE_TIMEOUT_MS, pauseMs: LARGE_PAUSE_MS },
  });
  return { small, large };
}

async function stopLoad({ small, large }: Load): Promise<void> {
  await Promise.all([small.stop(), large.stop()]);
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
  load: Load,
  faults: readonly FaultRecord[],
): Promise<ChaosReport> {
  const { startedMs, endedMs, operations } = load.small;
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
  const account = await established(load.small.account(client));
  const largeAccount = await established(load.large.account(client));
  const accounts = [account, largeAccount].filter((one) => one !== undefined);
  violations.push(...accounts.flatMap(breachesOf), ...lossesOf((await established(client.admin.history())) ?? []));
  const suspicious = accounts.flatMap(({ lost, returned }) => [...lost, ...returned]).map(({ key }) => key);
  const inventory = suspicious.length === 0 ? undefined : await established(takeInventory(cluster));
  const asked = [...operations, ...load.large.operations];
  const evidence =
    inventory === undefined
      ? []
      : suspicious
          .slice(0, MOST_EVIDENCE)
          .flatMap((key) => [`${key}:`, ...evidenceOf(key, asked, startedMs, inventory).map((line) => `  ${line}`)]);
  const times = acknowledgedAt(operations, startedMs);
  const loadMs = endedMs - startedMs;
  return {
    seed: options.seed,
    nodes: options.nodes,
    loadMs,
    faults: faults.map((fault) => ({ ...fault, gapMs: longestGapMs(times, fault.beganMs, fault.recoveredMs ?? loadMs, loadMs) })),
    account,
    largeAccount,
    problems: problemCounts(asked),
    equalAfterMs,
    keys: audit?.keys ?? 0,
    dots: dots?.size ?? 0,
    violations,
    evidence,
    timeline: timelineOf(operations, startedMs, endedMs),
  };
}
