/**
 * A sweep: every pair of replicas of every partition exchanges once. As a pure fold: the sweep so far, what is down and the time
 * give the next pair; what came of an exchange gives the sweep after it.
 *
 * Partitions come in an order drawn at random, so that several workers rarely meet. The pairs of one partition come one after the
 * other, in the order (0,1), (0,2), ..., (1,2), ...: after the pairs of the first replica the last one holds what anybody held,
 * and in each later row it meets another, so that one sweep makes all replicas equal. Pairs of a node that is down are skipped,
 * and said to be: that node is compared again when it is back. Nodes have a limit of exchanges at a time, and refuse more with
 * `overloaded`; such a pair is tried again a few times.
 */
import { assert, shuffle, type NodeId, type PartitionId, type Random } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { ExchangeReply } from '@armature/protocol';

/** The replicas of one partition for the buckets of one N. */
export interface Round {
  readonly partition: PartitionId;
  readonly n: number;
  /** Owners and pending owners. */
  readonly nodes: readonly NodeId[];
}

/** An exchange to be run by `initiator`. */
export interface Pair {
  readonly partition: PartitionId;
  readonly n: number;
  readonly initiator: NodeId;
  readonly peer: NodeId;
}

export interface SweepLimits {
  /** Exchanges under way. */
  readonly atOnce: number;
  /** Of these, with any one node. */
  readonly perNode: number;
  /** Times that a pair is tried when a node has no room for it. */
  readonly attempts: number;
  /** Before it is tried again. */
  readonly retryMs: number;
}

export interface SweepTally {
  readonly exchanges: number;
  readonly equal: number;
  /** Exchanges that found differences and merged them. */
  readonly repaired: number;
  readonly failed: number;
  /** Pairs left out because one of the two was down. */
  readonly skipped: number;
  readonly skippedPeers: readonly NodeId[];
  readonly compared: number;
  readonly differing: number;
  readonly pulled: number;
  readonly pushed: number;
  readonly bytes: number;
  /** The last reason of a failure. */
  readonly problem: string | undefined;
}

interface ActiveRound {
  readonly round: Round;
  /** Still to be run, the first of them now. */
  readonly pairs: readonly Pair[];
  readonly isRunning: boolean;
  readonly attempts: number;
  readonly notBeforeMs: number;
}

export interface Sweep {
  readonly limits: SweepLimits;
  readonly rounds: readonly Round[];
  /** Rounds taken up so far. */
  readonly begun: number;
  readonly active: readonly ActiveRound[];
  readonly tally: SweepTally;
}

/** What came of an exchange: a reply, or that there was no room (`busy`), or an error that has nothing to do with room. */
export type PairResult =
  | { readonly kind: 'reply'; readonly reply: ExchangeReply }
  | { readonly kind: 'busy'; readonly problem: string }
  | { readonly kind: 'error'; readonly problem: string };

export interface RoundFilter {
  readonly partition?: PartitionId | undefined;
  readonly n?: number | undefined;
}

export const NOTHING_SWEPT: SweepTally = {
  exchanges: 0,
  equal: 0,
  repaired: 0,
  failed: 0,
  skipped: 0,
  skippedPeers: [],
  compared: 0,
  differing: 0,
  pulled: 0,
  pushed: 0,
  bytes: 0,
  problem: undefined,
};

/** Of two sweeps, `other` the later one. */
export function addTallies(one: SweepTally, other: SweepTally): SweepTally {
  return {
    exchanges: one.exchanges + other.exchanges,
    equal: one.equal + other.equal,
    repaired: one.repaired + other.repaired,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    skippedPeers: [...new Set<NodeId>([...one.skippedPeers, ...other.skippedPeers])].sort(),
    compared: one.compared + other.compared,
    differing: one.differing + other.differing,
    pulled: one.pulled + other.pulled,
    pushed: one.pushed + other.pushed,
    bytes: one.bytes + other.bytes,
    problem: other.problem ?? one.problem,
  };
}

/** All partitions with more than one replica. None before the cluster is created. */
export function roundsOf(view: View, filter: RoundFilter = {}): Round[] {
  const rounds: Round[] = [];
  for (let index = 0; index < (view.ring?.partitionCount ?? 0); index++) {
    const partition = index as PartitionId;
    if (filter.partition !== undefined && filter.partition !== partition) continue;
    for (const n of view.ns) {
      if (filter.n !== undefined && filter.n !== n) continue;
      const { owners, pending } = view.placementOf(partition, n);
      const nodes = [...owners, ...pending];
      if (nodes.length > 1) rounds.push({ partition, n, nodes });
    }
  }
  return rounds;
}

export function pairsOf({ partition, n, nodes }: Round): Pair[] {
  return nodes.flatMap((initiator, place) => nodes.slice(place + 1).map((peer) => ({ partition, n, initiator, peer })));
}

export function beginSweep(rounds: readonly Round[], limits: SweepLimits, random: Random): Sweep {
  return { limits, rounds: shuffle(random, rounds), begun: 0, active: [], tally: NOTHING_SWEPT };
}

export function isSwept({ rounds, begun, active }: Sweep): boolean {
  return begun === rounds.length && active.length === 0;
}

/** Share of the rounds that are done, 0 to 1. */
export function progressOf({ rounds, begun, active }: Sweep): number {
  return rounds.length === 0 ? 1 : (begun - active.length) / rounds.length;
}

/** The exchange to start now, if one may start, and the sweep in which it runs. */
export function nextPair(
  sweep: Sweep,
  nowMs: number,
  isDown: (node: NodeId) => boolean,
): { readonly sweep: Sweep; readonly pair: Pair | undefined } {
  const current = takeUpRounds(sweep, isDown);
  const running = current.active.filter(({ isRunning }) => isRunning);
  if (running.length >= current.limits.atOnce) return { sweep: current, pair: undefined };
  const busy = (node: NodeId): boolean =>
    running.filter(({ pairs: [pair] }) => pair?.initiator === node || pair?.peer === node).length >= current.limits.perNode;
  const index = current.active.findIndex(
    ({ isRunning, notBeforeMs, pairs: [pair] }) =>
      !isRunning && notBeforeMs <= nowMs && pair !== undefined && !busy(pair.initiator) && !busy(pair.peer),
  );
  const chosen = current.active[index];
  if (chosen === undefined) return { sweep: current, pair: undefined };
  return { sweep: { ...current, active: current.active.with(index, { ...chosen, isRunning: true }) }, pair: chosen.pairs[0] };
}

/** The sweep after the exchange of a pair that `nextPair` gave. */
export function tookPair(sweep: Sweep, pair: Pair, result: PairResult, nowMs: number): Sweep {
  const index = sweep.active.findIndex(({ isRunning, pairs }) => isRunning && pairs[0] === pair);
  const active = sweep.active[index];
  assert(active !== undefined, 'the pair is running');
  const { limits } = sweep;
  const tally = tallied(sweep.tally, result);
  const replaced = (by: Partial<ActiveRound>): Sweep => ({
    ...sweep,
    tally,
    active: sweep.active.with(index, { ...active, isRunning: false, ...by }),
  });
  const isProgress = result.kind === 'reply' && result.reply.outcome === 'partial' && result.reply.differing > 0;
  if (isProgress) return replaced({});
  const isWorthAnother = result.kind === 'busy' || (result.kind === 'reply' && result.reply.outcome === 'partial');
  if (isWorthAnother && active.attempts + 1 < limits.attempts) {
    return replaced({ attempts: active.attempts + 1, notBeforeMs: nowMs + limits.retryMs });
  }
  const given = isWorthAnother ? { ...tally, failed: tally.failed + 1 } : tally;
  return { ...replaced({ pairs: active.pairs.slice(1), attempts: 0, notBeforeMs: nowMs }), tally: given };
}

/** Fills the places of running rounds, and drops from them what is down or done. */
function takeUpRounds(sweep: Sweep, isDown: (node: NodeId) => boolean): Sweep {
  const { limits, rounds } = sweep;
  let { begun, tally } = sweep;
  const active: ActiveRound[] = [];
  const keep = (one: ActiveRound): void => {
    const pairs = one.isRunning ? one.pairs : one.pairs.filter((pair) => !isDown(pair.initiator) && !isDown(pair.peer));
    tally = withSkipped(tally, one.pairs.length - pairs.length, one.round.nodes.filter(isDown));
    if (pairs.length > 0) active.push(pairs.length === one.pairs.length ? one : { ...one, pairs });
  };
  for (const one of sweep.active) keep(one);
  for (; active.length < limits.atOnce && begun < rounds.length; begun++) {
    const round = rounds[begun] as Round;
    keep({ round, pairs: pairsOf(round), isRunning: false, attempts: 0, notBeforeMs: 0 });
  }
  return { ...sweep, begun, active, tally };
}

function withSkipped(tally: SweepTally, skipped: number, nodes: readonly NodeId[]): SweepTally {
  if (skipped === 0) return tally;
  const skippedPeers = [...new Set([...tally.skippedPeers, ...nodes])].sort();
  return { ...tally, skipped: tally.skipped + skipped, skippedPeers };
}

function tallied(tally: SweepTally, result: PairResult): SweepTally {
  if (result.kind === 'busy') return { ...tally, problem: result.problem };
  if (result.kind === 'error')
    return { ...tally, exchanges: tally.exchanges + 1, failed: tally.failed + 1, problem: result.problem };
  const { reply } = result;
  const { outcome } = reply;
  return {
    ...tally,
    exchanges: tally.exchanges + 1,
    equal: tally.equal + (outcome === 'equal' ? 1 : 0),
    repaired: tally.repaired + (reply.differing > 0 ? 1 : 0),
    failed: tally.failed + (outcome === 'failed' ? 1 : 0),
    compared: tally.compared + reply.compared,
    differing: tally.differing + reply.differing,
    pulled: tally.pulled + reply.pulled,
    pushed: tally.pushed + reply.pushed,
    bytes: tally.bytes + reply.bytes,
    problem: outcome === 'failed' ? reply.problem : tally.problem,
  };
}
