/**
 * Roles on real processes: the command line and the library give commands with a token and without the secret, what is not
 * allowed is refused, and it is known who gave what.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { connect as connectNats, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '@armature/cli';
import { connect } from '@armature/client';
import { systemClock } from '@armature/runtime';
import { ProcessCluster } from '@armature/tools/process-cluster';

const ROLES = ['viewer', 'operator', 'administrator'] as const;
const NOT_ALLOWED = 7;
const PATIENT = { timeout: 30_000 };

let cluster: ProcessCluster;
let nats: NatsConnection;
/** Of all that went over the bus. */
const heard: { readonly subject: string; readonly payload: Uint8Array }[] = [];

beforeAll(async () => {
  cluster = await ProcessCluster.start({ workers: ['a1'], partitionCount: 16 });
  nats = await connectNats({ servers: cluster.natsUrl });
  nats.subscribe('armature.>', {
    callback: (_error, { subject, data }) => void heard.push({ subject, payload: data }),
  });
  for (const role of ROLES) {
    const made = await run(
      'token',
      'create',
      '--subject',
      `the ${role}`,
      '--role',
      role,
      '--out',
      tokenFile(role),
      ...withSecret(),
    );
    expect([made.err, made.code]).toEqual([expect.stringContaining(role) as unknown, 0]);
  }
});
afterAll(async () => {
  await nats.close();
  await cluster.stop();
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const tokenFile = (name: string): string => join(cluster.directory, `${name}.token`);
const withSecret = (): string[] => ['--secret-file', cluster.secretFile];
const as = (role: string, ...command: string[]): Promise<Ran> => run(...command, '--token-file', tokenFile(role));

/** A command in this process, with what it says. */
async function run(...args: string[]): Promise<Ran> {
  const said = { out: '', err: '' };
  const into = (where: 'out' | 'err'): Writable =>
    new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _encoding, done) {
        said[where] += chunk.toString();
        done();
      },
    });
  const code = await runCli([...args, '--nats', cluster.natsUrl, '--cluster', cluster.cluster], {
    ...{ stdin: Readable.from([]), stdout: into('out'), stderr: into('err'), env: {}, clock: systemClock, connect },
    rawArguments: () => undefined,
    catchInterrupt: () => new AbortController().signal,
  });
  return { code, ...said };
}

interface Told {
  readonly changes: readonly { readonly author: string; readonly change: { readonly kind: string } }[];
  readonly commands: readonly {
    readonly author: string;
    readonly command: string;
    readonly outcome: string;
    readonly at: string;
    readonly count: number;
  }[];
  readonly silent: readonly string[];
}

async function history(): Promise<Told> {
  const { out } = await as('viewer', 'cluster', 'history', '--json');
  return JSON.parse(out) as Told;
}

describe('with a token and without the secret', () => {
  const looks = [
    'cluster status',
    'cluster history',
    'cluster transfers',
    'cluster access',
    'bucket list',
    'ring',
    'ping',
    'repair status',
  ];
  const work = ['repair', 'reap', 'repair pause', 'repair resume'];
  const changes = [
    'bucket create carts',
    'cluster weight n1 2',
    'cluster access --tokens required',
    'cluster access --tokens optional',
  ];

  test.each([
    ['viewer', looks, [...work, ...changes.slice(0, 3)]],
    ['operator', [...looks, ...work], changes.slice(0, 3)],
    ['administrator', [...looks, ...work, ...changes], []],
  ])(
    '%s: every command that the role allows works, and every other one ends with 7 and names the role it takes',
    async (role, allowed, refused) => {
      for (const command of allowed) expect([command, (await as(role, ...command.split(' '))).code]).toEqual([command, 0]);
      for (const command of refused) {
        const ended = await as(role, ...command.split(' '), '--json');
        expect([command, ended.code]).toEqual([command, NOT_ALLOWED]);
        const { error } = JSON.parse(ended.err) as { error: { code: string; details: { role: string } } };
        const needed = work.includes(command) ? 'operator' : 'administrator';
        expect([error.code, error.details.role]).toEqual(['forbidden', needed]);
      }
    },
  );

  test('without either, nothing is asked of anybody, and the error names the role', async () => {
    const ended = await run('cluster', 'status');
    expect([ended.code, ended.err]).toEqual([NOT_ALLOWED, expect.stringContaining('role viewer') as unknown]);
    expect((await run('cluster', 'leave', 'n1')).err).toContain('role administrator');
  });

  test('the library has the role of its token', async () => {
    const viewer = await cluster.connect({ secret: undefined, token: readFileSync(tokenFile('viewer'), 'utf8') });
    expect((await viewer.admin.members()).map(({ status }) => status?.ready)).toEqual([true, true, true]);
    await expect(viewer.admin.remove('n1')).rejects.toMatchObject({ code: 'forbidden', details: { role: 'administrator' } });
    await viewer.close();
  });
});

test('it is known who gave which command, after each node was killed and is back, too', async () => {
  const before = await history();
  expect(before.silent).toEqual([]);
  const given = (told: Told): unknown =>
    told.commands
      .filter(({ author, command }) => author.startsWith('the ') && command !== 'status')
      .map(({ author, command, outcome, at }) => `${author}: ${command}, ${outcome}, at ${at.split('.')[0] ?? ''}`)
      .filter((line, i, lines) => lines.indexOf(line) === i)
      .sort();
  expect(given(before)).toEqual([
    'the administrator: pause the worker, done, at anti-entropy',
    'the administrator: reap, done, at node',
    'the administrator: repair, done, at node',
    'the administrator: resume the worker, done, at anti-entropy',
    'the operator: access, forbidden, at node',
    'the operator: bucket carts, forbidden, at node',
    'the operator: pause the worker, done, at anti-entropy',
    'the operator: reap, done, at node',
    'the operator: repair, done, at node',
    'the operator: resume the worker, done, at anti-entropy',
    'the operator: weight n1, forbidden, at node',
    'the viewer: access, forbidden, at node',
    'the viewer: bucket carts, forbidden, at node',
    'the viewer: pause the worker, forbidden, at anti-entropy',
    'the viewer: reap, forbidden, at node',
    'the viewer: remove n1, forbidden, at node',
    'the viewer: repair, forbidden, at node',
    'the viewer: resume the worker, forbidden, at anti-entropy',
    'the viewer: weight n1, forbidden, at node',
  ]);
  const authors = new Set(
    before.changes.filter(({ change }) => change.kind === 'bucket' || change.kind === 'weight').map(({ author }) => author),
  );
  expect([...authors]).toEqual(['the administrator']);
  for (const name of ['n1', 'n2', 'n3']) {
    await cluster.kill(name);
    await cluster.restart(name);
  }
  const after = await history();
  expect(after.silent).toEqual([]);
  expect(given(after)).toEqual(given(before));
});

test('a token with a role is never on the bus, and in no log; the frames of its holder, sent again, pause no worker', async () => {
  await as('operator', 'repair', 'pause');
  const recorded = heard.filter(({ subject }) => subject.includes('.link.admin.anti-entropy.'));
  await as('operator', 'repair', 'resume');
  for (const { subject, payload } of recorded) nats.publish(subject, payload);
  await nats.flush();
  const { out } = await as('viewer', 'repair', 'status', '--json');
  expect((JSON.parse(out) as { state: string }[]).map(({ state }) => state)).toEqual([
    expect.not.stringContaining('paused') as unknown,
  ]);
  expect(recorded.length).toBeGreaterThan(10);

  for (const role of ROLES) {
    const token = readFileSync(tokenFile(role), 'utf8').trim();
    const bytes = Buffer.from(token.slice('armt1.'.length), 'base64url');
    const [claims, mac] = [bytes.subarray(0, -16), bytes.subarray(-16)];
    expect(heard.some(({ payload }) => Buffer.from(payload).includes(claims))).toBe(true);
    expect(heard.some(({ payload }) => Buffer.from(payload).includes(mac))).toBe(false);
    for (const name of ['n1', 'n2', 'n3', 'r1', 'a1'])
      expect(readFileSync(cluster.logFile(name), 'utf8').includes(token)).toBe(false);
  }
});

test('each process writes who gave a command to its log', () => {
  const lines = readFileSync(cluster.logFile('a1'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('a command of administration'));
  expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ author: 'the operator', role: 'operator', command: 'pause the worker', outcome: 'done' }),
  );
});

test('where tokens are required, status subjects tell that a process is there, and not of whom it has heard', async () => {
  const ask = async (server: string): Promise<unknown> =>
    (await nats.request(`armature.${cluster.cluster}.status.${server}`, '', { timeout: 5_000 })).json();
  expect(await ask('node.n1')).toHaveProperty('suspects');
  expect((await as('administrator', 'cluster', 'access', '--tokens', 'required')).code).toBe(0);
  for (const [role, name] of [
    ['node', 'n1'],
    ['router', 'r1'],
    ['anti-entropy', 'a1'],
  ] as const)
    await expect
      .poll(() => ask(`${role}.${name}`), PATIENT)
      .toEqual({ name, role, version: expect.any(String) as unknown, ready: true });
  expect((await as('viewer', 'cluster', 'status')).code).toBe(0);
});

test('revoked: a role opens no door of any process any more, while the secret does', async () => {
  expect((await run('token', 'revoke', '--all', ...withSecret())).code).toBe(0);
  for (const command of [
    ['cluster', 'status'],
    ['repair', 'pause'],
    ['ping', 'n3'],
  ])
    await expect
      .poll(() => as('administrator', ...command), PATIENT)
      .toMatchObject({
        ...{ code: NOT_ALLOWED, err: expect.stringContaining('generation') as unknown },
      });
  expect((await run('cluster', 'status', ...withSecret())).code).toBe(0);
});
