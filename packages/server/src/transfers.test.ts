/** Changes of membership over real nodes in one process: what moves, what is dropped where, and what an interruption costs. */
import { afterEach, expect, test } from 'vitest';
import { parseZoneName, unwrap, type NodeId } from '@armature/kernel';
import type { Change } from '@armature/protocol';
import { sleep, systemClock } from '@armature/runtime';
import { Trio } from './synchronisation.test-support.js';

let trio: Trio;
afterEach(() => trio.stop());

const N4 = 'n4' as NodeId;
const JOIN: Change = { kind: 'join', node: N4, weight: 1, zone: unwrap(parseZoneName('z')) };
const PATIENCE_MS = 30_000;

async function fill(count: number, bytes = 20): Promise<void> {
  const bucket = trio.client.bucket('default');
  for (let i = 0; i < count; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, j) => bucket.put(`key ${i + j}`, `${i + j} `.padEnd(bytes, 'x'), { w: 'all' })),
    );
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  while (!(await isSo())) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`not so after ${PATIENCE_MS} ms: ${String(isSo)}`);
    await sleep(systemClock, 10);
  }
}

/** All that run agree that `members` are the members, nothing is pending, and nobody holds what is others'. */
function settled(members: readonly string[]): Promise<void> {
  return until(async () => {
    const statuses = await Promise.all([...trio.nodes.values()].map((node) => node.status()));
    const { view } = trio.node('n1').participant.membership;
    return (
      [...view.members.keys()].sort().join() === members.join() &&
      statuses.every(
        // `clear` says that a member has looked under the present view; who has left looks no more.
        ({ name, historyFingerprint, transfers }) =>
          historyFingerprint === view.fingerprint &&
          transfers?.pendingPartitions === 0 &&
          transfers.strayPartitions === 0 &&
          (transfers.clear || !members.includes(name)),
      )
    );
  });
}

/** Every owner of a key holds the same bytes of it, and nobody else holds any. */
function expectPlaced(keys: number): void {
  const { view } = trio.node('n1').participant.membership;
  const holders = new Map<string, Map<string, string>>();
  for (const name of trio.nodes.keys()) {
    for (const [stored, record] of trio.records(name)) {
      const at = holders.get(stored) ?? new Map<string, string>();
      holders.set(stored, at.set(name, record));
    }
  }
  expect(holders.size).toBe(keys);
  for (const [stored, at] of holders) {
    const { owners } = view.placement(stored.slice(1) as never, 3); // behind the byte of its space
    expect([...at.keys()].sort()).toEqual([...owners].sort());
    expect(new Set(at.values()).size).toBe(1);
  }
}

const received = (): number => trio.telemetry.value('armature_transfer_records_total{direction="received"}');
const handedOver = (): number => trio.telemetry.value('armature_transfer_records_total{direction="handed-over"}');
const dropped = (): number => trio.telemetry.value('armature_transfer_relinquished_records_total');

test('a join: every record moves once, former owners drop theirs without sending one, and the status tells', async () => {
  trio = await Trio.start();
  await fill(400);
  await trio.run('n4');
  await trio.node('n1').participant.membership.propose(JOIN);
  await settled(['n1', 'n2', 'n3', 'n4']);
  expectPlaced(400);
  const { length } = trio.records('n4');
  expect(length).toBeGreaterThan(100);
  expect([received(), handedOver(), dropped()]).toEqual([length, 0, length]);
  const { transfers } = await trio.node('n4').status();
  expect(transfers).toMatchObject({ records: length, active: [], lastProblem: '' });
  expect(transfers?.filledPartitions).toBeGreaterThan(0);
  expect(transfers?.bytes).toBeGreaterThan(length * 20);
});

test('a leave: the successors get it all, and the node has left when it holds nothing; joined again, it is filled again', async () => {
  trio = await Trio.start();
  await fill(200);
  await trio.run('n4');
  await trio.node('n1').participant.membership.propose(JOIN);
  await settled(['n1', 'n2', 'n3', 'n4']);
  await trio.node('n2').participant.membership.propose({ kind: 'leave', node: N4 });
  await settled(['n1', 'n2', 'n3']);
  expect(trio.records('n4')).toEqual([]);
  expectPlaced(200);
  await trio.node('n2').participant.membership.propose(JOIN);
  await settled(['n1', 'n2', 'n3', 'n4']);
  expectPlaced(200);
  expect((await trio.node('n4').status()).transfers?.records).toBe(trio.records('n4').length);
});

test('a joiner that is ended again and again: what had arrived is not sent a second time', async () => {
  trio = await Trio.start();
  await fill(400, 1_000);
  const slowly = { transferBytesPerSecond: 400_000, transfersAtOnce: 1 };
  await trio.run('n4', slowly);
  await trio.node('n1').participant.membership.propose(JOIN);
  for (const share of [20, 60, 120]) {
    await until(() => received() >= share);
    await trio.halt('n4');
    await trio.run('n4', slowly);
  }
  await settled(['n1', 'n2', 'n3', 'n4']);
  expectPlaced(400);
  // What was on its way at each end may come twice: a quarter of a second's worth.
  expect(received()).toBeLessThanOrEqual(trio.records('n4').length + 3 * 100);
  expect(received()).toBeGreaterThanOrEqual(trio.records('n4').length);
});

test('an owner is down while others would drop: everything stays until it is back', async () => {
  trio = await Trio.start();
  await fill(200);
  await trio.run('n4');
  await trio.halt('n3');
  await trio.node('n1').participant.membership.propose(JOIN);
  await until(async () => (await trio.node('n4').status()).transfers?.pendingPartitions === 0);
  await until(async () => ((await trio.node('n1').status()).transfers?.lastProblem ?? '') !== '');
  expect((await trio.node('n1').status()).transfers?.strayPartitions).toBeGreaterThan(0);
  await trio.run('n3');
  await settled(['n1', 'n2', 'n3', 'n4']);
  expectPlaced(200);
});

test('the only copy is at a former owner: it is handed to all owners before it is dropped', async () => {
  trio = await Trio.start();
  await fill(200);
  await trio.run('n4');
  await trio.node('n1').participant.membership.propose(JOIN);
  const names = ['n1', 'n2', 'n3', 'n4'];
  await settled(names);
  for (const name of names) await trio.halt(name);
  const own = new Set(trio.records('n4').map(([key]) => key));
  const others = trio.records('n1').filter(([key]) => !own.has(key));
  const lost = new Set(others.filter((_, i) => i % 2 === 0).map(([key]) => key));
  expect(lost.size).toBeGreaterThan(5);
  for (const name of ['n1', 'n2', 'n3']) {
    const held = trio.records(name);
    expect(trio.lose(name, (index) => lost.has(held[index]![0]))).toBe(lost.size);
  }
  trio.disk('n4').apply(
    others.map(([key, value]) => ({ kind: 'put', key, value: Buffer.from(value, 'hex') })),
    true,
  );
  const before = dropped();
  for (const name of names) await trio.run(name);
  await until(() => trio.records('n4').length === own.size);
  expectPlaced(200);
  expect([handedOver(), dropped() - before]).toEqual([lost.size * 3, others.length]);
});
