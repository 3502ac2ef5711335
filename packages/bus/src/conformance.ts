/**
 * What every adapter of the bus port must do, as cases that any test runner can loop over:
 *
 *     for (const { claim, run } of busConformance) test(claim, () => run(harness));
 *
 * A case opens its own connections and uses subjects of its own, so cases may share one server.
 */
import assert from 'node:assert/strict';
import { ArmatureError } from '@armature/kernel';
import { sleep, type Clock } from '@armature/runtime';
import { NO_RESPONDERS, type Bus, type BusMessage } from './bus.js';
import { headersOf, serviceErrorHeaders, serviceErrorOf } from './headers.js';

export interface BusHarness {
  readonly clock: Clock;
  /** A new connection to one and the same system. The case drains it. */
  open(): Promise<Bus>;
}

export interface ConformanceCase {
  readonly claim: string;
  run(harness: BusHarness): Promise<void>;
}

const PATIENCE_MS = 10_000;
const QUIET_MS = 50;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (message: BusMessage): string => new TextDecoder().decode(message.payload);

class Bench {
  readonly #harness: BusHarness;
  readonly #opened: Bus[] = [];

  constructor(harness: BusHarness) {
    this.#harness = harness;
  }

  async open(): Promise<Bus> {
    const bus = await this.#harness.open();
    this.#opened.push(bus);
    return bus;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const untilMs = this.#harness.clock.monotonicMs() + PATIENCE_MS;
    while (!holds()) {
      assert.ok(this.#harness.clock.monotonicMs() < untilMs, `waited in vain for: ${what}`);
      await sleep(this.#harness.clock, 2);
    }
  }

  /** Long enough for a message that must not come to have come. */
  quiet(): Promise<void> {
    return sleep(this.#harness.clock, QUIET_MS);
  }

  async close(): Promise<void> {
    for (const bus of this.#opened) await bus.drain();
  }
}

let subjects = 0;

function conformanceCase(claim: string, body: (bench: Bench, subject: string) => Promise<void>): ConformanceCase {
  return {
    claim,
    async run(harness) {
      const bench = new Bench(harness);
      try {
        await body(bench, `conformance.${++subjects}`);
      } finally {
        await bench.close();
      }
    },
  };
}

export const busConformance: readonly ConformanceCase[] = [
  conformanceCase('publish: one subscriber gets every message of a publisher in order', async (bench, subject) => {
    const [publisher, subscriber] = [await bench.open(), await bench.open()];
    const got: string[] = [];
    subscriber.subscribe(subject, (message) => got.push(textOf(message)));
    await subscriber.flush();
    const sent = Array.from({ length: 1000 }, (_, i) => String(i));
    for (const text of sent) publisher.publish(subject, bytes(text));
    await bench.until('1000 messages', () => got.length >= sent.length);
    assert.deepEqual(got, sent);
  }),

  conformanceCase('publish: never delivers inside the call, and reaches the own connection too', async (bench, subject) => {
    const bus = await bench.open();
    let got = 0;
    bus.subscribe(subject, () => got++);
    await bus.flush();
    bus.publish(subject, bytes('x'));
    assert.equal(got, 0);
    await bench.until('the message', () => got === 1);
  }),

  conformanceCase('subscribe: every plain subscriber gets a copy', async (bench, subject) => {
    const buses = [await bench.open(), await bench.open(), await bench.open()];
    const got = buses.map(() => 0);
    buses.forEach((bus, i) => bus.subscribe(subject, () => (got[i] = (got[i] ?? 0) + 1)));
    for (const bus of buses) await bus.flush();
    buses[0]?.publish(subject, bytes('x'));
    await bench.until('three deliveries', () => got.every((count) => count === 1));
  }),

  conformanceCase('wildcards: * is one token, > one or more, and the real subject is told', async (bench, subject) => {
    const bus = await bench.open();
    const got: string[] = [];
    for (const pattern of [`${subject}.*`, `${subject}.*.c`, `${subject}.>`]) {
      bus.subscribe(pattern, (message) => got.push(`${pattern.slice(subject.length)} ${message.subject.slice(subject.length)}`));
    }
    await bus.flush();
    for (const tail of ['', '.a', '.b.c', '.b.d.e']) bus.publish(`${subject}${tail}`, bytes('x'));
    await bench.until('five deliveries', () => got.length >= 5);
    await bench.quiet();
    assert.deepEqual(got.sort(), ['.* .a', '.*.c .b.c', '.> .a', '.> .b.c', '.> .b.d.e']);
  }),

  conformanceCase('queue group: each message goes to exactly one member, and every member gets some', async (bench, subject) => {
    const publisher = await bench.open();
    const members = [await bench.open(), await bench.open(), await bench.open()];
    const got: string[][] = members.map(() => []);
    members.forEach((bus, i) => bus.subscribe(subject, (message) => got[i]?.push(textOf(message)), { queue: 'workers' }));
    for (const bus of members) await bus.flush();
    const sent = Array.from({ length: 300 }, (_, i) => String(i));
    for (const text of sent) publisher.publish(subject, bytes(text));
    await bench.until('300 messages', () => got.flat().length >= sent.length);
    await bench.quiet();
    assert.deepEqual(got.flat().sort(), [...sent].sort());
    for (const member of got) assert.ok(member.length > 0, 'a member of the group got nothing');
  }),

  conformanceCase('queue group: a group and a plain subscriber both get the message', async (bench, subject) => {
    const bus = await bench.open();
    const got = { group: 0, plain: 0 };
    bus.subscribe(subject, () => got.group++, { queue: 'workers' });
    bus.subscribe(subject, () => got.group++, { queue: 'workers' });
    bus.subscribe(subject, () => got.plain++);
    await bus.flush();
    bus.publish(subject, bytes('x'));
    await bench.until('both', () => got.group + got.plain >= 2);
    await bench.quiet();
    assert.deepEqual(got, { group: 1, plain: 1 });
  }),

  conformanceCase('request: the answer comes to the reply subject, with headers both ways', async (bench, subject) => {
    const [requester, responder] = [await bench.open(), await bench.open()];
    responder.subscribe(subject, (message) => {
      assert.deepEqual(message.headers?.get('Question'), ['what']);
      message.respond(bytes(`${textOf(message)}!`), { headers: headersOf({ Answer: 'that', 'X-Other': 'two words' }) });
    });
    await responder.flush();
    const answers: BusMessage[] = [];
    requester.subscribe(`${subject}.reply`, (message) => answers.push(message));
    requester.publish(subject, bytes('hello'), { reply: `${subject}.reply`, headers: headersOf({ Question: 'what' }) });
    await bench.until('the answer', () => answers.length === 1);
    const answer = answers.at(0);
    assert.ok(answer !== undefined);
    assert.equal(textOf(answer), 'hello!');
    assert.deepEqual(answer.headers?.get('Answer'), ['that']);
    assert.deepEqual(answer.headers.get('X-Other'), ['two words']);
    assert.equal(answer.status, undefined);
    assert.equal(answer.reply, undefined);
    assert.equal(answer.respond(bytes('x')), false);
  }),

  conformanceCase(
    'request: where nobody listens, an empty message of status 503 comes to the reply subject',
    async (bench, subject) => {
      const bus = await bench.open();
      const got: BusMessage[] = [];
      bus.subscribe(`${subject}.reply.*`, (message) => got.push(message));
      bus.publish(`${subject}.nobody`, bytes('x'), { reply: `${subject}.reply.7` });
      await bench.until('the status', () => got.length === 1);
      assert.equal(got[0]?.status, NO_RESPONDERS);
      assert.equal(got[0].subject, `${subject}.reply.7`);
      assert.equal(got[0].payload.length, 0);
    },
  ),

  conformanceCase('publish: without a reply subject, nobody listening is silent', async (bench, subject) => {
    const bus = await bench.open();
    const got: BusMessage[] = [];
    bus.subscribe(`${subject}.>`, (message) => got.push(message));
    bus.publish(`other.${subject}`, bytes('x'));
    await bus.flush();
    await bench.quiet();
    assert.equal(got.length, 0);
  }),

  conformanceCase('payload: every byte value, and none at all, pass unchanged', async (bench, subject) => {
    const bus = await bench.open();
    const got: Uint8Array[] = [];
    bus.subscribe(subject, (message) => got.push(message.payload));
    await bus.flush();
    const all = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
    bus.publish(subject, all);
    bus.publish(subject, new Uint8Array(0));
    await bench.until('both', () => got.length === 2);
    assert.deepEqual(
      got.map((payload) => [...payload]),
      [[...all], []],
    );
  }),

  conformanceCase(
    'payload: exactly the limit passes, one byte more is a typed error and harms nothing',
    async (bench, subject) => {
      const [publisher, subscriber] = [await bench.open(), await bench.open()];
      const sizes: number[] = [];
      subscriber.subscribe(subject, (message) => sizes.push(message.payload.length));
      await subscriber.flush();
      const limit = publisher.maxPayloadBytes;
      publisher.publish(subject, new Uint8Array(limit));
      assert.throws(
        () => publisher.publish(subject, new Uint8Array(limit + 1)),
        (error) => error instanceof ArmatureError && error.code === 'too-large',
      );
      assert.throws(
        () => publisher.publish(subject, new Uint8Array(limit), { headers: headersOf({ A: 'b' }) }),
        (error) => error instanceof ArmatureError && error.code === 'too-large',
      );
      publisher.publish(subject, new Uint8Array(1));
      await bench.until('both', () => sizes.length === 2);
      assert.deepEqual(sizes, [limit, 1]);
    },
  ),

  conformanceCase('handler: one that throws loses its message only', async (bench, subject) => {
    const bus = await bench.open();
    const got: string[] = [];
    bus.subscribe(subject, (message) => {
      if (textOf(message) === 'bad') throw new Error('handler failed on purpose');
      got.push(textOf(message));
    });
    await bus.flush();
    for (const text of ['one', 'bad', 'two']) bus.publish(subject, bytes(text));
    await bench.until('the other two', () => got.length === 2);
    bus.publish(subject, bytes('three'));
    await bench.until('a later one', () => got.length === 3);
    assert.deepEqual(got, ['one', 'two', 'three']);
  }),

  conformanceCase('unsubscribe: nothing is delivered afterwards, and twice is as good as once', async (bench, subject) => {
    const bus = await bench.open();
    const got: string[] = [];
    const subscription = bus.subscribe(subject, (message) => {
      got.push(textOf(message));
      subscription.unsubscribe();
    });
    await bus.flush();
    bus.publish(subject, bytes('1'));
    bus.publish(subject, bytes('2'));
    await bench.until('the first', () => got.length > 0);
    await bench.quiet();
    subscription.unsubscribe();
    assert.deepEqual(got, ['1']);
  }),

  conformanceCase(
    'drain: what was published arrives, the other side sees nobody listening, and the event says closed',
    async (bench, subject) => {
      const [leaving, staying] = [await bench.open(), await bench.open()];
      const got: string[] = [];
      const events: string[] = [];
      leaving.onEvent((event) => events.push(event.kind));
      leaving.subscribe(`${subject}.in`, (message) => leaving.publish(`${subject}.out`, message.payload));
      staying.subscribe(`${subject}.out`, (message) => got.push(textOf(message)));
      staying.subscribe(`${subject}.reply`, (message) => got.push(`status ${message.status}`));
      await leaving.flush();
      await staying.flush();
      for (let i = 0; i < 100; i++) leaving.publish(`${subject}.in`, bytes(String(i)));
      await leaving.drain();
      await leaving.drain();
      assert.equal(leaving.connected, false);
      await bench.until('all that was in hand', () => got.length >= 100);
      await bench.until('the event', () => events.includes('closed'));
      staying.publish(`${subject}.in`, bytes('late'), { reply: `${subject}.reply` });
      await bench.until('the status', () => got.length >= 101);
      assert.deepEqual(got, [...Array.from({ length: 100 }, (_, i) => String(i)), `status ${NO_RESPONDERS}`]);
      assert.throws(
        () => leaving.subscribe(subject, () => {}),
        (error) => error instanceof ArmatureError && error.code === 'closed',
      );
    },
  ),

  conformanceCase('serve: answers, answers errors in headers, turns a throw into one, and stops', async (bench, subject) => {
    const [server, requester] = [await bench.open(), await bench.open()];
    const running = await server.serve({
      name: 'echo',
      version: '1.2.3',
      description: 'Echoes.',
      metadata: { zone: 'a' },
      endpoints: [
        { name: 'echo', subject: `${subject}.echo`, handler: (message) => void message.respond(message.payload) },
        {
          name: 'refuse',
          subject: `${subject}.refuse`,
          handler: (message) => void message.respond(new Uint8Array(0), { headers: serviceErrorHeaders(409, 'not\r\nnow') }),
        },
        {
          name: 'throw',
          subject: `${subject}.throw`,
          handler: () => {
            throw new Error('endpoint failed on purpose');
          },
        },
      ],
    });
    await server.flush();
    const answers: string[] = [];
    requester.subscribe(`${subject}.reply.*`, (message) => {
      const error = serviceErrorOf(message.headers);
      const text = message.status ?? (error === undefined ? textOf(message) : `${error.code} ${error.description}`);
      answers.push(`${message.subject.split('.').at(-1)}: ${text}`);
    });
    for (const name of ['echo', 'refuse', 'throw']) {
      requester.publish(`${subject}.${name}`, bytes('hi'), { reply: `${subject}.reply.${name}` });
    }
    await bench.until('three answers', () => answers.length === 3);
    assert.deepEqual(answers.sort(), ['echo: hi', 'refuse: 409 not now', 'throw: 500 endpoint failed on purpose']);
    await running.stop();
    requester.publish(`${subject}.echo`, bytes('hi'), { reply: `${subject}.reply.stopped` });
    await bench.until('the status', () => answers.length === 4);
    assert.equal(answers.at(-1), `stopped: ${NO_RESPONDERS}`);
  }),

  conformanceCase('serve: two services of one name share the requests', async (bench, subject) => {
    const requester = await bench.open();
    const served = [0, 0];
    for (const i of [0, 1]) {
      const server = await bench.open();
      await server.serve({
        name: 'shared',
        version: '1.0.0',
        description: 'Counts.',
        endpoints: [
          {
            name: 'count',
            subject,
            handler: (message) => {
              served[i] = (served[i] ?? 0) + 1;
              message.respond(new Uint8Array(0));
            },
          },
        ],
      });
      await server.flush();
    }
    let answers = 0;
    requester.subscribe(`${subject}.reply`, () => answers++);
    for (let i = 0; i < 100; i++) requester.publish(subject, new Uint8Array(0), { reply: `${subject}.reply` });
    await bench.until('100 answers', () => answers >= 100);
    await bench.quiet();
    assert.equal((served[0] ?? 0) + (served[1] ?? 0), 100);
    assert.ok(served.every((count) => count > 0));
  }),
];
