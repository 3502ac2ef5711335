import { expect, test } from 'vitest';
import { Reassembly, ReassemblyBudget } from './reassembly.js';

const part = (byte: number): Uint8Array => Uint8Array.of(byte);

test('a message of which a fragment was lost is dropped once, and the next one is put together', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(100), 100);
  expect(reassembly.accept(7, 0, 3, part(1), 0).state).toBe('partial');
  expect(reassembly.accept(7, 2, 3, part(3), 0).state).toBe('dropped');
  expect(reassembly.accept(7, 1, 3, part(2), 0).state).toBe('ignored');
  expect(reassembly.accept(8, 0, 2, part(4), 0).state).toBe('partial');
  expect(reassembly.accept(8, 1, 2, part(5), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(4, 5) });
});

test('a peer that has begun a new life counts from the beginning: what was dropped in its former life drops nothing', () => {
  const reassembly = new Reassembly(new ReassemblyBudget(100), 100);
  expect(reassembly.accept(2, 1, 2, part(1), 0).state).toBe('dropped');
  reassembly.renew();
  expect(reassembly.accept(2, 0, 2, part(2), 0).state).toBe('partial');
  expect(reassembly.accept(2, 1, 2, part(3), 0)).toMatchObject({ state: 'complete', bytes: Buffer.of(2, 3) });
});

test('what is forgotten gives its bytes back to the budget', () => {
  const budget = new ReassemblyBudget(3);
  const reassembly = new Reassembly(budget, 100);
  reassembly.accept(1, 0, 3, part(1), 0);
  reassembly.renew();
  expect(budget.usedBytes).toBe(0);
});
