/**
 * A TCP proxy that can be cut: the network between two processes of a test, with both of them left running.
 *
 * A cut comes in the two kinds that real networks have. `reset`: connections die at once on both sides and new ones are refused,
 * as when a process or a switch port goes. `silent`: connections stay and nothing passes, as when packets are dropped; each side
 * learns of it by its own deadlines only. After `heal` a silent connection goes on where it stopped, with what was on its way, as
 * TCP does once a retransmission gets through.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type CutKind = 'reset' | 'silent';

const HOST = '127.0.0.1';

export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #targetPort: number | undefined;
  #cut: CutKind | undefined;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (inbound) => this.#join(inbound));
  }

  /** Listens on a port that the system picks. */
  static open(): Promise<TcpProxy> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host: HOST }, () => resolve(new TcpProxy(server)));
    });
  }

  /** Where connections lead. Until it is known they are refused. */
  target(port: number): void {
    this.#targetPort = port;
  }

  /** Connections that pass now, or would if it were not for a silent cut. */
  get connections(): number {
    return this.#pairs.size;
  }

  cut(kind: CutKind): void {
    this.#cut = kind;
    for (const pair of this.#pairs) {
      if (kind === 'reset') destroy(pair);
      else for (const socket of pair) socket.pause();
    }
  }

  heal(): void {
    this.#cut = undefined;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async close(): Promise<void> {
    this.cut('reset');
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(inbound: Socket): void {
    inbound.on('error', () => undefined);
    if (this.#targetPort === undefined || this.#cut !== undefined) {
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect({ port: this.#targetPort, host: HOST });
    const pair = [inbound, outbound] as const;
    this.#pairs.add(pair);
    for (const [socket, other] of [pair, [outbound, inbound]] as const) {
      socket.setNoDelay(true);
      socket.on('data', (chunk) => {
        if (!other.write(chunk)) socket.pause();
      });
      socket.on('drain', () => {
        if (this.#cut !== 'silent') other.resume();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#pairs.delete(pair);
        if (!other.destroyed) other.destroySoon();
      });
    }
  }
}

function destroy([inbound, outbound]: readonly [Socket, Socket]): void {
  inbound.resetAndDestroy();
  outbound.resetAndDestroy();
}
