/**
 * Plan, commit, watch, as an operator does it: the real command line against real processes. What a plan says has to be what then
 * happens.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '@armature/client';
import type { NodeId, PartitionId } from '@armature/kernel';
import { ProcessCluster } from '@armature/tools/process-cluster';
import { programArgs } from '@armature/tools/program';

const run = promisify(execFile);
const KEYS = 600;
const VALUE = 'x'.repeat(1_000);
const PARTITIONS = 64;

interface Planned {
  readonly total: { readonly transfers: number; readonly records: number; readonly bytes: number; readonly unknown: number };
  readonly transfers: readonly { readonly to: string; readonly partition: number; readonly from: readonly string[] }[];
  readonly after: { readonly nodes: readonly { readonly node: string; readonly partitions: number }[] };
}

let cluster: ProcessCluster;
let client: Client;

beforeAll(async () => {
  cluster = await ProcessCluster.start({ partitionCount: PARTITIONS });
  client = await cluster.connect({ routing: 'direct' });
  const bucket = client.bucket('default');
  for (let i = 0; i < KEYS; i += 25)
    await Promise.all(Array.from({ length: 25 }, (_, j) => bucket.put(`key-${i + j}`, VALUE, { w: 'all' })));
});
afterAll(async () => {
  await client.close();
  await cluster.stop();
});

async function armature(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [...programArgs('cli'), ...cluster.accessArgs, ...args]);
    return { code: 0, out: stdout, err: stderr };
  } catch (thrown) {
    const failed = thrown as { code: number; stdout: string; stderr: string };
    return { code: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

const file = (name: string): string => join(cluster.directory, name);

test('a join is planned, committed and followed to its end: the membership is the planned one, and what moved is what was planned', async () => {
  await cluster.launch('node', 'n4');
  await cluster.untilAnswering('n4');
  const shown = await armature('cluster', 'plan', 'join', 'n4', '--out', file('plan.json'));
  expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(/^n4 +\d+ +≈?\d+ +≈?[\d.]+ kB +n1 n2 n3$/m) as unknown });
  const plan = JSON.parse(readFileSync(file('plan.json'), 'utf8')) as Planned;
  expect(plan.total.unknown).toBe(0);
  expect(plan.total.bytes).toBeGreaterThan(0);
  expect(plan.transfers.every(({ to, from }) => to === 'n4' && from.length === 3)).toBe(true);
  // A second plan, for the same membership: it will be stale.
  writeFileSync(file('stale.json'), (await armature('cluster', 'plan', 'join:n4,weight=2', '--json')).out);

  const committed = await armature('cluster', 'commit', file('plan.json'), '--wait', '--json');
  expect([committed.code, committed.err]).toEqual([0, '']);
  const outcome = JSON.parse(committed.out) as { moved: { records: number; bytes: number } };
  expect(outcome).toMatchObject({ settled: true, asPlanned: true });
  const held = (await client.admin.holdings('n4' as NodeId)).shares.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`planned ${plan.total.bytes} bytes, ${outcome.moved.bytes} were received, ${held} are held`);
  for (const bytes of [outcome.moved.bytes, held]) {
    expect(bytes).toBeGreaterThan(plan.total.bytes * 0.7);
    expect(bytes).toBeLessThan(plan.total.bytes * 1.3);
  }

  const view = await client.admin.view();
  const owned = Array.from({ length: PARTITIONS }, (_, p) => view.placementOf(p as PartitionId, 3)).filter(({ owners }) =>
    owners.includes('n4' as NodeId),
  );
  expect(owned.map(({ partition }) => partition)).toEqual(plan.transfers.map(({ partition }) => partition));
  expect(plan.after.nodes.find(({ node }) => node === 'n4')?.partitions).toBe(owned.length);
});

test('a plan made before another change is refused, and nothing is done', async () => {
  const before = await client.admin.history();
  const refused = await armature('cluster', 'commit', file('stale.json'));
  expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('stale-plan') as unknown });
  expect(refused.err).toContain('try: Plan again');
  expect(await client.admin.history()).toHaveLength(before.length);
});

test('several changes out of a pipe: a node leaves while another is weighed, and transfers --watch ends when all is settled', async () => {
  const words = [process.execPath, ...programArgs('cli'), ...cluster.accessArgs];
  const cli = words.map((word) => `"${word}"`).join(' ');
  await run('sh', ['-c', `${cli} cluster plan leave:n4 weight n2 1.5 --json | ${cli} cluster commit -`]);
  const watched = await armature('cluster', 'transfers', '--watch');
  expect(watched).toMatchObject({ code: 0, out: expect.stringMatching(/Everything is settled\.\n$/) as unknown });
  const view = await client.admin.view();
  expect([...view.members.keys()].sort()).toEqual(['n1', 'n2', 'n3']);
  expect(view.members.get('n2' as NodeId)?.weight).toBe(1.5);
  const lost: string[] = [];
  for (let i = 0; i < KEYS; i++) if ((await client.bucket('default').get(`key-${i}`))?.values.length !== 1) lost.push(`key-${i}`);
  expect(lost).toEqual([]);
});
