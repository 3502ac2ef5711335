import { ArmatureError, type NodeId, type ZoneName } from '@armature/kernel';
import type { MemberStatus } from '@armature/client';
import type { View } from '@armature/membership';
import { NO_TRANSFERS, type NodeStatus, type TransferStatus } from '@armature/protocol';
import { describe, expect, test } from 'vitest';
import { ReceivedSince, transferReport, type TransferReport } from './transfer-report.js';

const node = (name: string): NodeId => name as NodeId;

/** A view in which so many partitions are pending for these nodes, and these leave. */
function viewOf(pending: Readonly<Record<string, number>> = {}, leaving: readonly string[] = []): View {
  const names = ['n1', 'n2', 'n3'];
  const view: Partial<View> = {
    cluster: { name: 'c' } as View['cluster'],
    fingerprint: 'f',
    ringVersion: 255 as View['ringVersion'],
    members: new Map(
      names.map((name) => [
        node(name),
        {
          ...{ node: node(name), weight: 1, zone: 'z' as ZoneName, stint: 'x', alsoBegunBy: [], actors: [], loss: undefined },
          state: leaving.includes(name) ? 'leaving' : 'member',
        },
      ]),
    ),
    pendingFor: (who) =>
      Array.from({ length: pending[who] ?? 0 }, (_, partition) => ({
        partition: partition as never,
        groups: [],
        change: 'x',
        sources: [node('n2'), node('n1')],
      })),
  };
  return view as View;
}

function says(name: string, transfers: Partial<TransferStatus> = {}, historyFingerprint = 'f'): MemberStatus {
  const status: Partial<NodeStatus> = { historyFingerprint, hintBytes: 7, transfers: { ...NO_TRANSFERS, ...transfers } };
  return { node: node(name), status: status as NodeStatus, problem: undefined };
}

const silent = (name: string): MemberStatus => ({
  node: node(name),
  status: undefined,
  problem: new ArmatureError('unreachable', 'nobody there'),
});
const all = [says('n1'), says('n2'), says('n3')];

describe('settled', () => {
  test.each<[string, View, MemberStatus[], boolean]>([
    ['all at rest', viewOf(), all, true],
    ['a copy is pending', viewOf({ n3: 1 }), all, false],
    ['somebody is leaving', viewOf({}, ['n1']), all, false],
    ['somebody holds what is not his', viewOf(), [says('n1', { strayPartitions: 1 }), says('n2'), says('n3')], false],
    ['somebody has not looked yet for what is not his', viewOf(), [says('n1', { clear: false }), says('n2'), says('n3')], false],
    ['somebody knows another history', viewOf(), [says('n1'), says('n2'), says('n3', {}, 'g')], false],
    ['all know another history than the one asked first', viewOf(), all.map(({ node: one }) => says(one, {}, 'g')), false],
    ['one of whom nothing is expected is down', viewOf(), [says('n1'), says('n2'), silent('n3')], true],
    ['one that is to copy is down', viewOf({ n3: 1 }), [says('n1'), says('n2'), silent('n3')], false],
    ['nobody answers', viewOf(), ['n1', 'n2', 'n3'].map(silent), false],
  ])('%s: %#', (_what, view, statuses, settled) => {
    expect(transferReport(view, statuses).settled).toBe(settled);
  });
});

test('a node: what it has yet to copy and from whom, by the history; how far it is, by itself', () => {
  const { nodes, pending } = transferReport(viewOf({ n3: 2, n2: 1 }), [
    says('n1'),
    says('n2'),
    says('n3', { filledPartitions: 5, records: 50, bytes: 500, lastProblem: 'n1 is slow' }),
  ]);
  expect(pending).toBe(3);
  expect(nodes[2]).toMatchObject({
    pending: 2,
    from: ['n1', 'n2'],
    filled: 5,
    records: 50,
    bytes: 500,
    hintBytes: 7,
    problem: 'n1 is slow',
  });
  expect(nodes[0]?.problem).toBeUndefined();
  expect(transferReport(viewOf(), [silent('n1')]).nodes[0]).toMatchObject({
    answers: false,
    problem: 'does not answer: nobody there',
  });
});

describe('received since', () => {
  const report = (bytes: number, name = 'n1'): TransferReport =>
    transferReport(viewOf(), [says(name, { bytes, records: bytes / 10 })]);

  function receivedOf(first: TransferReport, ...reports: TransferReport[]): { bytes: number; records: number } {
    const received = new ReceivedSince(first);
    for (const one of reports) received.take(one);
    return { bytes: received.bytes, records: received.records };
  }

  test('a fill that begins later counts whole, whatever the last one had received', () => {
    expect(receivedOf(report(100), report(100), report(100)).bytes).toBe(0);
    expect(receivedOf(report(100), report(100), report(20), report(60))).toEqual({ bytes: 60, records: 6 });
    expect(receivedOf(report(0), report(500)).bytes).toBe(500);
  });

  test('two fills of one node are added up, as are those of several nodes', () => {
    expect(receivedOf(report(0), report(70), report(10), report(30)).bytes).toBe(100);
    expect(receivedOf(report(0), report(70), report(30, 'n2')).bytes).toBe(100);
  });

  test('a node that does not answer for a while keeps what it had', () => {
    expect(receivedOf(report(0), report(70), transferReport(viewOf(), [silent('n1')]), report(80)).bytes).toBe(80);
  });
});
