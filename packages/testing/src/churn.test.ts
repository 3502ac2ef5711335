/**
 * Membership that changes under load and faults: nodes join, leave, are reweighed and called back while others are killed, cut off or paused. In peace, all replicas
 * become equal, nobody holds what is others', and what is left is what the clients' log says must be left.
 */
import { describe, expect, test } from 'vitest';
import { parseZoneName, pick, unwrap, utf8Decode, type NodeId } from '@armature/kernel';
import type { Change } from '@armature/protocol';
import { checkFinalState } from './check/final-state.js';
import { OperationLog } from './check/operation-log.js';
import { agreementOf, contentsOf, DotRegister, heldUnder, nameOf, type Held } from './check/replica-contents.js';
import { SimulatedCluster } from './cluster/simulated-cluster.js';
import { Nemesis } from './faults/nemesis.js';
import { RegisterClient } from './workload/registers.js';
import { World } from './world/world.js';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
const LOAD_MS = 60_000;
const PEACE_LIMIT_MS = 300_000;

/** Changes at random moments; what the rules do not allow is refused, and that is that. */
async function churn(cluster: SimulatedCluster, untilMs: number): Promise<number> {
  const { world } = cluster;
  const random = world.random('churn');
  let made = 0;
  while (world.nowMs < untilMs) {
    await world.sleep(random.int(6_000));
    const node = pick(random, NODES.slice(1)) as NodeId;
    const at = pick(random, cluster.running)?.options.node;
    const changes: Change[] = [
      { kind: 'join', node, weight: 1, zone: unwrap(parseZoneName('default')) },
      { kind: 'leave', node },
      { kind: 'weight', node, weight: 0.5 + random.float() },
    ];
    const change = pick(random, changes);
    if (at === undefined || change === undefined) continue;
    const members = cluster.member(at).node?.participant.membership.view.members;
    const staying = [...(members?.values() ?? [])].filter(({ state }) => state === 'member').length;
    if (change.kind === 'leave' && staying <= 3) continue;
    made += await cluster.propose(at, change).then(
      () => 1,
      () => 0,
    );
  }
  return made;
}

/** Records at nodes that are neither owners nor to be any. */
function straysOf(cluster: SimulatedCluster, contents: ReadonlyMap<NodeId, readonly Held[]>): string[] {
  const { view } = cluster.running[0]!.participant.membership;
  return [...contents].flatMap(([node, held]) =>
    held.flatMap(({ address, hintFor }) => {
      const { owners, pending } = view.placement(address, 3);
      return hintFor === undefined && !owners.includes(node) && !pending.includes(node)
        ? [`${node} holds ${nameOf(address)}`]
        : [];
    }),
  );
}

async function runOf(seed: number): Promise<{ violations: string[]; acknowledged: number; changes: number; faults: number }> {
  const world = new World({ seed });
  const cluster = await world.until(SimulatedCluster.start(world, { nodes: NODES.slice(0, 4), workers: ['a1'] }));
  await world.until(cluster.startNode('n5' as NodeId));
  const log = new OperationLog();
  const dots = new DotRegister();
  const clients: RegisterClient[] = [];
  for (const name of ['c1', 'c2']) {
    const load = { bucket: 'default', keys: 40, thinkMs: 150, deletes: 0.1, blind: 0.15 };
    clients.push(new RegisterClient(world, log, name, await world.until(cluster.connect(name)), load));
  }
  for (const { name, disk } of cluster.members.values()) {
    disk.onWrite = (batch) => {
      for (const operation of batch) {
        const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
        if (held !== undefined) dots.see(held, name);
      }
    };
  }
  const nemesis = new Nemesis(cluster, {
    kinds: [
      'partition',
      'one-way',
      'loss',
      'slow-link',
      'disorder',
      'bus-restart',
      'kill',
      'power',
      'stop',
      'pause',
      'slow-disk',
    ],
    everyMs: 4_000,
    lastMs: 4_000,
  });
  const loadedMs = world.nowMs + LOAD_MS;
  const running = Promise.all([...clients.map((client) => client.run()), nemesis.run()]);
  const changing = churn(cluster, loadedMs);
  await world.run(loadedMs);
  for (const client of clients) client.stop();
  await world.until(nemesis.heal());
  await world.until(running);
  const changes = await world.until(changing);

  const contents = (): Map<NodeId, Held[]> =>
    new Map([...cluster.members.values()].map(({ name, disk }) => [name, contentsOf(disk.image())]));
  const unrest = (): string[] => {
    const held = contents();
    return [...agreementOf(cluster.running[0]!.participant.membership.view, held).differences, ...straysOf(cluster, held)];
  };
  const limitMs = world.nowMs + PEACE_LIMIT_MS;
  while (unrest().length > 0 && world.nowMs < limitMs) await world.run(world.nowMs + 2_000);
  const final = new Map<string, Set<string>>();
  for (const held of contents().values()) {
    for (const { address, set } of held) {
      const key = nameOf(address).slice('default/'.length);
      const present = final.get(key) ?? new Set();
      final.set(key, present);
      for (const { version } of set.siblings) if (!version.tombstone) present.add(utf8Decode(version.value));
    }
  }
  return {
    violations: [...world.problems, ...dots.violations, ...unrest(), ...checkFinalState(log, final, dots.repeated)],
    acknowledged: log.count('acknowledged'),
    changes,
    faults: nemesis.count,
  };
}

describe('membership that changes under load and faults', () => {
  test.each([1, 2, 3])(
    'seed %i: nothing is lost, nothing returns, replicas become equal, and nobody keeps what is others’',
    async (seed) => {
      const { violations, ...counts } = await runOf(seed);
      console.log(`seed ${seed}: ${JSON.stringify(counts)}`);
      expect(violations).toEqual([]);
      expect(counts.acknowledged).toBeGreaterThan(100);
      expect(counts.changes).toBeGreaterThan(2);
    },
  );
});
