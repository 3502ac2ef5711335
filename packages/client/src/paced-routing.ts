/** Routing in turns: of all that an application starts, so much is under way at a time (`turns.ts`). */
import type { Pace } from '@armature/coordination';
import type { FetchOptions, ScanReply, WriteReply } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { ClientScan, ClientWrite, Fetched, Routing, RoutingKind } from './routing.js';

export class PacedRouting implements Routing {
  readonly #routing: Routing;
  readonly #pace: Pace;

  constructor(routing: Routing, pace: Pace) {
    this.#routing = routing;
    this.#pace = pace;
  }

  get kind(): RoutingKind {
    return this.#routing.kind;
  }

  fetch(address: Address, options: FetchOptions, timeoutMs: number): Promise<Fetched> {
    return this.#pace.take(timeoutMs, (leftMs) => this.#routing.fetch(address, options, leftMs));
  }

  write(write: ClientWrite, timeoutMs: number): Promise<WriteReply> {
    return this.#pace.take(timeoutMs, (leftMs) => this.#routing.write(write, leftMs), write.value.length);
  }

  scan(scan: ClientScan, timeoutMs: number): Promise<ScanReply> {
    return this.#pace.take(timeoutMs, (leftMs) => this.#routing.scan(scan, leftMs));
  }
}
