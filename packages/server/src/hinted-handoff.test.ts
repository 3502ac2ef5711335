import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeId, PartitionId } from '@armature/kernel';
import { json, type Bucket } from '@armature/client';
import { countRole } from '@armature/protocol';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
let cluster: LocalCluster;
let bucket: Bucket<number>;

beforeEach(async () => {
  cluster = await startLocalCluster({ nodes: NODES, partitionCount: 32 });
  bucket = cluster.client.bucket('default', { codec: json<number>() });
});
afterEach(() => cluster.stop());

/** Nobody reaches the node any more, nor does it reach anybody. */
function cut(name: string): void {
  connection(name).disconnect();
}

function heal(name: string): void {
  connection(name).reconnect();
}

function connection(name: string) {
  return cluster.connectionOf(name as NodeId);
}

/** What one node holds of each key, read from that node alone, by way of a pull of its whole ring. */
async function heldBy(name: string): Promise<Map<string, string>> {
  const node = cluster.nodes.find(({ options }) => (options.node as string) === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  const { view } = node.participant.membership;
  const page = await node.participant.coordination.ask(
    name as NodeId,
    {
      kind: 'pull',
      ring: view.ringVersion,
      start: '' as never,
      end: undefined,
      bucket: undefined,
      limit: 1000,
      limitBytes: 1e9,
      withValues: true,
    },
    1000,
  );
  return new Map(page.entries.map(({ address, set }) => [address as string, Buffer.from(set).toString('hex')]));
}

/** For every key that some node holds: all owners hold the same bytes. */
async function expectOwnersEqual(): Promise<void> {
  const held = new Map<string, Map<string, string>>();
  for (const name of NODES) held.set(name, await heldBy(name));
  const { view } = cluster.nodes[0]!.participant.membership;
  const addresses = new Set([...held.values()].flatMap((one) => [...one.keys()]));
  const different: string[] = [];
  for (const address of addresses) {
    const owners = view.placement(address as never, 3).owners;
    const copies = new Set(owners.map((owner) => held.get(owner)?.get(address) ?? 'nothing'));
    if (copies.size !== 1) different.push(`${owners.join(',')}: ${[...copies].map((copy) => copy.length).join(' and ')} bytes`);
  }
  expect(different).toEqual([]);
}

const ownersOf = (partition: number): readonly NodeId[] =>
  cluster.nodes[0]!.participant.membership.view.placementOf(partition as PartitionId, 3).owners;

describe('sloppy quorum and hinted handoff', () => {
  test('an owner is down: fallbacks stand in, W = 3 is met, and the receipt says who is what', async () => {
    cut('n1');
    let stoodIn = 0;
    for (let i = 0; i < 60; i++) {
      const { receipt } = await bucket.put(`k${i}`, i, { w: 3 });
      stoodIn += countRole(receipt, 'fallback');
    }
    expect(stoodIn, 'some of the keys are n1s').toBeGreaterThan(10);
    for (let i = 0; i < 60; i++) expect((await bucket.get(`k${i}`, { r: 3 }))?.value).toBe(i);
  });

  test('PW counts primaries only: with an owner down, PW = 3 is partial where W = 3 is met', async () => {
    cut('n1');
    const outcomes = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const outcome = await bucket.put(`k${i}`, i, { pw: 3, timeoutMs: 2000 }).then(
        () => 'written',
        (error: unknown) => (error as { code?: string }).code ?? 'untyped',
      );
      outcomes.add(outcome);
    }
    expect(outcomes).toEqual(new Set(['written', 'partial-write']));
  });

  test('the owner comes back: its hints are delivered without any read, and all owners are byte-equal', async () => {
    for (let i = 0; i < 40; i++) await bucket.put(`k${i}`, 0);
    cut('n2');
    for (let i = 0; i < 40; i++) await bucket.update(`k${i}`, () => i);
    for (let i = 40; i < 80; i++) await bucket.put(`k${i}`, i);
    const statuses = await Promise.all(cluster.nodes.map((node) => node.status()));
    expect(statuses.some(({ hintBytes }) => hintBytes > 0)).toBe(true);
    heal('n2');
    await expect
      .poll(() => cluster.nodes.reduce((sum, node) => sum + node.hintBytes, 0), { timeout: 30_000, interval: 100 })
      .toBe(0);
    await expectOwnersEqual();
    for (let i = 0; i < 80; i++) expect((await bucket.get(`k${i}`))?.values).toEqual([i]);
  });

  test('every owner of some keys is down: they can still be written, read back, and come home', async () => {
    const [a, b, c] = ownersOf(0) as [NodeId, NodeId, NodeId];
    const down = [a, b, c] as readonly string[];
    for (const name of down) cut(name);
    for (let i = 0; i < 40; i++) await bucket.put(`k${i}`, i, { w: 1, timeoutMs: 5000 });
    for (let i = 0; i < 40; i++) await bucket.update(`k${i}`, (value) => (value ?? 0) + 100, { w: 1, timeoutMs: 5000 });
    for (const name of down) heal(name);
    await expect
      .poll(() => cluster.nodes.reduce((sum, node) => sum + node.hintBytes, 0), { timeout: 30_000, interval: 100 })
      .toBe(0);
    await expectOwnersEqual();
    for (let i = 0; i < 40; i++) expect((await bucket.get(`k${i}`, { r: 3 }))?.values).toContain(i + 100);
  });

  test('a hint older than what the owner has by then changes nothing', async () => {
    await bucket.put('k', 1);
    const owner = cluster.nodes[0]!.participant.membership.view.placement(
      [...(await heldBy(await holderOf())).keys()][0] as never,
      3,
    ).owners[0] as string;
    cut(owner);
    await bucket.update('k', () => 2);
    heal(owner);
    await bucket.update('k', () => 3);
    await expect
      .poll(() => cluster.nodes.reduce((sum, node) => sum + node.hintBytes, 0), { timeout: 30_000, interval: 100 })
      .toBe(0);
    expect((await bucket.get('k', { r: 3 }))?.values).toEqual([3]);
  });
});

/** Some node that holds a key. */
async function holderOf(): Promise<string> {
  for (const name of NODES) if ((await heldBy(name)).size > 0) return name;
  throw new Error('nobody holds anything');
}
