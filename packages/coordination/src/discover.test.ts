import { ArmatureError, parseClusterName, seededRandom, unwrap } from '@armature/kernel';
import {
  InProcessBroker,
  NO_RESPONDERS,
  linkAddress,
  type Bus,
  type BusDenial,
  type BusHandler,
  type LinkAddress,
} from '@armature/bus';
import { subjectsOf } from '@armature/protocol';
import { ManualClock, sleep } from '@armature/runtime';
import { beforeEach, expect, test } from 'vitest';
import { discover, type DiscoveryEnv } from './discovery.js';
import { Inbox } from './inbox.js';

const subjects = subjectsOf('t', unwrap(parseClusterName('c')));
let clock: ManualClock;
let broker: InProcessBroker;
let env: DiscoveryEnv;
/** Those that prove that they are there; whoever is silent takes until the time is up. */
let there: Set<string>;
let silent: Set<string>;
let asked: string[];
const OWN = linkAddress('node', 'me');

/** A round trip takes 5 ms. */
async function prove(address: LinkAddress, timeoutMs: number): Promise<void> {
  asked.push(address);
  await sleep(clock, silent.has(address) ? timeoutMs : 5);
  if (!there.has(address)) throw new ArmatureError(silent.has(address) ? 'timeout' : 'unreachable', 'not there');
}

beforeEach(() => {
  there = new Set(['node.n1', 'node.n2', 'router.r1']);
  silent = new Set();
  asked = [];
  clock = new ManualClock();
  broker = new InProcessBroker({ clock });
  const bus = broker.connect();
  env = { bus, clock, subjects, inbox: new Inbox(bus, subjects, linkAddress('client', 'x'), seededRandom(1)), own: OWN, prove };
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

/** Somebody who answers each question first, with these. */
function lie(...texts: readonly string[]): void {
  const bus = broker.connect('liar');
  for (const role of ['node', 'router'] as const)
    bus.subscribe(subjects.discover(role), (message) => {
      for (const text of texts) message.respond(Buffer.from(text));
    });
}

test('whoever answers first is not believed: who proves that it is there is found, behind any number of lies', async () => {
  const made = Array.from({ length: 20 }, (_, i) => `node.made-up-${i}`);
  lie('', 'garbage', 'node.*', '>', 'x'.repeat(1_000_000), 'guest.evil', 'router.r1', OWN, `${OWN}.more`, ...made, 'node.silent');
  silent.add('node.silent');
  listen('node', 'node.n2');
  const { address, afterMs } = await found('node');
  expect(address).toBe('node.n2');
  expect(afterMs).toBeLessThan(100);
  for (const never of ['node.*', 'guest.evil', 'router.r1', OWN]) expect(asked).not.toContain(never);
});

test('liars alone cost a bounded time, and nobody is found', async () => {
  lie('node.silent', 'node.gone');
  silent.add('node.silent');
  const { address, afterMs } = await found('router', 'node');
  expect(address).toBeUndefined();
  expect(afterMs).toBeLessThan(2_100);
  expect([...new Set(asked)].sort()).toEqual(['node.gone', 'node.silent']);
});

test('a liar who names others all the time does not make it longer', async () => {
  let named = 0;
  const bus = broker.connect('liar');
  bus.subscribe(subjects.discover('node'), (message) => {
    const name = `node.silent-${++named}`;
    silent.add(name);
    message.respond(Buffer.from(name));
  });
  const { address, afterMs } = await found('node');
  expect(address).toBeUndefined();
  expect(afterMs).toBeLessThan(1_600);
});

test('whoever the bus does not let this process ask is asked once, and is why nobody is found', async () => {
  listen('router', 'router.r1');
  const refused = async (address: LinkAddress): Promise<void> => {
    asked.push(address);
    throw new ArmatureError('forbidden', 'not this bucket');
  };
  const outcome = discover({ ...env, prove: refused }, 'router', 'node').catch((thrown: unknown) => thrown);
  await clock.advance(1_500);
  expect(await outcome).toMatchObject({ code: 'forbidden' });
  expect(asked).toEqual(['router.r1']);
});

test('a kind that the bus does not let this process ask for is asked for once, and the next one follows at once', async () => {
  listen('router', undefined);
  listen('node', 'node.n1');
  const denied = subjects.discover('router');
  let published = 0;
  const denials: BusDenial[] = [];
  const bus = Object.create(env.bus, {
    denials: { value: denials },
    publish: {
      value: (subject: string, ...more: [Uint8Array]) => {
        if (subject !== denied) {
          env.bus.publish(subject, ...more);
          return;
        }
        published++;
        denials.push({ operation: 'publish', subject });
      },
    },
  }) as Bus;
  const outcome = discover({ ...env, bus }, 'router', 'node');
  await clock.advance(100);
  expect(await outcome).toBe('node.n1');
  expect(published).toBe(1);
});

test('somebody who says in the name of the bus that nobody listens only has the next kind looked for, too', async () => {
  const { inbox } = env;
  const forged = { subject: '', payload: new Uint8Array(0), reply: undefined, headers: undefined, status: NO_RESPONDERS };
  const forging = {
    ask: (handler: BusHandler) => {
      const question = inbox.ask(handler);
      clock.defer(() => handler({ ...forged, respond: () => false }));
      return question;
    },
  } as unknown as Inbox;
  env = { ...env, inbox: forging };
  listen('router', 'router.r1');
  expect(await found('router', 'node')).toMatchObject({ address: 'router.r1' });
  there.delete('router.r1');
  listen('node', 'node.n1');
  expect(await found('router', 'node')).toMatchObject({ address: 'node.n1' });
});

test('one that has failed its caller lately is taken where nobody else answers, and only there', async () => {
  env = { ...env, shunned: new Set(['node.n1']) };
  lie('node.n1');
  expect(await found('node')).toMatchObject({ address: 'node.n1' });
  listen('node', 'node.n2');
  for (let i = 0; i < 10; i++) expect(await found('node')).toMatchObject({ address: 'node.n2' });
});

test('where all that answer are of another cluster, the caller learns why none was taken', async () => {
  listen('node', 'node.n1');
  const refusing = { ...env, prove: () => Promise.reject(new ArmatureError('wrong-cluster', 'another secret')) };
  const failing = discover(refusing, 'node');
  const outcome = expect(failing).rejects.toMatchObject({ code: 'wrong-cluster' });
  await clock.advance(3_000);
  await outcome;
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
