/**
 * What an endpoint remembers of its peers. Of a peer with nothing under way it is only the numbers of its session, which cost a round trip to agree upon
 * again, so idle ones are forgotten when there are too many.
 */
import { toHex, type Random } from '@armature/kernel';
import { FrameMac } from './frame-mac.js';
import { isLinkAddress, type LinkAddress, type LinkSubjects } from './link-address.js';
import type { LinkLimits } from './link-limits.js';
import { Pairing } from './pairing.js';
import { Outbox, type OutboxEnvironment } from './outbox.js';
import { PendingRequests } from './pending-requests.js';
import { Reassembly, type ReassemblyBudget } from './reassembly.js';

export interface Peer<Reply> {
  readonly address: LinkAddress;
  readonly outbox: Outbox;
  readonly pending: PendingRequests<Reply>;
  readonly reassembly: Reassembly;
  readonly pairing: Pairing;
  /** Undefined where this endpoint holds no secret. */
  readonly mac: FrameMac | undefined;
  /** Part of the subjects at which refusals of this peer come; nobody else is told. */
  readonly refusalPassword: string;
  /** It has been heard since the bus last said that nobody listens there. So whoever refuses our frames is somebody else. */
  isThere: boolean;
  /** Its requests that our handler has not answered yet. */
  executing: number;
  /** The longest that the frame at hand may have been under way, ms. */
  frameAgeMs: number;
  /** What it shows to be let in. The same object as long as it shows the same. */
  token: Uint8Array | undefined;
  /** What its wall clock showed in the latest prompt frame, ms since the Unix epoch; see `heardAtMs`. */
  wallMs: number;
  /** By our monotonic clock: when that frame came. `NaN` before the first. */
  heardAtMs: number;
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
  readonly own: LinkAddress;
  /** Derived from the secrets that this endpoint holds; undefined where it holds none. */
  readonly keys: readonly Uint8Array[] | undefined;
  readonly reassembly: ReassemblyBudget;
}

export class PeerTable<Reply> {
  readonly #options: PeerTableOptions;
  readonly #peers = new Map<string, Peer<Reply>>();

  constructor(options: PeerTableOptions) {
    this.#options = options;
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

  /** Whether a frame that says it is of this address ends with the right MAC. Remembers nobody. */
  isProved(address: string, frame: Uint8Array): boolean {
    const mac = this.#peers.get(address)?.mac ?? (isLinkAddress(address) ? this.#macFor(address) : undefined);
    return mac?.verifies(frame) === true;
  }

  clear(): void {
    this.#peers.clear();
  }

  #macFor(address: LinkAddress): FrameMac | undefined {
    const { keys, own } = this.#options;
    return keys === undefined ? undefined : new FrameMac(keys, own, address);
  }

  #meet(address: LinkAddress): Peer<Reply> | undefined {
    const { subjects, outboxes, limits, random, reassembly } = this.#options;
    if (this.#peers.size >= limits.peers) this.#forgetIdle();
    if (this.#peers.size >= limits.peers) return undefined;
    const mac = this.#macFor(address);
    const pairing = new Pairing(() => random.u32());
    const refusalPassword = toHex(random.bytes(8));
    const refusalPrefix = subjects.refusalsBy(address, refusalPassword);
    const peer: Peer<Reply> = {
      address,
      outbox: new Outbox(outboxes, { subject: subjects.framesOf(address), refusalPrefix, pairing, mac }),
      pending: new PendingRequests<Reply>(random.u32()),
      reassembly: new Reassembly(reassembly, limits.messageBytes),
      pairing,
      mac,
      refusalPassword,
      isThere: false,
      executing: 0,
      frameAgeMs: Infinity,
      token: undefined,
      wallMs: 0,
      heardAtMs: NaN,
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
