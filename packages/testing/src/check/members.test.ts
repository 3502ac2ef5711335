import { expect, test } from 'vitest';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { Members } from './members.js';

/** A process whose view has these members, by the record that began their membership. */
function knowing(members: Readonly<Record<string, string>>) {
  const membership = { view: viewOf(members) };
  return { participant: { membership }, learns: (more: typeof members) => (membership.view = viewOf(more)) };
}
function viewOf(members: Readonly<Record<string, string>>) {
  return { members: new Map(Object.entries(members).map(([name, stint]) => [name, { stint }])) };
}
function membersAmong(running: readonly ReturnType<typeof knowing>[]): Members {
  return new Members({ running } as unknown as Pick<SimulatedCluster, 'running'>);
}

test('a node is a member as soon as one process knows, and none any more as soon as one knows that', () => {
  const [one, other] = [knowing({ n1: 'c', n2: 'c' }), knowing({ n1: 'c', n2: 'c' })];
  const members = membersAmong([one, other]);
  expect([...members.now]).toEqual(['n1', 'n2']);
  one.learns({ n1: 'c', n2: 'c', n3: 'j' });
  expect([...members.now]).toEqual(['n1', 'n2', 'n3']);
  one.learns({ n1: 'c', n3: 'j' });
  expect([...members.now]).toEqual(['n1', 'n3']);
  expect(members.now).toBe(members.now);
});

test('who comes back is a member again, whatever those know who have not heard of either', () => {
  const [one, other] = [knowing({ n1: 'c', n2: 'c' }), knowing({ n1: 'c', n2: 'c' })];
  const members = membersAmong([one, other]);
  expect(members.now.has('n2' as never)).toBe(true);
  one.learns({ n1: 'c' });
  expect(members.now.has('n2' as never)).toBe(false);
  one.learns({ n1: 'c', n2: 'j' });
  expect(members.now.has('n2' as never)).toBe(true);
  other.learns({ n1: 'c', n2: 'j' });
  expect(members.now.has('n2' as never)).toBe(true);
});

test('who had been called back before it was said to have left has never left, though some heard of it late', () => {
  const [one, other] = [knowing({ n1: 'c', n2: 'c' }), knowing({ n1: 'c', n2: 'c' })];
  const members = membersAmong([one, other]);
  expect(members.now.has('n2' as never)).toBe(true);
  one.learns({ n1: 'c' });
  expect(members.now.has('n2' as never)).toBe(false);
  one.learns({ n1: 'c', n2: 'c' });
  expect(members.now.has('n2' as never)).toBe(true);
  other.learns({ n1: 'c' });
  expect(members.now.has('n2' as never), 'one still counts it').toBe(true);
  one.learns({ n1: 'c' });
  expect(members.now.has('n2' as never)).toBe(false);
});
