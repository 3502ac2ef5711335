import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SLICE_RECORDS, SliceBudget } from './slice-budget.js';

test('any pages: at most a slice per page, and never more records on a slice than its own and one page', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(SLICE_RECORDS), { maxLength: 200 }), async (pages) => {
      let slices = 0;
      const budget = new SliceBudget(async (kind) => {
        expect(kind).toBe('repair');
        slices++;
      }, 'repair');
      let records = 0;
      for (const page of pages) {
        await budget.ready();
        budget.spend(page);
        records += page;
        expect(records).toBeLessThanOrEqual(slices * 2 * SLICE_RECORDS);
      }
      expect(slices).toBeLessThanOrEqual(pages.length);
    }),
  );
});

test('full pages take a slice each, twenty empty ones share one', async () => {
  const slicesFor = async (pages: number, records: number): Promise<number> => {
    let slices = 0;
    const budget = new SliceBudget(() => {
      slices++;
      return Promise.resolve();
    }, 'fill');
    for (let i = 0; i < pages; i++) {
      await budget.ready();
      budget.spend(records);
    }
    return slices;
  };
  expect(await slicesFor(40, SLICE_RECORDS)).toBe(40);
  expect(await slicesFor(40, 0)).toBe(2);
});

test('when there are no more slices, it says so', async () => {
  const budget = new SliceBudget(() => Promise.reject(new Error('closed')), 'fill');
  await expect(budget.ready()).rejects.toThrow('closed');
});
