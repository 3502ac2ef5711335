/**
 * What the clients saw, second by second and fault by fault, from the workload's ledger. Pure. All times are ms since the load
 * began, by one monotonic clock.
 */
import type { Operation } from '../audit/ledger.js';
import type { ChaosFault } from './schedule.js';

export interface Second {
  /** 0 is the first second of the load. */
  readonly second: number;
  /** Writes and deletions that were acknowledged in it. */
  readonly acknowledged: number;
  /** Operations that ended in it otherwise: partial, unknown, refused, or not read. */
  readonly failed: number;
  /**
   * The 99.9th percentile of how long the operations took that ended in it, the read before a write included, acknowledged or
   * not; undefined when none ended.
   */
  readonly p999Ms: number | undefined;
}

/** A fault as it happened. */
export interface FaultRecord extends ChaosFault {
  /** From 1, in order of time. */
  readonly number: number;
  readonly beganMs: number;
  /** The process was started again or resumed; a change of membership was commanded. Undefined if that did not come about. */
  readonly liftedMs: number | undefined;
  /** It was ready again; nats-server: a write was acknowledged again; a newcomer held all its share; a leaver had left. */
  readonly recoveredMs: number | undefined;
  /**
   * Why not; empty when all went as meant. A fault that was not begun, because its target was still busy with another, says so
   * here.
   */
  readonly problem: string;
  readonly skipped: boolean;
}

/** How often each error code came, of operations that were not acknowledged, the most frequent first. */
export function problemCounts(operations: readonly Pick<Operation, 'problem'>[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { problem } of operations) {
    if (problem === '') continue;
    const code = problem.slice(0, problem.indexOf(':'));
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([, one], [, other]) => other - one));
}

type Ended = Pick<Operation, 'outcome' | 'startedMs' | 'endedMs'>;

/** One entry for each second from the beginning of the load to its end, the last one perhaps begun only. */
export function timelineOf(operations: readonly Ended[], startedMs: number, endedMs: number): Second[] {
  const seconds = Math.max(1, Math.ceil((endedMs - startedMs) / 1000));
  const groups: Ended[][] = Array.from({ length: seconds }, () => []);
  for (const operation of operations) {
    const place = Math.floor((operation.endedMs - startedMs) / 1000);
    groups[Math.min(seconds - 1, Math.max(0, place))]?.push(operation);
  }
  return groups.map((group, second) => {
    const acknowledged = group.filter(({ outcome }) => outcome === 'acknowledged').length;
    const tookMs = group.map((operation) => operation.endedMs - operation.startedMs);
    return { second, acknowledged, failed: group.length - acknowledged, p999Ms: percentile(tookMs, 0.999) };
  });
}

/** Nearest rank: the smallest value that at least that share of all values does not exceed. Undefined of nothing. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** When writes were acknowledged, ms since the load began, ascending. */
export function acknowledgedAt(operations: readonly Ended[], startedMs: number): number[] {
  const times = operations.filter(({ outcome }) => outcome === 'acknowledged').map(({ endedMs }) => endedMs - startedMs);
  return times.sort((a, b) => a - b);
}

/**
 * The longest time without an acknowledged write that has a part between the two moments; it may have begun before, and end
 * after. `times` ascend.
 */
export function longestGapMs(times: readonly number[], fromMs: number, toMs: number, endMs: number): number {
  let longestMs = 0;
  let lastMs = 0;
  for (const timeMs of [...times, endMs]) {
    if (timeMs >= fromMs && lastMs <= toMs) longestMs = Math.max(longestMs, timeMs - lastMs);
    if (timeMs > toMs) break;
    lastMs = timeMs;
  }
  return longestMs;
}

/** How long it took from the lifting of a fault until all was as before, ms; undefined when that is not known. */
export function recoveryMs({ liftedMs, recoveredMs }: FaultRecord): number | undefined {
  return liftedMs === undefined || recoveredMs === undefined ? undefined : recoveredMs - liftedMs;
}
