import type { NodeId } from '@armature/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dutyAnswered, dutyHolder, startDuty, type DurableDuty } from './durable-duty.js';

const ALL = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'] as NodeId[];
const OUTSIDE = 'n9' as NodeId;

interface Start {
  readonly owners: readonly NodeId[];
  readonly self: NodeId;
  readonly down: readonly NodeId[];
}

const start: fc.Arbitrary<Start> = fc
  .shuffledSubarray(ALL, { minLength: 1 })
  .chain((owners) =>
    fc.record({ owners: fc.constant(owners), self: fc.constantFrom(...owners, OUTSIDE), down: fc.subarray(ALL) }),
  );
const answers = fc.array(fc.tuple(fc.constantFrom(...ALL, OUTSIDE), fc.boolean()), { maxLength: 20 });

const begin = ({ owners, self, down }: Start): DurableDuty => startDuty(owners, self, down);

test('every healthy owner has the duty once, the minting node last, whatever else is said meanwhile', () => {
  fc.assert(
    fc.property(start, answers, (given, noise) => {
      const healthy = given.owners.filter((node) => node !== given.self && !given.down.includes(node));
      let duty = begin(given);
      const had: NodeId[] = [];
      for (let holder = dutyHolder(duty); holder !== undefined; holder = dutyHolder(duty)) {
        had.push(holder);
        // Failures of others move nothing.
        for (const [node] of noise) if (node !== holder) duty = dutyAnswered(duty, node, false);
        expect(dutyHolder(duty)).toBe(holder);
        duty = dutyAnswered(duty, holder, false);
      }
      expect(had.at(-1)).toBe(given.self);
      expect([...had.slice(0, -1)].sort()).toEqual([...healthy].sort());
      expect(duty.done).toBe(false);
    }),
  );
});

test('a durable copy ends it, whoever made it, and nothing begins it again', () => {
  fc.assert(
    fc.property(start, answers, answers, fc.constantFrom(...ALL), (given, before, after, maker) => {
      const said = (from: DurableDuty, words: typeof before): DurableDuty =>
        words.reduce((duty, [node, isDurable]) => dutyAnswered(duty, node, isDurable), from);
      const duty = dutyAnswered(said(begin(given), before), maker, true);
      expect(dutyHolder(duty)).toBeUndefined();
      expect(dutyHolder(said(duty, after))).toBeUndefined();
      expect(said(duty, after).done).toBe(true);
    }),
  );
});

test('the duty is spread: over all minting owners of a key, each owner has it equally often', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(ALL, { minLength: 2 }), (owners) => {
      const holders = owners.map((self) => dutyHolder(startDuty(owners, self, [])));
      expect([...holders].sort()).toEqual([...owners].sort());
    }),
  );
});

test('the minting node has it from the start only where no other owner is healthy', () => {
  fc.assert(
    fc.property(start, (given) => {
      const isAlone = given.owners.every((node) => node === given.self || given.down.includes(node));
      expect(dutyHolder(begin(given)) === given.self).toBe(isAlone);
    }),
  );
});
