/**
 * The first N healthy nodes (paper, section 4.6): fallbacks that stand in for owners, in the cores and over a cluster of five.
 */
import { ArmatureError, utf8Encode, type ErrorCode, type NodeId } from '@armature/kernel';
import { RING_UNKNOWN, type WriteReply, type WriteRequest } from '@armature/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { getAnswered, getFailed, getHedged, startGet, type GetPlan, type GetState, type GetStep } from './get-core.js';
import {
  putAbandoned,
  putAcknowledged,
  putFailed,
  putReplanned,
  putReplicas,
  putTargets,
  standsInFor,
  startTally,
  type PutPlan,
  type PutTally,
} from './put-quorum.js';
import { TestCluster, addressFor, created, decoded, node, valuesOf, type Asked, type Delivery } from './cluster.test-support.js';

const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'].map(node);
const [n1, n2, n3, n4, n5] = FIVE as [NodeId, NodeId, NodeId, NodeId, NodeId];
const settled = (owners: readonly NodeId[]): Pick<PutPlan, 'owners' | 'pending' | 'next'> => ({
  owners,
  pending: [],
  next: owners,
});
const plan = (parts: Partial<PutPlan['quorum']> = {}): PutPlan => ({
  ...settled([n1, n2, n3]),
  fallbacks: [n4, n5],
  quorum: { n: 3, w: 2, pw: 0, dw: 0, ...parts },
});

type Outcome = 'ok' | 'durable' | ErrorCode;
const say = (state: PutTally, who: NodeId, outcome: Outcome): PutTally =>
  outcome === 'ok' || outcome === 'durable' ? putAcknowledged(state, who, outcome === 'durable') : putFailed(state, who, outcome);

describe('put core', () => {
  test('an owner that fails is stood in for by the next fallback, which counts for W', () => {
    const failed = say(say(startTally(plan({ w: 3 })), n1, 'ok'), n2, 'unreachable');
    expect(standsInFor(failed, n4)).toBe(n2);
    const state = say(say(failed, n3, 'ok'), n4, 'ok');
    expect(state.verdict).toBe('written');
    expect(putReplicas(state)).toContainEqual({ node: n4, role: 'fallback', outcome: 'ok' });
  });

  test('it does not count for PW', () => {
    const state = say(say(say(startTally(plan({ w: 2, pw: 3 })), n1, 'ok'), n2, 'unreachable'), n4, 'ok');
    expect(state.verdict).toBe('short');
  });

  test('a fallback that minted under a ring that has gone counts for nothing: neither as the future owner it is now, nor for an owner that is none', () => {
    const asPending = startTally({ ...plan(), owners: [n1, n2], pending: [n4], next: [n1, n2, n4] }, [], { node: n4, owner: n3 });
    expect(say(say(asPending, n4, 'durable'), n1, 'durable').verdict).toBe('replicating');
    const forStranger = startTally({ ...plan(), fallbacks: [n5] }, [], { node: n4, owner: node('n9') });
    expect(say(say(forStranger, n4, 'durable'), n1, 'durable').verdict).toBe('replicating');
  });

  test('owners known to be down are not asked; their fallbacks are, at once', () => {
    const state = startTally(plan(), [n2, n3]);
    expect(putTargets(state).filter(({ hintFor }) => hintFor !== undefined)).toEqual([
      { node: n4, hintFor: n2 },
      { node: n5, hintFor: n3 },
    ]);
    expect(say(say(state, n1, 'ok'), n5, 'ok').verdict).toBe('written');
  });

  test('as many of them are asked all the same as PW needs, or as there are no fallbacks for', () => {
    const asksOwner = (state: PutTally, owner: NodeId): boolean =>
      !putReplicas(state).some(({ node: one, outcome }) => one === owner && outcome === 'unreachable');
    expect(FIVE.slice(0, 3).filter((one) => asksOwner(startTally(plan({ pw: 2 }), [n2, n3]), one))).toEqual([n1, n3]);
    const one = { ...plan(), fallbacks: [n4] };
    expect(FIVE.slice(0, 3).filter((owner) => asksOwner(startTally(one, [n1, n2, n3]), owner))).toEqual([n2, n3]);
  });

  test('a fallback that fails is replaced by the next; with none left the minting node is to keep the hint', () => {
    let state = say(startTally(plan()), n2, 'timeout');
    state = say(state, n4, 'overloaded');
    expect(standsInFor(state, n5)).toBe(n2);
    expect(putAbandoned(state)).toEqual([]);
    state = say(state, n5, 'unreachable');
    expect(putAbandoned(state)).toEqual([n2]);
  });

  test('an owner that answers after all keeps its stand-in, and both together count once: what one keeps for the other is deleted when it has it', () => {
    let state = say(startTally(plan({ w: 2, dw: 2 })), n2, 'timeout');
    for (const who of [n2, n2, n4, n4]) state = say(state, who, 'durable');
    expect(state.verdict).toBe('replicating');
    expect(say(state, n1, 'durable').verdict).toBe('written');
    for (const who of [n1, n3, n5]) state = say(state, who, 'unreachable');
    expect(state.verdict, 'one copy is not W=2').toBe('short');
  });

  test('two stand-ins for one owner, the first of which was slow, count once', () => {
    let state = say(startTally(plan({ w: 2 })), n2, 'unreachable');
    state = say(say(state, n4, 'timeout'), n5, 'ok');
    state = say(state, n4, 'ok');
    expect(state.verdict).toBe('replicating');
    expect(say(state, n3, 'ok').verdict).toBe('written');
  });

  test('a copy of an owner in memory may yet become a durable one at its stand-in', () => {
    let state = say(startTally(plan({ w: 1, dw: 1 })), n2, 'timeout');
    for (const who of [n1, n3]) state = say(state, who, 'unreachable');
    state = say(say(state, n2, 'ok'), n5, 'unreachable');
    expect(state.verdict).toBe('replicating');
    expect(say(state, n4, 'durable').verdict).toBe('written');
    expect(say(state, n4, 'ok').verdict).toBe('short');
  });

  test('a stand-in that a new ring makes an owner is asked again as one, and its hint no longer counts', () => {
    const before = say(say(startTally(plan({ w: 3 })), n2, 'unreachable'), n4, 'ok');
    const after = putReplanned(before, { ...plan({ w: 3 }), ...settled([n1, n3, n4]), fallbacks: [n2, n5] });
    expect(putTargets(after)).toEqual([n1, n3, n4].map((one) => ({ node: one, hintFor: undefined })));
    expect(putReplicas(after)).toContainEqual({ node: n4, role: 'primary', outcome: 'waiting' });
    let state = after;
    for (const who of [n1, n3]) state = say(state, who, 'ok');
    expect(state.verdict).toBe('replicating');
    expect(say(state, n4, 'ok').verdict).toBe('written');
  });

  const outcome = fc.constantFrom<Outcome>('ok', 'durable', 'timeout', 'unreachable');
  const someone = fc.constantFrom(...FIVE);
  const anyPlan: fc.Arbitrary<PutPlan> = fc
    .record({
      order: fc.shuffledSubarray(FIVE, { minLength: 1 }),
      owners: fc.integer({ min: 1, max: 3 }),
      w: fc.integer({ min: 1, max: 3 }),
      pw: fc.nat(3),
      dw: fc.nat(2),
    })
    .map(({ order, owners, w, pw, dw }) => ({
      ...settled(order.slice(0, owners)),
      fallbacks: order.slice(owners),
      quorum: { n: 3, w, pw, dw },
    }));
  type Step = { readonly who: NodeId; readonly outcome: Outcome } | { readonly plan: PutPlan };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 7, arbitrary: fc.record({ who: someone, outcome }) },
    { weight: 1, arbitrary: anyPlan.map((one) => ({ plan: one })) },
  );

  test('whatever is said: a quorum is distinct owners of the plan, each with those who stand in for it, PW of them owners; short only when nobody is left to call in', () => {
    fc.assert(
      fc.property(anyPlan, fc.subarray(FIVE), fc.array(step, { maxLength: 25 }), (first, down, steps) => {
        let state = startTally(first, down);
        let wasDecided = false;
        const check = (): void => {
          const { owners, fallbacks = [], quorum } = state.plan;
          const names = putTargets(state).map(({ node: one }) => one);
          expect(new Set(names).size, 'nobody in two roles').toBe(names.length);
          for (const { node: one, owner } of state.standIns) {
            expect(owners).toContain(owner);
            expect(owners).not.toContain(one);
          }
          const receipt = putReplicas(state);
          expect(receipt.map(({ node: one }) => one).sort()).toEqual([...names].sort());
          const acks = receipt.filter((one) => one.outcome === 'ok' || one.outcome === 'durable');
          const copyOf = (one: NodeId): NodeId => state.standIns.find(({ node: other }) => other === one)?.owner ?? one;
          const copies = (of: readonly { node: NodeId }[]): number => new Set(of.map(({ node: one }) => copyOf(one))).size;
          const durable = acks.filter((one) => one.outcome === 'durable');
          const primaries = acks.filter((one) => one.role === 'primary').length;
          const isMet = copies(acks) >= quorum.w && primaries >= quorum.pw && copies(durable) >= quorum.dw;
          if (!wasDecided && state.verdict === 'written') expect(isMet).toBe(true);
          if (!wasDecided && state.verdict === 'replicating') expect(isMet).toBe(false);
          if (!wasDecided && state.verdict === 'short') {
            expect(isMet).toBe(false);
            const silent = receipt.filter((one) => one.outcome === 'waiting');
            const silentPrimaries = silent.filter((one) => one.role === 'primary').length;
            const couldBeMet =
              copies([...acks, ...silent]) >= quorum.w &&
              primaries + silentPrimaries >= quorum.pw &&
              copies([...durable, ...silent]) >= quorum.dw;
            expect(couldBeMet).toBe(false);
          }
          // Each owner that failed has one stand-in at work, unless nobody is left to call in.
          const idle = fallbacks.filter((one) => !names.includes(one) && !state.heard.some((word) => word.node === one));
          const abandoned = putAbandoned(state).filter((one) => owners.includes(one));
          if (!steps.some((one) => 'plan' in one)) expect(abandoned.length === 0 || idle.length === 0).toBe(true);
          wasDecided ||= state.verdict !== 'replicating';
        };
        check();
        for (const one of steps) {
          if ('plan' in one) state = putReplanned(state, one.plan);
          else if (putTargets(state).some(({ node: target }) => target === one.who)) state = say(state, one.who, one.outcome);
          check();
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

function askedIn({ effects }: GetStep): NodeId[] {
  return effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.node] : []));
}

describe('get core', () => {
  const reading = (parts: Partial<GetPlan> = {}): GetPlan => ({
    replicas: [n1, n4, n2, n3],
    fallbacks: [n4],
    needed: 2,
    pr: 0,
    fanout: 2,
    ...parts,
  });
  const ok = (state: GetState, who: NodeId) => getAnswered(state, { node: who, set: Uint8Array.of(1) });
  const nothing = (state: GetState, who: NodeId) => getAnswered(state, { node: who, set: undefined });

  test('R=2, an owner down: its fallback completes the quorum', () => {
    const step = startGet(reading());
    const { state } = step;
    expect(askedIn(step)).toEqual([n1, n4]);
    expect(ok(ok(state, n1).state, n4).state.verdict).toBe('answered');
  });

  test('a fallback that keeps nothing says nothing: an owner that seemed down is asked before the key is called absent', () => {
    const first = startGet(reading({ replicas: [n1, n4, n2], needed: 1, fanout: 1 }));
    const second = getFailed(first.state, { node: n1, code: 'unreachable' });
    expect(askedIn(second)).toEqual([n4]);
    const third = nothing(second.state, n4);
    expect(third.state.verdict).toBe('asking');
    expect(askedIn(third)).toEqual([n2]);
    expect(ok(third.state, n2).state.verdict, 'it was up after all').toBe('answered');
    expect(getFailed(third.state, { node: n2, code: 'unreachable' }).state.verdict, 'nobody else can say').toBe('answered');
  });

  test('an owner that holds nothing does say something', () => {
    const { state } = startGet(reading());
    expect(ok(nothing(state, n1).state, n4).state.verdict).toBe('answered');
  });

  test('PR=2: the fallback does not count, and a primary that seemed down is asked', () => {
    const first = startGet(reading({ pr: 2 }));
    const second = ok(ok(first.state, n4).state, n1);
    expect(second.state.verdict).toBe('asking');
    expect(askedIn(second)).toEqual([n2]);
    expect(ok(second.state, n2).state.verdict).toBe('answered');
  });

  test('PR=2, one primary left: failed, though fallbacks answer', () => {
    let { state } = startGet(reading({ pr: 2 }));
    state = ok(state, n4).state;
    state = getFailed(state, { node: n2, code: 'timeout' }).state;
    expect(getFailed(state, { node: n3, code: 'timeout' }).state.verdict).toBe('failed');
  });

  test('whatever happens: answered means R answers and PR of them primaries; failed, that this cannot be any more; nobody waits for nobody', () => {
    const event = fc.record({ kind: fc.constantFrom('answer' as const, 'fail' as const, 'hedge' as const), who: fc.nat(5) });
    fc.assert(
      fc.property(
        fc.shuffledSubarray(FIVE, { minLength: 1 }),
        fc.subarray(FIVE),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(3),
        fc.array(event, { maxLength: 20 }),
        (replicas, chosen, r, pr, events) => {
          const needed = Math.max(r, pr);
          const fallbacks = chosen.filter((one) => replicas.includes(one));
          const waiting: NodeId[] = [];
          const failed: NodeId[] = [];
          const answered: NodeId[] = [];
          let step = startGet({ replicas, fallbacks, needed, pr, fanout: needed });
          waiting.push(...askedIn(step));
          for (const { kind, who } of events) {
            const one = waiting[who % Math.max(1, waiting.length)];
            if (kind === 'hedge') step = getHedged(step.state);
            else if (one === undefined) continue;
            else {
              waiting.splice(waiting.indexOf(one), 1);
              (kind === 'answer' ? answered : failed).push(one);
              const { state } = step;
              if (kind === 'fail') step = getFailed(state, { node: one, code: 'timeout' });
              else step = who % 2 === 0 ? ok(state, one) : nothing(state, one);
            }
            waiting.push(...askedIn(step));
            const { verdict } = step.state;
            const primaries = (nodes: readonly NodeId[]): number => nodes.filter((each) => !fallbacks.includes(each)).length;
            if (verdict === 'answered') {
              expect(answered.length >= needed && primaries(answered) >= pr).toBe(true);
              return;
            }
            const left = replicas.filter((each) => !failed.includes(each));
            if (verdict === 'failed') expect(left.length < needed || primaries(left) < pr).toBe(true);
            else expect(waiting.length, 'somebody has to answer yet').toBeGreaterThan(0);
            if (verdict === 'failed') return;
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('over five nodes', () => {
  const open = (): Promise<TestCluster> => TestCluster.open({ changes: [created(FIVE)], nodes: FIVE });
  const writeOf = (cluster: TestCluster, parts: Partial<WriteRequest> = {}): WriteRequest => ({
    ...{
      kind: 'write',
      ring: RING_UNKNOWN,
      address: addressFor('k'),
      context: new Uint8Array(0),
      operation: cluster.operation(),
    },
    ...{ tombstone: false, value: utf8Encode('v'), meta: [], options: { w: 2, pw: 0, dw: 0, returnContext: false } },
    ...parts,
  });
  const placed = (cluster: TestCluster): { owners: readonly NodeId[]; fallbacks: readonly NodeId[] } =>
    cluster.view.placement(addressFor('k'), 3);
  const router = (cluster: TestCluster) => cluster.coordinator(cluster.outside());
  const write = (cluster: TestCluster, parts: Partial<WriteRequest> = {}): Promise<WriteReply> =>
    cluster.finish(router(cluster).write(writeOf(cluster, parts), 2_000));
  const down =
    (...nodes: readonly NodeId[]) =>
    ({ to, from }: Asked): Delivery =>
      nodes.includes(to) || (from !== undefined && nodes.includes(from)) ? { refused: 'unreachable' } : {};
  const hintsAt = (cluster: TestCluster, at: NodeId, owner: NodeId): number => cluster.at(at).hintSpace.for(owner).records.size;

  test('one owner down: written to two owners and a fallback, which keeps it for the third', async () => {
    const cluster = await open();
    const { owners, fallbacks } = placed(cluster);
    cluster.deliver = down(owners[2]!);
    await write(cluster, { options: { w: 3, pw: 0, dw: 0, returnContext: false } });
    expect(hintsAt(cluster, fallbacks[0]!, owners[2]!)).toBe(1);
    expect(cluster.values(fallbacks[0]!, 'k'), 'among its own records there is nothing').toEqual([]);
  });

  test('two owners down: W=2 succeeds with the third and a fallback, and a read finds it', async () => {
    const cluster = await open();
    const { owners } = placed(cluster);
    cluster.deliver = down(owners[0]!, owners[1]!);
    for (const one of owners.slice(0, 2)) cluster.suspects.add(one);
    await write(cluster);
    const reply = await cluster.finish(
      router(cluster).fetch({ kind: 'fetch', address: addressFor('k'), options: { r: 2, pr: 0 } }, 1_000),
    );
    expect(reply.siblings).toHaveLength(1);
    expect(reply.receipt.replicas.some(({ role, outcome }) => role === 'fallback' && outcome === 'ok')).toBe(true);
  });

  test('all owners down: fallbacks mint and keep it, a read finds it, and PR and PW do not pretend', async () => {
    const cluster = await open();
    const { owners } = placed(cluster);
    cluster.deliver = down(...owners);
    for (const one of owners) cluster.suspects.add(one);
    const reply = await write(cluster);
    expect(owners).not.toContain(reply.receipt.coordinator);
    const read = (pr: number) =>
      cluster.finish(router(cluster).fetch({ kind: 'fetch', address: addressFor('k'), options: { r: 2, pr } }, 200));
    expect((await read(0)).siblings).toHaveLength(1);
    await expect(read(1)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(write(cluster, { options: { w: 2, pw: 1, dw: 0, returnContext: false } })).rejects.toMatchObject({
      code: 'partial-write',
    });
  });

  test('nobody left to stand in: the minting node keeps the hint, which counts for nothing', async () => {
    const cluster = await open();
    const { owners, fallbacks } = placed(cluster);
    cluster.deliver = down(owners[2]!, ...fallbacks);
    const reply = await write(cluster);
    const { coordinator } = reply.receipt;
    await cluster.clock.advance(500);
    expect(hintsAt(cluster, coordinator, owners[2]!)).toBe(1);
    await expect(write(cluster, { options: { w: 3, pw: 0, dw: 0, returnContext: false } })).rejects.toMatchObject({
      code: 'partial-write',
    });
  });

  test('hint stores that are full fail no write that has its quorum, whether or not it is known that an owner is down', async () => {
    const cluster = await open();
    for (const one of FIVE) cluster.at(one).hints.merge = () => Promise.reject(new ArmatureError('overloaded', 'full'));
    const [, , third] = placed(cluster).owners;
    cluster.deliver = down(third!);
    for (const isKnown of [false, true]) {
      if (isKnown) cluster.suspects.add(third!);
      const { receipt } = await write(cluster);
      expect(receipt.replicas.filter(({ role, outcome }) => role === 'primary' && outcome === 'durable')).toHaveLength(2);
    }
  });

  test('a slow replica that answers late: written all the same, and no fallback is bothered', async () => {
    const cluster = await open();
    const { owners, fallbacks } = placed(cluster);
    cluster.deliver = ({ to }) => (to === owners[2] ? { delayMs: 300 } : {});
    await write(cluster);
    await cluster.clock.advance(1_000);
    for (const one of fallbacks) expect(cluster.asked.some(({ to }) => to === one)).toBe(false);
    expect(cluster.values(owners[2]!, 'k')).toEqual(['v']);
  });

  test('a fallback is not read-repaired: what it keeps is not its own', async () => {
    const cluster = await open();
    const { owners, fallbacks } = placed(cluster);
    await write(cluster, { options: { w: 3, pw: 0, dw: 0, returnContext: false } });
    await cluster.clock.advance(10);
    cluster.suspects.add(owners[0]!);
    cluster.deliver = down(owners[0]!);
    for (let i = 0; i < 5; i++) {
      await cluster.finish(router(cluster).fetch({ kind: 'fetch', address: addressFor('k'), options: { r: 3, pr: 0 } }, 500));
      await cluster.clock.advance(50);
    }
    for (const one of fallbacks) expect(cluster.at(one).store.records.size).toBe(0);
  });

  test('a fallback that a new ring makes a future owner while it is given a hint: it is given the version as its own, too', async () => {
    const cluster = await open();
    const { owners } = placed(cluster);
    const [minting, gone, other] = owners as [NodeId, NodeId, NodeId];
    cluster.happen({ kind: 'remove', node: gone }, [other]);
    const [newcomer] = cluster.view.placement(addressFor('k'), 3).pending as [NodeId];
    cluster.suspects.add(gone);
    for (const one of placed(cluster).fallbacks) if (one !== newcomer) cluster.suspects.add(one);
    // The hint takes its time; meanwhile the other owner, which knows of the removal, refuses, and the coordinator catches up.
    cluster.deliver = ({ to, request }) =>
      to === newcomer && request.kind === 'merge' && request.hintFor !== undefined ? { replyDelayMs: 50 } : {};
    await cluster.finish(cluster.at(minting).coordinator.write(writeOf(cluster), 1_000));
    await cluster.clock.advance(500);
    expect(hintsAt(cluster, newcomer, gone)).toBe(1);
    expect(cluster.values(newcomer, 'k')).toEqual(['v']);
  });

  test('two writes for absent owners, kept under different owners: both survive, side by side', async () => {
    const cluster = await open();
    const { owners, fallbacks } = placed(cluster);
    cluster.deliver = down(...owners, fallbacks[1]!);
    for (const one of owners) cluster.suspects.add(one);
    const one = { w: 1, pw: 0, dw: 0, returnContext: false } as const;
    await write(cluster, { options: one, value: utf8Encode('first') });
    cluster.suspects.delete(owners[0]!);
    await cluster.clock.advance(2_000);
    await cluster.finish(
      cluster
        .at(fallbacks[0]!)
        .coordinator.write({ ...writeOf(cluster, { options: one, value: utf8Encode('second') }), standIn: true }, 2_000),
    );
    const kept = await cluster.at(fallbacks[0]!).hints.read(addressFor('k'), owners);
    expect(valuesOf(decoded(kept))).toEqual(['first', 'second']);
  });
});
