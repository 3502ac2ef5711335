import type { ErrorCode, NodeId } from '@armature/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  getAnswered,
  getFailed,
  getHedged,
  getSettled,
  getSilent,
  outstanding,
  silentReplicas,
  startGet,
  type GetPlan,
  type GetState,
  type GetStep,
} from './get-core.js';

const names = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => `n${i + 1}` as NodeId);

const plan: fc.Arbitrary<GetPlan> = fc
  .record({ count: fc.integer({ min: 0, max: 6 }), needed: fc.integer({ min: 1, max: 6 }), full: fc.boolean() })
  .map(({ count, needed, full }) => ({ replicas: names(count), needed, fanout: full ? count : needed }));

/** What happens next: a replica that has been asked answers or fails, or the hedge comes due. */
type Event = { readonly kind: 'answer' | 'fail'; readonly who: number } | { readonly kind: 'hedge' };
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const), who: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fail' as const), who: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'hedge' as const }) },
);

/** Drives the core as the network might: only those asked answer, each once. Calls `each` after every step. */
function run(
  chosen: GetPlan,
  events: readonly Event[],
  each: (state: GetState, log: Log) => void = () => undefined,
): { state: GetState; log: Log } {
  const log: Log = { asked: [], waiting: [], answered: [], failed: [], decisions: 0, repairs: 0 };
  const take = (step: GetStep): GetState => {
    const asked = askedIn(step);
    log.asked.push(...asked);
    log.waiting.push(...asked);
    log.decisions += step.effects.filter(({ kind }) => kind === 'decide').length;
    log.repairs += step.effects.filter(({ kind }) => kind === 'repair').length;
    each(step.state, log);
    return step.state;
  };
  let state = take(startGet(chosen));
  for (const one of events) {
    if (one.kind === 'hedge') {
      state = take(getHedged(state));
      continue;
    }
    const node = log.waiting[one.who % Math.max(1, log.waiting.length)];
    if (node === undefined) continue;
    log.waiting.splice(log.waiting.indexOf(node), 1);
    if (one.kind === 'answer') {
      log.answered.push(node);
      state = take(getAnswered(state, { node, set: undefined }));
    } else {
      log.failed.push(node);
      state = take(getFailed(state, { node, code: 'timeout' }));
    }
  }
  return { state, log };
}

interface Log {
  readonly asked: NodeId[];
  readonly waiting: NodeId[];
  readonly answered: NodeId[];
  readonly failed: NodeId[];
  decisions: number;
  repairs: number;
}

function askedIn({ effects }: GetStep): NodeId[] {
  return effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.node] : []));
}

describe('get', () => {
  const after = (
    events: readonly [NodeId, 'ok' | ErrorCode][],
    chosen: Partial<GetPlan> = {},
  ): { state: GetState; asked: NodeId[] } => {
    const asked: NodeId[] = [];
    let step = startGet({ replicas: names(3), needed: 2, fanout: 2, ...chosen });
    asked.push(...askedIn(step));
    for (const [node, outcome] of events) {
      step =
        outcome === 'ok' ? getAnswered(step.state, { node, set: undefined }) : getFailed(step.state, { node, code: outcome });
      asked.push(...askedIn(step));
    }
    return { state: step.state, asked };
  };
  const [n1, n2, n3] = names(3) as [NodeId, NodeId, NodeId];

  test('R=2, all up: two are asked, two answers end it', () => {
    const { state, asked } = after([
      [n2, 'ok'],
      [n1, 'ok'],
    ]);
    expect(asked).toEqual([n1, n2]);
    expect(state.verdict).toBe('answered');
    expect(state.answers[0]?.node, 'the first to answer is the fastest').toBe(n2);
  });

  test('R=2, one of three down: the third is asked in its place, succeeds', () => {
    const { state, asked } = after([
      [n1, 'unreachable'],
      [n3, 'ok'],
      [n2, 'ok'],
    ]);
    expect(asked).toEqual([n1, n2, n3]);
    expect(state.verdict).toBe('answered');
  });

  test('R=2, two of three down: fails at the second failure, without waiting for the third', () => {
    const { state } = after([
      [n1, 'unreachable'],
      [n2, 'timeout'],
    ]);
    expect(state.verdict).toBe('failed');
    expect(outstanding(state)).toBe(1);
  });

  test('R=3, one of three down: fails at once', () => {
    expect(after([[n1, 'timeout']], { needed: 3, fanout: 3 }).state.verdict).toBe('failed');
  });

  test('R=1, two of three down: succeeds with the third', () => {
    const { state, asked } = after(
      [
        [n1, 'timeout'],
        [n2, 'unreachable'],
        [n3, 'ok'],
      ],
      { needed: 1, fanout: 1 },
    );
    expect(asked).toEqual([n1, n2, n3]);
    expect(state.verdict).toBe('answered');
  });

  test('fewer replicas than the quorum: fails without asking anyone', () => {
    const { state, asked } = after([], { replicas: names(1) });
    expect(state.verdict).toBe('failed');
    expect(asked).toEqual([]);
  });

  test('an answer after the verdict is taken in for read repair, and changes nothing else', () => {
    const { state } = after(
      [
        [n1, 'ok'],
        [n2, 'ok'],
        [n3, 'ok'],
      ],
      { fanout: 3 },
    );
    expect(state.verdict).toBe('answered');
    expect(state.answers.map(({ node }) => node)).toEqual([n1, n2, n3]);
  });

  test('the verdict is what a count of answers and failures says, and once given it stands', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { maxLength: 20 }), (chosen, events) => {
        let verdict: GetState['verdict'] = 'asking';
        run(chosen, events, (state, { answered, failed }) => {
          if (verdict === 'asking') {
            const isMet = answered.length >= chosen.needed;
            const isLost = chosen.replicas.length - failed.length < chosen.needed;
            verdict = isMet ? 'answered' : isLost ? 'failed' : 'asking';
          }
          expect(state.verdict).toBe(verdict);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test('nobody is asked twice, nobody out of turn, nobody after the verdict', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { maxLength: 20 }), (chosen, events) => {
        let before: GetState | undefined;
        run(chosen, events, (state, { asked }) => {
          expect(asked).toEqual(chosen.replicas.slice(0, asked.length));
          expect(state.asked).toBe(asked.length);
          if (before !== undefined && before.verdict !== 'asking') expect(state.asked).toBe(before.asked);
          before = state;
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test('while it is asking, enough are asked: answers and those waited for make a quorum, or nobody is left', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { maxLength: 20 }), (chosen, events) => {
        run(chosen, events, (state, { asked, waiting, answered }) => {
          if (state.verdict !== 'asking') return;
          expect(answered.length + waiting.length >= chosen.needed || asked.length === chosen.replicas.length).toBe(true);
          expect(outstanding(state)).toBe(waiting.length);
          expect(outstanding(state), 'somebody has to answer yet').toBeGreaterThan(0);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test('every answer and every failure is kept, in order of arrival', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { maxLength: 20 }), (chosen, events) => {
        const { state, log } = run(chosen, events);
        expect(state.answers.map(({ node }) => node)).toEqual(log.answered);
        expect(state.failures.map(({ node }) => node)).toEqual(log.failed);
      }),
    );
  });

  test('it is decided once, and repaired once, when all that were asked have spoken', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { maxLength: 20 }), (chosen, events) => {
        const { state, log } = run(chosen, events);
        expect(log.decisions).toBe(state.verdict === 'asking' ? 0 : 1);
        expect(log.repairs).toBe(state.verdict !== 'asking' && log.waiting.length === 0 ? 1 : 0);
      }),
    );
  });

  test('when nobody but suspects is silent, fallbacks are asked, once, and the suspects get a moment', () => {
    const step = startGet({ replicas: names(3), needed: 2, fanout: 2, fallbacks: [] });
    const answered = getAnswered(step.state, { node: n1, set: undefined });
    const others = ['n4', 'n1'] as NodeId[];
    expect(
      getSilent(
        answered.state,
        () => false,
        () => others,
      ).effects,
    ).toEqual([]);
    const silent = getSilent(
      answered.state,
      (node) => node === n2,
      () => others,
    );
    expect(silent.effects).toEqual([
      { kind: 'ask', node: n3, isFallback: false },
      { kind: 'ask', node: 'n4', isFallback: true },
      { kind: 'settle', silent: [n2] },
    ]);
    expect(
      getSilent(
        silent.state,
        () => true,
        () => others,
      ).effects,
    ).toEqual([]);
    const nothing = getAnswered(silent.state, { node: 'n4' as NodeId, set: undefined });
    expect(nothing.state.verdict, 'a fallback that keeps nothing says nothing').toBe('asking');
    const down = (...nodes: NodeId[]) => getSettled(nothing.state, (node) => nodes.includes(node));
    expect(down(n2).effects, 'n3 is up, and may hold what n1 lacks').toEqual([{ kind: 'settle', silent: [n2, n3] }]);
    expect(down(n2, n3).effects).toEqual([{ kind: 'decide' }]);
    expect(getAnswered(down(n2).state, { node: n3, set: undefined }).state.verdict).toBe('answered');
  });

  test('a fallback that keeps nothing never makes up the quorum while an owner that seems up has not spoken', () => {
    const owners = names(4);
    const fallbacks = ['f1', 'f2'] as NodeId[];
    const quorum = fc.record({ needed: fc.integer({ min: 1, max: 4 }), suspects: fc.subarray(owners) });
    fc.assert(
      fc.property(quorum, fc.array(fc.nat(5), { maxLength: 6 }), ({ needed, suspects }, answers) => {
        const isSuspect = (node: NodeId): boolean => suspects.includes(node);
        let { state } = startGet({ replicas: owners, needed, fanout: needed, fallbacks: [] });
        state = getSilent(state, isSuspect, () => fallbacks).state;
        for (const who of answers) {
          const silent = silentReplicas(state);
          const node = silent[who % Math.max(1, silent.length)];
          if (node !== undefined) state = getAnswered(state, { node, set: undefined }).state;
          state = getSettled(state, isSuspect).state;
          const primaries = state.answers.filter((one) => owners.includes(one.node)).length;
          if (state.verdict === 'asking' || primaries >= needed) continue;
          expect(silentReplicas(state).filter((one) => owners.includes(one) && !isSuspect(one))).toEqual([]);
        }
      }),
    );
  });

  test('when everyone asked has spoken there is a verdict', () => {
    fc.assert(
      fc.property(plan, fc.array(event, { minLength: 30, maxLength: 40 }), (chosen, events) => {
        const { state, log } = run(chosen, [...events, ...Array.from({ length: 12 }, () => ({ kind: 'fail', who: 0 }) as const)]);
        expect(log.waiting).toEqual([]);
        expect(state.verdict).not.toBe('asking');
      }),
    );
  });
});
