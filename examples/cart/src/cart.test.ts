import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocalCluster, type LocalCluster } from '@armature/server';
import { Carts, mergeCarts, type Cart } from './cart.js';

const cart: fc.Arbitrary<Cart> = fc.dictionary(
  fc.constantFrom('book', 'lamp', 'pen'),
  fc.record({ quantity: fc.nat(5), changedAtMs: fc.nat(5) }),
  { noNullPrototype: true },
);

test('merge: order and repetition of the carts do not matter', () => {
  fc.assert(
    fc.property(fc.array(cart, { minLength: 1, maxLength: 5 }), fc.nat(), (carts, by) => {
      const rotated = [...carts.slice(by % carts.length), ...carts.slice(0, by % carts.length)];
      expect(mergeCarts(rotated)).toEqual(mergeCarts(carts));
      expect(mergeCarts([...carts, ...carts])).toEqual(mergeCarts(carts));
      expect(mergeCarts([mergeCarts(carts), ...carts])).toEqual(mergeCarts(carts));
    }),
  );
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
