import type { ErrorCode, NodeId } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allAnswered,
  hasAnswered,
  putAcknowledged,
  putFailed,
  putReplanned,
  putReplicas,
  startTally,
  type PutPlan,
  type PutTally,
} from './put-quorum.js';
import type { WriteQuorum } from './quorum.js';

const ALL = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'] as NodeId[];
const [n1, n2, n3, n4] = ALL as [NodeId, NodeId, NodeId, NodeId];
const quorum = (parts: Partial<WriteQuorum> = {}): WriteQuorum => ({ n: 3, w: 2, pw: 0, dw: 0, ...parts });

type Word = readonly [NodeId, 'ok' | 'durable' | ErrorCode];
const say = (state: PutTally, [node, outcome]: Word): PutTally =>
  outcome === 'ok' || outcome === 'durable'
    ? putAcknowledged(state, node, outcome === 'durable')
    : putFailed(state, node, outcome);
const after = (plan: PutPlan, ...words: Word[]): PutTally => words.reduce(say, startTally(plan));
const settled = (owners: readonly NodeId[], parts: Partial<WriteQuorum> = {}): PutPlan => ({
  ...{ owners, pending: [], next: owners },
  quorum: quorum(parts),
});
const three = (parts: Partial<WriteQuorum> = {}): PutPlan => settled([n1, n2, n3], parts);
/** n4 is to take the place of n1. */
const moving = (parts: Partial<WriteQuorum> = {}): PutPlan => ({ ...three(parts), pending: [n4], next: [n4, n2, n3] });

describe('put', () => {
  test('W=2, one replica down: succeeds', () => {
    const state = after(three(), [n1, 'durable'], [n3, 'unreachable'], [n2, 'ok']);
    expect(state.verdict).toBe('written');
    expect(putReplicas(state)).toEqual([
      { node: n1, role: 'primary', outcome: 'durable' },
      { node: n3, role: 'primary', outcome: 'unreachable' },
      { node: n2, role: 'primary', outcome: 'ok' },
    ]);
  });

  test('W=3, one replica down: short, and it names who has the version, who has not, and who is yet to answer', () => {
    const state = after(three({ w: 3 }), [n1, 'ok'], [n2, 'timeout']);
    expect(state.verdict).toBe('short');
    expect(putReplicas(state)).toEqual([
      { node: n1, role: 'primary', outcome: 'ok' },
      { node: n2, role: 'primary', outcome: 'timeout' },
      { node: n3, role: 'primary', outcome: 'waiting' },
    ]);
  });

  test('W=2: the local commit fails, two others acknowledge: succeeds', () => {
    expect(after(three(), [n1, 'storage-failed'], [n2, 'ok'], [n3, 'ok']).verdict).toBe('written');
  });

  test('PW above W is waited for', () => {
    const plan = three({ w: 1, pw: 2 });
    expect(after(plan, [n1, 'ok']).verdict).toBe('replicating');
    expect(after(plan, [n1, 'ok'], [n2, 'ok']).verdict).toBe('written');
    expect(after(plan, [n1, 'ok'], [n2, 'timeout'], [n3, 'timeout']).verdict).toBe('short');
  });

  test('DW=1: W acknowledgements from memory are not enough; a durable one is', () => {
    const plan = three({ dw: 1 });
    expect(after(plan, [n1, 'ok'], [n2, 'ok']).verdict).toBe('replicating');
    expect(after(plan, [n1, 'ok'], [n2, 'ok'], [n3, 'durable']).verdict).toBe('written');
    expect(after(plan, [n1, 'durable'], [n2, 'ok']).verdict).toBe('written');
    expect(after(plan, [n1, 'ok'], [n2, 'ok'], [n3, 'ok']).verdict, 'nobody is left who could').toBe('short');
  });

  test('one node counts once, however often it answers', () => {
    expect(after(three({ w: 3 }), [n1, 'ok'], [n2, 'ok'], [n2, 'ok'], [n1, 'durable']).verdict).toBe('replicating');
    expect(after(three({ dw: 2 }), [n1, 'durable'], [n1, 'durable'], [n2, 'ok']).verdict).toBe('replicating');
    expect(putReplicas(after(three(), [n1, 'ok'], [n1, 'durable'])).filter(({ node }) => node === n1)).toHaveLength(1);
  });

  test('an acknowledgement outlives a failure of another attempt, before or after it', () => {
    expect(putReplicas(after(three(), [n1, 'timeout'], [n1, 'ok']))[0]?.outcome).toBe('ok');
    expect(putReplicas(after(three(), [n1, 'ok'], [n1, 'stale-ring']))[0]?.outcome).toBe('ok');
  });

  test('fewer owners than W: short from the start', () => {
    expect(startTally(settled([n1])).verdict).toBe('short');
  });

  test('a new ring: acknowledgements of those who stay count, of those who went do not, of those who became owners do', () => {
    const before = after(moving({ w: 3 }), [n1, 'ok'], [n3, 'ok'], [n4, 'ok']);
    expect(before.verdict).toBe('replicating');
    const moved = putReplanned(before, settled([n4, n2, n3], { w: 3 }));
    expect(putReplicas(moved)).toEqual([
      { node: n3, role: 'primary', outcome: 'ok' },
      { node: n4, role: 'primary', outcome: 'ok' },
      { node: n2, role: 'primary', outcome: 'waiting' },
    ]);
    expect(moved.verdict).toBe('replicating');
    expect(say(moved, [n2, 'ok']).verdict).toBe('written');
  });

  test('a new ring may complete the quorum by itself, and never takes a verdict back', () => {
    const before = after(moving(), [n2, 'ok'], [n4, 'ok']);
    expect(before.verdict).toBe('replicating');
    expect(putReplanned(before, settled([n4, n2, n3])).verdict).toBe('written');
    const written = after(three(), [n1, 'ok'], [n2, 'ok']);
    expect(putReplanned(written, settled([n3])).verdict).toBe('written');
  });
});

describe('against an oracle', () => {
  const outcome = fc.constantFrom<Word[1][]>('ok', 'durable', 'timeout', 'unreachable');
  const word = fc.tuple(fc.constantFrom(...ALL), outcome);
  const plan: fc.Arbitrary<PutPlan> = fc
    .record({
      order: fc.shuffledSubarray(ALL, { minLength: 1, maxLength: 6 }),
      owners: fc.integer({ min: 1, max: 4 }),
      pending: fc.integer({ min: 0, max: 2 }),
      stay: fc.integer({ min: 0, max: 4 }),
      w: fc.integer({ min: 1, max: 4 }),
      pw: fc.integer({ min: 0, max: 4 }),
      dw: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ order, owners, pending: coming, stay, w, pw, dw }) => {
      const now = order.slice(0, owners);
      const pending = order.slice(owners, owners + coming);
      const next = pending.length === 0 ? now : [...now.slice(0, Math.min(stay, 4 - pending.length)), ...pending];
      return { owners: now, pending, next, quorum: { n: 4, w, pw, dw } };
    });
  type Step = { readonly word: Word } | { readonly plan: PutPlan };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: word.map((one) => ({ word: one })) },
    { weight: 1, arbitrary: plan.map((one) => ({ plan: one })) },
  );

  type Facts = ReadonlyMap<NodeId, Word[1]>;
  /**
   * Whether these owners make the quorum, by what they and those in whose place they are to come have said; `hope`: were all who
   * are silent to acknowledge durably.
   */
  function isMet(
    { owners, pending, next }: PutPlan,
    set: readonly NodeId[],
    wanted: WriteQuorum,
    best: Facts,
    hope: boolean,
  ): boolean {
    const word = (node: NodeId): number => {
      const said = best.get(node);
      if (said === undefined) return hope ? 2 : 0;
      return said === 'durable' ? 2 : said === 'ok' ? 1 : 0;
    };
    const leaving = owners.filter((node) => !next.includes(node));
    const seat = (node: NodeId): number => {
      const before = leaving[pending.indexOf(node)];
      return word(node) === 0 && best.has(node) && before !== undefined ? word(before) : word(node);
    };
    const count = (least: number, of: (node: NodeId) => number): number => set.filter((node) => of(node) >= least).length;
    return count(1, seat) >= wanted.w && count(1, word) >= wanted.pw && count(2, seat) >= wanted.dw;
  }

  /** What a quorum means, from the bare facts: the best word of each node, the plan that stands. */
  function judge(plan: PutPlan, best: Facts): PutTally['verdict'] {
    const { owners, next, quorum: all } = plan;
    const coming = next.length > owners.length;
    const fewer = Math.max(0, owners.length - next.length);
    const ofPresent = coming ? { ...all, w: Math.min(all.w, owners.length), dw: Math.min(all.dw, owners.length) } : all;
    const ofNext = { ...all, w: all.w - fewer, pw: all.pw - fewer, dw: all.dw - fewer };
    const both = (hope: boolean): boolean => isMet(plan, owners, ofPresent, best, hope) && isMet(plan, next, ofNext, best, hope);
    if (both(false)) return 'written';
    return both(true) ? 'replicating' : 'short';
  }

  test('the verdict is the first that the facts allow, and stands; nobody counts twice; nobody is forgotten', () => {
    const rank = { ok: 1, durable: 2 } as Partial<Record<string, number>>;
    fc.assert(
      fc.property(plan, fc.array(step, { maxLength: 25 }), (first, steps) => {
        const best = new Map<NodeId, Word[1]>();
        let current = first;
        let state = startTally(first);
        let verdict = judge(current, best);
        expect(state.verdict).toBe(verdict);
        for (const one of steps) {
          if ('plan' in one) {
            current = one.plan;
            state = putReplanned(state, current);
          } else {
            const [node, said] = one.word;
            const known = best.get(node);
            if (known === undefined || (rank[said] ?? 0) > (rank[known] ?? 0)) best.set(node, said);
            state = say(state, one.word);
          }
          if (verdict === 'replicating') verdict = judge(current, best);
          expect(state.verdict).toBe(verdict);
          const concerned = [...current.owners, ...current.pending];
          const receipt = putReplicas(state);
          expect(receipt.map(({ node }) => node).sort()).toEqual([...concerned].sort());
          for (const { node, role, outcome: told } of receipt) {
            expect(told).toBe(best.get(node) ?? 'waiting');
            expect(role).toBe(current.owners.includes(node) ? 'primary' : 'pending');
            expect(hasAnswered(state, node)).toBe(best.has(node));
          }
          expect(allAnswered(state)).toBe(concerned.every((node) => best.has(node)));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('what is written stays written, whatever is said afterwards', () => {
    fc.assert(
      fc.property(plan, fc.array(word, { maxLength: 15 }), fc.array(step, { maxLength: 10 }), (chosen, words, more) => {
        const state = after(chosen, ...words);
        fc.pre(state.verdict !== 'replicating');
        const later = more.reduce<PutTally>((at, one) => ('plan' in one ? putReplanned(at, one.plan) : say(at, one.word)), state);
        expect(later.verdict).toBe(state.verdict);
      }),
    );
  });
});
