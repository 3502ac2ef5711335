import type { LinkAddress } from '@armature/bus';
import { ArmatureError, hlcFromMs, unwrap, type ClusterName, type NodeId, type ZoneName } from '@armature/kernel';
import { foldHistory, History, type MembershipChange } from '@armature/membership';
import { nodeAddress, type Change, type ChangeRecord } from '@armature/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { commitPlan, makePlan, type PlannedAgainst, type PlanningEnv } from './change-plan.js';

const node = (name: string): NodeId => name as NodeId;
const at = (name: string): LinkAddress => nodeAddress(node(name)) as LinkAddress;
const settings = (name: string) => ({ node: node(name), weight: 1, zone: 'z' as ZoneName });
const join = (name: string): MembershipChange => ({ kind: 'join', ...settings(name) });
const leave = (name: string): MembershipChange => ({ kind: 'leave', node: node(name) });

let records: ChangeRecord[];
let proposed: { change: Change; at: LinkAddress }[];
let down: Set<string>;

function record(change: Change): ChangeRecord {
  const number = records.length + 1;
  return {
    id: number.toString(16).padStart(16, 'a'),
    at: hlcFromMs(1_600_000_000_000 + number),
    by: node('n1'),
    author: 'test',
    change,
  };
}

/** Nodes that share one history, all holding ten records of 100 bytes of each partition. */
const env: PlanningEnv = {
  anyNode: () => Promise.resolve(at('n1')),
  history: (address) =>
    down.has(address) ? Promise.reject(new ArmatureError('unreachable', 'down')) : Promise.resolve([...records]),
  holdings: (who) =>
    down.has(nodeAddress(who))
      ? Promise.reject(new ArmatureError('unreachable', 'down'))
      : Promise.resolve({
          node: who,
          ring: view().ringVersion,
          shares: Array.from({ length: 16 }, (_, partition) => ({
            partition: partition as never,
            n: 3,
            records: 10,
            bytes: 1_000,
            exact: true,
          })),
        }),
  propose: (change, address) => {
    proposed.push({ change, at: address });
    const made = record(change);
    records.push(made);
    return Promise.resolve(made);
  },
};

const view = () => foldHistory(unwrap(History.empty.merge(records)).history);
const now = (): PlannedAgainst => ({ clusterId: 'c1'.repeat(16), ringVersion: view().ringVersion });

beforeEach(() => {
  records = [];
  proposed = [];
  down = new Set();
  records.push(
    record({
      kind: 'create',
      clusterId: 'c1'.repeat(16),
      cluster: 'c' as ClusterName,
      strategy: 3,
      partitionCount: 16,
      targetN: 3,
      members: ['n1', 'n2', 'n3', 'n4'].map(settings),
    }),
  );
});

describe('a plan', () => {
  test('tells of every copy what the owners hold, and changes nothing', async () => {
    const plan = await makePlan(env, [join('n5')]);
    expect(plan.transfers.length).toBeGreaterThan(5);
    expect(plan.total).toEqual({
      transfers: plan.transfers.length,
      records: plan.transfers.length * 10,
      bytes: plan.transfers.length * 1_000,
      exact: true,
      unknown: 0,
    });
    expect(plan.silent).toEqual([]);
    expect(records).toHaveLength(1);
  });

  test('an owner that is down is named, and the figures of the others are no longer called exact', async () => {
    down.add(at('n3'));
    const plan = await makePlan(env, [join('n5')]);
    expect(plan.silent).toEqual(['n3']);
    expect(plan.total.exact).toBe(false);
    expect(plan.total.unknown).toBe(0);
  });

  test('a change that would be refused rejects with the words of the rule', async () => {
    await expect(makePlan(env, [join('n1')])).rejects.toMatchObject({
      code: 'invalid-argument',
      message: 'node n1 is a member already',
    });
  });
});

describe('a commit', () => {
  test('makes the changes in their order, all at one node, and the ring is the planned one', async () => {
    const plan = await makePlan(env, [join('n5'), leave('n2')]);
    const { view: after, asPlanned, records: made } = await commitPlan(env, [join('n5'), leave('n2')], now());
    expect(proposed).toEqual([
      { change: join('n5'), at: at('n1') },
      { change: leave('n2'), at: at('n1') },
    ]);
    expect(made.map(({ change }) => change)).toEqual([join('n5'), leave('n2')]);
    expect(after.ring?.fingerprint).toBe(plan.targetRing);
    expect(asPlanned).toBe(true);
  });

  test('is not given at a node that it sends away, while another answers', async () => {
    down.add(at('n2'));
    await commitPlan(env, [join('n5'), leave('n1')], now());
    expect(proposed.map(({ at: where }) => where)).toEqual([at('n3'), at('n3')]);
  });

  test('is not given at a node that is replaced', async () => {
    const changes: MembershipChange[] = [{ kind: 'replace', node: node('n1'), by: settings('n5'), dead: false }];
    expect((await commitPlan(env, changes, now())).asPlanned).toBe(true);
    expect(proposed).toEqual([{ change: changes[0], at: at('n2') }]);
  });

  test('a membership that has changed since: stale-plan, and nothing is done', async () => {
    const against = now();
    records.push(record(join('n5')));
    await expect(commitPlan(env, [leave('n2')], against)).rejects.toMatchObject({
      code: 'stale-plan',
      remedy: expect.stringContaining('Plan again') as unknown,
    });
    expect(proposed).toEqual([]);
  });

  test('another cluster: wrong-cluster, and nothing is done', async () => {
    await expect(commitPlan(env, [leave('n2')], { ...now(), clusterId: 'd2'.repeat(16) })).rejects.toMatchObject({
      code: 'wrong-cluster',
    });
    expect(proposed).toEqual([]);
  });

  test('a change that makes no sense after those before it: nothing is done', async () => {
    await expect(commitPlan(env, [leave('n2'), leave('n3')], now())).rejects.toMatchObject({
      code: 'invalid-argument',
      details: { index: 1 },
    });
    expect(proposed).toEqual([]);
  });

  test('cut short: says how far it came', async () => {
    const failing: PlanningEnv = {
      ...env,
      propose: (change, address) =>
        proposed.length === 0 ? env.propose(change, address) : Promise.reject(new ArmatureError('timeout', 'no answer')),
    };
    await expect(commitPlan(failing, [join('n5'), leave('n2')], now())).rejects.toMatchObject({
      code: 'timeout',
      message: '1 of 2 changes were made; the next (leave n2) was not: no answer',
      details: { made: 1 },
    });
  });

  test('somebody else slips in between: it is done, and said not to be as planned', async () => {
    const racing: PlanningEnv = {
      ...env,
      propose: (change, address) => {
        if (proposed.length === 1) records.push(record(join('n6')));
        return env.propose(change, address);
      },
    };
    expect((await commitPlan(racing, [join('n5'), leave('n2')], now())).asPlanned).toBe(false);
  });
});
