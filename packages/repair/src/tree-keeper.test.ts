import { toBinaryString, utf8Encode, type BinaryString, type BucketName, type PartitionId } from '@armature/kernel';
import { entryDigest, MerkleTree } from '@armature/merkle';
import { addressOf, type Address } from '@armature/ring';
import { ManualClock, memoryTelemetry, recordingLog, sleep } from '@armature/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TreeKeeper, type ScanQuery } from './tree-keeper.js';
import { entryState } from './share-tree.js';
import { TreeBuild, type ScannedPage } from './tree-build.js';
import { node, viewOf } from './view.test-support.js';

const keyOf = (i: number): Address => addressOf((i % 2 === 0 ? 'default' : 'pair') as BucketName, utf8Encode(`k${i}`));
const KEYS = Array.from({ length: 40 }, (_, i) => keyOf(i)).sort();
const nOf = (address: BinaryString): number => (address.charCodeAt(16) === 7 ? 3 : 2);
const bytesOf = (value: number): Uint8Array => Uint8Array.of(value);

function rootsOf(held: ReadonlyMap<Address, number>): Record<number, string> {
  const trees = { 2: new MerkleTree(0, 1), 3: new MerkleTree(0, 1) };
  for (const [address, value] of held)
    trees[nOf(address) as 2 | 3].update(address, undefined, entryDigest(address, bytesOf(value)));
  return { 2: trees[2].rootHash, 3: trees[3].rootHash };
}

describe('a build', () => {
  type Step =
    | { readonly kind: 'write'; readonly key: number; readonly value: number }
    | { readonly kind: 'drop'; readonly key: number }
    | { readonly kind: 'ask' | 'read' | 'take' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const), key: fc.nat(39), value: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), key: fc.nat(39) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('ask' as const, 'read' as const, 'take' as const) }) },
  );

  test('writes and drops before, during and after each page: the trees are those of the store when the last page is in', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(39), fc.nat(9))), fc.array(step, { maxLength: 120 }), (first, steps) => {
        const held = new Map(first.map(([key, value]) => [KEYS[key] as Address, value]));
        const build = new TreeBuild(0, { start: '' as BinaryString, end: undefined }, nOf);
        let isAsked = false;
        let page: ScannedPage | undefined;
        const read = (): ScannedPage => {
          const from = build.cursor ?? ('' as BinaryString);
          const rest = [...held].filter(([address]) => address >= from).sort(([a], [b]) => (a < b ? -1 : 1));
          const entries = rest.slice(0, 7).map(([address, value]) => ({ address, set: bytesOf(value) }));
          return { entries, next: rest[7]?.[0] };
        };
        const act = (kind: 'ask' | 'read' | 'take'): void => {
          if (kind === 'ask' && !isAsked && build.cursor !== undefined) {
            build.beginPage();
            isAsked = true;
          } else if (kind === 'read' && isAsked) page ??= read();
          else if (kind === 'take' && page !== undefined) {
            build.takePage(page);
            [isAsked, page] = [false, undefined];
          }
        };
        for (const one of steps) {
          if (one.kind !== 'write' && one.kind !== 'drop') act(one.kind);
          else {
            const address = KEYS[one.key] as Address;
            const before = held.get(address);
            if (one.kind === 'drop' && before === undefined) continue;
            if (one.kind === 'write') held.set(address, one.value);
            else held.delete(address);
            const old = before === undefined ? undefined : entryState(address, bytesOf(before));
            build.wrote(address, nOf(address), old, one.kind === 'drop' ? undefined : entryState(address, bytesOf(one.value)));
          }
        }
        while (build.cursor !== undefined) for (const kind of ['ask', 'read', 'take'] as const) act(kind);
        const trees = build.finish();
        const nothing = new MerkleTree(0, 1).rootHash;
        expect({ 2: trees.get(2)?.tree.rootHash ?? nothing, 3: trees.get(3)?.tree.rootHash ?? nothing }).toEqual(rootsOf(held));
        const bytes = [...held.keys()].reduce((sum, address) => sum + address.length + 1, 0);
        expect((trees.get(2)?.bytes ?? 0) + (trees.get(3)?.bytes ?? 0)).toBe(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

/** A keeper of node `a` over a map that stands for the store. */
function keeperOn(held: Map<Address, Uint8Array>, options: { verifyCycleMs?: number } = {}) {
  const clock = new ManualClock();
  const telemetry = memoryTelemetry();
  const log = recordingLog();
  const view = viewOf(['a', 'b', 'c'], 4);
  const asked: BinaryString[] = [];
  let failures = 0;
  const keeper = new TreeKeeper({
    node: node('a'),
    view: () => view,
    async scan({ start, end, limit }: ScanQuery): Promise<ScannedPage> {
      asked.push(start);
      await sleep(clock, 1);
      if (failures-- > 0) throw new Error('the disk says no');
      const rest = [...held]
        .filter(([address]) => address >= start && (end === undefined || address < end))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return { entries: rest.slice(0, limit).map(([address, set]) => ({ address, set })), next: rest[limit]?.[0] };
    },
    slice: () => sleep(clock, 10),
    clock,
    log: log.log,
    telemetry,
    ...options,
  });
  const write = (i: number, value: number): void => {
    const address = keyOf(i);
    const before = held.get(address);
    held.set(address, bytesOf(value));
    keeper.wrote(address, before, bytesOf(value));
  };
  const partition = (i: number): PartitionId => view.ring!.partitionOf(keyOf(i));
  const rootNow = async (i: number): Promise<string> => {
    const found = keeper.tree(partition(i), nOf(keyOf(i)), 10_000);
    await clock.advance(5_000);
    return (await found).rootHash;
  };
  const expected = (i: number): string => {
    const tree = new MerkleTree(2, 1);
    for (const [address, set] of held) {
      if (view.ring!.partitionOf(address) === partition(i) && nOf(address) === nOf(keyOf(i)))
        tree.update(address, undefined, entryDigest(address, set));
    }
    return tree.rootHash;
  };
  return {
    keeper,
    clock,
    telemetry,
    asked,
    write,
    rootNow,
    expected,
    partition,
    failNext: (count: number) => void (failures = count),
  };
}

describe('the keeper', () => {
  test('builds all trees after the start, one page a slice, and keeps them with every write', async () => {
    const held = new Map(Array.from({ length: 30 }, (_, i) => [keyOf(i), bytesOf(1)]));
    const { keeper, clock, telemetry, asked, write, rootNow, expected } = keeperOn(held);
    keeper.follow();
    expect(telemetry.value('armature_repair_trees_unbuilt')).toBe(4);
    await clock.advance(100);
    expect(telemetry.value('armature_repair_trees_unbuilt')).toBe(0);
    expect(asked).toHaveLength(4);
    for (let i = 20; i < 50; i++) write(i, 2);
    for (const i of [0, 1, 25, 48]) expect(await rootNow(i)).toBe(expected(i));
    expect(asked).toHaveLength(4);
    keeper.stop();
  });

  test('a tree that is waited for is built first; who waits too long is told so, and stopping ends all waiting', async () => {
    const { keeper, clock, asked, partition } = keeperOn(new Map([[keyOf(0), bytesOf(1)]]));
    keeper.follow();
    const last = 3 as PartitionId;
    const late = keeper.tree(last, 3, 5).catch((thrown: unknown) => thrown);
    const waited = keeper.tree(last, 3, 1_000);
    await clock.advance(30);
    expect(await late).toMatchObject({ code: 'overloaded' });
    await waited;
    expect(asked.length).toBeLessThanOrEqual(2);
    expect(asked.at(-1)?.charCodeAt(0)).toBe(0xc0);
    keeper.stop();
    await expect(keeper.tree(partition(0), 3, 10)).rejects.toMatchObject({ code: 'closed' });
  });

  test('a write that did not take place: the partition is scanned again, and its tree is that of the store', async () => {
    const held = new Map([[keyOf(0), bytesOf(1)]]);
    const { keeper, clock, asked, rootNow, expected } = keeperOn(held);
    keeper.follow();
    await clock.advance(100);
    keeper.wrote(keyOf(0), bytesOf(1), bytesOf(2));
    keeper.doubted(keyOf(0));
    expect(await rootNow(0)).toBe(expected(0));
    expect(asked).toHaveLength(5);
    keeper.stop();
  });

  test('a doubt in the middle of a scan voids the scan', async () => {
    const held = new Map([[keyOf(0), bytesOf(1)]]);
    const { keeper, clock, asked, rootNow, expected } = keeperOn(held);
    keeper.follow();
    await clock.advance(100);
    keeper.doubted(keyOf(0));
    await clock.advance(10);
    keeper.wrote(keyOf(0), bytesOf(1), bytesOf(2));
    keeper.doubted(keyOf(0));
    expect(await rootNow(0)).toBe(expected(0));
    expect(asked).toHaveLength(6);
    keeper.stop();
  });

  test('a store that cannot be read is asked again later', async () => {
    const { keeper, clock, telemetry, failNext } = keeperOn(new Map([[keyOf(0), bytesOf(1)]]));
    failNext(2);
    keeper.follow();
    await clock.advance(4_000);
    expect(telemetry.value('armature_repair_trees_unbuilt')).toBe(4);
    await clock.advance(20_000);
    expect(telemetry.value('armature_repair_trees_unbuilt')).toBe(0);
    keeper.stop();
  });

  test('what changes behind the back of the node is found by the slow scan, counted, and put right', async () => {
    const held = new Map([[keyOf(0), bytesOf(1)]]);
    const { keeper, clock, telemetry, rootNow, expected } = keeperOn(held, { verifyCycleMs: 40_000 });
    keeper.follow();
    await clock.advance(100);
    held.delete(keyOf(0));
    expect(await rootNow(0)).not.toBe(expected(0));
    await clock.advance(50_000);
    expect(telemetry.value('armature_repair_tree_mismatches_total')).toBe(1);
    expect(await rootNow(0)).toBe(expected(0));
    keeper.stop();
  });

  test('writes alone never make a mismatch', async () => {
    const { keeper, clock, telemetry, write } = keeperOn(new Map(), { verifyCycleMs: 4_000 });
    keeper.follow();
    for (let i = 0; i < 400; i++) {
      write(i % 90, i % 250);
      await clock.advance(37);
    }
    expect(telemetry.value('armature_repair_trees_built_total')).toBeGreaterThan(10);
    expect(telemetry.value('armature_repair_tree_mismatches_total')).toBe(0);
    keeper.stop();
  });
});

test('addresses of the tests are what they pretend to be', () => {
  expect(toBinaryString(utf8Encode('default'))).toBe(keyOf(0).slice(17, 24));
  expect(nOf(keyOf(0))).toBe(3);
  expect(nOf(keyOf(1))).toBe(2);
});
