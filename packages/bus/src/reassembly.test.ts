import { expect, test } from 'vitest';
import { Reassembly, ReassemblyBudget, STALLED_MS } from './reassembly.js';

const part = (byte: number): Uint8Array => Uint8Array.of(byte);

test('a message of which a fragment was lost is dropped once, and the next one is put together', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(100), 100, 'guest');
  expect(reassembly.accept(7, 0, 3, part(1), 0).state).toBe('partial');
  expect(reassembly.accept(7, 2, 3, part(3), 0).state).toBe('dropped');
  expect(reassembly.accept(7, 1, 3, part(2), 0).state).toBe('ignored');
  expect(reassembly.accept(8, 0, 2, part(4), 0).state).toBe('partial');
  expect(reassembly.accept(8, 1, 2, part(5), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(4, 5) });
});

test('a peer that has begun a new life counts from the beginning: what was dropped in its former life drops nothing', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(100), 100, 'guest');
  expect(reassembly.accept(2, 1, 2, part(1), 0).state).toBe('dropped');
  reassembly.renew();
  expect(reassembly.accept(2, 0, 2, part(2), 0).state).toBe('partial');
  expect(reassembly.accept(2, 1, 2, part(3), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(2, 3) });
});

test('what is forgotten gives its bytes back to the budget', () => {
  const budget = new ReassemblyBudget(3);
  const reassembly = new Reassembly(budget, 100, 'guest');
  reassembly.accept(1, 0, 3, part(1), 0);
  reassembly.renew();
  expect(budget.usedBytes).toBe(0);
});

test('where there is no room, messages of which nothing has come for a while are dropped, the one that has stood still the longest first; those that get on are not', () => {
  const budget = new ReassemblyBudget(3);
  const [still, slow, lively, late] = Array.from({ length: 4 }, () => new Reassembly(budget, 100, 'guest')) as [
    Reassembly,
    Reassembly,
    Reassembly,
    Reassembly,
  ];
  still.accept(1, 0, 5, part(1), 0);
  slow.accept(1, 0, 5, part(1), 1);
  lively.accept(1, 0, 5, part(1), STALLED_MS - 1);
  expect(late.accept(1, 0, 5, part(1), STALLED_MS - 1)).toMatchObject({ state: 'dropped' });
  expect(late.accept(2, 0, 5, part(1), STALLED_MS)).toEqual({ state: 'partial' });
  expect([still, slow, lively, late].map(({ active }) => active)).toEqual([false, true, true, true]);
  expect(still.accept(1, 1, 5, part(2), STALLED_MS)).toMatchObject({ state: 'dropped' });
  expect(budget.usedBytes).toBe(3);
});

test('a group of peers gets its share of the budget, and makes room among its own', () => {
  const budget = new ReassemblyBudget(10, 2);
  const of = (group: string): Reassembly => new Reassembly(budget, 100, group);
  const [honest, first, second] = [of('guest.shop'), of('guest.evil'), of('guest.evil')] as const;
  honest.accept(1, 0, 5, part(1), 0);
  first.accept(1, 0, 5, part(1), 0);
  second.accept(1, 0, 5, part(1), 0);
  for (let i = 0; i < 100; i++) of('guest.evil').accept(1, 0, 5, part(1), 10);
  expect(budget.usedBytes).toBe(3);
  expect(of('guest.evil').accept(1, 0, 5, part(1), STALLED_MS)).toEqual({ state: 'partial' });
  expect([honest, first, second].map(({ active }) => active)).toEqual([true, false, true]);
  expect(of('guest.shop').accept(1, 0, 5, part(1), STALLED_MS)).toEqual({ state: 'partial' });
});
