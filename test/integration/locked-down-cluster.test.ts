/**
 * From nothing to a cluster in which nobody may do more than his work, by the commands of docs/operations.md as they stand there.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Walk } from '@armature/tools/walk';

let walk: Walk;

beforeAll(async () => {
  walk = await Walk.along('docs/operations.md', '### Users of NATS');
});
afterAll(() => walk.stop());

test('every command of the page does what it says', () => {
  const commands = [
    'nats-config',
    'openssl',
    'cluster create',
    'bucket create',
    'repair status',
    'put payments',
    'shop get payments',
  ];
  for (const command of commands) expect([command, walk.outcomeOf(command)]).toMatchObject([command, { code: 0 }]);
  expect(walk.outcomeOf('repair status').output).toContain('a1');
  expect(walk.outcomeOf('shop get payments').output).toContain('paid');
});

test('what the page calls refused is refused, and the error says why', () => {
  const elsewhere = walk.outcomeOf('put default');
  expect(elsewhere.output).toContain('NATS does not permit this client to read in bucket default');
  expect(elsewhere.code).toBe(7);
  const nobody = walk.outcomeOf('armature get');
  expect(nobody.output).toMatch(/refuse|authoriz/i);
  expect(nobody.code).not.toBe(0);
});

test('nobody is denied anything else, and no seed is shown', () => {
  const violations = walk.natsLog.split('\n').filter((line) => /(Publish|Subscription) Violation/.test(line));
  const ofThatBucket = /link\.front\.default\.|discover\.node/; // where no router took it, he looked for a node
  expect(violations.filter((line) => !ofThatBucket.test(line))).toEqual([]);
  expect(walk.said).not.toMatch(/SU[A-Z2-7]{56}/);
});

test('one user more, and a reload: he is let in, and nobody is disconnected', async () => {
  const wishes = ['--administrator', 'admin', '--application', 'shop:payments:read,write', '--application', 'till:payments:read'];
  const written = await walk.armature(
    'nats-config',
    '--cluster',
    'prod',
    ...wishes,
    '--keys',
    'nkeys',
    '--output',
    'armature.conf',
  );
  expect(written).toMatchObject({ code: 0 });
  walk.reloadNats();
  await expect.poll(() => walk.natsLog, { timeout: 10_000 }).toContain('Reloaded server configuration');
  const till = ['--cluster', 'prod', '--nkey', 'nkeys/till.nk', '--group', 'till'];
  expect(await walk.armature(...till, 'get', 'payments', 'p1')).toEqual({ output: 'paid', code: 0 });
  expect(walk.processLog).not.toContain('disconnected from NATS');
});
