/**
 * The endpoints behind a door. One subscription takes the frames for all of them and hands each to its endpoint, which is opened
 * when its first frame comes. There are only so many; the one that was asked least lately makes room, if nobody waits for
 * anything there. Its peers then agree upon their sessions anew, which costs them a round trip.
 */
import type { LinkEndpoint } from '@armature/bus';
import type { Reply, Request } from '@armature/protocol';

export type HandedEndpoint = LinkEndpoint<Request, Reply>;

export class HandedEndpoints {
  readonly #limit: number;
  /** By name; the one that was asked least lately is first. */
  readonly #open = new Map<string, HandedEndpoint>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  use(name: string): HandedEndpoint | undefined {
    const endpoint = this.#open.get(name);
    if (endpoint === undefined) return undefined;
    this.#open.delete(name); // to the end
    this.#open.set(name, endpoint);
    return endpoint;
  }

  add(name: string, endpoint: HandedEndpoint): void {
    this.#open.set(name, endpoint);
  }

  remove(name: string): void {
    this.#open.delete(name);
  }

  async drain(): Promise<void> {
    await Promise.all([...this.#open.values()].map((endpoint) => endpoint.drain()));
  }

  /** Whether there is room for one more, once one that nobody needs has been closed. */
  makeRoom(): boolean {
    if (this.#open.size < this.#limit) return true;
    for (const [name, endpoint] of this.#open) {
      if (!endpoint.isIdle) continue;
      endpoint.close();
      this.#open.delete(name);
      return true;
    }
    return false;
  }
}
