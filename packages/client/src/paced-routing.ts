/** Routing in turns: of all that an application starts, so much is under way at a time (`turns.ts`). */
import type { Turns } from '@armature/coordination';
import type { FetchOptions, ScanReply, WriteReply } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { ClientScan, ClientWrite, Fetched, Routing, RoutingKind } from './routing.js';

export class PacedRouting implements Routing {
  readonly #routing: Routing;
  readonly #turns: Turns;

  constructor(routing: Routing, turns: Turns) {
    this.#routing = routing;
    this.#turns = turns;
  }

  get kind(): RoutingKind {
    return this.#routing.kind;
  }

  fetch(address: Address, options: FetchOptions, timeoutMs: number): Promise<Fetched> {
    return this.#turns.take(timeoutMs, (leftMs) => this.#routing.fetch(address, options, leftMs));
  }

  write(write: ClientWrite, timeoutMs: number): Promise<WriteReply> {
    return this.#turns.take(timeoutMs, (leftMs) => this.#routing.write(write, leftMs));
  }

  scan(scan: ClientScan, timeoutMs: number): Promise<ScanReply> {
    return this.#turns.take(timeoutMs, (leftMs) => this.#routing.scan(scan, leftMs));
  }
}
