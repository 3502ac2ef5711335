/** Drives a sweep: starts the exchanges that `sweep.ts` names, waits for them, and for the pace that whoever runs it has set. */
import { toArmatureError, type NodeId, type Random } from '@armature/kernel';
import type { ExchangeReply } from '@armature/protocol';
import { sleep, type Clock } from '@armature/runtime';
import {
  beginSweep,
  isSwept,
  nextPair,
  tookPair,
  type Pair,
  type PairResult,
  type Round,
  type Sweep,
  type SweepLimits,
} from './sweep.js';

export interface SweepEnv {
  /** Asks the initiator to run the exchange. */
  readonly exchange: (pair: Pair) => Promise<ExchangeReply>;
  readonly isDown: (node: NodeId) => boolean;
  /** Resolves when the next exchange may start: where a pace is kept, and where a pause is waited out. */
  readonly pace: (sweep: Sweep) => Promise<void>;
  /** True: start nothing more. Looked at before each exchange. */
  readonly isCancelled: () => boolean;
  /** After each exchange. */
  readonly onResult: (pair: Pair, result: PairResult, sweep: Sweep) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** How often a sweep that can start nothing looks again: a node may be back, or a retry be due. */
const LOOK_AGAIN_MS = 50;

/** Runs all rounds; resolves with the sweep as it stands when all is done, or when it was cancelled and nothing runs any more. */
export async function runSweep(env: SweepEnv, rounds: readonly Round[], limits: SweepLimits): Promise<Sweep> {
  const { clock } = env;
  let sweep = beginSweep(rounds, limits, env.random);
  const running = new Set<Promise<void>>();
  const start = (pair: Pair): void => {
    const done = resultOf(env, pair).then((result) => {
      sweep = tookPair(sweep, pair, result, clock.monotonicMs());
      running.delete(done);
      env.onResult(pair, result, sweep);
    });
    running.add(done);
  };
  while (!env.isCancelled()) {
    const step = nextPair(sweep, clock.monotonicMs(), env.isDown);
    sweep = step.sweep;
    if (step.pair !== undefined) {
      start(step.pair);
      await env.pace(sweep);
    } else if (isSwept(sweep)) break;
    else await Promise.race([...running, sleep(clock, LOOK_AGAIN_MS)]);
  }
  await Promise.all(running);
  return sweep;
}

async function resultOf(env: SweepEnv, pair: Pair): Promise<PairResult> {
  try {
    return { kind: 'reply', reply: await env.exchange(pair) };
  } catch (thrown) {
    const error = toArmatureError(thrown);
    const isPassing = error.code === 'overloaded' || error.code === 'stale-ring';
    return { kind: isPassing ? 'busy' : 'error', problem: `${pair.initiator}: ${error.code}: ${error.message}` };
  }
}
