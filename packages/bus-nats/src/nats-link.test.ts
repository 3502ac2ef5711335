import { linkAddress, LinkEndpoint, MIN_PAYLOAD_BYTES, type Bus, type LinkAddress, type LinkCodec } from '@armature/bus';
import { noTelemetry, recordingLog, silentLog, sleep, systemClock, systemRandom, type Logger } from '@armature/runtime';
import { connect } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectNatsBus, type NatsBusOptions } from './nats-connect.js';
import { NatsServer, NATS_SERVER_MISSING } from './nats-server.test-support.js';

const PATIENT = { timeout: 15_000, interval: 5 };
const SECOND = 1000;
/** The longest link address there is. */
const MAX_ADDRESS_BYTES = 160;

const codec: LinkCodec<Uint8Array, Uint8Array> = {
  encodeRequest: (writer, message) => void writer.raw(message),
  decodeRequest: (reader) => reader.rest(),
  encodeReply: (writer, message) => void writer.raw(message),
  decodeReply: (reader) => reader.rest(),
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const A = linkAddress('node', 'a');
const B = linkAddress('node', 'b');

describe.skipIf(NATS_SERVER_MISSING)('links over nats (needs nats-server)', () => {
  let shared: NatsServer;
  const random = systemRandom();
  const toDrain: Bus[] = [];
  const toStop: NatsServer[] = [];

  async function open(
    address = A,
    {
      server = shared,
      cluster = 'c',
      log = silentLog,
      bus: more = {},
    }: { server?: NatsServer; cluster?: string; log?: Logger; bus?: Partial<NatsBusOptions> } = {},
  ) {
    const bus = await connectNatsBus({
      servers: [server.url],
      name: address,
      clock: systemClock,
      log,
      telemetry: noTelemetry,
      ...more,
    });
    toDrain.push(bus);
    const link = LinkEndpoint.open(bus, codec, {
      prefix: 't',
      cluster,
      address,
      clock: systemClock,
      random,
      log,
      telemetry: noTelemetry,
    });
    await bus.flush();
    return { bus, link };
  }

  beforeAll(async () => {
    shared = await NatsServer.start();
  });
  afterEach(async () => {
    for (const bus of toDrain.splice(0)) await bus.drain();
    for (const server of toStop.splice(0)) await server.stop();
  });
  afterAll(() => shared.stop());

  test('a thousand requests of one turn are a handful of bus messages', async () => {
    const [a, b] = [await open(A), await open(B)];
    b.link.serve((message) => message);
    await a.link.request(B, bytes('introduction'), 5 * SECOND);
    const { framesOut, framesIn } = a.link.stats;
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) => a.link.request(B, bytes(String(i)), 5 * SECOND)));
    expect(replies.map(textOf)).toEqual(replies.map((_, i) => String(i)));
    expect(a.link.stats.framesOut).toBe(framesOut + 1);
    expect(a.link.stats.framesIn).toBeLessThanOrEqual(framesIn + 4);
  });

  test.each([1_000_000, 1_048_576, 5_000_000, 50_000_000])(
    '%d bytes pass both ways although max_payload is 1 MiB',
    async (size) => {
      const [a, b] = [await open(A), await open(B)];
      b.link.serve((message) => message);
      const sent = Buffer.alloc(size, 'armature');
      const answer = await a.link.request(B, sent, 30 * SECOND);
      expect(sent.equals(answer)).toBe(true);
    },
  );

  test('the smallest max_payload that is accepted suffices, with the longest names', async () => {
    const server = await NatsServer.start(`max_payload: ${MIN_PAYLOAD_BYTES}`);
    toStop.push(server);
    const longest = (role: string): LinkAddress =>
      linkAddress(role, 'x'.repeat(64), 'y'.repeat(MAX_ADDRESS_BYTES - 66 - role.length));
    const at = { server, cluster: 'c'.repeat(64) };
    const [a, b] = [await open(longest('node'), at), await open(longest('client'), at)];
    b.link.serve((message) => message);
    for (const size of [1, MIN_PAYLOAD_BYTES, 200_000]) {
      const sent = Buffer.alloc(size, 'armature');
      expect(sent.equals(await a.link.request(longest('client'), sent, 30 * SECOND))).toBe(true);
    }
  });

  test('a peer that this process may not publish to is unreachable at once, and the error names the subject', async () => {
    const server = await NatsServer.start(
      'authorization { users: [{ user: u, password: p, permissions: { publish: { deny: ["t.c.link.node.b"] } } }] }',
    );
    toStop.push(server);
    const a = await open(A, { server, bus: { user: 'u', pass: 'p' } });
    await expect(a.link.request(B, bytes('x'), 60 * SECOND)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('t.c.link.node.b') as string,
      details: { executed: 'unknown' },
    });
  });

  test('nobody there: unreachable within 100 ms', async () => {
    const a = await open(A);
    const beganMs = performance.now();
    await expect(a.link.request(linkAddress('node', 'nobody'), bytes('x'), 60 * SECOND)).rejects.toMatchObject({
      code: 'unreachable',
      details: { executed: 'no' },
    });
    expect(performance.now() - beganMs).toBeLessThan(100);
  });

  test('a peer that goes away with requests in hand: they fail with the next request, not with their deadline', async () => {
    const [a, b] = [await open(A), await open(B)];
    b.link.serve(() => new Promise(() => {}));
    const inHand = a.link.request(B, bytes('1'), 60 * SECOND).catch((error: unknown) => error);
    await vi.waitFor(() => expect(b.link.stats.executing).toBe(1), PATIENT);
    b.link.close();
    await b.bus.flush();
    await expect(a.link.request(B, bytes('2'), 60 * SECOND)).rejects.toMatchObject({
      code: 'unreachable',
      details: { executed: 'no' },
    });
    expect(await inHand).toMatchObject({ code: 'unreachable', details: { executed: 'unknown' } });
  });

  test('the server restarts: pending requests fail at once, new ones fail fast, then links work again', async () => {
    const server = await NatsServer.start();
    toStop.push(server);
    const [a, b] = [await open(A, { server }), await open(B, { server })];
    let answering = false;
    b.link.serve((message) => (answering ? message : new Promise<Uint8Array>(() => {})));
    const inHand = a.link.request(B, bytes('1'), 60 * SECOND).catch((error: unknown) => error);
    await vi.waitFor(() => expect(b.link.stats.executing).toBe(1), PATIENT);
    await server.stop();
    expect(await inHand).toMatchObject({ code: 'bus-unavailable', details: { executed: 'unknown' } });
    await expect(a.link.request(B, bytes('2'), 60 * SECOND)).rejects.toMatchObject({
      code: 'bus-unavailable',
      details: { executed: 'no' },
    });
    answering = true;
    toStop.push(await NatsServer.start('', server.port));
    await vi.waitFor(() => expect([a.bus.connected, b.bus.connected]).toEqual([true, true]), PATIENT);
    expect(textOf(await a.link.request(B, bytes('3'), 5 * SECOND))).toBe('3');
    expect(a.link.stats.pending).toBe(0);
  });

  test('a handler that holds up the event loop surfaces as a slow consumer in statistics and log', async () => {
    const { log, entries } = recordingLog();
    const a = await open(A, { log, bus: { slowConsumerMs: 30 } });
    a.link.serve((message) => {
      const untilMs = performance.now() + 60;
      while (performance.now() < untilMs);
      return message;
    });
    await a.link.request(A, bytes('x'), 5 * SECOND);
    expect(a.link.stats.slowConsumers).toBe(1);
    expect(entries.some((entry) => entry.message.includes('does not keep up') && entry.fields['link'] === A)).toBe(true);
  });

  test('frames of another cluster that a subject mapping lets in are refused, and their sender is told', async () => {
    const server = await NatsServer.start('mappings = { "t.one.link.>": "t.two.link.>" }');
    toStop.push(server);
    const [a, b] = [await open(A, { server, cluster: 'one' }), await open(B, { server, cluster: 'two' })];
    const handled: string[] = [];
    b.link.serve((message) => {
      handled.push(textOf(message));
      return message;
    });
    await expect(a.link.request(B, bytes('x'), 60 * SECOND)).rejects.toMatchObject({
      code: 'wrong-cluster',
      details: { executed: 'no' },
    });
    expect(handled).toEqual([]);
    expect(b.link.stats.refusedFrames).toBe(1);
  });

  test('garbage on the subject of a link is counted and harms nothing', async () => {
    const [a, b] = [await open(A), await open(B)];
    b.link.serve((message) => message);
    const plain = await connect({ servers: shared.url });
    for (let i = 0; i < 200; i++) plain.publish('t.c.link.node.b', random.bytes(i));
    await plain.drain();
    expect(textOf(await a.link.request(B, bytes('still here'), 5 * SECOND))).toBe('still here');
    expect(b.link.stats.decodeErrors).toBeGreaterThanOrEqual(195);
  });

  test('drain: everything in hand is answered before the connection closes', async () => {
    const [a, b] = [await open(A), await open(B)];
    b.link.serve(async (message) => {
      await sleep(systemClock, 50);
      return message;
    });
    const inHand = Promise.all(Array.from({ length: 100 }, (_, i) => a.link.request(B, bytes(String(i)), 5 * SECOND)));
    await vi.waitFor(() => expect(b.link.stats.executing).toBe(100), PATIENT);
    await b.link.drain();
    await b.bus.drain();
    expect((await inHand).map(textOf)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    await expect(a.link.request(B, bytes('late'), 5 * SECOND)).rejects.toMatchObject({
      code: 'unreachable',
      details: { executed: 'no' },
    });
  });
});
