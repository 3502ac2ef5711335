/**
 * What an endpoint remembers of its peers. A peer with nothing under way is only a session number, which its next frame tells
 * again, so idle ones are forgotten when there are too many.
 */
import type { Random } from '@armature/kernel';
import { isLinkAddress, type LinkAddress, type LinkSubjects } from './link-address.js';
import type { LinkLimits } from './link-limits.js';
import { Outbox, type OutboxEnvironment } from './outbox.js';
import { PendingRequests } from './pending-requests.js';
import { Reassembly, ReassemblyBudget } from './reassembly.js';
import type { Belonging } from './trust-domain.js';

export interface Peer<Reply> {
  readonly address: LinkAddress;
  readonly outbox: Outbox;
  readonly pending: PendingRequests<Reply>;
  readonly reassembly: Reassembly;
  /** Which life of the peer we last heard from; 0 when from none yet. */
  session: number;
  /** Its requests that our handler has not answered yet. */
  executing: number;
  /** The longest that the frame at hand may have been under way, ms; undefined where it has no echo of a frame of ours. */
  frameAgeMs: number | undefined;
  /** What its sender is to us. */
  belonging: Exclude<Belonging, 'stranger'>;
  /** What its wall clock showed in the latest prompt frame, ms since the Unix epoch; see `heardAtMs`. */
  wallMs: number;
  /** By our monotonic clock: when that frame came. `NaN` before the first. */
  heardAtMs: number;
  /** Whether the answers in the frame at hand are meant for this life of ours. */
  answersAreOurs: boolean;
}

/** What a peer's latest frame that was not delayed told of its wall clock. */
export interface PeerClock {
  readonly address: LinkAddress;
  /** The peer's wall clock, ms since the Unix epoch. */
  readonly wallMs: number;
  /** Our monotonic clock when the frame came, ms. */
  readonly heardAtMs: number;
}

export interface PeerTableOptions {
  readonly subjects: LinkSubjects;
  readonly outboxes: OutboxEnvironment;
  readonly limits: LinkLimits;
  readonly random: Random;
}

export class PeerTable<Reply> {
  readonly #options: PeerTableOptions;
  readonly #budget: ReassemblyBudget;
  readonly #peers = new Map<string, Peer<Reply>>();

  constructor(options: PeerTableOptions) {
    this.#options = options;
    this.#budget = new ReassemblyBudget(options.limits.reassemblyBytes);
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Of large messages that wait to be sent, all peers together. */
  get backlogBytes(): number {
    return this.#options.outboxes.backlog.sizeBytes;
  }

  all(): Iterable<Peer<Reply>> {
    return this.#peers.values();
  }

  known(address: string): Peer<Reply> | undefined {
    return this.#peers.get(address);
  }

  /** The peer at an address that may come from the wire; undefined if that is none, or there is no room for one more. */
  at(address: string): Peer<Reply> | undefined {
    return this.#peers.get(address) ?? (isLinkAddress(address) ? this.#meet(address) : undefined);
  }

  clear(): void {
    this.#peers.clear();
  }

  #meet(address: LinkAddress): Peer<Reply> | undefined {
    const { subjects, outboxes, limits, random } = this.#options;
    if (this.#peers.size >= limits.peers) this.#forgetIdle();
    if (this.#peers.size >= limits.peers) return undefined;
    const peer: Peer<Reply> = {
      address,
      outbox: new Outbox(outboxes, subjects.framesOf(address), subjects.refusalsBy(address)),
      pending: new PendingRequests<Reply>(random.u32()),
      reassembly: new Reassembly(this.#budget, limits.messageBytes),
      session: 0,
      executing: 0,
      frameAgeMs: undefined,
      belonging: 'guest',
      wallMs: 0,
      heardAtMs: NaN,
      answersAreOurs: false,
    };
    this.#peers.set(address, peer);
    return peer;
  }

  #forgetIdle(): void {
    for (const [address, peer] of this.#peers) {
      const idle = peer.pending.size === 0 && peer.executing === 0 && peer.outbox.idle && !peer.reassembly.active;
      if (idle) this.#peers.delete(address);
    }
  }
}
