import { expect, test } from 'vitest';
import { InProcessNetwork } from '@armature/bus';
import { Cuts } from './cuts.js';

const isCut = (network: InProcessNetwork, from: string, to: string): boolean => network.passageOf(from, to, 1) === 'lost';

test('of two cuts of one link the first to end does not end the other', () => {
  const network = new InProcessNetwork();
  const cuts = new Cuts(network);
  const first = cuts.partition(['a', 'b'], ['c']);
  const second = cuts.oneWay('c', 'a');
  first();
  expect(['a c', 'c a', 'b c', 'c b'].filter((link) => isCut(network, link.charAt(0), link.charAt(2)))).toEqual(['c a']);
  second();
  expect(isCut(network, 'c', 'a')).toBe(false);
});

test('a partition cuts both ways between its parts, and not within them', () => {
  const network = new InProcessNetwork();
  new Cuts(network).partition(['a', 'b'], ['c']);
  expect(['a c', 'c a', 'b c', 'c b'].every((link) => isCut(network, link.charAt(0), link.charAt(2)))).toBe(true);
  expect(isCut(network, 'a', 'b')).toBe(false);
});

test('all are ended at once, and what ends afterwards brings none back', () => {
  const network = new InProcessNetwork();
  const cuts = new Cuts(network);
  const [first] = [cuts.partition(['a'], ['c']), cuts.oneWay('a', 'c')];
  cuts.heal();
  first?.();
  expect(isCut(network, 'a', 'c')).toBe(false);
});
