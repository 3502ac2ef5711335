import type { NodeId, PartitionId } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ownership, type NodeList } from './ownership.js';

const nodes = (text: string): NodeList => text.split('') as NodeId[];
const P = 0 as PartitionId;

/** One partition's story: targets as strings of one-letter nodes. */
function story(first: string) {
  const ownership = Ownership.settled([nodes(first)]);
  let change = 0;
  return {
    ownership,
    to(target: string, dead?: string) {
      ownership.retarget([nodes(target)], ++change, dead as NodeId | undefined);
      return this;
    },
    ready(who: string, at = change) {
      ownership.ready(who as NodeId, at, [P]);
      return this;
    },
    lose(who: string) {
      ownership.lose(who as NodeId, ++change);
      return this;
    },
    get now() {
      return `${ownership.ownersOf(P).join('')}+${ownership
        .pendingOf(P)
        .map((one) => one.node)
        .join('')}`;
    },
  };
}

describe('ownership of a partition', () => {
  test('created: the first targets own at once', () => {
    expect(story('abc').now).toBe('abc+');
  });

  test('a new target is pending until it is ready, then the partition flips', () => {
    expect(story('abc').to('abd').now).toBe('abc+d');
    expect(story('abc').to('abd').ready('d').now).toBe('abd+');
  });

  test('two new targets: the flip waits for both', () => {
    expect(story('abc').to('ade').ready('d').now).toBe('abc+de');
    expect(story('abc').to('ade').ready('d').ready('e').now).toBe('ade+');
  });

  test('the same targets in another order: nothing moves', () => {
    expect(story('abc').to('cab').now).toBe('cab+');
  });

  test('the target returns before anybody was ready: nothing has happened', () => {
    expect(story('abc').to('abd').to('abc').now).toBe('abc+');
  });

  test('ready, then no target any more, then one again: the old readiness is void', () => {
    const s = story('abc').to('ade').ready('d').to('abe').to('ade');
    expect(s.now).toBe('abc+de');
    expect(s.ready('e').now).toBe('abc+de');
    expect(s.ready('d', 1).now).toBe('abc+de');
    expect(s.ready('d', 3).now).toBe('ade+');
  });

  test('a later change that leaves a target in place: ready for the earlier change still counts, and for the later one', () => {
    expect(story('abc').to('ade').to('afd').ready('d', 1).ready('f', 2).now).toBe('afd+');
    expect(story('abc').to('ade').to('afd').ready('d', 2).ready('f', 2).now).toBe('afd+');
  });

  test('ready for a change before it became pending: ignored', () => {
    expect(story('abc').to('abd').ready('d', 0).now).toBe('abc+d');
  });

  test('ready from a node that is not pending, or an owner: ignored', () => {
    expect(story('abc').to('abd').ready('x').ready('a').now).toBe('abc+d');
  });

  test('an owner removed: gone at once, the others go on', () => {
    expect(story('abc').to('abd', 'c').now).toBe('ab+d');
    expect(story('abc').to('abd', 'c').ready('d').now).toBe('abd+');
  });

  test('an owner that is no target any more, removed while its successor copies: gone', () => {
    expect(story('abc').to('abd').to('abd', 'c').now).toBe('ab+d');
  });

  test('two owners removed: the first successor that is ready does not wait for the second', () => {
    const s = story('abc').to('abd', 'c').to('ade', 'b');
    expect(s.now).toBe('a+de');
    expect(s.ready('e').now).toBe('ae+d');
    expect(s.ready('d').now).toBe('ade+');
  });

  test('the last owner removed while a ready successor waits: the successor owns', () => {
    const s = story('a').to('bc').ready('b');
    expect(s.now).toBe('ab+c');
    expect(s.to('bc', 'a').now).toBe('b+c');
    expect([...s.ownership.orphaned]).toEqual([]);
  });

  test('the last owner removed with nobody ready: the targets own an orphaned partition', () => {
    const s = story('a').to('b').to('b', 'a');
    expect(s.now).toBe('b+');
    expect([...s.ownership.orphaned]).toEqual([[P, 2]]);
  });

  test('a growing cluster: each node owns as soon as it is ready, while there are fewer owners than N', () => {
    const s = story('a').to('ab').to('abc');
    expect(s.now).toBe('a+bc');
    expect(s.ready('c').now).toBe('ac+b');
    expect(s.ready('b').now).toBe('abc+');
  });

  test('a store lost: the node is no owner any more and is pending anew, until it is ready for the loss', () => {
    const s = story('abc').lose('b');
    expect(s.now).toBe('ac+b');
    expect(s.ready('b', 0).now).toBe('ac+b');
    expect(s.ready('b').now).toBe('abc+');
    expect([...s.ownership.orphaned]).toEqual([]);
  });

  test('a store lost while it copies: what it said before is void', () => {
    const s = story('abc').to('ade').ready('d').lose('d');
    expect(s.ready('e', 1).now).toBe('abc+de');
    expect(s.ready('d', 1).now).toBe('abc+de');
    expect(s.ready('d').now).toBe('ade+');
  });

  test('a store lost by an owner that is no target any more: gone, and a successor that is ready takes its place', () => {
    expect(story('abc').to('abd').lose('c').now).toBe('ab+d');
    expect(story('abc').to('ade').ready('d').lose('c').now).toBe('abd+e');
  });

  test('a store lost by the only owner: it stays, for there is no other, and the partition is noted as orphaned', () => {
    const s = story('abc').lose('a').lose('b').lose('c');
    expect(s.now).toBe('c+ab');
    expect([...s.ownership.orphaned]).toEqual([[P, 3]]);
    expect(s.ready('a', 1).ready('b', 2).now).toBe('abc+');
    expect(story('a').lose('a').now).toBe('a+');
  });

  test('a store lost of a node that has no part in the partition: nothing', () => {
    const s = story('abc').lose('x');
    expect(s.now).toBe('abc+');
    expect(s.ownership.moving.size).toBe(0);
  });

  test('a clone is independent', () => {
    const s = story('abc').to('abd');
    const clone = s.ownership.clone();
    s.ready('d');
    expect(clone.ownersOf(P).join('')).toBe('abc');
  });
});

describe('ownership under any history', () => {
  const QS = 4;
  const N = 3;
  const node = fc.constantFrom(...(nodes('abcdef') as NodeId[]));
  const target = fc.uniqueArray(node, { minLength: 1, maxLength: N });
  const step = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('retarget'),
        targets: fc.array(target, { minLength: QS, maxLength: QS }),
        dead: fc.option(node, { nil: undefined }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('ready'),
        node,
        back: fc.nat({ max: 3 }),
        partitions: fc.array(fc.nat({ max: QS - 1 })),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose'), node }) },
  );

  /** Plays the steps; a removed node never is a target of the same change. `check` sees each state after its step. */
  function play(
    steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
    check: (o: Ownership, before: Ownership, s: (typeof steps)[number], targets: readonly NodeList[]) => void,
  ): void {
    let targets: readonly NodeList[] = Array.from({ length: QS }, () => nodes('abc'));
    const ownership = Ownership.settled(targets);
    let change = 0;
    for (const one of steps) {
      const before = ownership.clone();
      if (one.kind === 'retarget') {
        targets = one.targets.map((list) => {
          const alive = list.filter((member) => member !== one.dead);
          return alive.length === 0 ? nodes(one.dead === 'a' ? 'b' : 'a') : alive;
        });
        ownership.retarget(targets, ++change, one.dead);
      } else if (one.kind === 'lose') ownership.lose(one.node, ++change);
      else ownership.ready(one.node, Math.max(0, change - one.back), one.partitions);
      check(ownership, before, one, targets);
    }
  }

  const all = Array.from({ length: QS }, (_, p) => p as PartitionId);

  test('there are always owners, at most N, distinct from one another and from the pending', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        play(steps, (ownership) => {
          for (const p of all) {
            const everybody = [...ownership.ownersOf(p), ...ownership.pendingOf(p).map((one) => one.node)];
            expect(ownership.ownersOf(p).length).toBeGreaterThan(0);
            expect(ownership.ownersOf(p).length).toBeLessThanOrEqual(N);
            expect(new Set(everybody).size).toBe(everybody.length);
          }
        });
      }),
    );
  });

  test('every target is an owner or pending, and nothing is moving once it has its target', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        play(steps, (ownership, _before, _step, targets) => {
          for (const p of all) {
            const owners = ownership.ownersOf(p);
            const pending = ownership.pendingOf(p);
            for (const one of targets[p] as NodeList)
              expect(owners.includes(one) || pending.some((q) => q.node === one)).toBe(true);
            for (const q of pending) expect(targets[p]).toContain(q.node);
            if (pending.length === 0) expect(owners).toEqual(targets[p]);
          }
        });
      }),
    );
  });

  test('nobody becomes an owner without having said ready since it last became pending, but for orphans', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        play(steps, (ownership, before, one, targets) => {
          for (const p of all) {
            const risen = ownership.ownersOf(p).filter((owner) => !before.ownersOf(p).includes(owner));
            if (risen.length === 0) continue;
            if (one.kind !== 'ready') {
              const orphaned = one.kind === 'retarget' && before.ownersOf(p).every((owner) => owner === one.dead);
              if (one.kind === 'lose') expect(risen).not.toContain(one.node);
              for (const owner of risen)
                expect(orphaned || before.pendingOf(p).some((q) => q.node === owner && q.ready)).toBe(true);
              continue;
            }
            // The one that speaks, and those who had spoken and waited for it.
            for (const owner of risen)
              expect(owner === one.node || before.pendingOf(p).some((q) => q.node === owner && q.ready)).toBe(true);
            expect(one.partitions).toContain(p);
            expect(targets[p]).toContain(one.node);
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  test('an owner leaves only by a flip, by being removed, or by losing its store', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        play(steps, (ownership, before, one, targets) => {
          for (const p of all) {
            const gone = before.ownersOf(p).filter((owner) => !ownership.ownersOf(p).includes(owner));
            const flipped = ownership.ownersOf(p) === targets[p];
            for (const owner of gone) {
              const isOut = one.kind === 'retarget' ? one.dead === owner : one.kind === 'lose' && one.node === owner;
              expect(flipped || isOut).toBe(true);
            }
          }
        });
      }),
    );
  });

  test('who has lost its store owns nothing that another owns, until it says ready for the loss or a later change', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let change = 0;
        /** By node and partition: the change of its last loss, as long as it has not been ready since. */
        const lost = new Map<string, number>();
        play(steps, (ownership, before, one) => {
          if (one.kind !== 'ready') change++;
          for (const p of all) {
            if (one.kind === 'lose') lost.set(`${one.node}/${p}`, change);
            if (one.kind === 'ready' && Math.max(0, change - one.back) >= (lost.get(`${one.node}/${p}`) ?? 0))
              lost.delete(`${one.node}/${p}`);
            for (const owner of ownership.ownersOf(p)) {
              if (!lost.has(`${owner}/${p}`)) continue;
              expect(ownership.orphaned.has(p)).toBe(true);
            }
          }
          if (one.kind === 'lose')
            for (const p of all) if (before.ownersOf(p).length > 1) expect(ownership.ownersOf(p)).not.toContain(one.node);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('after all pending have said ready, the owners are the targets everywhere', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let last: Ownership | undefined;
        let wanted: readonly NodeList[] = [];
        play(steps, (ownership, _before, _step, targets) => {
          last = ownership;
          wanted = targets;
        });
        if (last === undefined) return;
        for (const p of all) for (const q of [...last.pendingOf(p)]) last.ready(q.node, q.since, [p]);
        expect(last.moving.size).toBe(0);
        for (const p of all) expect(last.ownersOf(p)).toEqual(wanted[p]);
      }),
    );
  });
});
