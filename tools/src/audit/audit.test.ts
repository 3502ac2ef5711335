/**
 * The audit against a cluster in this process, on memory disks that are robbed and forged behind the nodes' backs: what is wrong
 * must be found.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { unwrap, type BinaryString, type NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import { startLocalCluster, type LocalCluster } from '@armature/server';
import { MemoryDisk, spaceBounds } from '@armature/storage';
import { decodeVersionSet, encodeVersionSet, versionSet } from '@armature/versioning';
import {
  auditableLocal,
  auditReplicas,
  compareReplicas,
  DotLedger,
  expectNoDotNamesTwoValues,
  expectReplicasEqual,
  startWorkload,
  takeInventory,
  type Auditable,
} from './index.js';

const NODES = ['n1', 'n2', 'n3', 'n4'];
const DATA = spaceBounds('data', '', undefined);
let disks: ReadonlyMap<string, MemoryDisk>;
let cluster: LocalCluster;
let target: Auditable;

/** Starts the cluster, or starts it again on what its disks hold. */
async function start(): Promise<void> {
  cluster = await startLocalCluster({
    nodes: NODES,
    partitionCount: 8,
    secret: 'the secret of a cluster that starts again',
    openEngine: (node) => diskOf(node).open(),
  });
  target = auditableLocal(cluster);
}

function diskOf(node: string): MemoryDisk {
  const disk = disks.get(node);
  if (disk === undefined) throw new Error(`no node ${node}`);
  return disk;
}

/** The records of keys that end like this, at a node, as the engine has them. */
function recordsOf(node: string, ending: string): { readonly key: BinaryString; readonly value: Uint8Array }[] {
  const { entries } = diskOf(node).page({ ...DATA, limit: 100_000 });
  return entries.filter(({ key }) => key.endsWith(ending));
}

function nodesWith(ending: string): string[] {
  return NODES.filter((node) => recordsOf(node, ending).length > 0);
}

/** Removes records while the cluster is down. Returns how many. */
function lose(node: string, ending: string): number {
  const lost = recordsOf(node, ending);
  diskOf(node).apply(
    lost.map(({ key }) => ({ kind: 'delete', key })),
    true,
  );
  return lost.length;
}

beforeEach(async () => {
  disks = new Map(NODES.map((name) => [name, new MemoryDisk()]));
  await start();
});
afterEach(() => cluster.stop());

describe('replicas', () => {
  test('of a cluster at rest are equal, and all of them were looked at', async () => {
    for (let i = 0; i < 50; i++) await cluster.client.bucket('default').put(`k${i}`, 'v');
    const audit = await expectReplicasEqual(target);
    expect(audit).toMatchObject({ keys: 50, partitions: 8, replicasCompared: 24, moving: 0, differences: 0, strays: 0 });
    const { holdings } = await takeInventory(target);
    expect([...holdings.values()].reduce((sum, held) => sum + held.size, 0)).toBe(150);
  });

  test('one of which has lost a record differ: the complaint has the key and who holds what, until a read repairs it', async () => {
    await cluster.client.bucket('default').put('robbed', 'v', { w: 3 });
    const victim = nodesWith('robbed')[1] as string;
    await cluster.stop();
    expect(lose(victim, 'robbed')).toBe(1);
    await start();

    const audit = await auditReplicas(target);
    expect(audit).toMatchObject({ keys: 1, differences: 1, strays: 0 });
    expect(audit.differing).toMatchObject([{ bucket: 'default', key: 'robbed', n: 3, held: { [victim]: 'nothing' } }]);
    expect(Object.keys(audit.differing[0]?.held ?? {}).sort()).toEqual(nodesWith('robbed').concat(victim).sort());
    await expect(expectReplicasEqual(target, { timeoutMs: 1 })).rejects.toThrow(
      `1 of 1 keys differ: [{"bucket":"default","key":"robbed"`,
    );
    await expectReplicasEqual(target, {
      nudge: () => cluster.client.bucket('default').get('robbed', { r: 'all' }),
    });
  });

  test('a record at a node that is none of them is a stray, and of an unknown bucket belongs nowhere', async () => {
    await cluster.client.bucket('default').put('astray', 'v', { w: 3 });
    const owners = nodesWith('astray');
    const outsider = NODES.find((node) => !owners.includes(node)) as NodeId;
    const { view, holdings } = await takeInventory(target);
    const [[address, set]] = [...(holdings.get(owners[0] as NodeId) ?? [])] as [[Address, Uint8Array]];
    const foreign = address.replace('default', 'unknown') as Address;
    const present = new Map([
      ...holdings,
      [
        outsider,
        new Map([
          [address, set],
          [foreign, set],
        ]),
      ],
    ]);
    const audit = compareReplicas({ view, holdings: present });
    expect(audit).toMatchObject({ keys: 1, differences: 0, strays: 1, unknownBuckets: ['unknown'] });
    expect(audit.strayExamples).toEqual([{ bucket: 'default', key: 'astray', node: outsider }]);
  });

  test('are not called equal while a node does not answer or a hint waits', async () => {
    await cluster.client.bucket('default').put('k', 'v', { w: 3 });
    const hinted: Auditable = { ...target, hintBytes: () => Promise.resolve(17) };
    await expect(expectReplicasEqual(hinted, { timeoutMs: 1 })).rejects.toThrow('17 bytes of hints have not gone home');
    cluster.connectionOf('n3' as NodeId).disconnect();
    await expect(expectReplicasEqual(target, { timeoutMs: 1 })).rejects.toThrow(/n3 did not tell what it holds/);
    cluster.connectionOf('n3' as NodeId).reconnect();
  });
});

describe('dots', () => {
  /** The same dot as in the record, another version. */
  function forged(record: Uint8Array): Uint8Array {
    const { clock, siblings } = unwrap(decodeVersionSet(record));
    const value = Buffer.from('forged');
    return encodeVersionSet(
      versionSet(
        clock,
        siblings.map(({ dot, version }) => ({ dot, version: { ...version, value } })),
      ),
    );
  }

  test('of honest writes name one version each, whatever the replicas, and are counted', async () => {
    const bucket = cluster.client.bucket('default');
    for (let i = 0; i < 10; i++) await bucket.put('k', `v${i}`, { w: 3 });
    expect((await expectNoDotNamesTwoValues(target)).size).toBe(10);
  });

  test('that name two versions are found, at two replicas or at two times', async () => {
    await cluster.client.bucket('default').put('k', 'v', { w: 3 });
    const { view, holdings } = await takeInventory(target);
    const [first] = nodesWith('k') as [NodeId];
    const forgery = new Map([...(holdings.get(first) ?? [])].map(([address, set]) => [address, forged(set)]));

    const atOnce = new DotLedger();
    atOnce.observe({ view, holdings: new Map([...holdings, ['evil' as NodeId, forgery]]) });
    expect(atOnce.doubles).toMatchObject([{ bucket: 'default', key: 'k' }]);

    const later = new DotLedger();
    later.observe({ view, holdings: new Map([[first, forgery]]) });
    expect(later.doubles).toEqual([]);
    await expect(expectNoDotNamesTwoValues(target, later)).rejects.toThrow(/dots that name two versions: .*"key":"k"/);
  });
});

describe('a workload', () => {
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  beforeEach(() => void printed.mockClear());
  afterAll(() => printed.mockRestore());

  test('of a healthy cluster is accounted for in full, and says so in one line', async () => {
    const workload = startWorkload(cluster.client, { name: 'healthy', keys: 5, pauseMs: 0 });
    await workload.untilAcknowledged(200);
    await workload.stop();
    const account = await workload.verify(cluster.client);
    expect(account.counts.acknowledged).toBeGreaterThanOrEqual(200);
    expect(account).toMatchObject({ lost: [], returned: [], surfaced: [] });
    expect(new Set(workload.operations.map(({ kind }) => kind))).toEqual(new Set(['set', 'register', 'deletion']));
    expect(printed.mock.calls).toEqual([[expect.stringMatching(/^healthy: \d+ acknowledged, 0 lost, 0 partial, 0 unknown/)]]);
  });

  test.each(['set/0', 'register/0'])('notices when all replicas forget %s behind its back', async (ending) => {
    const kind = ending.startsWith('set') ? 'set' : 'register';
    const workload = startWorkload(cluster.client, { name: 'robbed', keys: 1, kinds: [kind], pauseMs: 0 });
    await workload.untilAcknowledged(20);
    await workload.stop();
    await cluster.stop();
    expect(NODES.map((node) => lose(node, ending)).reduce((sum, lost) => sum + lost)).toBe(3);
    await start();
    const account = await workload.account(cluster.client);
    expect(account.lost.length).toBe(account.counts.acknowledged);
    await expect(workload.verify(cluster.client)).rejects.toThrow(/acknowledged, [1-9]\d* lost/);
  });

  test('notices when a deleted value is back', async () => {
    const workload = startWorkload(cluster.client, { name: 'undead', kinds: ['deletion'], writers: 1, pauseMs: 0 });
    await workload.untilAcknowledged(4);
    await workload.stop();
    const deleted = workload.operations.find(({ action }) => action === 'delete');
    await cluster.client.bucket('default').put(deleted?.key ?? '', JSON.stringify(deleted?.saw));
    const account = await workload.account(cluster.client);
    expect(account.returned).toEqual([deleted]);
  });

  test('with the same seed writes the same ids in the same order', async () => {
    const idsWith = async (seed: number): Promise<string[]> => {
      const workload = startWorkload(cluster.client, { name: `seed ${seed}`, seed, writers: 1, pauseMs: 0 });
      await workload.untilAcknowledged(10);
      await workload.stop();
      return workload.operations.slice(0, 10).map(({ id }) => id);
    };
    const first = await idsWith(1);
    expect(await idsWith(1)).toEqual(first);
    expect(await idsWith(2)).not.toEqual(first);
  });
});
