import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PendingRequests, type PendingRequest } from './pending-requests.js';

const ignore = (): void => {};

describe('pending requests', () => {
  test('any sequence of add, take and expire agrees with a map by id', () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant('add' as const), deadline: fc.nat(100), size: fc.nat(1000) }),
      fc.record({ op: fc.constant('take' as const), which: fc.nat() }),
      fc.record({ op: fc.constant('expire' as const), now: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.array(step, { maxLength: 300 }), (firstId, steps) => {
        const table = new PendingRequests<void>(firstId);
        const model = new Map<number, PendingRequest<void>>();
        for (const s of steps) {
          if (s.op === 'add') {
            const pending = table.add(s.deadline, ignore, ignore);
            table.measure(pending, s.size);
            expect(model.has(pending.id)).toBe(false);
            model.set(pending.id, pending);
          } else if (s.op === 'take') {
            const ids = [...model.keys()];
            const id = ids.length === 0 ? s.which : (ids[s.which % ids.length] as number);
            expect(table.take(id)).toBe(model.get(id));
            model.delete(id);
            expect(table.take(id)).toBeUndefined();
          } else {
            const due = [...model.values()].filter(({ deadlineMs }) => deadlineMs <= s.now);
            expect(new Set(table.takeExpired(s.now))).toEqual(new Set(due));
            for (const { id } of due) model.delete(id);
          }
          expect(table.size).toBe(model.size);
          expect(table.sizeBytes).toBe([...model.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
          for (const { deadlineMs } of model.values()) expect(table.earliestDeadlineMs).toBeLessThanOrEqual(deadlineMs);
        }
      }),
    );
  });

  test('ids pass 2^32 without meeting, and a slow old request is stepped over', () => {
    const table = new PendingRequests<void>(2 ** 32 - 10);
    const slow = table.add(1, ignore, ignore);
    for (let i = 0; i < 1000; i++) {
      const pending = table.add(1, ignore, ignore);
      expect(pending.id).not.toBe(slow.id);
      expect(pending.id).toBeLessThan(2 ** 32);
      expect(table.take(pending.id)).toBe(pending);
    }
    expect(table.take(slow.id)).toBe(slow);
  });
});
