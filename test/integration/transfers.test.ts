/**
 * Data on the move between real processes: what a joiner receives, what former owners keep, what an interruption costs, and
 * whether writes, reads and deletions that go on meanwhile come out right.
 */
import { afterEach, expect, test } from 'vitest';
import type { Client } from '@armature/client';
import type { NodeId } from '@armature/kernel';
import type { TransferStatus } from '@armature/protocol';
import { expectNoDotNamesTwoValues, expectReplicasEqual, startWorkload } from '@armature/tools/audit';
import { ProcessCluster } from '@armature/tools/process-cluster';

const PARTITIONS = 16;
const TIMEOUT_MS = 90_000;
const N4 = 'n4' as NodeId;

let cluster: ProcessCluster | undefined;
let client: Client | undefined;
afterEach(async () => {
  await client?.close();
  await cluster?.stop();
  [client, cluster] = [undefined, undefined];
});

async function start(nodeFlags: readonly string[] = []): Promise<{ cluster: ProcessCluster; client: Client }> {
  cluster = await ProcessCluster.start({ routers: [], partitionCount: PARTITIONS, nodeFlags });
  client = await cluster.connect({ routing: 'direct' });
  return { cluster, client };
}

async function putMany(through: Client, count: number, bytes: number): Promise<void> {
  const bucket = through.bucket('default');
  for (let i = 0; i < count; i += 25) {
    await Promise.all(
      Array.from({ length: 25 }, (_, j) => bucket.put(`bulk/${i + j}`, `${i + j} `.padEnd(bytes, 'x'), { w: 'all' })),
    );
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  let problem: unknown;
  for (
    const deadlineMs = Date.now() + TIMEOUT_MS;
    Date.now() < deadlineMs;
    await new Promise((resolve) => setTimeout(resolve, 50))
  ) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (thrown) {
      problem = thrown;
    }
  }
  throw new Error(`${what}: not within ${TIMEOUT_MS} ms`, { cause: problem });
}

async function transfersOf(through: Client, node: NodeId): Promise<TransferStatus | undefined> {
  return (await through.admin.member(node)).status?.transfers;
}

/** All members agree, nothing is pending anywhere, and nobody, former members included, holds what is others'. */
function untilSettled(through: Client, nodes: readonly string[], members: readonly string[]): Promise<true> {
  return until(`${members.join()} to be settled`, async () => {
    const view = await through.admin.view();
    if ([...view.members.keys()].sort().join() !== [...members].sort().join()) return undefined;
    const statuses = await Promise.all(nodes.map((node) => through.admin.member(node as NodeId)));
    const isSettled = statuses.every(
      ({ status }) =>
        status?.historyFingerprint === view.fingerprint &&
        status.transfers?.pendingPartitions === 0 &&
        status.transfers.strayPartitions === 0,
    );
    return isSettled ? true : undefined;
  });
}

async function metricOf(name: string, series: string, label = ''): Promise<number> {
  const lines = (await cluster!.metrics(name))
    .split('\n')
    .filter((line) => line.startsWith(`${series}{`) && line.includes(label));
  if (lines.length === 0) throw new Error(`${name} has no ${series}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
const received = (name: string): Promise<number> => metricOf(name, 'armature_transfer_records_total', 'direction="received"');
const receivedBytes = (name: string): Promise<number> => metricOf(name, 'armature_transfer_bytes_total', 'direction="received"');
/** Everything that moves or is dropped for a change of membership. */
const movedBy = async (name: string): Promise<number> =>
  (await metricOf(name, 'armature_transfer_records_total')) +
  (await metricOf(name, 'armature_transfer_relinquished_records_total'));

async function shareOf(through: Client, node: NodeId): Promise<{ records: number; bytes: number }> {
  const { shares } = await through.admin.holdings(node);
  const sum = (of: 'records' | 'bytes'): number => shares.reduce((all, share) => all + share[of], 0);
  return { records: sum('records'), bytes: sum('bytes') };
}

test('(12, 13, 24, 28) join, leave and join again, under writes, reads and deletions: equal replicas, nothing at former owners, nothing lost, and then all is quiet', async () => {
  const { cluster: run, client: direct } = await start();
  await putMany(direct, 300, 2_000);
  const workload = startWorkload(direct, { name: 'join, leave, join again', writers: 4, pauseMs: 20 });
  await workload.untilAcknowledged(30);
  const nodes = ['n1', 'n2', 'n3', 'n4'];

  await run.launch('node', 'n4');
  await run.untilAnswering('n4');
  await direct.admin.join('n4');
  await workload.untilAcknowledged(30);
  await untilSettled(direct, nodes, nodes);
  const [records, bytes, share] = [await received('n4'), await receivedBytes('n4'), await shareOf(direct, N4)];
  console.log(`joined: received ${records} records and ${bytes} bytes, holds ${share.records} and ${share.bytes}`);
  expect(bytes).toBeLessThanOrEqual(share.bytes * 1.3);
  expect(bytes).toBeGreaterThan(share.bytes * 0.5);

  await direct.admin.leave('n4');
  await workload.untilAcknowledged(30);
  await untilSettled(direct, nodes, nodes.slice(0, 3));
  expect(await shareOf(direct, N4)).toEqual({ records: 0, bytes: 0 });
  expect((await transfersOf(direct, N4))?.relinquishedRecords).toBeGreaterThanOrEqual(share.records);

  await direct.admin.join('n4');
  await workload.untilAcknowledged(30);
  await untilSettled(direct, nodes, nodes);
  await workload.stop();
  const audit = await expectReplicasEqual(run, { strays: false, nudge: () => repairAll(direct) });
  await expectNoDotNamesTwoValues(run);
  await workload.verify(direct);
  console.log(`audited: ${audit.keys} keys, ${audit.differences} differ, ${audit.strays} strays`);

  const moved = async (): Promise<number[]> => Promise.all(nodes.map(movedBy));
  const before = await moved();
  await direct.admin.reweigh('n1', 1.0001); // another ring, of the same placement: everybody looks again
  await untilSettled(direct, nodes, nodes);
  expect(await moved(), 'there is nothing to move a second time').toEqual(before);
}, 180_000);

/** Workloads leave writes that met their quorum and not all owners; without a worker, somebody has to ask. */
async function repairAll(through: Client): Promise<void> {
  const view = await through.admin.view();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { owners } = view.placementOf(partition as never, 3);
    for (const peer of owners.slice(1)) {
      const request = { ring: view.ringVersion, partition: partition as never, n: 3, peer, bucket: undefined };
      await through.admin.exchange(owners[0] as NodeId, request).catch(() => undefined);
    }
  }
}

test('the joiner is killed half way: it goes on where it was, and receives hardly anything twice; the limit of its rate is kept', async () => {
  const rate = 200 * 1024;
  const { cluster: run, client: direct } = await start(['--transfer-rate', '200KiB/s', '--transfers-at-once', '1']);
  await putMany(direct, 400, 4_000);
  await run.launch('node', 'n4');
  await run.untilAnswering('n4');
  await direct.admin.join('n4');
  const half = await until('half of the data', async () => {
    const [bytes, status] = [await receivedBytes('n4'), await transfersOf(direct, N4)];
    if (bytes < 450_000 || status === undefined) return undefined;
    return { records: await received('n4'), status };
  });
  await run.kill('n4');
  expect(half.status.pendingPartitions).toBeGreaterThan(0);
  expect(half.status.active.length).toBe(1);
  expect(half.status.bytesPerSecond).toBeGreaterThan(0);

  await run.launch('node', 'n4');
  await run.untilAnswering('n4');
  const samples: { readonly atMs: number; readonly bytes: number }[] = [];
  await until('n4 to be filled', async () => {
    samples.push({ atMs: Date.now(), bytes: await receivedBytes('n4') });
    const status = await transfersOf(direct, N4);
    return status?.pendingPartitions === 0 && status.filledPartitions > 0 ? true : undefined;
  });
  await untilSettled(direct, ['n1', 'n2', 'n3', 'n4'], ['n1', 'n2', 'n3', 'n4']);
  const total = half.records + (await received('n4'));
  const share = await shareOf(direct, N4);
  const moving = samples.filter(({ bytes }, i) => bytes > 0 && bytes < (samples.at(-1)?.bytes ?? 0) && i > 0);
  const [first, last] = [moving[0]!, moving.at(-1)!];
  const measured = ((last.bytes - first.bytes) * 1_000) / (last.atMs - first.atMs);
  console.log(
    `killed after ${half.records} records; ${total} received in all for a share of ${share.records}; ${Math.round(measured / 1024)} KiB/s of ${rate / 1024}`,
  );
  expect(total).toBeLessThan(share.records * 1.5);
  expect(half.records).toBeGreaterThan(share.records * 0.2);
  // An answer may be paid for afterwards: one of a quarter of a second's worth, and the burst, more than was earned.
  expect(last.bytes - first.bytes).toBeLessThanOrEqual(rate * ((last.atMs - first.atMs) / 1_000) + rate);
  await expectReplicasEqual(run, { strays: false });
}, 180_000);
