import { parseClusterName, seededRandom, toArmatureError, unwrap, type ArmatureError } from '@armature/kernel';
import { InProcessBroker, parseLinkAddress, type InProcessConnection } from '@armature/bus';
import { subjectsOf } from '@armature/protocol';
import { ManualClock, recordingLog } from '@armature/runtime';
import { expect, test } from 'vitest';
import { Presence } from './presence.js';

/** A bus in virtual time, and processes that want names on it. */
class Bench {
  readonly clock = new ManualClock(1_000_000);
  readonly random = seededRandom('presence');
  readonly broker = new InProcessBroker({ clock: this.clock });
  readonly lost: string[] = [];
  readonly #recorded = recordingLog();

  connect(name: string): InProcessConnection {
    return this.broker.connect(name);
  }

  claim(bus: InProcessConnection, { who = 'first', address = 'node.n1', secret = 1, pid = 1 } = {}): Promise<Presence> {
    return Presence.claim({
      bus,
      clock: this.clock,
      random: this.random,
      log: this.#recorded.log,
      subjects: subjectsOf('t', unwrap(parseClusterName('c'))),
      address: unwrap(parseLinkAddress(address)),
      keys: [new Uint8Array(32).fill(secret)],
      ...{ pid, host: 'here' },
      onLost: () => void this.lost.push(who),
    });
  }

  /** The virtual time that a start takes, and what came of it. */
  async outcome(
    claiming: Promise<Presence>,
  ): Promise<{ presence?: Presence; code?: string; tookMs: number; error?: ArmatureError }> {
    const startedMs = this.clock.monotonicMs();
    let result: { presence?: Presence; code?: string; error?: ArmatureError } | undefined;
    claiming.then(
      (presence) => (result = { presence }),
      (thrown: unknown) => {
        const error = toArmatureError(thrown);
        result = { code: error.code, error };
      },
    );
    for (let i = 0; i < 1_000 && result === undefined; i++) await this.clock.advance(10);
    return { ...result, tookMs: this.clock.monotonicMs() - startedMs };
  }

  errors(): readonly string[] {
    return this.#recorded.entries.filter(({ level }) => level === 'error').map(({ message }) => message);
  }
}

test('where nobody has the name, it is taken in a moment; names of other roles and processes do not matter', async () => {
  const bench = new Bench();
  for (const address of ['node.n1', 'router.n1', 'node.n2', 'anti-entropy.n1']) {
    const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect(address), { address }));
    expect(presence).toBeDefined();
    expect(tookMs).toBeLessThan(500);
  }
});

test('a name that is in use is refused, and the error says who has it', async () => {
  const bench = new Bench();
  await bench.outcome(bench.claim(bench.connect('a'), { pid: 17 }));
  const { code, error } = await bench.outcome(bench.claim(bench.connect('b'), { who: 'second' }));
  expect(code).toBe('name-in-use');
  expect(error?.details).toMatchObject({ address: 'node.n1', host: 'here', pid: 17 });
  expect(bench.lost).toEqual([]);
});

test('of two that start at once, one starts', async () => {
  const bench = new Bench();
  const both = [bench.claim(bench.connect('a')), bench.claim(bench.connect('b'), { who: 'second' })].map((claiming) =>
    bench.outcome(claiming),
  );
  const codes = (await Promise.all(both)).map(({ code }) => code ?? 'started');
  expect(codes.toSorted()).toEqual(['name-in-use', 'started']);
});

test('a former life that was killed a moment ago is nobody', async () => {
  const bench = new Bench();
  const bus = bench.connect('a');
  await bench.outcome(bench.claim(bus));
  bus.sever();
  const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect('a'), { who: 'second' }));
  expect(presence).toBeDefined();
  expect(tookMs).toBeLessThan(500);
});

test('who listens and is silent is passed over; when it is heard again, the younger goes and the older stays', async () => {
  const bench = new Bench();
  await bench.outcome(bench.claim(bench.connect('a')));
  await bench.clock.advance(60_000);
  bench.broker.network.partition(['a'], ['b']);
  const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect('b'), { who: 'second' }));
  expect(presence).toBeDefined();
  expect(tookMs).toBeGreaterThanOrEqual(2_000);
  expect(tookMs).toBeLessThan(3_000);
  bench.broker.network.healAll();
  await bench.clock.advance(6_000);
  expect(bench.lost).toEqual(['second']);
  expect(presence?.lost?.code).toBe('name-in-use');
  expect(bench.errors().filter((message) => message.includes('it came later'))).toHaveLength(1);
});

test('whether another process of the name is alive can be asked at any time', async () => {
  const bench = new Bench();
  const { presence: first } = await bench.outcome(bench.claim(bench.connect('a')));
  const asked = async (): Promise<string | undefined> => {
    const another = (first as Presence).another();
    await bench.clock.advance(1_500);
    return another;
  };
  expect(await asked()).toBeUndefined();
  bench.broker.network.partition(['a'], ['b']);
  await bench.outcome(bench.claim(bench.connect('b'), { who: 'second', pid: 2 }));
  bench.broker.network.healAll();
  expect(await asked()).toContain('process 2');
});

test('a cluster of the same name with another secret is found out at the start, and logged on both sides; it keeps nobody from starting', async () => {
  const bench = new Bench();
  await bench.outcome(bench.claim(bench.connect('a')));
  const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect('b'), { address: 'router.r9', secret: 2 }));
  expect(presence?.hasMetStrangers).toBe(true);
  expect(tookMs).toBeLessThan(500);
  expect(bench.errors().filter((message) => message.includes('another secret'))).toHaveLength(2);
});

test('two such clusters that meet later both say so once a minute at the latest, and both go on', async () => {
  const bench = new Bench();
  bench.broker.network.partition(['a'], ['b']);
  await bench.outcome(bench.claim(bench.connect('a')));
  const { presence } = await bench.outcome(bench.claim(bench.connect('b'), { address: 'node.n9', secret: 2 }));
  expect(presence).toBeDefined();
  bench.broker.network.healAll();
  await bench.clock.advance(300_000);
  expect(bench.errors()).toHaveLength(2);
  expect(bench.lost).toEqual([]);
});

/** Somebody who holds no secret, reads everything that has to do with names, and can say it again wherever he likes. */
class Eavesdropper {
  readonly heard: { readonly subject: string; readonly payload: Uint8Array }[] = [];
  readonly #bus: InProcessConnection;

  constructor(bench: Bench) {
    this.#bus = bench.connect('eavesdropper');
    for (const subject of ['t.c.presence', 't.c.presence.>', 't.c.inbox.>'])
      this.#bus.subscribe(subject, ({ payload }) => void this.heard.push({ subject, payload }));
  }

  /** Answers all questions under a name with these. */
  answer(address: string, payloads: readonly Uint8Array[]): void {
    this.#bus.subscribe(`t.c.presence.${address}`, (message) => {
      for (const payload of payloads) message.respond(payload);
    });
  }

  say(address: string, payload: Uint8Array): void {
    this.#bus.publish(`t.c.presence.${address}`, payload, { reply: 'nowhere' });
  }
}

test('recordings of what a former life has said keep no process from starting, and end none that runs', async () => {
  const bench = new Bench();
  const evil = new Eavesdropper(bench);
  const bus = bench.connect('a');
  await bench.outcome(bench.claim(bus));
  await bench.outcome(bench.claim(bench.connect('b'), { who: 'second' }));
  await bench.clock.advance(600_000);
  const recorded = evil.heard.map(({ payload }) => payload);
  expect(recorded.length).toBeGreaterThan(100);
  bus.sever();
  evil.answer('node.n1', recorded);
  const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect('a'), { who: 'third' }));
  expect(presence).toBeDefined();
  expect(tookMs).toBeLessThan(3_000);
  for (const payload of recorded) evil.say('node.n1', payload);
  await bench.clock.advance(10_000);
  expect(presence?.lost).toBeUndefined();
  expect(bench.lost).toEqual([]);
  const another = presence?.another();
  await bench.clock.advance(2_000);
  expect(await another).toBeUndefined();
});

test('what another process of the cluster answers to a question of theirs is no claim to our name', async () => {
  const bench = new Bench();
  await bench.outcome(bench.claim(bench.connect('a'), { address: 'node.n2' }));
  await bench.clock.advance(60_000);
  const evil = bench.connect('evil');
  // Passes our question on to the other, with the MAC broken, so that it answers as to a stranger.
  evil.subscribe('t.c.presence.node.n1', ({ payload, reply }) => {
    const broken = Uint8Array.from(payload);
    broken[broken.length - 1] = (broken[broken.length - 1] as number) ^ 1;
    evil.publish('t.c.presence.node.n2', broken, { reply });
  });
  const { presence } = await bench.outcome(bench.claim(bench.connect('b')));
  expect(presence).toBeDefined();
});

test('claims without a right MAC, however made, cost a start no more than its patience', async () => {
  const bench = new Bench();
  const evil = new Eavesdropper(bench);
  const claim = {
    address: 'node.n1',
    session: 'x',
    asks: '',
    answers: '',
    ageMs: 1e9,
    isUp: true,
    host: 'h',
    pid: 1,
    startedAt: '',
  };
  const [json, huge] = [JSON.stringify(claim), 'x'.repeat(1_000_000)];
  evil.answer(
    'node.n1',
    [json, `${json}\n00`, '{}', 'null', huge].map((text) => Buffer.from(text)),
  );
  const { presence, tookMs } = await bench.outcome(bench.claim(bench.connect('a')));
  expect(presence).toBeDefined();
  expect(tookMs).toBeLessThan(3_000);
});

test('while the bus is away nobody is silent: the start waits for it', async () => {
  const bench = new Bench();
  await bench.outcome(bench.claim(bench.connect('a')));
  const bus = bench.connect('b');
  bench.broker.stop();
  const starting = bench.claim(bus, { who: 'second' });
  await bench.clock.advance(10_000);
  bench.broker.start();
  expect((await bench.outcome(starting)).code).toBe('name-in-use');
});
