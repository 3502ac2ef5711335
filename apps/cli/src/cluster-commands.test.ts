import { userAtHost } from '@armature/process';
import { parseClusterName, parseNodeId, unwrap } from '@armature/kernel';
import { InProcessBroker } from '@armature/bus';
import { connectOver } from '@armature/client';
import { foldHistory, History } from '@armature/membership';
import { noTelemetry, silentLog, sleep, systemClock, systemRandom } from '@armature/runtime';
import { ArmatureNode, type LocalCluster, type ServerOptions } from '@armature/server';
import { memoryEngine } from '@armature/storage';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterReport } from './cluster-report.js';
import { localRunner, runnerOver, type Run } from './cli.test-support.js';

const started: ArmatureNode[] = [];

function startNode(broker: InProcessBroker, options: ServerOptions, name: string): Promise<ArmatureNode> {
  const ports = { bus: broker.connect(), clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry };
  const node = ArmatureNode.start({ ...options, node: unwrap(parseNodeId(name)) }, { ...ports, engine: memoryEngine() });
  void node.then((running) => started.push(running));
  return node;
}

afterEach(async () => {
  for (const node of started.splice(0)) await node.stop();
});

const report = async (run: Run): Promise<ClusterReport> => (await run(['cluster', 'status', '--json'])).json() as ClusterReport;

async function until(run: Run, isSo: (report: ClusterReport) => boolean): Promise<ClusterReport> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const now = await report(run);
    if (isSo(now)) return now;
    await sleep(systemClock, 50);
  }
  throw new Error('it did not come about in 10 s');
}

describe('creating', () => {
  const options: ServerOptions = {
    prefix: 'armature',
    cluster: unwrap(parseClusterName('local')),
    secrets: [Buffer.from('sixteen bytes, or more')], // as the runner has it
    seeds: [],
    gossipIntervalMs: 100,
  };
  const newBroker = (): InProcessBroker => new InProcessBroker({ clock: systemClock, log: silentLog });
  const runnerOn = (broker: InProcessBroker): Run =>
    runnerOver((asked) =>
      connectOver(
        { bus: broker.connect(), clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry },
        asked,
      ),
    );

  test('with one node: says which bucket can be written, and so does every error of the default one', async () => {
    const broker = newBroker();
    const run = runnerOn(broker);
    await startNode(broker, options, 'a');
    const works = '--n 1 --r 1 --w 1';
    expect((await run(['cluster', 'create', '--nodes', 'a', '--partitions', '8'])).err).toContain(works);
    const direct = ['--direct'];
    for (const command of [
      ['put', 'default', 'k', 'v'],
      ['put', 'default', 'k', 'v', '--blind'],
      ['get', 'default', 'k'],
    ]) {
      const { code, err } = await run([...command, ...direct]);
      expect(code).toBe(3);
      expect(err).toContain(works);
      expect(err).not.toContain('--blind');
    }
    expect((await run(['bucket', 'create', 'one', ...works.split(' ')])).code).toBe(0);
    expect((await run(['put', 'one', 'k', 'v', ...direct])).code).toBe(0);
    expect((await run(['get', 'one', 'k', ...direct])).out).toBe('v');
  });

  test('with the token of an administrator and without the secret; the history has whose it was', async () => {
    const broker = newBroker();
    const run = runnerOn(broker);
    await startNode(broker, options, 'a');
    const made = await run(['token', 'create', '--subject', 'ada', '--role', 'administrator']);
    const env = { ARMATURE_TOKEN: made.out.trim() };
    expect(await run(['cluster', 'create', '--nodes', 'a', '--partitions', '8'], { env })).toMatchObject({ code: 0 });
    const { changes } = (await run(['cluster', 'history', '--json'], { env })).json() as { changes: { author: string }[] };
    expect(changes[0]?.author).toBe('ada');
  });

  const broker = newBroker();
  const run = runnerOn(broker);

  test('nobody runs, nobody is a member, a name is wrong, then it is created: each is said for what it is', async () => {
    expect(await run(['cluster', 'status'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('no node of this cluster answers') as unknown,
    });
    await startNode(broker, options, 'a');
    await startNode(broker, options, 'b');
    expect(await run(['cluster', 'status'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('has not been created yet') as unknown,
    });
    expect(await run(['ring'])).toMatchObject({ code: 3, err: expect.stringContaining('armature cluster create') as unknown });
    expect((await run(['ping'])).code).toBe(3);
    expect((await run(['cluster', 'create'])).code).toBe(2);
    expect((await run(['cluster', 'create', '--nodes', 'a,b', '--partitions', '100'])).code).toBe(2);
    expect((await run(['cluster', 'create', '--nodes', 'a,b', '--zones', 'c=east'])).err).toContain(
      'names c, which is not among --nodes',
    );
    expect((await run(['cluster', 'create', '--nodes', 'a,a'])).code).toBe(2);

    const created = await run([
      'cluster',
      'create',
      '--nodes',
      'a,b',
      '--partitions',
      '32',
      '--zones',
      'a=east',
      '--weights',
      'b=3',
    ]);
    expect(created).toMatchObject({ code: 0, out: 'cluster local created: 2 nodes, 32 partitions\n' });
    expect(created.err).toContain('each key has 2 copies until more nodes join');
    const now = await until(run, ({ problems }) => problems.length === 0);
    expect(now.members.map(({ node, zone, weight, partitions }) => [node, zone, weight, partitions])).toEqual([
      ['a', 'east', 1, 32],
      ['b', 'default', 3, 32],
    ]);
    expect((await run(['cluster', 'create', '--nodes', 'a,b'])).err).toContain('exists already');
  });
});

describe('a running cluster', () => {
  let cluster: LocalCluster;
  let run: Run;

  beforeAll(async () => {
    ({ cluster, run } = await localRunner({ partitionCount: 32, zoneOf: (node) => (node === 'n1' ? 'east' : 'west') }));
  });
  afterAll(() => cluster.stop());

  test('status: one line per member, and that all is well', async () => {
    const { code, out } = await run(['cluster', 'status', '--check']);
    expect(code).toBe(0);
    expect(out).toMatch(/^n1 +up +east +1 +3\d\.\d % +32 +yes +0 +- +memory /m);
    expect(out).toContain('All members answer and agree.');
  });

  test('join, weight, zone, leave: made, followed to their end, and in the history', async () => {
    expect((await run(['cluster', 'join', 'n4'])).err).toContain('n4 does not answer, so it was not let in');
    await startNode(cluster.broker, cluster.options, 'n4');
    expect((await run(['cluster', 'join', 'n4', '--zone', 'east', '--weight', '2'])).code).toBe(0);
    await until(run, ({ members }) => members.find(({ node }) => node === 'n4')?.state === 'up');
    expect((await run(['cluster', 'join', 'n4'])).code).toBe(2);
    expect((await run(['cluster', 'weight', 'n4', '1'])).code).toBe(0);
    expect((await run(['cluster', 'weight', 'n4', 'heavy'])).code).toBe(2);
    expect((await run(['cluster', 'zone', 'n4', 'west'])).code).toBe(0);
    await until(run, ({ members }) => members.every(({ state }) => state === 'up'));
    expect((await run(['cluster', 'remove', 'n4'])).err).toContain('it is not gone');
    expect((await run(['cluster', 'leave', 'n4'])).code).toBe(0);
    await until(run, ({ members }) => members.every(({ node, state }) => node !== 'n4' && state === 'up'));
    const { out, err } = await run(['cluster', 'history']);
    for (const words of [
      'create local: n1, n2, n3; 32 partitions',
      'join n4, zone east, weight 2',
      'weight n4 1',
      'zone n4 west',
      'leave n4',
    ]) {
      expect(out).toContain(words);
    }
    expect(out).toContain(userAtHost());
    expect(out).toMatch(/ join n4, not done: invalid-argument/);
    expect([out, err]).toEqual([
      expect.not.stringContaining('ready n4'),
      expect.stringMatching(/and \d+ announcements? of nodes/) as unknown,
    ]);
    expect((await run(['cluster', 'history', '--all'])).out).toContain('ready n4');
  });

  test('a member that is gone: status says so, ping exits with 3, remove gives it up', async () => {
    const { cluster: other, run: there } = await localRunner({ nodes: ['n1', 'n2', 'n3', 'n4'], partitionCount: 32 });
    try {
      await other.nodes[3]?.stop();
      const { code, out } = await there(['cluster', 'status', '--check']);
      expect([code, out]).toEqual([1, expect.stringMatching(/! n4 does not answer/) as unknown]);
      expect(await there(['ping', '-c', '1'])).toMatchObject({ code: 3, out: expect.stringMatching(/^n4 +0\/1/m) as unknown });
      expect(await there(['ping', 'n1', '-c', '2'])).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^n1 +2\/2/m) as unknown,
      });
      expect((await there(['cluster', 'remove', 'n4'])).code).toBe(0);
      const after = await until(there, ({ members }) => members.length === 3 && members.every(({ state }) => state === 'up'));
      expect(after.problems).toEqual([]);
    } finally {
      for (const node of other.nodes.slice(0, 3)) await node.stop();
      await other.client.close();
      await other.router.stop();
    }
  });

  test('replace: by a node that runs and is no member, in good order or, when the old one is dead, at once', async () => {
    const { cluster: other, run: there } = await localRunner({ nodes: ['n1', 'n2', 'n3', 'n4'], partitionCount: 32 });
    try {
      expect((await there(['cluster', 'replace', 'n4', 'n5'])).err).toContain('n5 does not answer, so it was not let in');
      await startNode(other.broker, other.options, 'n5');
      const alive = (await there(['cluster', 'replace', 'n4', 'n5', '--dead'])).err;
      expect(alive).toContain('n4 answers: it is not gone');
      expect(alive).toContain('Leave out --dead');
      expect((await there(['cluster', 'replace', 'n4', 'n3'])).err).toContain('n3 is a member already');
      expect(await there(['cluster', 'replace', 'n4', 'n5'])).toMatchObject({
        code: 0,
        out: expect.stringContaining('n5 copies the share of n4 now') as unknown,
      });
      await until(
        there,
        ({ members }) => members.length === 4 && members.every(({ node, state }) => node !== 'n4' && state === 'up'),
      );
      await other.nodes[2]?.stop();
      expect((await there(['cluster', 'replace', 'n3', 'n4', '--dead', '--weight', '2'])).code).toBe(0);
      await until(there, ({ members }) => members.every(({ node, state }) => node !== 'n3' && state === 'up'));
      const { out } = await there(['cluster', 'history']);
      expect(out).toContain('replace n4 by n5, zone default, weight 1');
      expect(out).toContain('replace n3, which is dead, by n4, zone default, weight 2');
    } finally {
      for (const node of other.nodes.filter((_, i) => i !== 2)) await node.stop();
      await other.client.close();
      await other.router.stop();
    }
  });

  test('ring: shares, drawing, and where a key lives', async () => {
    const { out } = await run(['ring']);
    expect(out).toMatch(/^ +0 {2}[abc]{32}$/m);
    expect(out).toMatch(/^a +n1 +east +1 +█+ 1\d +3\d\.\d % +32$/m);
    const asJson = (await run(['ring', '--json'])).json() as { owners: string[]; nodes: { owned: number }[] };
    expect(asJson.owners).toHaveLength(32);
    expect(asJson.nodes.reduce((sum, { owned }) => sum + owned, 0)).toBe(32);

    await run(['put', 'default', 'alice', 'x']);
    const place = (await run(['ring', '--key', 'alice', '--json'])).json() as {
      partition: number;
      owners: string[];
      position: string;
    };
    expect(place.owners.toSorted()).toEqual(['n1', 'n2', 'n3']);
    expect(place.position).toMatch(/^[0-9a-f]{32}$/);
    expect(place.partition).toBe(parseInt(place.position.slice(0, 2), 16) >> 3);
    expect((await run(['ring', '--key', 'alice'])).out).toMatch(new RegExp(`partition +${place.partition} of 32[\\s\\S]*\\*`));
    expect((await run(['ring', '--key', 'alice', '--bucket', 'nowhere'])).code).toBe(4);
  });

  test('bucket: create, show, update, list', async () => {
    expect(
      (await run(['bucket', 'create', 'carts', '--r', '1', '--resolver', 'last-write-wins', '--json'])).json(),
    ).toMatchObject({
      bucket: 'carts',
      n: 3,
      r: 1,
      w: 2,
      resolver: 'last-write-wins',
    });
    expect((await run(['bucket', 'create', 'carts'])).err).toContain('armature bucket update carts');
    expect((await run(['bucket', 'update', 'carts', '--w', '3', '--json'])).json()).toMatchObject({ r: 1, w: 3 });
    expect((await run(['bucket', 'update', 'carts'])).code).toBe(2);
    expect((await run(['bucket', 'update', 'carts', '--n', '2'])).code).toBe(2);
    expect((await run(['bucket', 'update', 'nowhere', '--r', '1'])).code).toBe(4);
    expect((await run(['bucket', 'show', 'nowhere'])).code).toBe(4);
    expect((await run(['bucket', 'create', 'greedy', '--r', '5'])).err).toContain("more than the bucket's n=3");
    expect((await run(['bucket', 'create', 'odd', '--durability', 'maybe'])).code).toBe(2);
    expect((await run(['bucket', 'show', 'carts'])).out).toMatch(/^w +3 /m);
    expect((await run(['bucket', 'list'])).out).toMatch(/^carts +3 +1 +3 +0 +0 +0 +last-write-wins +fsync/m);
  });
});

test('nodes that disagree on the ring version are told by name', async () => {
  const { reportOf } = await import('./cluster-report.js');
  const { cluster, run } = await localRunner({ partitionCount: 32 });
  try {
    const { changes } = (await run(['cluster', 'history', '--all', '--json'])).json() as {
      changes: Parameters<typeof historyOf>[0];
    };
    const statuses = await cluster.client.admin.members();
    const behind = statuses.map((one) =>
      one.node === 'n2' && one.status !== undefined
        ? { ...one, status: { ...one.status, ring: 1 as typeof one.status.ring } }
        : one,
    );
    const said = reportOf(foldHistory(historyOf(changes)), behind)?.problems ?? [];
    expect(said).toEqual([
      expect.stringMatching(/^the nodes disagree on the ring version \(n1, n3: [0-9a-f]+; n2: 1\)/) as unknown,
    ]);
  } finally {
    await cluster.stop();
  }
});

function historyOf(records: Parameters<History['merge']>[0]): History {
  return unwrap(History.empty.merge(records)).history;
}
