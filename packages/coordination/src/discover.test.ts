import { parseClusterName, seededRandom, unwrap } from '@armature/kernel';
import { InProcessBroker, linkAddress } from '@armature/bus';
import { subjectsOf } from '@armature/protocol';
import { ManualClock } from '@armature/runtime';
import { beforeEach, expect, test } from 'vitest';
import { discover, Inbox, type DiscoveryEnv } from './index.js';

const subjects = subjectsOf('t', unwrap(parseClusterName('c')));
let clock: ManualClock;
let broker: InProcessBroker;
let env: DiscoveryEnv;

beforeEach(() => {
  clock = new ManualClock();
  broker = new InProcessBroker({ clock });
  const bus = broker.connect();
  env = { bus, clock, subjects, inbox: new Inbox(bus, subjects, linkAddress('client', 'x'), seededRandom(1)) };
});

function listen(role: 'node' | 'router', address: string | undefined): void {
  broker.connect().subscribe(
    subjects.discover(role),
    (message) => {
      if (address !== undefined) message.respond(Buffer.from(address));
    },
    { queue: role },
  );
}

/** What is found, and after how many ms. */
async function found(...roles: readonly ('node' | 'router')[]): Promise<{ address: string | undefined; afterMs: number }> {
  const beganMs = clock.monotonicMs();
  let outcome: { address: string | undefined; afterMs: number } | undefined;
  void discover(env, ...roles).then((address) => (outcome = { address, afterMs: clock.monotonicMs() - beganMs }));
  while (outcome === undefined) await clock.advance(1);
  return outcome;
}

test('a process that answers is found, however often the bus picks others that stand still', async () => {
  listen('node', undefined);
  listen('node', 'node.n2');
  for (let i = 0; i < 20; i++) expect((await found('node')).address).toBe('node.n2');
});

test('where nobody listens for a role, the next one is looked for at once; where all stand still, after half a second', async () => {
  listen('node', 'node.n1');
  expect(await found('router', 'node')).toMatchObject({ address: 'node.n1' });
  expect((await found('router', 'node')).afterMs).toBeLessThan(50);
  listen('router', undefined);
  const late = await found('router', 'node');
  expect(late.address).toBe('node.n1');
  expect(late.afterMs).toBeGreaterThan(450);
  expect((await found('router')).address).toBeUndefined();
});

test('an inbox: each answer goes to its own question, and none to one that is closed', async () => {
  const { bus, inbox } = env;
  const heard: string[] = [];
  const one = inbox.ask((message) => heard.push(`one ${String(message.status)}`));
  const two = inbox.ask((message) => heard.push(`two ${String(message.status)}`));
  expect(one.reply).toMatch(/^t\.c\.inbox\.client\.x\.[0-9a-z]+$/);
  one.close();
  for (const { reply } of [one, two]) bus.publish(reply, new Uint8Array(0));
  await clock.advance(1);
  expect(heard).toEqual(['two undefined']);
});
