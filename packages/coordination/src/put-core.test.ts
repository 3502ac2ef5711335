import type { ErrorCode, NodeId } from '@armature/kernel';
import type { RingVersion } from '@armature/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  putAnswered,
  putBegun,
  putCommitted,
  putEnded,
  putMadeDurable,
  putRefreshed,
  putRefused,
  putSilent,
  type PutState,
  type PutStep,
} from './put-core.js';
import type { PutPlan } from './put-quorum.js';

const [n1, n2, n3, n4, n5] = ['n1', 'n2', 'n3', 'n4', 'n5'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId, NodeId];
const [first, second] = [1, 2] as RingVersion[] as [RingVersion, RingVersion];
const owners = [n1, n2, n3];
const plan: PutPlan = { owners, pending: [], next: owners, fallbacks: [n4, n5], quorum: { n: 3, w: 2, pw: 0, dw: 0 } };

function begun(changes: { plan?: PutPlan; down?: readonly NodeId[]; maxRefreshes?: number } = {}): PutStep {
  return putBegun({ self: n1, plan, ring: first, down: [], standIn: undefined, maxRefreshes: 3, ...changes });
}
const sentTo = (node: NodeId, hintFor?: NodeId, ring = first) => ({ node, hintFor, ring });
/** What is done, as words. */
const words = ({ effects }: PutStep): string[] =>
  effects.map((one) => {
    if (one.kind === 'send') return one.hintFor === undefined ? `send ${one.node}` : `send ${one.node} for ${one.hintFor}`;
    return one.kind === 'keep-hint' ? `keep for ${one.owner}` : one.kind;
  });

describe('a put', () => {
  test('sends the version to all others at once, and ends when W have it', () => {
    const beginning = begun();
    expect(words(beginning)).toEqual(['send n2', 'send n3']);
    const one = putAnswered(beginning.state, sentTo(n3), true);
    expect(words(one)).toEqual([]);
    const two = putCommitted(one.state, true);
    expect(words(two)).toEqual(['decide']);
    expect(two.state.tally.verdict).toBe('written');
    expect(words(putAnswered(two.state, sentTo(n2), true))).toEqual([]);
    expect(words(putEnded(two.state))).toEqual([]);
  });

  test('calls in a fallback for an owner that fails, and at once for one that is down', () => {
    expect(words(putRefused(begun().state, sentTo(n2), 'unreachable', false))).toEqual(['send n4 for n2']);
    expect(words(begun({ down: [n3] }))).toEqual(['send n2', 'send n4 for n3']);
  });

  test('keeps a hint itself, once, where nobody is left to stand in', () => {
    const alone = begun({ plan: { ...plan, fallbacks: [] } });
    const failed = putRefused(alone.state, sentTo(n2), 'unreachable', false);
    expect(words(failed)).toEqual(['keep for n2']);
    expect(words(putRefused(failed.state, sentTo(n3), 'unreachable', false))).toEqual(['keep for n3', 'grace']);
  });

  test('whose quorum is out of reach waits a moment for those who have not answered, and ends when all have', () => {
    const alone = begun({ plan: { ...plan, fallbacks: [], quorum: { n: 3, w: 3, pw: 0, dw: 0 } } });
    const short = putRefused(alone.state, sentTo(n2), 'storage-full', false);
    expect(words(short)).toEqual(['keep for n2', 'grace']);
    expect(words(putEnded(short.state))).toEqual(['decide']);
    const committed = putCommitted(short.state, true);
    expect(words(committed)).toEqual([]);
    expect(words(putAnswered(committed.state, sentTo(n3), true))).toEqual(['decide']);
  });

  test('catches up once with a ring that several name, and asks again those that have not got the version', () => {
    const one = putRefused(begun().state, sentTo(n2), 'stale-ring', false);
    expect(words(one)).toEqual(['refresh']);
    const two = putRefused(one.state, sentTo(n3), 'stale-ring', false);
    expect(words(two)).toEqual([]);
    const moved = { ...plan, owners: [n1, n2, n5], next: [n1, n2, n5], fallbacks: [n3, n4] };
    expect(words(putRefreshed(two.state, moved, second))).toEqual(['send n2', 'send n5']);
  });

  test('gives up those that name another ring again and again', () => {
    const step = putRefused(begun({ maxRefreshes: 0 }).state, sentTo(n2), 'stale-ring', false);
    expect(words(step)).toEqual(['send n4 for n2']);
  });

  test('asks at once again whoever refused a ring that has been left since', () => {
    const refreshed = putRefreshed(putRefused(begun().state, sentTo(n2), 'stale-ring', false).state, plan, second);
    expect(words(refreshed)).toEqual(['send n2']);
    expect(words(putRefused(refreshed.state, sentTo(n3, undefined, first), 'stale-ring', false))).toEqual(['send n3']);
  });

  test('does not count an answer in another part: a hint is no copy of an owner', () => {
    const called = putRefused(begun().state, sentTo(n2), 'unreachable', false);
    const risen = putRefreshed(called.state, { ...plan, owners: [n1, n3, n4], next: [n1, n3, n4], fallbacks: [n5] }, second);
    expect(words(risen)).toEqual([]);
    const answered = putAnswered(risen.state, sentTo(n4, n2), true);
    expect(words(answered)).toEqual(['send n4']);
    expect(answered.state.tally.heard.map(({ node }) => node)).not.toContain(n4);
  });

  test('that was minted by a fallback does not count the hint as a copy, under a ring that gives it another part', () => {
    const standIn = { node: n4, owner: n2 };
    const step = putBegun({ self: n4, plan: { ...plan, fallbacks: [n5] }, ring: first, down: [], standIn, maxRefreshes: 3 });
    const risen = putRefreshed(step.state, { ...plan, owners: [n1, n3, n4], next: [n1, n3, n4], fallbacks: [n5] }, second);
    expect(putCommitted(risen.state, true).state.tally.heard).toContainEqual({ node: n4, outcome: 'stale-ring' });
  });

  test('passes over those that are silent and suspect, while somebody can stand in for them', () => {
    const step = putSilent(
      begun().state,
      (node) => node === n3,
      () => [n5],
      false,
    );
    expect(words(step)).toEqual(['send n5 for n3']);
    expect(
      words(
        putSilent(
          step.state,
          () => false,
          () => [n5],
          false,
        ),
      ),
    ).toEqual([]);
  });

  test('counts a copy that was made durable later, unless it is a hint', () => {
    const durable = { ...plan, quorum: { n: 3, w: 2, pw: 0, dw: 1 } };
    const inMemory = putAnswered(putCommitted(begun({ plan: durable }).state, false).state, sentTo(n2), false);
    expect(inMemory.state.tally.verdict).toBe('replicating');
    expect(words(putMadeDurable(inMemory.state, n2))).toEqual(['decide']);
    const called = putRefused(inMemory.state, sentTo(n3), 'unreachable', false);
    expect(words(putMadeDurable(called.state, n4))).toEqual([]);
  });
});

/** Any order of answers, refusals, rings and silences. */
type Event =
  | { readonly kind: 'answer' | 'refuse' | 'stale'; readonly who: number; readonly durable: boolean }
  | { readonly kind: 'commit' | 'refresh' | 'silent' | 'end'; readonly who: number; readonly durable: boolean };

test('whatever happens: one decision, one request to a node at a time, one refresh at a time, one hint for an owner', () => {
  const kind = fc.constantFrom<Event['kind']>('answer', 'refuse', 'stale', 'commit', 'refresh', 'silent', 'end');
  const events = fc.array(fc.record({ kind, who: fc.nat(9), durable: fc.boolean() }), { maxLength: 40 });
  fc.assert(
    fc.property(events, fc.constantFrom(1, 2, 3), (happenings, w) => {
      const quorum = { n: 3, w, pw: 0, dw: 0 };
      const plans = [plan, { ...plan, owners: [n1, n2, n5], next: [n1, n2, n5], fallbacks: [n3, n4] }];
      let state!: PutState;
      let ring = 0;
      let [decisions, refreshing] = [0, 0];
      const underWay: { node: NodeId; hintFor: NodeId | undefined; ring: RingVersion }[] = [];
      const hints: NodeId[] = [];
      const take = (step: PutStep): void => {
        state = step.state;
        for (const effect of step.effects) {
          if (effect.kind === 'send') {
            expect(underWay.map(({ node }) => node)).not.toContain(effect.node);
            underWay.push({ node: effect.node, hintFor: effect.hintFor, ring: state.ring });
          } else if (effect.kind === 'keep-hint') {
            expect(hints).not.toContain(effect.owner);
            hints.push(effect.owner);
          } else if (effect.kind === 'refresh') refreshing++;
          else if (effect.kind === 'decide') decisions++;
        }
        expect(refreshing).toBeLessThanOrEqual(1);
        expect(state.inFlight.toSorted()).toEqual(underWay.map(({ node }) => node).toSorted());
      };
      const planNow = (): PutPlan => ({ ...(plans[ring % 2] as PutPlan), quorum });
      take(begun({ plan: planNow() }));
      for (const { kind: what, who, durable } of happenings) {
        const sent = ['answer', 'refuse', 'stale'].includes(what)
          ? underWay.splice(who % Math.max(1, underWay.length), 1)[0]
          : undefined;
        if (what === 'commit') take(putCommitted(state, durable));
        else if (what === 'silent')
          take(
            putSilent(
              state,
              (node) => node !== n2,
              () => [n4, n5],
              durable,
            ),
          );
        else if (what === 'end') take(putEnded(state));
        else if (what === 'refresh' && refreshing > 0) {
          refreshing--;
          ring++;
          take(putRefreshed(state, planNow(), (ring + 1) as RingVersion));
        } else if (sent !== undefined) {
          const code: ErrorCode = what === 'stale' ? 'stale-ring' : 'timeout';
          take(what === 'answer' ? putAnswered(state, sent, durable) : putRefused(state, sent, code, false));
        }
      }
      take(putEnded(state));
      expect(decisions).toBe(1);
    }),
  );
});
