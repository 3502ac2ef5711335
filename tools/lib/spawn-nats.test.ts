import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { spawnNats } from './spawn-nats.mjs';

const binary = process.env['NATS_SERVER_BIN'];

describe.skipIf(binary === undefined)('a private nats-server', () => {
  test('accepts clients when it is said to be up, and is gone when it is said to be stopped', async () => {
    const server = await spawnNats({ binary: binary ?? '' });
    const socket = connect(server.port, '127.0.0.1');
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    expect(greeting.toString()).toMatch(/^INFO /);
    socket.destroy();
    await server.stop();
    await server.exited;
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });

  test('that cannot start is an error with its last words', async () => {
    const server = await spawnNats({ binary: binary ?? '' });
    await expect(spawnNats({ binary: binary ?? '', port: server.port })).rejects.toThrow('address already in use');
    await server.stop();
  });
});

test('a program that does not exist is an error', async () => {
  await expect(spawnNats({ binary: '/no/such/nats-server' })).rejects.toThrow('ENOENT');
});
