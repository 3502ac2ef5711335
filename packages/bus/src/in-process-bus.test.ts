import { systemClock, ManualClock, recordingLog } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import { busConformance } from './conformance.js';
import type { BusEvent } from './bus.js';
import { InProcessBroker } from './in-process-bus.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('in-process bus: conformance', () => {
  for (const { claim, run } of busConformance) {
    test(claim, async () => {
      const broker = new InProcessBroker({ clock: systemClock });
      await run({ clock: systemClock, open: () => Promise.resolve(broker.connect()) });
    });
  }
});

describe('in-process network', () => {
  function pair() {
    const clock = new ManualClock(0);
    const broker = new InProcessBroker({ clock });
    const a = broker.connect('a');
    const b = broker.connect('b');
    const got: string[] = [];
    b.subscribe('s', (message) => got.push(`${textOf(message.payload)}@${clock.nowMs()}`));
    return { clock, broker, a, b, got };
  }

  test('a cut loses what is sent during it, both ways, and healing ends it', async () => {
    const { clock, broker, a, b, got } = pair();
    const back: string[] = [];
    a.subscribe('t', (message) => back.push(textOf(message.payload)));
    broker.network.cut('a', 'b');
    a.publish('s', text('lost'));
    b.publish('t', text('lost'));
    await clock.advance(1);
    broker.network.heal('a', 'b');
    a.publish('s', text('kept'));
    b.publish('t', text('kept'));
    await clock.advance(1);
    expect(got).toEqual(['kept@1']);
    expect(back).toEqual(['kept']);
  });

  test('a cut hides nobody: no 503, only silence', async () => {
    const { clock, broker, a } = pair();
    const statuses: unknown[] = [];
    a.subscribe('r', (message) => statuses.push(message.status));
    broker.network.partition(['a'], ['b']);
    a.publish('s', text('x'), { reply: 'r' });
    await clock.advance(10);
    expect(statuses).toEqual([]);
    a.publish('nobody', text('x'), { reply: 'r' });
    await clock.advance(10);
    expect(statuses).toEqual([503]);
  });

  test('who subscribes to a subject that is in use gets the next message, by its name or by a wildcard; who leaves, none', async () => {
    const { clock, broker, a, got } = pair();
    a.publish('s', text('1'));
    const c = broker.connect('c');
    const exact = c.subscribe('s', (message) => got.push(`exact ${textOf(message.payload)}`));
    const wildcard = c.subscribe('*', (message) => got.push(`wildcard ${textOf(message.payload)}`));
    a.publish('s', text('2'));
    await clock.advance(1);
    exact.unsubscribe();
    a.publish('s', text('3'));
    await clock.advance(1);
    wildcard.unsubscribe();
    a.publish('s', text('4'));
    await clock.advance(1);
    expect(got.map((word) => word.replace(/@.*/, ''))).toEqual(['1', '2', 'exact 2', 'wildcard 2', '3', 'wildcard 3', '4']);
  });

  test('order holds per direction although the delay shrinks between two messages', async () => {
    const { clock, broker, a, got } = pair();
    broker.network.delay('a', 'b', 20);
    a.publish('s', text('first'));
    broker.network.delay('a', 'b', 0);
    a.publish('s', text('second'));
    await clock.advance(19);
    expect(got).toEqual([]);
    await clock.advance(1);
    expect(got).toEqual(['first@20', 'second@20']);
  });

  test('a shape decides message by message', async () => {
    const { clock, broker, a, got } = pair();
    let sent = 0;
    broker.network.shape((source, target) => {
      expect([source, target]).toEqual(['a', 'b']);
      return sent++ % 2 === 0 ? 'lost' : 5;
    });
    for (const value of ['0', '1', '2', '3']) a.publish('s', text(value));
    await clock.advance(100);
    expect(got).toEqual(['1@5', '3@5']);
  });

  test('stopping the broker disconnects everybody and loses what is under way; starting restores the subscriptions', async () => {
    const { clock, broker, a, got } = pair();
    const events: BusEvent['kind'][] = [];
    a.onEvent((event) => events.push(event.kind));
    a.publish('s', text('under way'));
    broker.stop();
    a.publish('s', text('into the void'));
    await clock.advance(5);
    expect(a.connected).toBe(false);
    await expect(a.flush()).rejects.toMatchObject({ code: 'bus-unavailable' });
    broker.start();
    a.publish('s', text('back'));
    await clock.advance(5);
    expect(got).toEqual(['back@5']);
    expect(events).toEqual(['disconnected', 'reconnected']);
  });

  test('a subscription that does not keep up is bounded, and the bus says so once per episode', async () => {
    const clock = new ManualClock(0);
    const bus = new InProcessBroker({ clock, maxQueuedPerSubscription: 3 }).connect();
    const events: BusEvent[] = [];
    bus.onEvent((event) => events.push(event));
    let got = 0;
    bus.subscribe('s', () => got++);
    for (let i = 0; i < 10; i++) bus.publish('s', text('x'));
    await clock.advance(1);
    expect(got).toBe(3);
    expect(events).toEqual([{ kind: 'slow-consumer', subject: 's' }]);
  });

  test('a handler that throws is logged', async () => {
    const clock = new ManualClock(0);
    const { log, entries } = recordingLog();
    const bus = new InProcessBroker({ clock, log }).connect();
    bus.subscribe('s', () => {
      throw new Error('on purpose');
    });
    bus.publish('s', text('x'));
    await clock.advance(1);
    expect(entries.map((entry) => entry.level)).toEqual(['error']);
  });
});
