/**
 * The client library's way to a server, mended in two places.
 *
 * The library gives an attempt to connect a time limit, but when that has passed it leaves the socket open: to whoever took the
 * connection and does not greet (a web server, a Redis, a NATS server that stands still), or to an address from which
 * nothing comes back. Such a socket keeps a program from ending, and each further attempt leaves one more. Here an attempt
 * that is given up closes its socket.
 *
 * And it waits for name servers without any limit. Here a name that is not resolved in time is left to the
 * operating system's resolver, within the time limit of the attempt.
 *
 * The library knows one transport for the whole process, so this one must serve any connection as well as its own does.
 */
import { createConnection, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@armature/runtime';
import { setTransportFactory } from 'nats/lib/nats-base-client/internal_mod.js';
import { NodeTransport, nodeResolveHost } from 'nats/lib/src/node_transport.js';

/** How far an attempt came: nobody took the connection, or somebody did and was not heard as a NATS server. */
export type AttemptStage = 'dialling' | 'greeting' | 'connected';

const RESOLVE_TIMEOUT_MS = 2_000;

const stages = new WeakMap<object, AttemptStage>();

/** How far the attempt came that failed with `error`; undefined when that is not known. */
export function stageOf(error: unknown): AttemptStage | undefined {
  return typeof error === 'object' && error !== null ? stages.get(error) : undefined;
}

/** Must be called before a connection is made: whoever uses the library beside us may have set its own. */
export function useBoundedTransport(clock: Clock): void {
  setTransportFactory({ factory: () => new BoundedTransport(), dnsResolveFn: (name) => resolveInTime(name, clock) });
}

class BoundedTransport extends NodeTransport {
  #stage: AttemptStage = 'dialling';
  #dialled: Socket | undefined;

  override async connect(
    server: { hostname: string; port: number; tlsName: string },
    options: NodeTransport['options'],
  ): Promise<void> {
    await super.connect(server, options);
    this.#stage = 'connected';
  }

  override dial(server: { hostname: string; port: number }): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let failure: Error | undefined;
      const socket = createConnection(server.port, server.hostname, () => {
        socket.removeAllListeners();
        this.#stage = 'greeting';
        resolve(socket);
      });
      this.#dialled = socket;
      socket.on('error', (error) => (failure = error));
      socket.on('close', () => {
        socket.removeAllListeners();
        reject(failure ?? new Error('the attempt was given up'));
      });
      socket.setNoDelay(true);
    });
  }

  /** Like `startTLS`, over a socket that can be closed while the handshake lasts. */
  override async tlsFirst(server: { hostname: string; port: number }): Promise<TLSSocket> {
    this.socket = await this.dial(server);
    return this.startTLS();
  }

  override async close(error?: Error): Promise<void> {
    if (error !== undefined) stages.set(error, this.#stage);
    if (this.connected) return super.close(error);
    // Destroyed sockets may tell of an error yet, which nobody waits for.
    for (const socket of [this.#dialled, this.socket]) socket?.on('error', () => undefined).destroy();
  }
}

function resolveInTime(name: string, clock: Clock): Promise<string[]> {
  return new Promise((resolve) => {
    const timer = clock.after(RESOLVE_TIMEOUT_MS, () => resolve([name]));
    void nodeResolveHost(name).then((addresses) => {
      timer.cancel();
      resolve(addresses);
    });
  });
}
