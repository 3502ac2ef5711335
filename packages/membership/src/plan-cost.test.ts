import type { NodeId, PartitionId } from '@armature/kernel';
import type { Holdings, RingVersion, ShareHolding } from '@armature/protocol';
import { expect, test } from 'vitest';
import { costTransfers, totalAmount } from './plan-cost.js';
import type { PlannedTransfer } from './plan.js';
import { names } from './records.test-support.js';

const [n1, n2, n3, n4] = names('n', 4) as [NodeId, NodeId, NodeId, NodeId];
const RING = 7 as RingVersion;

const share = (partition: number, records: number, exact = true, n = 3): ShareHolding => ({
  partition: partition as PartitionId,
  n,
  records,
  bytes: records * 100,
  exact,
});
const holds = (node: NodeId, ...shares: ShareHolding[]): Holdings => ({ node, ring: RING, shares });
const copy = (partition: number, from: NodeId[] = [n1, n2], n = 3): PlannedTransfer => ({
  partition: partition as PartitionId,
  n,
  from,
  to: n4,
});

const amounts = (transfers: readonly PlannedTransfer[], ...holdings: Holdings[]) =>
  costTransfers(transfers, RING, holdings).map(({ amount }) => amount);

test('a copy is as large as the largest of its owners, and not their sum', () => {
  expect(amounts([copy(1)], holds(n1, share(1, 10)), holds(n2, share(1, 12)), holds(n3, share(1, 99)))).toEqual([
    { records: 12, bytes: 1_200, exact: true },
  ]);
});

test('partitions and Ns are told apart', () => {
  const held = holds(n1, share(1, 10), share(2, 20), share(1, 30, true, 2));
  expect(amounts([copy(1, [n1]), copy(2, [n1]), copy(1, [n1], 2)], held).map((one) => one?.records)).toEqual([10, 20, 30]);
});

test('a share that an owner does not name is empty; one that no owner told of is unknown', () => {
  expect(amounts([copy(5)], holds(n1), holds(n2))).toEqual([{ records: 0, bytes: 0, exact: true }]);
  expect(amounts([copy(5)], holds(n3, share(5, 10)))).toEqual([undefined]);
});

test('exact only when every owner has told, exactly, and at the ring of the plan', () => {
  const exact = (...holdings: Holdings[]) => amounts([copy(1)], ...holdings)[0]?.exact;
  expect(exact(holds(n1, share(1, 10)), holds(n2, share(1, 10)))).toBe(true);
  expect(exact(holds(n1, share(1, 10)))).toBe(false);
  expect(exact(holds(n1, share(1, 10)), holds(n2, share(1, 10, false)))).toBe(false);
  expect(exact(holds(n1, share(1, 10)), { ...holds(n2, share(1, 10)), ring: 8 as RingVersion })).toBe(false);
});

test('the total adds what is known, and says how much is not', () => {
  const costed = costTransfers([copy(1), copy(2), copy(3, [n3])], RING, [holds(n1, share(1, 10), share(2, 5)), holds(n2)]);
  expect(totalAmount(costed)).toEqual({ transfers: 3, records: 15, bytes: 1_500, exact: false, unknown: 1 });
  expect(totalAmount([])).toEqual({ transfers: 0, records: 0, bytes: 0, exact: true, unknown: 0 });
});
