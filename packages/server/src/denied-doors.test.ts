/**
 * An application whose NATS user may not publish to the doors of some bucket: what it hears, and that it goes on with its other
 * buckets as if nothing had been.
 */
import {
  subjectMatches,
  type Bus,
  type BusDenial,
  type BusEvent,
  type InProcessConnection,
  type PublishOptions,
} from '@armature/bus';
import { connectOver, type Client } from '@armature/client';
import { noTelemetry, silentLog, systemClock, systemRandom } from '@armature/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startLocalCluster, type LocalCluster } from './local-cluster.js';

/** A connection that may not publish to what matches a pattern, and is told so a moment later, as by NATS. */
function denying(connection: InProcessConnection, patterns: readonly string[], published: string[]): Bus {
  const denials: BusDenial[] = [];
  const listeners = new Set<(event: BusEvent) => void>();
  const publish = (subject: string, payload: Uint8Array, options?: PublishOptions): void => {
    published.push(subject);
    if (!patterns.some((pattern) => subjectMatches(pattern, subject))) {
      connection.publish(subject, payload, options);
      return;
    }
    const denial: BusDenial = { operation: 'publish', subject };
    denials.push(denial);
    systemClock.defer(() => {
      for (const listener of listeners) listener({ kind: 'denied', denial });
    });
  };
  return new Proxy<Bus>(connection, {
    get(bus, name) {
      if (name === 'publish') return publish;
      if (name === 'denials') return denials;
      if (name === 'onEvent') {
        return (listener: (event: BusEvent) => void) => {
          listeners.add(listener);
          const forget = bus.onEvent(listener);
          return () => {
            listeners.delete(listener);
            forget();
          };
        };
      }
      const value: unknown = Reflect.get(bus, name, bus);
      return typeof value === 'function' ? (value.bind(bus) as unknown) : value;
    },
  });
}

let cluster: LocalCluster;
let published: string[];
let patterns: string[];
let client: Client;

beforeAll(async () => {
  cluster = await startLocalCluster({ partitionCount: 8 });
  await cluster.client.admin.setBucket('orders', {});
});
afterAll(() => cluster.stop());

beforeEach(async () => {
  published = [];
  patterns = ['armature.local.link.front.orders.>'];
  const bus = denying(cluster.broker.connect('shop'), patterns, published);
  const ports = { bus, clock: systemClock, random: systemRandom(), log: silentLog, telemetry: noTelemetry };
  client = await connectOver(ports, { cluster: 'local', group: 'shop' });
});
afterEach(() => client.close());

const searches = (): number => published.filter((subject) => subject.includes('.discover.')).length;

test.each<[string, (client: Client) => Promise<unknown>]>([
  ['a get', (of) => of.bucket('orders').get('k')],
  ['a put', (of) => of.bucket('orders').put('k', 'v')],
  ['a listing', (of) => of.bucket('orders').keys()[Symbol.asyncIterator]().next()],
])('%s at a door that NATS closes is forbidden, and the coordinator of the other buckets stays', async (what, ask) => {
  await client.bucket('default').put(what, 'v');
  const before = searches();
  await expect(ask(client)).rejects.toMatchObject({ code: 'forbidden', details: { bucket: 'orders' } });
  expect((await client.bucket('default').get(what))?.value).toBe('v');
  expect(searches()).toBe(before);
});

test('the first thing that is asked may be forbidden, too', async () => {
  await expect(client.bucket('orders').put('k', 'v')).rejects.toMatchObject({ code: 'forbidden' });
  await client.bucket('default').put('k', 'v');
});

test('a put at a door that has been open, and is closed before the answer, may have happened', async () => {
  await client.bucket('default').put('k', 'v');
  patterns.push('armature.local.link.front.default.write.>');
  await expect(client.bucket('default').put('k', 'w')).rejects.toMatchObject({ code: 'unknown-outcome' });
});
