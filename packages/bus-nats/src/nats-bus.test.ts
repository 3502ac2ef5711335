import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { busConformance } from '@armature/bus/conformance';
import type { Bus, BusEvent, BusMessage } from '@armature/bus';
import { memoryTelemetry, noTelemetry, recordingLog, silentLog, systemClock } from '@armature/runtime';
import { connect, nkeys } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectNatsBus, type NatsBusOptions } from './nats-connect.js';
import { NatsServer, NATS_SERVER_MISSING } from './nats-server.test-support.js';

const PATIENT = { timeout: 15_000, interval: 5 };

function nkeyPair(): { seed: string; publicKey: string } {
  const pair = (nkeys as { createUser(): { getSeed(): Uint8Array; getPublicKey(): string } }).createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

function options(server: { readonly url: string }, more: Partial<NatsBusOptions> = {}): NatsBusOptions {
  return { servers: [server.url], name: 'test', clock: systemClock, log: silentLog, telemetry: noTelemetry, ...more };
}

describe.skipIf(NATS_SERVER_MISSING)('nats bus (needs nats-server)', () => {
  let shared: NatsServer;
  const toStop: NatsServer[] = [];
  const toDrain: Bus[] = [];
  const toClose: Server[] = [];

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

  /** A server that is none of NATS's. */
  async function listen(onConnection: (socket: Socket) => void): Promise<{ url: string }> {
    const server = createServer(onConnection).listen(0, '127.0.0.1');
    await once(server, 'listening');
    toClose.push(server);
    return { url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  beforeAll(async () => {
    shared = await NatsServer.start();
  });
  afterEach(async () => {
    for (const bus of toDrain.splice(0)) await bus.drain();
    for (const server of toStop.splice(0)) await server.stop();
    for (const server of toClose.splice(0)) server.close();
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
    const { seed, publicKey } = nkeyPair();
    const server = await start(`authorization { users: [{ nkey: ${publicKey} }] }`);
    expect((await open(server, { nkey: seed })).connected).toBe(true);
  });

  test('connect: TLS asked of a server that has none is invalid-config, by tls:// too, and no credentials are sent', async () => {
    const heard: string[] = [];
    const plain = await listen((socket) => {
      socket.write('INFO {"server_id":"x","version":"2.9.10","proto":1,"max_payload":1048576}\r\n');
      socket.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
    });
    const secret = { user: 'u', pass: 'secret' };
    for (const more of [{ tls: {} }, { servers: [plain.url.replace('nats:', 'tls:')] }]) {
      await expect(connectNatsBus(options(plain, { ...secret, ...more }))).rejects.toMatchObject({
        code: 'invalid-config',
        details: { reason: 'tls' },
      });
    }
    expect(heard).toEqual([]);
  });

  test('connect: what is no NATS server is told from one that is not there, and no socket stays open', async () => {
    let open = 0;
    const silent = await listen((socket) => {
      open++;
      socket.on('close', () => open--);
    });
    await expect(connectNatsBus(options(silent, { connectTimeoutMs: 100 }))).rejects.toMatchObject({
      code: 'bus-unavailable',
      message: expect.stringContaining('does not greet as a NATS server') as string,
    });
    await vi.waitFor(() => expect(open).toBe(0), PATIENT);
  });

  test('connect: credentials that cannot be used are invalid-config, whatever the server asks for', async () => {
    for (const wrong of [{ nkey: 'SUNOTASEED' }, { creds: 'garbage' }, { servers: ['ws://a'] }]) {
      await expect(connectNatsBus(options(shared, wrong))).rejects.toMatchObject({ code: 'invalid-config' });
    }
  });

  test('connect: a server that takes too little in a message is invalid-config', async () => {
    const server = await start('max_payload: 1024');
    await expect(connectNatsBus(options(server))).rejects.toMatchObject({
      code: 'invalid-config',
      message: expect.stringMatching(/max_payload .* 1024 bytes.* 4096/) as string,
    });
  });

  test('a server that comes back and takes too little in a message is not used until it takes enough', async () => {
    const server = await start();
    const { log, entries } = recordingLog();
    const bus = await open(server, { log });
    await server.stop();
    const small = await start('max_payload: 1024', server.port);
    await vi.waitFor(() => expect(entries.some(({ message }) => message.includes('max_payload'))).toBe(true), PATIENT);
    expect(bus.connected).toBe(false);
    await small.stop();
    await start('', server.port);
    await vi.waitFor(() => expect(bus.connected).toBe(true), PATIENT);
  });

  test('a rotated nkey is read again at the next attempt; one that is half-written is not', async () => {
    const userOf = ({ publicKey }: { publicKey: string }): string => `authorization { users: [{ nkey: ${publicKey} }] }`;
    const [old, fresh] = [nkeyPair(), nkeyPair()];
    const server = await start(userOf(old));
    let file = old.seed;
    const { log, entries } = recordingLog();
    const bus = await open(server, { log, credentials: () => ({ nkey: file }) });
    file = fresh.seed.slice(0, 20);
    server.reload(userOf(fresh));
    await vi.waitFor(() => expect(entries.some(({ message }) => message.includes('cannot be read again'))).toBe(true), PATIENT);
    expect(bus.connected).toBe(false);
    file = fresh.seed;
    await vi.waitFor(() => expect(bus.connected).toBe(true), PATIENT);
    const complaints = entries.filter(({ fields }) =>
      String((fields['error'] as Error | undefined)?.message).includes('refuses'),
    );
    expect(complaints.length).toBeLessThanOrEqual(1);
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

  test.each(['before', 'while'])(
    'a wall clock that is set back by an hour %s the server is away keeps nobody from it',
    async (when) => {
      const server = await start();
      const bus = await open(server);
      const realNow = Date.now.bind(Date);
      const setBack = (): void => void vi.spyOn(Date, 'now').mockImplementation(() => realNow() - 3_600_000);
      try {
        if (when === 'before') setBack();
        await server.stop();
        await vi.waitFor(() => expect(bus.connected).toBe(false), PATIENT);
        if (when === 'while') setBack();
        await start('', server.port);
        await vi.waitFor(() => expect(bus.connected).toBe(true), PATIENT);
      } finally {
        vi.restoreAllMocks();
      }
    },
  );

  test('drain while the server is away does not hang', async () => {
    const server = await start();
    const bus = await open(server);
    await server.stop();
    await vi.waitFor(() => expect(bus.connected).toBe(false), PATIENT);
    await bus.drain();
    expect(bus.connected).toBe(false);
  });

  test('drain does not hang when the server goes away meanwhile', async () => {
    const server = await start();
    const bus = await open(server);
    const drained = bus.drain();
    await server.stop();
    await drained;
    expect(bus.connected).toBe(false);
  });

  test('drain does not hang on a server that goes away before that is noticed', async () => {
    const server = await start();
    const bus = await open(server);
    await server.stop();
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

  describe('permissions', () => {
    const denying = (...subjects: string[]): string =>
      `authorization { users: [{ user: u, password: p, permissions: {
        publish: { allow: ">", deny: [${subjects.join(', ')}] }, subscribe: { allow: ">", deny: [${subjects.join(', ')}] } } }] }`;
    const asU = { user: 'u', pass: 'p' };
    const text = (message: { payload: Uint8Array }): string => new TextDecoder().decode(message.payload);
    const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

    /** Publishes until somebody hears it: whether a subscription is there, only a message tells. */
    const hears = (bus: Bus, subject: string, heard: readonly string[]): Promise<void> => {
      const before = heard.length;
      return vi.waitFor(() => {
        bus.publish(subject, bytes('x'));
        expect(heard.length).toBeGreaterThan(before);
      }, PATIENT);
    };

    test('a permission that is taken and given back: the subscription lacks, is told once, and comes back', async () => {
      const server = await start(denying());
      const { log, entries } = recordingLog();
      const [bus, other] = [await open(server, { ...asU, log }), await open(server, asU)];
      const [plain, queued]: [string[], string[]] = [[], []];
      const events: string[] = [];
      bus.onEvent((event) => {
        if (event.kind === 'denied') events.push(`denied ${event.denial.operation} ${event.denial.subject}`);
        if (event.kind === 'granted') events.push(`granted ${event.subject}`);
      });
      bus.subscribe('s.plain', (message) => plain.push(text(message)));
      bus.subscribe('s.queued', (message) => queued.push(text(message)), { queue: 'q' });
      await hears(other, 's.plain', plain);
      await hears(other, 's.queued', queued);
      server.reload(denying('"s.*"'));
      await vi.waitFor(() => expect(bus.denials).toHaveLength(2), PATIENT);
      expect(events.sort()).toEqual(['denied subscribe s.plain', 'denied subscribe s.queued']);
      expect(entries.map(({ fields }) => fields['subject']).sort()).toEqual(['s.plain', 's.queued']);
      server.reload(denying());
      await vi.waitFor(() => expect(bus.denials).toEqual([]), PATIENT);
      await hears(other, 's.plain', plain);
      await hears(other, 's.queued', queued);
      expect(events.sort().slice(2)).toEqual(['granted s.plain', 'granted s.queued']);
    });

    test('a denied subscription is made again as soon as another server permits it', async () => {
      const server = await start(denying('s'));
      const bus = await open(server, asU);
      const heard: string[] = [];
      bus.subscribe('s', (message) => heard.push(text(message)));
      await vi.waitFor(() => expect(bus.denials).toEqual([{ operation: 'subscribe', subject: 's' }]), PATIENT);
      await server.stop();
      await start(denying(), server.port);
      await vi.waitFor(() => expect(bus.connected && bus.denials.length === 0).toBe(true), PATIENT);
      await hears(bus, 's', heard);
    });

    test('a service comes back as a whole after one of its subjects was denied', async () => {
      const server = await start(denying());
      const [bus, other] = [await open(server, asU), await open(server, asU)];
      const endpoint = (name: string) => ({
        name,
        subject: `api.${name}`,
        handler: (message: BusMessage) => void message.respond(bytes(name)),
      });
      await bus.serve({
        name: 'armature-test',
        version: '1.0.0',
        description: 'Test.',
        endpoints: [endpoint('a'), endpoint('b')],
      });
      const answers: string[] = [];
      other.subscribe('answers', (message) => (message.status === undefined ? answers.push(text(message)) : 0));
      const answered = (name: string): Promise<void> =>
        vi.waitFor(() => {
          other.publish(`api.${name}`, bytes(''), { reply: 'answers' });
          expect(answers).toContain(name);
        }, PATIENT);
      await answered('a');
      server.reload(denying('api.a', '"$SRV.>"'));
      await vi.waitFor(() => expect(bus.denials.map(({ subject }) => subject).sort()).toEqual(['$SRV.>', 'api.a']), PATIENT);
      server.reload(denying());
      await vi.waitFor(() => expect(bus.denials).toEqual([]), PATIENT);
      answers.length = 0;
      await answered('a');
      await answered('b');
    });

    test('a server that takes no more subscriptions: something lacks, until it takes them', async () => {
      const server = await start('max_subscriptions: 2');
      const bus = await open(server);
      const heard: string[] = [];
      for (const subject of ['a', 'b', 'c']) bus.subscribe(subject, (message) => heard.push(message.subject));
      await bus.flush();
      expect(bus.denials).toEqual([
        { operation: 'subscribe', subject: expect.stringContaining('maximum subscriptions exceeded') as string },
      ]);
      await server.stop();
      await start('', server.port);
      await vi.waitFor(() => expect(bus.connected && bus.denials.length === 0).toBe(true), PATIENT);
      await hears(bus, 'c', heard);
    });

    test('a subscription that nobody wants any more lacks no more', async () => {
      const server = await start(denying('s'));
      const bus = await open(server, asU);
      const subscription = bus.subscribe('s', () => {});
      await vi.waitFor(() => expect(bus.denials).toHaveLength(1), PATIENT);
      subscription.unsubscribe();
      expect(bus.denials).toEqual([]);
    });

    test('a denied publish is told, once in the log however often it is tried', async () => {
      const server = await start(denying('p'));
      const { log, entries } = recordingLog();
      const bus = await open(server, { ...asU, log });
      let denied = 0;
      bus.onEvent((event) => (denied += event.kind === 'denied' ? 1 : 0));
      for (let i = 0; i < 3; i++) bus.publish('p', bytes('x'));
      await vi.waitFor(() => expect(denied).toBe(3), PATIENT);
      expect(bus.denials).toEqual([{ operation: 'publish', subject: 'p' }]);
      expect(entries.filter(({ fields }) => fields['subject'] === 'p')).toHaveLength(1);
    });
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
