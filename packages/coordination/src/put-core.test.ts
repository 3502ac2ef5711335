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
  startPut,
  type PutPlan,
  type PutState,
  type WriteQuorum,
} from './index.js';

const ALL = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'] as NodeId[];
const [n1, n2, n3, n4] = ALL as [NodeId, NodeId, NodeId, NodeId];
const quorum = (parts: Partial<WriteQuorum> = {}): WriteQuorum => ({ n: 3, w: 2, pw: 0, dw: 0, ...parts });

type Word = readonly [NodeId, 'ok' | 'durable' | ErrorCode];
const say = (state: PutState, [node, outcome]: Word): PutState =>
  outcome === 'ok' || outcome === 'durable'
    ? putAcknowledged(state, node, outcome === 'durable')
    : putFailed(state, node, outcome);
const after = (plan: PutPlan, ...words: Word[]): PutState => words.reduce(say, startPut(plan));
const three = (parts: Partial<WriteQuorum> = {}, pending: NodeId[] = []): PutPlan => ({
  owners: [n1, n2, n3],
  pending,
  quorum: quorum(parts),
});

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

  test('pending owners get the write and count for nothing', () => {
    const plan = three({}, [n4]);
    const state = after(plan, [n1, 'ok'], [n4, 'durable']);
    expect(state.verdict).toBe('replicating');
    expect(putReplicas(state)[1]).toEqual({ node: n4, role: 'pending', outcome: 'durable' });
    expect(say(state, [n2, 'ok']).verdict).toBe('written');
    expect(after(plan, [n4, 'unreachable'], [n1, 'ok'], [n2, 'ok']).verdict, 'nor does their failure').toBe('written');
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
    expect(startPut({ owners: [n1], pending: [n2, n3], quorum: quorum() }).verdict).toBe('short');
  });

  test('a new ring: acknowledgements of those who stay count, of those who went do not, of those who became owners do', () => {
    const before = after(three({ w: 3 }, [n4]), [n1, 'ok'], [n3, 'ok'], [n4, 'ok']);
    expect(before.verdict).toBe('replicating');
    const moved = putReplanned(before, { owners: [n1, n2, n4], pending: [], quorum: quorum({ w: 3 }) });
    expect(putReplicas(moved)).toEqual([
      { node: n1, role: 'primary', outcome: 'ok' },
      { node: n4, role: 'primary', outcome: 'ok' },
      { node: n2, role: 'primary', outcome: 'waiting' },
    ]);
    expect(moved.verdict).toBe('replicating');
    expect(say(moved, [n2, 'ok']).verdict).toBe('written');
  });

  test('a new ring may complete the quorum by itself, and never takes a verdict back', () => {
    const before = after(three({}, [n4]), [n1, 'ok'], [n4, 'ok']);
    expect(putReplanned(before, { owners: [n1, n4], pending: [], quorum: quorum() }).verdict).toBe('written');
    const written = after(three(), [n1, 'ok'], [n2, 'ok']);
    expect(putReplanned(written, { owners: [n3], pending: [n1, n2], quorum: quorum() }).verdict).toBe('written');
  });
});

describe('against an oracle', () => {
  const outcome = fc.constantFrom<Word[1][]>('ok', 'durable', 'timeout', 'unreachable');
  const word = fc.tuple(fc.constantFrom(...ALL), outcome);
  const plan: fc.Arbitrary<PutPlan> = fc
    .record({
      order: fc.shuffledSubarray(ALL, { minLength: 1, maxLength: 6 }),
      owners: fc.integer({ min: 1, max: 4 }),
      w: fc.integer({ min: 1, max: 4 }),
      pw: fc.integer({ min: 0, max: 4 }),
      dw: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ order, owners, w, pw, dw }) => ({
      owners: order.slice(0, owners),
      pending: order.slice(owners, owners + 2),
      quorum: { n: 4, w, pw, dw },
    }));
  type Step = { readonly word: Word } | { readonly plan: PutPlan };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: word.map((one) => ({ word: one })) },
    { weight: 1, arbitrary: plan.map((one) => ({ plan: one })) },
  );

  /** What a quorum means, from the bare facts: the best word of each node, the plan that stands. */
  function judge({ owners, quorum: { w, pw, dw } }: PutPlan, best: ReadonlyMap<NodeId, Word[1]>): PutState['verdict'] {
    const isAck = (node: NodeId): boolean => ['ok', 'durable'].includes(best.get(node) ?? '');
    const met = (has: readonly NodeId[], durable: readonly NodeId[]): boolean =>
      has.length >= w && has.length >= pw && durable.length >= dw;
    const acks = owners.filter(isAck);
    const durable = owners.filter((node) => best.get(node) === 'durable');
    if (met(acks, durable)) return 'written';
    // Were all who are silent to acknowledge durably, would it be enough?
    const silent = owners.filter((node) => !best.has(node));
    return met([...acks, ...silent], [...durable, ...silent]) ? 'replicating' : 'short';
  }

  test('the verdict is the first that the facts allow, and stands; nobody counts twice; nobody is forgotten', () => {
    const rank = { ok: 1, durable: 2 } as Partial<Record<string, number>>;
    fc.assert(
      fc.property(plan, fc.array(step, { maxLength: 25 }), (first, steps) => {
        const best = new Map<NodeId, Word[1]>();
        let current = first;
        let state = startPut(first);
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
        const later = more.reduce<PutState>((at, one) => ('plan' in one ? putReplanned(at, one.plan) : say(at, one.word)), state);
        expect(later.verdict).toBe(state.verdict);
      }),
    );
  });
});
