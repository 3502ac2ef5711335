import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NatsNetwork } from './nats-network.js';
import { TcpProxy } from './tcp-proxy.js';

const PATIENT = { timeout: 15_000, interval: 20 };

describe('a proxy that can be cut', () => {
  let echo: Server;
  let proxy: TcpProxy;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await TcpProxy.open();
    proxy.target((echo.address() as AddressInfo).port);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await proxy.close();
    echo.close();
  });

  function dial(): { socket: Socket; got: () => string; isClosed: () => boolean } {
    const socket = connect(proxy.port, '127.0.0.1').setEncoding('utf8');
    sockets.push(socket);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk))).on('error', () => undefined);
    return { socket, got: () => text, isClosed: () => socket.closed };
  }

  test('reset: connections die, new ones are refused, until it is healed', async () => {
    const before = dial();
    before.socket.write('one');
    await expect.poll(before.got, PATIENT).toBe('one');
    proxy.cut('reset');
    await expect.poll(before.isClosed, PATIENT).toBe(true);
    const during = dial();
    await expect.poll(during.isClosed, PATIENT).toBe(true);
    proxy.heal();
    const after = dial();
    after.socket.write('two');
    await expect.poll(after.got, PATIENT).toBe('two');
  });

  test('silent: the connection stays and nothing passes; after healing it goes on with what was on its way', async () => {
    const { socket, got, isClosed } = dial();
    socket.write('one');
    await expect.poll(got, PATIENT).toBe('one');
    proxy.cut('silent');
    socket.write('two');
    const other = dial();
    await expect.poll(other.isClosed, PATIENT).toBe(true); // by when the two would have come back
    expect([got(), isClosed()]).toEqual(['one', false]);
    proxy.heal();
    await expect.poll(got, PATIENT).toBe('onetwo');
  });
});

describe('a network of nats-servers', () => {
  let directory: string;
  let network: NatsNetwork | undefined;

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'armature-'))));
  afterEach(async () => {
    await network?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('by their own account, servers that are cut off are connected to nobody, and to all once healed', async () => {
    network = await NatsNetwork.start({ directory, sites: { east: ['a', 'b'], west: ['c'] } });
    const links = async (name: string) => {
      const { routes, gateways } = (await network?.links(name)) ?? { routes: ['?'], gateways: ['?'] };
      return `${routes.join()} ${gateways.join()}`;
    };
    expect([await links('a'), await links('c')]).toEqual(['b west', ' east']);
    network.cutGateways();
    await expect.poll(() => links('a'), PATIENT).toBe('b ');
    await expect.poll(() => links('c'), PATIENT).toBe(' ');
    network.cutOff(['a']);
    await expect.poll(() => links('b'), PATIENT).toBe(' ');
    network.heal();
    await network.untilWhole();
    expect([await links('a'), await links('c')]).toEqual(['b west', ' east']);
  });
});
