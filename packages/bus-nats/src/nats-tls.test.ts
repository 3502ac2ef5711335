import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Bus } from '@armature/bus';
import { noTelemetry, silentLog, systemClock } from '@armature/runtime';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CERTIFICATE_ONE, CERTIFICATE_TWO, type TestCertificate } from './certificates.test-support.js';
import { connectNatsBus, type NatsBusOptions } from './nats-connect.js';
import { NatsServer, NATS_SERVER_MISSING } from './nats-server.test-support.js';

const PATIENT = { timeout: 15_000, interval: 5 };

describe.skipIf(NATS_SERVER_MISSING)('TLS (needs nats-server)', () => {
  let directory: string;
  let caFile: string;
  const toStop: (() => unknown)[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'armature-tls-'));
    caFile = join(directory, 'ca.pem');
    writeFileSync(caFile, CERTIFICATE_ONE.cert);
  });
  afterEach(async () => {
    for (const stop of toStop.splice(0).reverse()) await stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function serverWith({ cert, key }: TestCertificate, port = 0): Promise<NatsServer> {
    const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const server = await NatsServer.start(`tls { cert_file: "${certFile}", key_file: "${keyFile}" }`, port);
    toStop.push(() => server.stop());
    return server;
  }

  async function open(url: string, more: Partial<NatsBusOptions> = {}): Promise<Bus> {
    const ports = { name: 'test', clock: systemClock, log: silentLog, telemetry: noTelemetry };
    const bus = await connectNatsBus({ servers: [url], ...ports, tls: { caFile }, ...more });
    toStop.push(() => bus.drain());
    return bus;
  }

  test('tls:// connects to a server whose authority is known, and to no other', async () => {
    const server = await serverWith(CERTIFICATE_ONE);
    const url = server.url.replace('nats:', 'tls:');
    const bus = await open(url);
    await bus.flush();
    const heard: string[] = [];
    bus.subscribe('s', (message) => heard.push(message.subject));
    bus.publish('s', new Uint8Array(1));
    await vi.waitFor(() => expect(heard).toEqual(['s']), PATIENT);
    await expect(open(url, { tls: undefined })).rejects.toMatchObject({ code: 'invalid-config', details: { reason: 'tls' } });
  });

  test('the authorities are read again at each attempt: a server with another certificate is found', async () => {
    const server = await serverWith(CERTIFICATE_ONE);
    const bus = await open(server.url);
    await server.stop();
    await serverWith(CERTIFICATE_TWO, server.port);
    await vi.waitFor(() => expect(bus.connected).toBe(false), PATIENT);
    writeFileSync(caFile, CERTIFICATE_TWO.cert);
    await vi.waitFor(() => expect(bus.connected).toBe(true), PATIENT);
    await bus.flush();
  });

  test('TLS before the greeting: connects, and an attempt that is given up leaves no socket', async () => {
    const sockets = new Set<Socket>();
    let isSilent = false;
    const front = createServer(CERTIFICATE_ONE, (secure) => {
      secure.on('error', () => undefined);
      if (isSilent) return;
      secure.write('INFO {"version":"2.10.4","proto":1,"tls_required":true,"max_payload":1048576}\r\n');
      secure.on('data', (chunk: Buffer) => {
        if (chunk.includes('PING')) secure.write('PONG\r\n');
      });
    }).listen(0, '127.0.0.1');
    front.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await once(front, 'listening');
    toStop.push(() => front.close());
    const url = `nats://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const tls = { caFile, handshakeFirst: true };
    const bus = await open(url, { tls });
    await bus.flush();
    await bus.drain();
    await vi.waitFor(() => expect(sockets.size).toBe(0), PATIENT);
    isSilent = true;
    await expect(open(url, { tls, connectTimeoutMs: 200 })).rejects.toMatchObject({ code: 'bus-unavailable' });
    await vi.waitFor(() => expect(sockets.size).toBe(0), PATIENT);
  });
});
