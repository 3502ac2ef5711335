import { expect, test } from 'vitest';
import { FRAGMENT_OVERHEAD_BYTES, Reassembly, ReassemblyBudget, STALLED_MS } from './reassembly.js';

const part = (byte: number): Uint8Array => Uint8Array.of(byte);
/** What a fragment of one byte takes from a budget. */
const ONE = 1 + FRAGMENT_OVERHEAD_BYTES;

test('a message of which a fragment was lost is dropped once, and the next one is put together', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(1_000), 100, 'guest');
  expect(reassembly.accept(7, 0, 3, part(1), 0).state).toBe('partial');
  expect(reassembly.accept(7, 2, 3, part(3), 0).state).toBe('dropped');
  expect(reassembly.accept(7, 1, 3, part(2), 0).state).toBe('ignored');
  expect(reassembly.accept(8, 0, 2, part(4), 0).state).toBe('partial');
  expect(reassembly.accept(8, 1, 2, part(5), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(4, 5) });
});

test('a peer that has begun a new life counts from the beginning: what was dropped in its former life drops nothing', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(1_000), 100, 'guest');
  expect(reassembly.accept(2, 1, 2, part(1), 0).state).toBe('dropped');
  reassembly.renew();
  expect(reassembly.accept(2, 0, 2, part(2), 0).state).toBe('partial');
  expect(reassembly.accept(2, 1, 2, part(3), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(2, 3) });
});

test('what is forgotten gives its bytes back to the budget', () => {
  const budget = new ReassemblyBudget(1_000);
  const reassembly = new Reassembly(budget, 100, 'guest');
  reassembly.accept(1, 0, 3, part(1), 0);
  reassembly.renew();
  expect(budget.usedBytes).toBe(0);
});

test('where there is no room, messages of which nothing has come for a while are dropped, the one that has stood still the longest first; those that get on are not', () => {
  const budget = new ReassemblyBudget(3 * ONE);
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
  expect(budget.usedBytes).toBe(3 * ONE);
});

test('a group of peers gets its share of the budget, and makes room among its own', () => {
  const budget = new ReassemblyBudget(10 * ONE, 2 * ONE);
  const of = (group: string): Reassembly => new Reassembly(budget, 100, group);
  const [honest, first, second] = [of('guest.shop'), of('guest.evil'), of('guest.evil')] as const;
  honest.accept(1, 0, 5, part(1), 0);
  first.accept(1, 0, 5, part(1), 0);
  second.accept(1, 0, 5, part(1), 0);
  for (let i = 0; i < 100; i++) of('guest.evil').accept(1, 0, 5, part(1), 10);
  expect(budget.usedBytes).toBe(3 * ONE);
  expect(of('guest.evil').accept(1, 0, 5, part(1), STALLED_MS)).toEqual({ state: 'partial' });
  expect([honest, first, second].map(({ active }) => active)).toEqual([true, false, true]);
  expect(of('guest.shop').accept(1, 0, 5, part(1), STALLED_MS)).toEqual({ state: 'partial' });
});

test('empty fragments lead nowhere: a message of four billion of them would be held without a byte', () => {
  const budget = new ReassemblyBudget(1_000);
  const reassembly = new Reassembly(budget, 100, 'guest');
  expect(reassembly.accept(1, 0, 0xffffffff, part(1), 0).state).toBe('partial');
  expect(reassembly.accept(1, 1, 0xffffffff, new Uint8Array(0), 0)).toEqual({ state: 'dropped', reason: 'a fragment is empty' });
  expect(budget.usedBytes).toBe(0);
});

test('a fragment takes what it holds in memory from the budget, not its bytes alone', () => {
  const budget = new ReassemblyBudget(10 * FRAGMENT_OVERHEAD_BYTES);
  const reassembly = new Reassembly(budget, 100, 'guest');
  for (let index = 0; index < 9; index++) expect(reassembly.accept(1, index, 100, part(index), 0).state).toBe('partial');
  expect(budget.usedBytes).toBe(9 * (FRAGMENT_OVERHEAD_BYTES + 1));
  expect(reassembly.accept(1, 9, 100, part(9), 0).state).toBe('dropped');
});

test('a small fragment does not hold the large frame that it came in', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(1_000), 100, 'guest');
  const frame = new Uint8Array(1_000).fill(7);
  reassembly.accept(1, 0, 2, frame.subarray(10, 13), 0);
  frame.fill(0); // somebody else's by now
  expect(reassembly.accept(1, 1, 2, part(1), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(7, 7, 7, 1) });
});
