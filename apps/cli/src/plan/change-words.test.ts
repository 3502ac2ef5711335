import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId, ZoneName } from '@armature/kernel';
import { changeWord, completeChanges, parseChanges, type WrittenChange } from './change-words.js';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,10}$/);
const weight = fc.integer({ min: 1, max: 1_000 }).map((hundredths) => hundredths / 100);
const change = fc.oneof(
  fc.record({ kind: fc.constant('join'), node: name, zone: name, weight }),
  fc.record({ kind: fc.constantFrom('leave', 'remove'), node: name }),
  fc.record({
    kind: fc.constant('replace'),
    node: name,
    by: fc.record({ node: name, zone: name, weight }, { requiredKeys: ['node'] }),
    dead: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('weight'), node: name, weight }),
  fc.record({ kind: fc.constant('zone'), node: name, zone: name }),
) as unknown as fc.Arbitrary<WrittenChange>;

function asCommand(one: WrittenChange): string[] {
  if (one.kind === 'weight') return [one.kind, one.node, String(one.weight)];
  if (one.kind === 'zone') return [one.kind, one.node, one.zone];
  if (one.kind === 'replace' && !one.dead && Object.keys(one.by).length === 1) return [one.kind, one.node, one.by.node];
  return one.kind === 'join' || one.kind === 'replace' ? [changeWord(one)] : [one.kind, one.node];
}

describe('changes as words', () => {
  test('every list of changes can be written, in either way or mixed, and is read as it was meant', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(change, fc.boolean())), (list) => {
        const words = list.flatMap(([one, isShort]) => (isShort ? [changeWord(one)] : asCommand(one)));
        expect(parseChanges(words)).toEqual(list.map(([one]) => one));
      }),
    );
  });

  test('like the command that makes it, or in one word; nodes may be called anything', () => {
    expect(parseChanges('join n4 leave n1 replace n6 n7 weight n2 2.5 zone n3 b remove n5'.split(' '))).toEqual(
      parseChanges('join:n4 leave:n1 replace:n6=n7 weight:n2=2.5 zone:n3=b remove:n5'.split(' ')),
    );
    expect(parseChanges(['leave', 'join', 'join', 'leave'])).toEqual([
      { kind: 'leave', node: 'join' },
      { kind: 'join', node: 'leave', zone: 'default', weight: 1 },
    ]);
  });

  test('--zone and --weight are for the one that joins; what a word says itself, counts', () => {
    expect(parseChanges(['join', 'n4', 'leave', 'n1'], { zone: 'b', weight: 2 })[0]).toMatchObject({ zone: 'b', weight: 2 });
    expect(parseChanges(['join:n4,zone=c'], { zone: 'b', weight: 2 })[0]).toMatchObject({ zone: 'c', weight: 2 });
    expect(() => parseChanges(['join:n4', 'join:n5'], { zone: 'b' })).toThrow('and here 2 do');
    expect(() => parseChanges(['leave:n4'], { weight: 2 })).toThrow('here none does');
  });

  test('--zone, --weight and --dead are for the one replacement', () => {
    const [change] = parseChanges(['replace', 'n2', 'n5', 'leave', 'n1'], { zone: 'b', weight: 2, dead: true });
    expect(change).toEqual({ kind: 'replace', node: 'n2', by: { node: 'n5', zone: 'b', weight: 2 }, dead: true });
    expect(() => parseChanges(['join:n4', 'replace:n2=n5'], { zone: 'b' })).toThrow('and here 2 do');
    expect(() => parseChanges(['join:n4'], { dead: true })).toThrow('and here none is');
  });

  test('a successor has the settings of the node that it replaces, as they are by then, unless it is given others', () => {
    const members = new Map([['n2' as NodeId, { zone: 'b' as ZoneName, weight: 2 }]]);
    const complete = (...words: string[]) => completeChanges(parseChanges(words), members).at(-1);
    const by = (zone: string, weight: number) => ({ by: { node: 'n5', zone, weight } });
    expect(complete('replace:n2=n5')).toMatchObject(by('b', 2));
    expect(complete('replace:n2=n5,zone=c')).toMatchObject(by('c', 2));
    expect(complete('replace:n2=n5,weight=1,dead')).toMatchObject({ ...by('b', 1), dead: true });
    expect(complete('weight:n2=3', 'zone:n2=d', 'replace:n2=n5')).toMatchObject(by('d', 3));
    expect(complete('join:n4,zone=e', 'replace:n4=n6', 'replace:n6=n5')).toMatchObject(by('e', 1));
  });

  test.each([
    [['n4'], '"n4" is no change of membership'],
    [['create:n4'], '"create" is no change of membership'],
    [['toString', 'n4'], '"toString" is no change of membership'],
    [['join'], 'join names no node'],
    [['leave:'], 'leave names no node'],
    [['weight', 'n4'], 'weight n4 lacks the weight'],
    [['weight:n4'], 'is not a pair'],
    [['weight:n4=heavy'], 'is not a number'],
    [['weight:n4=1000'], 'weight must be from 0.01 to 100'],
    [['join:n4,rack=7'], 'a node that comes has no "rack"'],
    [['replace', 'n4'], 'replace n4 lacks the successor'],
    [['replace:n4'], 'is not a pair'],
    [['replace:n4='], 'replace n4 lacks the successor'],
    [['weight', 'n'.repeat(4_096)], `weight ${'n'.repeat(80)}… lacks the weight`],
    [['replace:n4=n5,gone'], 'is not a pair'],
    [['replace:n4=n5,weight=1000'], 'weight must be from 0.01 to 100'],
    [['replace:n4=n.5'], 'node'],
    [['join:n.4'], 'node'],
    [['leave', 'n4', 'n5'], '"n5" is no change of membership'],
  ])('%j is refused with what is wrong', (words, problem) => {
    expect(() => parseChanges(words)).toThrow(problem);
  });
});
