import { unwrap, type NodeId, type PartitionId } from '@armature/kernel';
import { balanceOf } from '@armature/ring';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMembershipChange, planChanges, type MembershipChange, type PlannedTransfer } from './plan.js';
import type { View } from './view.js';
import { change, historyOf, names, record, Tale, zone } from './records.test-support.js';

const N = 3;
const [n1, n2, n3, n4, n5] = names('n', 5) as [NodeId, NodeId, NodeId, NodeId, NodeId];
const planOf = (tale: Tale, ...changes: MembershipChange[]) => planChanges(historyOf(tale.records), changes);
const nameOf = ({ partition, n, to }: PlannedTransfer): string => `${partition} n=${n} to ${to}`;
const join = (who: NodeId, weight = 1, where = 'z'): MembershipChange => ({
  kind: 'join',
  node: who,
  weight,
  zone: zone(where),
});
const leave = (who: NodeId): MembershipChange => ({ kind: 'leave', node: who });
const remove = (who: NodeId): MembershipChange => ({ kind: 'remove', node: who });
const replace = (who: NodeId, by: NodeId, dead = false): MembershipChange => ({
  kind: 'replace',
  node: who,
  by: { node: by, weight: 1, zone: zone() },
  dead,
});

/** The copies that a view waits for. */
function pendingIn(view: View): string[] {
  return [...view.members.keys()].flatMap((to) =>
    view
      .pendingFor(to)
      .flatMap(({ partition, groups }) => groups.map(({ n, owners }) => nameOf({ partition, n, to, from: owners }))),
  );
}

const candidate: fc.Arbitrary<MembershipChange> = fc
  .tuple(
    fc.constantFrom(...names('n', 8)),
    fc.nat(6),
    fc.constantFrom(0.5, 1, 2),
    fc.constantFrom('z', 'y'),
    fc.constantFrom(...names('n', 8)),
  )
  .map(([who, kind, weight, where, other]): MembershipChange => {
    const made = [
      join(who, weight, where),
      leave(who),
      remove(who),
      replace(who, other),
      replace(who, other, true),
      change.weight(who, weight),
      change.zone(who, where),
    ][kind];
    if (made === undefined || !isMembershipChange(made)) throw new Error('a change of membership');
    return made;
  });

/** A cluster with some past, settled or in the middle of it, and changes that the rules let pass in their order. */
const situation = fc
  .tuple(
    fc.integer({ min: 3, max: 6 }),
    fc.boolean(),
    fc.array(fc.tuple(candidate, fc.boolean()), { maxLength: 4 }),
    fc.array(candidate, { minLength: 1, maxLength: 5 }),
  )
  .map(([size, withPairs, past, wanted]) => {
    const tale = new Tale(change.create(names('n', size)));
    if (withPairs) tale.add(change.bucket('pairs', { n: 2, r: 1, w: 2 }));
    for (const [one, isSettled] of past) {
      if (planOf(tale, one).ok) tale.add(one);
      if (isSettled) tale.allReady();
    }
    const changes: MembershipChange[] = [];
    for (const one of wanted) if (planOf(tale, ...changes, one).ok) changes.push(one);
    return { tale, changes };
  })
  .filter(({ changes }) => changes.length > 0);

describe('planChanges: what it promises', () => {
  test('every step, when it is really made, is what was planned: copies, where from, how many are void, the ring', () => {
    fc.assert(
      fc.property(situation, ({ tale, changes }) => {
        const plan = unwrap(planOf(tale, ...changes));
        const start = tale.view;
        expect(plan.ringVersion).toBe(start.ringVersion);
        for (const [index, one] of changes.entries()) {
          const before = pendingIn(tale.view);
          tale.add(one);
          const after = pendingIn(tale.view);
          const step = plan.steps[index];
          expect(step?.change).toEqual(one);
          expect(step?.transfers.map(nameOf).sort()).toEqual(after.filter((copy) => !before.includes(copy)).sort());
          expect(step?.voided).toBe(before.filter((copy) => !after.includes(copy)).length);
          for (const { partition, n, from } of step?.transfers ?? [])
            expect(from).toEqual(tale.view.placementOf(partition, n).owners);
        }
        expect(plan.targetRing).toBe(tale.view.ring?.fingerprint);
        const known = pendingIn(start);
        expect(plan.transfers.map(nameOf).sort()).toEqual(
          pendingIn(tale.view)
            .filter((copy) => !known.includes(copy))
            .sort(),
        );
      }),
      { numRuns: 120 },
    );
  });

  test('every receiver is a target after the change, and was no owner before it', () => {
    fc.assert(
      fc.property(situation, ({ tale, changes }) => {
        const plan = unwrap(planOf(tale, ...changes));
        for (const [index, one] of changes.entries()) {
          const before = tale.view;
          tale.add(one);
          for (const { partition, n, to, from } of plan.steps[index]?.transfers ?? []) {
            expect(tale.view.ring?.primariesOf(partition, n)).toContain(to);
            expect(before.placementOf(partition, n).owners).not.toContain(to);
            expect(from).not.toContain(to);
            expect(from.length).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 120 },
    );
  });

  test('nothing but the planned copies is made: when all are ready, the nodes own what the plan counts', () => {
    fc.assert(
      fc.property(situation, ({ tale, changes }) => {
        const { after } = unwrap(planOf(tale, ...changes));
        tale.add(...changes).allReady();
        const owned = new Map<NodeId, number>();
        const partitionCount = tale.view.ring?.partitionCount ?? 0;
        for (let partition = 0; partition < partitionCount; partition++)
          for (const owner of tale.view.placementOf(partition as PartitionId, after.n).owners)
            owned.set(owner, (owned.get(owner) ?? 0) + 1);
        expect(after.nodes.map(({ node: one, partitions }) => [one, partitions])).toEqual(
          (tale.view.ring?.members ?? []).map(({ node: one }) => [one, owned.get(one) ?? 0]),
        );
      }),
      { numRuns: 120 },
    );
  });
});

describe('planChanges: what it says', () => {
  test('a join into four nodes: the new node copies its share, a fifth of all replicas, and the load is even', () => {
    const tale = new Tale(change.create([n1, n2, n3, n4], { partitionCount: 64 }));
    const plan = unwrap(planOf(tale, join(n5)));
    const toNew = plan.transfers.filter(({ to }) => to === n5);
    expect(toNew.length).toBe(plan.after.nodes.find((one) => one.node === n5)?.partitions);
    expect(toNew.length).toBeGreaterThanOrEqual(Math.floor((64 * N) / 5) - 2);
    expect(plan.before.nodes.map((one) => one.node)).toEqual([n1, n2, n3, n4]);
    expect(plan.before.efficiency).toBe(balanceOf(tale.view.ring!, N).efficiency);
    expect(plan.after.efficiency).toBeGreaterThan(0.9);
    for (const { load } of plan.after.nodes) expect(Math.abs(load - 1)).toBeLessThan(0.15);
    expect(plan.warnings).toEqual([]);
    expect(plan.steps).toHaveLength(1);
    expect(plan.steps[0]?.transfers).toEqual(plan.transfers);
  });

  test('two joins together move less than one after the other', () => {
    const tale = new Tale(change.create([n1, n2, n3], { partitionCount: 64 }));
    const { steps, transfers } = unwrap(planOf(tale, join(n4), join(n5)));
    expect(steps[1]?.voided).toBeGreaterThan(0);
    expect(transfers.length).toBe(steps[0]!.transfers.length + steps[1]!.transfers.length - steps[1]!.voided);
  });

  test('a replacement: the successor copies exactly what the old node owns, from all owners or, when it is dead, from the others', () => {
    const tale = new Tale(change.create([n1, n2, n3, n4], { partitionCount: 64 }));
    for (const dead of [false, true]) {
      const { transfers, before, after } = unwrap(planOf(tale, replace(n2, n5, dead)));
      const owned = before.nodes.find((one) => one.node === n2)?.partitions;
      expect(transfers.length).toBe(owned);
      expect(after.nodes.find((one) => one.node === n5)?.partitions).toBe(owned);
      for (const { partition, to, from } of transfers) {
        expect(to).toBe(n5);
        expect([...from].sort()).toEqual(
          tale.view
            .placementOf(partition, N)
            .owners.filter((owner) => !dead || owner !== n2)
            .sort(),
        );
      }
    }
  });

  test('buckets of several N: each is counted by itself', () => {
    const tale = new Tale(change.create([n1, n2, n3, n4]), change.bucket('pairs', { n: 2, r: 1, w: 2 }));
    const { transfers, after } = unwrap(planOf(tale, leave(n4)));
    expect(new Set(transfers.map(({ n }) => n))).toEqual(new Set([2, 3]));
    expect(after.n).toBe(3);
  });

  test('planning leaves the history as it is, and says the same each time', () => {
    const tale = new Tale(change.create([n1, n2, n3, n4]));
    const history = historyOf(tale.records);
    const { fingerprint } = history;
    expect(planChanges(history, [leave(n4)])).toEqual(planChanges(history, [leave(n4)]));
    expect(history.fingerprint).toBe(fingerprint);
  });

  test('a history that has the ids that a plan would use is planned for all the same', () => {
    const tale = new Tale(change.create([n1, n2, n3, n4]));
    const taken = { ...record(2, change.join(n5)), id: '1'.padStart(16, '0') };
    const history = historyOf([{ ...tale.records[0]!, id: '2'.padStart(16, '0') }, taken]);
    expect(planChanges(history, [leave(n4)])).toMatchObject({ ok: true });
  });
});

describe('planChanges: what it refuses', () => {
  const tale = new Tale(change.create([n1, n2, n3, n4]));

  test('no cluster, no change', () => {
    expect(planChanges(historyOf([]), [join(n1)])).toMatchObject({ ok: false, error: { code: 'no-cluster' } });
    expect(planOf(tale)).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
  });

  test('a change that would be refused: the same words and remedy as when it is made', () => {
    expect(planOf(tale, join(n1))).toMatchObject({
      ok: false,
      error: {
        message: 'node n1 is a member already',
        remedy: 'Change it with armature cluster weight or armature cluster zone.',
      },
    });
  });

  test('a successor that is a member already', () => {
    expect(planOf(tale, replace(n1, n2))).toMatchObject({ ok: false, error: { code: 'invalid-argument' } });
    expect(planOf(tale, join(n5), replace(n1, n5))).toMatchObject({
      ok: false,
      error: { message: 'change 2 of 2 (replace n1): node n5 is a member already, with a share of its own' },
    });
  });

  test('one that those before it make impossible: named with its place', () => {
    expect(planOf(tale, leave(n4), leave(n3))).toMatchObject({
      ok: false,
      error: {
        code: 'invalid-argument',
        message: 'change 2 of 2 (leave n3): without n3 there would be 2 nodes for buckets of 3 replicas',
        details: { index: 1 },
      },
    });
    expect(planOf(tale, join(n5), leave(n4), leave(n3))).toMatchObject({ ok: true });
  });
});

describe('planChanges: what it warns of', () => {
  const kinds = (tale: Tale, ...changes: MembershipChange[]): string[] =>
    unwrap(planOf(tale, ...changes)).warnings.map(({ kind }) => kind);

  test('fewer nodes than replicas', () => {
    const { warnings } = unwrap(planOf(new Tale(change.create([n1, n2, n3])), remove(n3)));
    expect(warnings.map(({ kind }) => kind)).toEqual(['few-nodes']);
    expect(warnings[0]?.message).toContain('2 nodes are left for buckets of 3 replicas');
  });

  test('fewer zones than replicas, where zones are used at all', () => {
    const three = new Tale(change.create([n1, n2, n3, n4]), change.zone(n2, 'b'), change.zone(n3, 'c')).allReady();
    expect(kinds(three, join(n5))).not.toContain('few-zones');
    expect(kinds(three, join(n5, 1, 'b'), leave(n3))).toContain('few-zones');
    expect(kinds(new Tale(change.create([n1, n2, n3, n4])), join(n5))).not.toContain('few-zones');
  });

  test('a node out of balance, with how much', () => {
    const { warnings } = unwrap(
      planOf(new Tale(change.create([n1, n2, n3])), {
        kind: 'weight',
        node: n1,
        weight: 4,
      }),
    );
    expect(warnings.map(({ kind }) => kind)).toEqual(['out-of-balance']);
    // Three nodes hold three replicas of everything, whatever their weights: n1 cannot take four times as much.
    expect(warnings[0]?.message).toContain('n1 (-50 %), n2 (+100 %), n3 (+100 %)');
  });

  test('copies of earlier changes that are under way', () => {
    expect(kinds(new Tale(change.create([n1, n2, n3, n4]), change.join(n5)), leave(n1))).toContain('under-way');
  });

  test('partitions that lose their last owner', () => {
    const tale = new Tale(change.create([n1, n2, n3]), change.bucket('single', { n: 1, r: 1, w: 1 }));
    const { warnings } = unwrap(planOf(tale, join(n4), remove(n1)));
    expect(warnings.find(({ kind }) => kind === 'orphans')?.message).toMatch(/^\d+ partitions lose their last owner/);
    expect(kinds(tale, join(n4), leave(n1))).not.toContain('orphans');
  });
});
