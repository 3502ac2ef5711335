import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocalCluster, type LocalCluster } from '@armature/server';
import { checkMerge, simulateApplication, type ApplicationReport, type MergeCheckOptions } from '@armature/testing';
import { Carts, mergeCarts, type Cart } from './cart.js';

/** Carts with few items, quantities and times, so that many of them collide. */
const values: MergeCheckOptions<Cart>['values'] = (random) =>
  Object.fromEntries(
    ['book', 'lamp', 'pen']
      .filter(() => random.int(2) === 1)
      .map((item) => [item, { quantity: random.int(3), changedAtMs: random.int(3) }]),
  );

/** The cart that was changed last. A merge as good as any, by the laws; only not for carts. */
const latestCart = (carts: readonly Cart[]): Cart => {
  const rank = (cart: Cart): string =>
    [Math.max(0, ...Object.values(cart).map(({ changedAtMs }) => changedAtMs)), JSON.stringify(mergeCarts([cart]))].join(' ');
  return carts.reduce((a, b) => (rank(a) >= rank(b) ? a : b));
};

test('merge: order, grouping and repetition of the carts do not matter', () => {
  expect(checkMerge(mergeCarts, { values })?.message).toBeUndefined();
});

test('a merge that lets the last of equals win is found out, with two carts of one line', () => {
  const careless = (carts: readonly Cart[]): Cart => {
    const merged: Record<string, Cart[string]> = {};
    for (const [item, line] of carts.flatMap((cart) => Object.entries(cart)))
      if (line.changedAtMs >= (merged[item]?.changedAtMs ?? 0)) merged[item] = line;
    return merged;
  };
  const flaw = checkMerge(careless, { values });
  expect(flaw?.law).toBe('order');
  expect(flaw?.values.map((cart) => Object.keys(cart).length)).toEqual([1, 1]);
});

/** Everybody puts things into one cart, and takes some of their own out again, while the cluster has its troubles. */
function shopping(seed: number, merge: (carts: readonly Cart[]) => Cart): Promise<ApplicationReport> {
  const promised = new Map<string, boolean>();
  return simulateApplication({
    seed,
    start({ name, client, clock, random }) {
      const carts = new Carts(client, () => clock.nowMs(), 'default', merge);
      const mine: string[] = [];
      let bought = 0;
      return async () => {
        const isRemoval = mine.length > 0 && random.int(3) === 0;
        const item = isRemoval ? (mine.splice(random.int(mine.length), 1)[0] as string) : `${name}-${++bought}`;
        promised.delete(item); // what fails may have happened or not
        await (isRemoval ? carts.remove('alice', item) : carts.add('alice', item));
        promised.set(item, !isRemoval);
        if (!isRemoval) mine.push(item);
      };
    },
    async check({ client }) {
      const shown = await new Carts(client, undefined, 'default', merge).show('alice');
      const wrong = [...promised].filter(([item, isThere]) => item in shown !== isThere).map(([item]) => item);
      expect(wrong).toEqual([]);
    },
  });
}

test('under partitions, crashes and full disks: whatever was added is in the cart, whatever was removed is not', async () => {
  for (const seed of [1, 2]) {
    const report = await shopping(seed, mergeCarts);
    expect(report.violations, `seed ${seed}`).toEqual([]);
    expect(report.steps - report.failedSteps).toBeGreaterThan(100);
  }
});

test('a merge that obeys all laws and keeps only the latest cart loses what it promised, and the simulation shows it', async () => {
  expect(checkMerge(latestCart, { values })).toBeUndefined();
  const { violations } = await shopping(1, latestCart);
  expect(violations).toHaveLength(1);
  expect(violations[0]).toMatch(/^check: expected \[ .* to deep(ly)? equal \[\]/);
});

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await startLocalCluster();
});
afterAll(() => cluster.stop());

test('two clients add at the same time: both items survive', async () => {
  const carts = new Carts(cluster.client);
  await Promise.all([carts.add('alice', 'book'), carts.add('alice', 'lamp', 2)]);
  expect(await carts.show('alice')).toEqual({ book: 1, lamp: 2 });
});

test('twenty clients add at once: all items survive, and the next write leaves one version', async () => {
  const carts = new Carts(cluster.client);
  const items = Array.from({ length: 20 }, (_, i) => `item-${i}`);
  await Promise.all(items.map((item) => carts.add('bob', item)));
  expect(Object.keys(await carts.show('bob')).sort()).toEqual([...items].sort());
  await carts.add('bob', 'last');
  expect(await carts.siblings('bob')).toBe(1);
});

test('a removed item does not come back when an older cart is merged in', async () => {
  let nowMs = 1;
  const carts = new Carts(cluster.client, () => nowMs++);
  await carts.add('carol', 'book');
  await Promise.all([carts.remove('carol', 'book'), carts.add('carol', 'pen')]);
  expect(await carts.show('carol')).toEqual({ pen: 1 });
});

test('a removal by a clock that is behind is a change like any other: another copy of the line does not undo it', async () => {
  const ahead = new Carts(cluster.client, () => 2_000);
  const behind = new Carts(cluster.client, () => 1_000);
  await ahead.add('dave', 'book');
  await Promise.all([behind.remove('dave', 'book'), ahead.add('dave', 'pen')]);
  expect(await ahead.show('dave')).toEqual({ pen: 1 });
});
