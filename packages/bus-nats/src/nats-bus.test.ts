import { busConformance } from '@armature/bus/conformance';
import type { Bus, BusEvent } from '@armature/bus';
import { memoryTelemetry, noTelemetry, recordingLog, silentLog, systemClock } from '@armature/runtime';
import { connect, nkeys } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectNatsBus, type NatsBusOptions } from './index.js';
import { NatsServer, NATS_SERVER_MISSING } from './nats-server.test-support.js';

const PATIENT = { timeout: 15_000, interval: 5 };

function options(server: { readonly url: string }, more: Partial<NatsBusOptions> = {}): NatsBusOptions {
  return { servers: [server.url], name: 'test', clock: systemClock, log: silentLog, telemetry: noTelemetry, ...more };
}

describe.skipIf(NATS_SERVER_MISSING)('nats bus (needs nats-server)', () => {
  let shared: NatsServer;
  const toStop: NatsServer[] = [];
  const toDrain: Bus[] = [];

  async function start(config?: string, port?: number): Promise<NatsServer> {
    const server = await NatsServer.start(config, port);
    toStop.push(server);
    return server;
  }

  async function open(server: NatsServer, more: Partial<NatsBusOptions> = {}): Promise<Bus> {
    const bus = await connectNatsBus(options(server, more));
    toDrain.push(bus);
    return bus;
  }

  beforeAll(async () => {
    shared = await NatsServer.start();
  });
  afterEach(async () => {
    for (const bus of toDrain.splice(0)) await bus.drain();
    for (const server of toStop.splice(0)) await server.stop();
  });
  afterAll(() => shared.stop());

  describe('conformance', () => {
    for (const { claim, run } of busConformance) {
      test(claim, () => run({ clock: systemClock, open: () => connectNatsBus(options(shared)) }));
    }
  });

  test('connect: no server there is bus-unavailable, naming what was tried', async () => {
    const gone = await NatsServer.start();
    await gone.stop();
    await expect(connectNatsBus(options(gone, { servers: [gone.url, 'nats://127.0.0.1:1'] }))).rejects.toMatchObject({
      code: 'bus-unavailable',
      remedy: expect.stringContaining(`${gone.url}, nats://127.0.0.1:1`) as string,
    });
  });

  test('connect: wrong credentials are invalid-config, right ones pass', async () => {
    const server = await start('authorization { user: u, password: secret }');
    for (const wrong of [{}, { user: 'u', pass: 'guess' }, { token: 't' }]) {
      await expect(connectNatsBus(options(server, wrong))).rejects.toMatchObject({
        code: 'invalid-config',
        details: { reason: 'auth' },
      });
    }
    const bus = await open(server, { user: 'u', pass: 'secret' });
    expect(bus.connected).toBe(true);
  });

  test('connect: the server may ask for an nkey', async () => {
    const pair = (nkeys as { createUser(): { getSeed(): Uint8Array; getPublicKey(): string } }).createUser();
    const seed = new TextDecoder().decode(pair.getSeed());
    const server = await start(`authorization { users: [{ nkey: ${pair.getPublicKey()} }] }`);
    expect((await open(server, { nkey: seed })).connected).toBe(true);
  });

  test('connect: TLS asked of a server that has none is invalid-config', async () => {
    await expect(connectNatsBus(options(shared, { tls: {} }))).rejects.toMatchObject({
      code: 'invalid-config',
      details: { reason: 'tls' },
    });
  });

  test('a server that restarts: the events say so, publishes meanwhile are dropped and counted, subscriptions come back', async () => {
    const server = await start();
    const telemetry = memoryTelemetry();
    const bus = await open(server, { telemetry });
    const events: BusEvent['kind'][] = [];
    const got: string[] = [];
    bus.onEvent((event) => events.push(event.kind));
    bus.subscribe('s', (message) => got.push(new TextDecoder().decode(message.payload)));
    await server.stop();
    await vi.waitFor(() => expect(bus.connected).toBe(false), PATIENT);
    bus.publish('s', new TextEncoder().encode('lost'));
    await expect(bus.flush()).rejects.toMatchObject({ code: 'bus-unavailable' });
    await start('', server.port);
    await vi.waitFor(() => expect(bus.connected).toBe(true), PATIENT);
    bus.publish('s', new TextEncoder().encode('kept'));
    await vi.waitFor(() => expect(got).toEqual(['kept']), PATIENT);
    expect(events).toEqual(['disconnected', 'reconnected']);
    expect(telemetry.value('armature_bus_events_total{kind="disconnected"}')).toBe(1);
    expect(telemetry.value('armature_bus_lost_publishes_total')).toBe(1);
  });

  test('drain while the server is away does not hang', async () => {
    const server = await start();
    const bus = await open(server);
    await server.stop();
    await vi.waitFor(() => expect(bus.connected).toBe(false), PATIENT);
    await bus.drain();
    expect(bus.connected).toBe(false);
  });

  test('a lame duck server announces itself', async () => {
    const server = await start('lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"');
    const bus = await open(server);
    const events: BusEvent['kind'][] = [];
    bus.onEvent((event) => events.push(event.kind));
    server.signal('SIGUSR2');
    await vi.waitFor(() => expect(events).toContain('lame-duck'), PATIENT);
  });

  test('handlers that hold up the event loop are a slow consumer, once per turn, by name', async () => {
    const { log, entries } = recordingLog();
    const bus = await open(shared, { slowConsumerMs: 30, log });
    const events: BusEvent[] = [];
    bus.onEvent((event) => events.push(event));
    bus.subscribe('slow.*', () => {
      const untilMs = performance.now() + 20;
      while (performance.now() < untilMs);
    });
    await bus.flush();
    for (let i = 0; i < 5; i++) bus.publish('slow.x', new Uint8Array(1));
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), PATIENT);
    expect(events[0]).toEqual({ kind: 'slow-consumer', subject: 'slow.*' });
    expect(entries.some((entry) => entry.level === 'warn' && entry.fields['subject'] === 'slow.*')).toBe(true);
  });

  test('a subject that the account may not use is an error event that names it', async () => {
    const server = await start(
      'authorization { users: [{ user: u, password: p, permissions: { subscribe: ["ok"], publish: ["ok"] } }] }',
    );
    const bus = await open(server, { user: 'u', pass: 'p' });
    const errors: string[] = [];
    bus.onEvent((event) => {
      if (event.kind === 'error') errors.push(`${event.error.code} ${String(event.error.details['subject'])}`);
    });
    bus.subscribe('forbidden', () => {});
    await vi.waitFor(() => expect(errors).toContain('invalid-config forbidden'), PATIENT);
  });

  test('a service is discoverable as a NATS micro service, with its endpoints and statistics', async () => {
    const bus = await open(shared);
    await bus.serve({
      name: 'armature-router',
      version: '1.2.3',
      description: 'Routes.',
      metadata: { cluster: 'c1' },
      endpoints: [
        {
          name: 'get',
          subject: 'api.get',
          handler: (message) => void message.respond(message.payload),
          metadata: { format: 'json' },
        },
      ],
    });
    await bus.flush();
    const plain = await connect({ servers: shared.url });
    try {
      await plain.request('api.get', 'x');
      const client = plain.services.client();
      const infos = [];
      for await (const info of await client.info('armature-router')) infos.push(info);
      expect(infos).toMatchObject([
        {
          name: 'armature-router',
          version: '1.2.3',
          metadata: { cluster: 'c1' },
          endpoints: [{ name: 'get', subject: 'api.get', metadata: { format: 'json' } }],
        },
      ]);
      for await (const stats of await client.stats('armature-router')) {
        expect(stats.endpoints).toMatchObject([{ num_requests: 1, num_errors: 0 }]);
      }
    } finally {
      await plain.close();
    }
  });

  test('max payload is what the server says', async () => {
    const server = await start('max_payload: 65536');
    expect((await open(server)).maxPayloadBytes).toBe(65_536);
  });
});
