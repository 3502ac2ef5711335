/** A put while its partition moves: quorums meet across the change of owners, and a future owner that is down costs nothing. */
import type { ErrorCode, NodeId } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  putAcknowledged,
  putFailed,
  putGivenUp,
  putReplicas,
  putTargets,
  standsInFor,
  startTally,
  type PutPlan,
  type PutTally,
} from './put-quorum.js';

const ALL = ['a', 'b', 'c', 'd', 'e', 'f'] as NodeId[];
const [a, b, c, d, e] = ALL as [NodeId, NodeId, NodeId, NodeId, NodeId];

type Outcome = 'ok' | 'durable' | ErrorCode;
const say = (state: PutTally, who: NodeId, outcome: Outcome): PutTally =>
  outcome === 'ok' || outcome === 'durable' ? putAcknowledged(state, who, outcome === 'durable') : putFailed(state, who, outcome);
const saying = (plan: PutPlan, words: readonly (readonly [NodeId, Outcome])[]): PutTally =>
  words.reduce((state, [who, outcome]) => say(state, who, outcome), startTally(plan));

/** d is to take the place of a. */
const replacing = (parts: Partial<PutPlan['quorum']> = {}, fallbacks: readonly NodeId[] = []): PutPlan => ({
  ...{ owners: [a, b, c], pending: [d], next: [d, b, c], fallbacks },
  quorum: { n: 3, w: 2, pw: 0, dw: 0, ...parts },
});
/** One of three was removed; d is to fill the vacancy. */
const vacant = (parts: Partial<PutPlan['quorum']> = {}, fallbacks: readonly NodeId[] = []): PutPlan => ({
  ...replacing(parts, fallbacks),
  owners: [b, c],
});

describe('a put while one owner takes the place of another', () => {
  test('W of the present owners are not enough: of the next owners W must have it, too', () => {
    const state = saying(replacing(), [
      [a, 'durable'],
      [b, 'durable'],
    ]);
    expect(state.verdict).toBe('replicating');
    expect(say(state, c, 'ok').verdict).toBe('written');
    expect(say(state, d, 'ok').verdict).toBe('written');
  });

  test('nor are W of the next owners, of whom fewer own it now', () => {
    const state = saying(replacing(), [
      [d, 'ok'],
      [b, 'ok'],
    ]);
    expect(state.verdict).toBe('replicating');
    expect(say(state, a, 'ok').verdict).toBe('written');
  });

  test('a future owner that fails is stood in for by the owner whose place it takes, and by no fallback', () => {
    const state = saying(replacing({ w: 3, dw: 3 }, [e]), [
      [d, 'unreachable'],
      [b, 'durable'],
      [c, 'durable'],
    ]);
    expect(state.verdict).toBe('replicating');
    expect(state.standIns).toEqual([]);
    expect(say(state, a, 'ok').verdict, 'DW counts likewise').toBe('short');
    expect(say(state, a, 'durable').verdict).toBe('written');
  });

  test('that owner may itself be stood in for: what its fallback keeps goes to whoever owns the key then', () => {
    let state = saying(replacing({ w: 3 }, [e]), [
      [d, 'timeout'],
      [a, 'unreachable'],
      [b, 'ok'],
      [c, 'ok'],
    ]);
    expect(standsInFor(state, e)).toBe(a);
    expect(state.verdict).toBe('replicating');
    state = say(state, e, 'ok');
    expect(state.verdict).toBe('written');
  });

  test('PW is asked of both, and nobody stands in', () => {
    const state = saying(replacing({ pw: 2 }), [
      [a, 'ok'],
      [b, 'ok'],
      [d, 'unreachable'],
    ]);
    expect(state.verdict).toBe('replicating');
    expect(say(state, c, 'ok').verdict).toBe('written');
    expect(say(state, c, 'timeout').verdict).toBe('short');
  });

  test('a future owner that PW needs is waited for; otherwise one that seems down is not', () => {
    const needed = saying(replacing({ pw: 2 }), [[c, 'timeout']]);
    expect(putGivenUp(needed, d, 'timeout')).toBe(needed);
    expect(putReplicas(putGivenUp(startTally(replacing()), d, 'timeout'))).toContainEqual({
      node: d,
      role: 'pending',
      outcome: 'timeout',
    });
  });
});

describe('a put while owners are missing', () => {
  test('W = 3 of two owners and one that is to come: all three', () => {
    const state = saying(vacant({ w: 3 }), [
      [b, 'ok'],
      [c, 'ok'],
    ]);
    expect(state.verdict).toBe('replicating');
    expect(say(state, d, 'ok').verdict).toBe('written');
    expect(say(state, d, 'unreachable').verdict, 'nobody can stand in').toBe('short');
  });

  test('where the one to come fails a fallback keeps a hint for it, and counts', () => {
    const state = saying(vacant({ w: 3, dw: 3 }, [e]), [
      [b, 'durable'],
      [d, 'unreachable'],
      [c, 'durable'],
    ]);
    expect(putTargets(state)).toContainEqual({ node: e, hintFor: d });
    expect(state.verdict).toBe('replicating');
    expect(say(state, e, 'durable').verdict).toBe('written');
  });

  test('a quorum that the owners can make is theirs to make, and leaves the fallbacks to them', () => {
    const state = saying(vacant({}, [e]), [
      [d, 'unreachable'],
      [c, 'unreachable'],
    ]);
    expect(standsInFor(state, e)).toBe(c);
    expect(say(say(state, b, 'ok'), e, 'ok').verdict).toBe('written');
    const withFuture = saying(vacant(), [
      [b, 'ok'],
      [d, 'ok'],
    ]);
    expect(withFuture.verdict, 'a future owner is none of the two').toBe('replicating');
  });

  test('neither the owners of now nor those to come are W: short', () => {
    expect(startTally({ ...vacant({ w: 3 }), pending: [d], next: [c, d], owners: [b, c] }).verdict).toBe('short');
  });
});

test('fewer owners to come than there are: so many fewer of them are needed', () => {
  const shrinking: PutPlan = { ...replacing(), owners: [a, b, c], pending: [d], next: [c, d] };
  const state = saying(shrinking, [
    [a, 'ok'],
    [b, 'ok'],
  ]);
  expect(state.verdict).toBe('replicating');
  expect(say(state, c, 'ok').verdict).toBe('written');
});

describe('whatever moves', () => {
  const plan: fc.Arbitrary<PutPlan> = fc
    .record({
      order: fc.shuffledSubarray(ALL, { minLength: 6 }),
      owners: fc.integer({ min: 1, max: 3 }),
      next: fc.integer({ min: 1, max: 3 }),
      coming: fc.integer({ min: 1, max: 3 }),
      w: fc.integer({ min: 1, max: 3 }),
      dw: fc.integer({ min: 0, max: 3 }),
    })
    .filter(({ owners, next, w, dw }) => Math.max(owners, next) >= Math.max(w, dw))
    .map(({ order, owners: count, next: size, coming, w, dw }) => {
      const owners = order.slice(0, count);
      const pending = order.slice(count, count + Math.max(Math.min(coming, size), size - count));
      const next = [...owners.slice(0, size - pending.length), ...pending];
      return { owners, pending, next, fallbacks: order.slice(count + pending.length), quorum: { n: 3, w, pw: 0, dw } };
    });
  const words = fc.shuffledSubarray(ALL);
  const outcome = fc.constantFrom<Outcome>('durable', 'unreachable');

  test('where nobody fails, a read of owners with R + W > N meets the put, before the change and after it', () => {
    fc.assert(
      fc.property(plan, words, (chosen, who) => {
        const state = saying(
          chosen,
          who.map((node) => [node, 'durable'] as const),
        );
        fc.pre(state.verdict === 'written');
        const { owners, next, quorum } = chosen;
        for (const readable of [owners, next]) {
          const lacking = readable.filter((node) => !who.includes(node)).length;
          const r = quorum.n - quorum.w + 1;
          if (r <= readable.length) expect(lacking, 'owners without it are fewer than R').toBeLessThan(r);
        }
        expect(new Set([...owners, ...next].filter((node) => who.includes(node))).size).toBeGreaterThanOrEqual(quorum.w);
      }),
      { numRuns: 2_000 },
    );
  });

  test('future owners that are down change no verdict that W and DW of the present owners can reach', () => {
    fc.assert(
      fc.property(plan, fc.array(fc.tuple(fc.constantFrom(...ALL), outcome), { maxLength: 12 }), (chosen, said) => {
        const { owners, pending, quorum } = chosen;
        fc.pre(owners.length >= Math.max(quorum.w, quorum.dw));
        const settled = startTally({ ...chosen, pending: [], next: owners });
        const moving = pending.reduce((state, node) => say(state, node, 'unreachable'), startTally(chosen));
        const isTold = ([node]: readonly [NodeId, Outcome]): boolean => !pending.includes(node);
        const tell = (state: PutTally): PutTally =>
          said
            .filter(isTold)
            .reduce((at, [node, word]) => (putTargets(at).some((one) => one.node === node) ? say(at, node, word) : at), state);
        if (chosen.next.length >= owners.length) expect(tell(moving).verdict).toBe(tell(settled).verdict);
      }),
      { numRuns: 2_000 },
    );
  });

  test('nobody has two roles, and a fallback counts for nobody but the one it keeps the hint for', () => {
    fc.assert(
      fc.property(plan, fc.array(fc.tuple(fc.constantFrom(...ALL), outcome), { maxLength: 12 }), (chosen, said) => {
        const state = saying(chosen, said);
        const names = putTargets(state).map(({ node }) => node);
        expect(new Set(names).size).toBe(names.length);
        for (const { node, owner } of state.standIns) {
          expect([...chosen.owners, ...chosen.pending]).toContain(owner);
          expect([...chosen.owners, ...chosen.pending]).not.toContain(node);
        }
      }),
    );
  });
});
