/**
 * A pass over many shares: each first owner is asked to reap its own, one share after the other, run after run until it is
 * through. Who asks, and how fast, is the business of a worker or an administrator.
 */
import { toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { HOLD_REASONS, nothingHeldBack, type HoldReason, type ReapReply } from '@armature/protocol';
import { sleep, type Clock } from '@armature/runtime';
import type { RoundFilter } from './sweep.js';

/** The keys of the buckets with one N in one partition, and the node that reaps them. */
export interface ReapedShare {
  readonly partition: PartitionId;
  readonly n: number;
  readonly first: NodeId;
}

export interface ReapTally {
  readonly shares: number;
  readonly scanned: number;
  readonly candidates: number;
  readonly waiting: number;
  readonly reaped: number;
  readonly pruned: number;
  readonly heldBack: Readonly<Record<HoldReason, number>>;
  /** Shares that could not be gone through. */
  readonly blocked: number;
  /** Why, the last time. */
  readonly problem: string | undefined;
}

export interface ReapPassEnv {
  /** Asks the first owner for one run, from where the last one ended. */
  readonly reap: (share: ReapedShare, start: ReapReply['next']) => Promise<ReapReply>;
  /** Resolves when the next share may be taken up. */
  readonly pace: () => Promise<void>;
  /** True: start nothing more. */
  readonly isCancelled: () => boolean;
  readonly onResult: (share: ReapedShare, tally: ReapTally) => void;
  readonly clock: Clock;
}

export const NOTHING_REAPED: ReapTally = {
  shares: 0,
  scanned: 0,
  candidates: 0,
  waiting: 0,
  reaped: 0,
  pruned: 0,
  heldBack: nothingHeldBack(),
  blocked: 0,
  problem: undefined,
};

/** Times that a run is tried when its node has no room, or another ring. */
const ATTEMPTS = 10;
const RETRY_MS = 500;
const PASSING: ReadonlySet<string> = new Set(['overloaded', 'stale-ring']);

/** All shares, by their first owners. None before the cluster is created. */
export function sharesToReap(view: View, filter: RoundFilter = {}): ReapedShare[] {
  const shares: ReapedShare[] = [];
  for (let index = 0; index < (view.ring?.partitionCount ?? 0); index++) {
    const partition = index as PartitionId;
    if (filter.partition !== undefined && filter.partition !== partition) continue;
    for (const n of view.ns) {
      const [first] = view.placementOf(partition, n).owners;
      if (first !== undefined && (filter.n === undefined || filter.n === n)) shares.push({ partition, n, first });
    }
  }
  return shares;
}

/** Never rejects: what could not be gone through is in the tally. */
export async function runReapPass(env: ReapPassEnv, shares: readonly ReapedShare[]): Promise<ReapTally> {
  let tally = NOTHING_REAPED;
  for (const share of shares) {
    if (env.isCancelled()) break;
    tally = await throughShare(env, share, { ...tally, shares: tally.shares + 1 });
    env.onResult(share, tally);
    await env.pace();
  }
  return tally;
}

async function throughShare(env: ReapPassEnv, share: ReapedShare, before: ReapTally): Promise<ReapTally> {
  let tally = before;
  let start: ReapReply['next'];
  for (let attempt = 1; ;) {
    try {
      const reply = await env.reap(share, start);
      tally = added(tally, share, reply);
      if (reply.next === undefined || env.isCancelled()) return tally;
      start = reply.next;
      attempt = 1;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (!PASSING.has(error.code) || ++attempt > ATTEMPTS || env.isCancelled())
        return { ...tally, blocked: tally.blocked + 1, problem: `${share.first}: ${error.code}: ${error.message}` };
      await sleep(env.clock, RETRY_MS);
    }
  }
}

function added(tally: ReapTally, { partition }: ReapedShare, reply: ReapReply): ReapTally {
  const heldBack = nothingHeldBack();
  for (const reason of HOLD_REASONS) heldBack[reason] = tally.heldBack[reason] + reply.heldBack[reason];
  return {
    shares: tally.shares,
    scanned: tally.scanned + reply.scanned,
    candidates: tally.candidates + reply.candidates,
    waiting: tally.waiting + reply.waiting,
    reaped: tally.reaped + reply.reaped,
    pruned: tally.pruned + reply.pruned,
    heldBack,
    blocked: tally.blocked + (reply.blocked === '' ? 0 : 1),
    problem: reply.blocked === '' ? tally.problem : `partition ${partition}: ${reply.blocked}`,
  };
}
