import { seededRandom, type NodeId, type PartitionId } from '@armature/kernel';
import type { ExchangeReply } from '@armature/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  beginSweep,
  isSwept,
  nextPair,
  pairsOf,
  progressOf,
  roundsOf,
  tookPair,
  type Pair,
  type PairResult,
  type Round,
  type Sweep,
  type SweepLimits,
} from './sweep.js';
import { node, viewOf } from './view.test-support.js';

const LIMITS: SweepLimits = { atOnce: 3, perNode: 2, attempts: 3, retryMs: 100 };

const reply = (values: Partial<ExchangeReply> = {}): PairResult => ({
  kind: 'reply',
  reply: {
    ...{
      kind: 'exchange',
      outcome: 'equal',
      compared: 1,
      differing: 0,
      pulled: 0,
      pushed: 0,
      bytes: 0,
      elapsedMs: 1,
      problem: '',
    },
    ...values,
  },
});

const nodes = ['a', 'b', 'c', 'd', 'e'].map(node);
const round: fc.Arbitrary<Round> = fc.record({
  partition: fc.nat(100) as fc.Arbitrary<PartitionId>,
  n: fc.constant(3),
  nodes: fc.shuffledSubarray(nodes, { minLength: 2 }),
});
const distinctRounds = fc.uniqueArray(round, { selector: ({ partition }) => partition, maxLength: 12 });

/** Plays a sweep to its end; exchanges end in an order drawn from `seed`, with the result that `answer` gives. */
function play(
  rounds: readonly Round[],
  options: { seed: number; isDown?: (one: NodeId) => boolean; answer?: (pair: Pair) => PairResult; limits?: SweepLimits },
): { sweep: Sweep; started: Pair[] } {
  const random = seededRandom(options.seed);
  const limits = options.limits ?? LIMITS;
  let sweep = beginSweep(rounds, limits, random);
  const running: Pair[] = [];
  const started: Pair[] = [];
  for (let nowMs = 0; !isSwept(sweep); nowMs += 10) {
    const step = nextPair(sweep, nowMs, options.isDown ?? (() => false));
    sweep = step.sweep;
    if (step.pair !== undefined) {
      running.push(step.pair);
      started.push(step.pair);
      expect(running.length).toBeLessThanOrEqual(limits.atOnce);
      for (const one of nodes) {
        const load = running.filter(({ initiator, peer }) => initiator === one || peer === one).length;
        expect(load).toBeLessThanOrEqual(limits.perNode);
      }
      if (random.float() < 0.5) continue;
    }
    const [ended] = running.splice(Math.floor(random.float() * running.length), 1);
    if (ended !== undefined) sweep = tookPair(sweep, ended, options.answer?.(ended) ?? reply(), nowMs);
    expect(nowMs).toBeLessThan(1_000_000);
  }
  expect(progressOf(sweep)).toBe(1);
  return { sweep, started };
}

const nameOf = ({ partition, initiator, peer }: Pair): string => `${partition} ${initiator} ${peer}`;

describe('a sweep', () => {
  test('runs every pair of every round exactly once, within its limits, whatever order exchanges end in', () => {
    fc.assert(
      fc.property(distinctRounds, fc.nat(), (rounds, seed) => {
        const { sweep, started } = play(rounds, { seed });
        expect(started.map(nameOf).sort()).toEqual(rounds.flatMap(pairsOf).map(nameOf).sort());
        expect(sweep.tally.equal).toBe(started.length);
      }),
    );
  });

  test('makes all replicas of a partition hold what any of them held', () => {
    fc.assert(
      fc.property(distinctRounds, fc.nat(), (rounds, seed) => {
        const held = new Map(
          rounds.flatMap(({ partition, nodes: all }) => all.map((one) => [`${partition} ${one}`, new Set([one])])),
        );
        play(rounds, {
          seed,
          answer({ partition, initiator, peer }) {
            const [ours, theirs] = [held.get(`${partition} ${initiator}`), held.get(`${partition} ${peer}`)];
            const union = new Set([...(ours ?? []), ...(theirs ?? [])]);
            for (const one of union) for (const side of [ours, theirs]) side?.add(one);
            return reply();
          },
        });
        for (const { partition, nodes: all } of rounds) {
          for (const one of all) expect(held.get(`${partition} ${one}`)).toEqual(new Set(all));
        }
      }),
    );
  });

  test('leaves out pairs of nodes that are down, counts them, and names the nodes', () => {
    fc.assert(
      fc.property(distinctRounds, fc.shuffledSubarray(nodes), fc.nat(), (rounds, down, seed) => {
        const { sweep, started } = play(rounds, { seed, isDown: (one) => down.includes(one) });
        const all = rounds.flatMap(pairsOf);
        const skipped = all.filter(({ initiator, peer }) => down.includes(initiator) || down.includes(peer));
        expect(sweep.tally.skipped).toBe(skipped.length);
        expect(started.length).toBe(all.length - skipped.length);
        for (const one of sweep.tally.skippedPeers) expect(down).toContain(one);
      }),
    );
  });

  const one: Round = { partition: 0 as PartitionId, n: 3, nodes: nodes.slice(0, 2) };

  test('a pair that finds no room is tried again after a while, and given up after a few attempts', () => {
    const { sweep, started } = play([one], { seed: 1, answer: () => ({ kind: 'busy', problem: 'no room' }) });
    expect(started).toHaveLength(LIMITS.attempts);
    expect(sweep.tally).toMatchObject({ exchanges: 0, failed: 1, problem: 'no room' });
    const begun = beginSweep([one], LIMITS, seededRandom(1));
    const { sweep: running, pair } = nextPair(begun, 0, () => false);
    const waiting = tookPair(running, pair!, { kind: 'busy', problem: '' }, 0);
    expect(nextPair(waiting, LIMITS.retryMs - 1, () => false).pair).toBeUndefined();
    expect(nextPair(waiting, LIMITS.retryMs, () => false).pair).toEqual(pair);
  });

  test('a partial exchange is continued for as long as it gets on, and no longer', () => {
    let left = 5;
    const getsOn = play([one], { seed: 1, answer: () => reply(left-- > 0 ? { outcome: 'partial', differing: 10 } : {}) });
    expect(getsOn.sweep.tally).toMatchObject({ exchanges: 6, differing: 50, repaired: 5, failed: 0 });
    const stands = play([one], { seed: 1, answer: () => reply({ outcome: 'partial' }) });
    expect(stands.started).toHaveLength(LIMITS.attempts);
    expect(stands.sweep.tally.failed).toBe(1);
  });

  test('a failed exchange is counted with its reason, and the others go on', () => {
    const { sweep, started } = play([{ ...one, nodes: nodes.slice(0, 3) }], {
      seed: 1,
      answer: ({ peer }) =>
        peer === 'b' ? { kind: 'error', problem: 'unreachable: b' } : reply({ outcome: 'failed', problem: 'timeout: c' }),
    });
    expect(started).toHaveLength(3);
    expect(sweep.tally).toMatchObject({ failed: 3, exchanges: 3 });
  });
});

describe('rounds', () => {
  test('one per partition and N with more than one replica; filters choose among them', () => {
    const view = viewOf(['a', 'b', 'c', 'd']);
    const rounds = roundsOf(view);
    expect(rounds).toHaveLength(16);
    for (const { n, nodes: all } of rounds) expect(all).toHaveLength(n);
    expect(roundsOf(view, { n: 2 })).toHaveLength(8);
    expect(roundsOf(view, { partition: 3 as PartitionId, n: 3 })).toHaveLength(1);
    expect(roundsOf(viewOf(['a']))).toEqual([]);
  });
});
