import { utf8Encode, type BinaryString, type BucketName } from '@armature/kernel';
import { addressOf, type Address } from '@armature/ring';
import { expect, test } from 'vitest';
import { measureHoldings, type HoldingsEnv } from './holdings.js';
import { node, viewOf } from './view.test-support.js';

const view = viewOf(['a', 'b', 'c', 'd'], 8);
const addresses = (bucket: string, count: number): Address[] =>
  Array.from({ length: count }, (_, i) => addressOf(bucket as BucketName, utf8Encode(`key ${i}`)));
const HELD = [...addresses('default', 40_000), ...addresses('pair', 10_000)].sort();
const SET = new Uint8Array(100);

function envWith(trees: HoldingsEnv['trees'], asked: BinaryString[] = []): HoldingsEnv {
  return {
    node: node('a'),
    view: () => view,
    trees,
    page({ start, end, limit }) {
      asked.push(start);
      const within = HELD.filter((address) => address >= start && (end === undefined || address < end));
      return Promise.resolve({
        entries: within.slice(0, limit).map((address) => ({ address, set: SET })),
        next: within[limit],
      });
    },
  };
}

test('where trees are built their counts are told, exact, and nothing is read', async () => {
  const asked: BinaryString[] = [];
  const { shares, ring } = await measureHoldings(
    envWith({ sizeOf: (partition, n) => ({ records: partition * 10, bytes: n }) }, asked),
  );
  expect(ring).toBe(view.ringVersion);
  expect(asked).toEqual([]);
  expect(shares.length).toBeGreaterThan(6);
  for (const { partition, n, ...size } of shares) {
    const { owners } = view.placementOf(partition, n);
    expect(owners).toContain(node('a'));
    expect(size).toEqual({ records: partition * 10, bytes: n, exact: true });
  }
});

test('where they are not, a page of each partition tells within a third how much it holds, and that it is an estimate', async () => {
  const { shares } = await measureHoldings(envWith({ sizeOf: () => undefined }));
  expect(shares.length).toBeGreaterThan(6);
  for (const { partition, n, records, bytes, exact } of shares) {
    const actual = HELD.filter(
      (address) => view.ring!.partitionOf(address) === partition && (address.charCodeAt(16) === 7 ? 3 : 2) === n,
    );
    expect(exact).toBe(false);
    expect(records / actual.length).toBeGreaterThan(2 / 3);
    expect(records / actual.length).toBeLessThan(3 / 2);
    expect(bytes / records).toBeGreaterThan(100);
    expect(bytes / records).toBeLessThan(150);
  }
});
