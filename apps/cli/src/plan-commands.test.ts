import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { parseNodeId, unwrap } from '@armature/kernel';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { ArmatureNode, type LocalCluster } from '@armature/server';
import { memoryEngine } from '@armature/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localRunner, type Run } from './cli.test-support.js';
import type { PlanDocument } from './plan/plan-document.js';
import type { TransferReport } from './transfer-report.js';

let cluster: LocalCluster;
let run: Run;
let directory: string;
const newcomers: ArmatureNode[] = [];

async function startNode(name: string): Promise<void> {
  const { broker, options } = cluster;
  const ports = { bus: broker.connect(), clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry };
  newcomers.push(await ArmatureNode.start({ ...options, node: unwrap(parseNodeId(name)) }, { ...ports, engine: memoryEngine() }));
}

const file = (name: string): string => join(directory, name);
const planned = async (...words: string[]): Promise<PlanDocument> =>
  (await run(['cluster', 'plan', ...words, '--json'])).json() as PlanDocument;
const settle = () => run(['cluster', 'transfers', '--watch', '--json']);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'armature-plan-'));
  ({ cluster, run } = await localRunner({ partitionCount: 16 }));
  const bucket = cluster.client.bucket('default');
  for (let i = 0; i < 100; i++) await bucket.put(`key ${i}`, 'x'.repeat(200), { w: 3 });
  for (const name of ['n4', 'n5']) await startNode(name);
});
afterAll(async () => {
  for (const node of newcomers) await node.stop();
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('cluster plan', () => {
  test('says who copies how much from whom, and how the load lies before and after; nothing changes', async () => {
    const { code, out, err } = await run(['cluster', 'plan', 'join', 'n4']);
    expect([code, err]).toEqual([0, 'Nothing was changed. --out <file> keeps the plan.\n']);
    expect(out).toMatch(/^cluster local: join:n4$/m);
    expect(out).toMatch(/^n4 +12 +≈?\d+ +≈?\d+\.\d kB +n1 n2 n3$/m);
    expect(out).toMatch(/^n1 +16 +100\.0 % +12 +100\.0 %$/m);
    expect(out).toMatch(/^n4 +- +- +12 +100\.0 %$/m);
    expect((await cluster.client.admin.view()).members.size).toBe(3);
  });

  test('several changes: each step, and the total of all', async () => {
    const document = await planned('join:n4', 'join', 'n5', 'leave:n1');
    expect(document.steps.map(({ change }) => change.kind)).toEqual(['join', 'join', 'leave']);
    expect(document.total.transfers).toBe(document.transfers.length);
    expect(document.transfers.every(({ from, to }) => from.length === 3 && !from.includes(to))).toBe(true);
    expect(document.transfers.every(({ records, bytes }) => records !== null && bytes !== null)).toBe(true);
    expect((await run(['cluster', 'plan', 'join:n4', 'join', 'n5', 'leave:n1'])).out).toMatch(
      /^ {2}2\. join:n5: \d+ copies of partitions; \d+ (copy|copies) of those before (is|are) not needed then$/m,
    );
  });

  test('a join makes room for a leave in the same plan', async () => {
    const words = ['join:n4,zone=b', 'leave:n1', 'weight:n2=2'];
    expect((await run(['cluster', 'plan', ...words, '--out', file('several.json')])).code).toBe(0);
    const { changes, after } = JSON.parse(readFileSync(file('several.json'), 'utf8')) as PlanDocument;
    expect(changes).toEqual([
      { kind: 'join', node: 'n4', zone: 'b', weight: 1 },
      { kind: 'leave', node: 'n1' },
      { kind: 'weight', node: 'n2', weight: 2 },
    ]);
    expect(after.nodes.map(({ node }) => node)).toEqual(['n2', 'n3', 'n4']);
  });

  test('what would be refused is refused, and with its place among several', async () => {
    expect(await run(['cluster', 'plan', 'leave', 'n1'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('without n1 there would be 2 nodes') as unknown,
    });
    expect((await run(['cluster', 'plan', 'join:n4', 'leave:n1', 'leave:n2'])).err).toContain('change 3 of 3 (leave n2)');
    expect((await run(['cluster', 'plan', 'n4'])).code).toBe(2);
    expect((await run(['cluster', 'plan'])).code).toBe(2);
  });

  test('a node that does not run is warned of', async () => {
    const { code, err } = await run(['cluster', 'plan', 'join', 'n9']);
    expect([code, err]).toEqual([0, expect.stringContaining('! n9 does not answer: start it before you let it in') as unknown]);
  });

  test('a node that runs is not to be removed without a word', async () => {
    expect((await run(['cluster', 'plan', 'join:n4', 'remove:n1'])).err).toContain(
      '! n1 answers, and would hand over what it holds if it left instead: leave:n1',
    );
  });

  test('a replacement: nothing moves but what the old node owns; its successor must run, and who is called dead should not', async () => {
    const document = await planned('replace', 'n1', 'n4');
    expect(document.changes).toEqual([
      { kind: 'replace', node: 'n1', by: { node: 'n4', zone: 'default', weight: 1 }, dead: false },
    ]);
    expect(document.transfers.map(({ to }) => to)).toEqual(Array<string>(16).fill('n4'));
    expect((await run(['cluster', 'plan', 'replace', 'n1', 'n4', '--dead'])).err).toContain(
      '! n1 answers, and would hand over what it holds if it were not called dead: replace:n1=n4',
    );
    expect((await run(['cluster', 'plan', 'replace:n1=n9'])).err).toContain('! n9 does not answer: start it');
    const absent = JSON.stringify(await planned('replace:n1=n9'));
    expect((await run(['cluster', 'commit', '-'], { stdin: absent })).err).toContain('nothing was done: n9 does not answer');
  });

  test('--zone and --weight are those of the node that joins', async () => {
    const { changes } = await planned('join', 'n4', '--zone', 'west', '--weight', '2');
    expect(changes).toEqual([{ kind: 'join', node: 'n4', zone: 'west', weight: 2 }]);
  });
});

describe('cluster commit', () => {
  test('what is no plan, or a plan of nodes that do not run, is refused and nothing is done', async () => {
    expect((await run(['cluster', 'commit', file('nowhere.json')])).err).toContain('cannot read');
    expect((await run(['cluster', 'commit', '-'], { stdin: 'join n4' })).err).toContain('standard input is not a plan');
    expect((await run(['cluster', 'commit', '-'], { stdin: '{"format":2}' })).err).toContain('it has format 2');
    const document = await planned('join', 'n4');
    const create = { ...document, changes: [{ kind: 'bucket', bucket: 'b', properties: {} }] };
    expect((await run(['cluster', 'commit', '-'], { stdin: JSON.stringify(create) })).err).toContain('cannot be planned');
    const elsewhere = { ...document, clusterId: '0'.repeat(32) };
    expect((await run(['cluster', 'commit', '-'], { stdin: JSON.stringify(elsewhere) })).err).toContain('another cluster');
    const absent = JSON.stringify(await planned('join', 'n9'));
    expect(await run(['cluster', 'commit', '-'], { stdin: absent })).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing was done: n9 does not answer') as unknown,
    });
    expect((await cluster.client.admin.view()).members.size).toBe(3);
  });

  test('--wait makes the changes, follows the transfers to their end, and the cluster is as planned', async () => {
    expect((await run(['cluster', 'plan', 'join', 'n4', '--out', file('join.json')])).err).toContain(
      `Make it so: armature cluster commit ${file('join.json')} --wait`,
    );
    const document = JSON.parse(readFileSync(file('join.json'), 'utf8')) as PlanDocument;
    const { code, out, err } = await run(['cluster', 'commit', file('join.json'), '--wait'], { terminal: true });
    expect(code).toBe(0);
    expect(out).toContain('1 change is made.');
    expect(out).toMatch(/Settled in .* received \(planned: ≈?\d+ records, /);
    expect(err).toMatch(/copied [█░]+ \d+ of \d+ {2}/);
    const { members, ring } = await cluster.client.admin.view();
    expect([...members.keys()].sort()).toEqual(['n1', 'n2', 'n3', 'n4']);
    const owned = document.after.nodes.find(({ node }) => node === 'n4')?.partitions;
    const held = Array.from({ length: 16 }, (_, p) => ring!.primariesOf(p as never, 3)).filter((nodes) =>
      (nodes as readonly string[]).includes('n4'),
    );
    expect(held).toHaveLength(owned ?? -1);
  });

  test('a plan that was made before another change: refused with the way out, and nothing is done', async () => {
    await settle();
    const stale = JSON.stringify(await planned('join', 'n5'));
    expect((await run(['cluster', 'weight', 'n4', '0.5'])).code).toBe(0);
    const refused = await run(['cluster', 'commit', '-'], { stdin: stale });
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /^error: the membership has changed since the plan was made; nothing was done\n {2}try: Plan again: /,
    );
    expect((await cluster.client.admin.view()).members.has('n5' as never)).toBe(false);
    await settle();
  });

  test('interrupted: stops to wait, not the transfers; and without --wait it says how to follow', async () => {
    const plan = JSON.stringify(await planned('join', 'n5'));
    const ran = await run(['cluster', 'commit', '-'], { stdin: plan });
    expect([ran.code, ran.err]).toEqual([0, 'Follow the transfers: armature cluster transfers --watch\n']);
    await settle();
    const leaving = JSON.stringify(await planned('leave', 'n5'));
    const cut = await run(['cluster', 'commit', '-', '--wait'], { stdin: leaving, interrupt: AbortSignal.abort() });
    expect([cut.code, cut.err]).toEqual([130, expect.stringContaining('the transfers go on') as unknown]);
    await settle();
    expect((await cluster.client.admin.view()).members.has('n5' as never)).toBe(false);
  });

  test('a replacement is made as planned: the successor has the very share, and the old node goes', async () => {
    const before = (await cluster.client.admin.view()).ring!;
    const plan = await planned('replace', 'n4', 'n5');
    const committed = await run(['cluster', 'commit', '-', '--wait', '--json'], { stdin: JSON.stringify(plan) });
    expect(committed.json()).toMatchObject({ asPlanned: true, settled: true, records: [{ change: { kind: 'replace' } }] });
    const { members, ring } = await cluster.client.admin.view();
    expect([...members.keys()].sort()).toEqual(['n1', 'n2', 'n3', 'n5']);
    for (let partition = 0; partition < 16; partition++)
      expect(ring!.primariesOf(partition as never, 3)).toEqual(
        before.primariesOf(partition as never, 3).map((owner) => (owner === 'n4' ? 'n5' : owner)),
      );
  });

  test('--json: the records, what was planned and what was moved', async () => {
    const plan = JSON.stringify(await planned('weight:n5=1'));
    const { code, json } = await run(['cluster', 'commit', '-', '--wait', '--json'], { stdin: plan });
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      asPlanned: true,
      settled: true,
      records: [{ change: { kind: 'weight', node: 'n5', weight: 1 } }],
    });
  });
});

describe('cluster transfers', () => {
  test('nothing on the move: one line per node, and that all is settled', async () => {
    const { out } = await run(['cluster', 'transfers']);
    expect(out).toMatch(/^n1 +- +0 +/m);
    expect(out).toContain('Everything is settled.');
    expect((await run(['cluster', 'transfers', '--json'])).json()).toMatchObject({ settled: true, pending: 0 });
  });

  test('--watch ends when everything is settled: redrawn on a terminal, lines elsewhere, documents with --json', async () => {
    await run(['cluster', 'weight', 'n5', '3']);
    expect((await run(['cluster', 'transfers', '--watch'])).out).toMatch(/Everything is settled\.\n$/);
    const terminal = await run(['cluster', 'transfers', '--watch'], { terminal: true });
    expect([terminal.code, terminal.out]).toEqual([0, expect.stringContaining('Everything is settled.') as unknown]);
    const documents = (await run(['cluster', 'transfers', '--watch', '--json'])).out.trim().split('\n');
    expect((JSON.parse(documents.at(-1) ?? '') as TransferReport).settled).toBe(true);
  });

  test('a node that is to copy and is down keeps it unsettled; Ctrl-C leaves quietly', async () => {
    await newcomers.shift()?.stop();
    await cluster.client.admin.join('n4');
    const { code, out, err } = await run(['cluster', 'transfers', '--watch'], { interrupt: AbortSignal.abort() });
    expect([code, err]).toEqual([130, '']);
    expect(out).toMatch(/^n4 down: 0 partitions filled, \d+ pending; 0 records, 0 B received; does not answer/m);
    const leaving = new AbortController();
    let drawings = 0;
    const onOut = () => {
      if (++drawings === 3) leaving.abort();
    };
    const watched = await run(['cluster', 'transfers', '--watch'], { terminal: true, interrupt: leaving.signal, onOut });
    expect([watched.code, watched.err]).toEqual([130, '']);
    // Each drawing goes back to where the one before began.
    const [first = '', ...more] = watched.out.split('\u001b[0J');
    expect(more.length).toBeGreaterThan(1);
    const drawn = stripVTControlCharacters(first).split('\n').slice(0, -1);
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0);
    expect(rows).toBeGreaterThan(drawn.length); // a line is longer than a row
    expect(first.slice(first.lastIndexOf('\n') + 1)).toBe(`\u001b[${rows}A`);
    expect((await run(['cluster', 'status'])).out).toMatch(
      /on the way to new owners\. Follow (it|them): armature cluster transfers --watch/,
    );
  });
});
