/**
 * What an endpoint remembers of its peers: those that it has asked something, and those that have shown that they can hear at
 * their address (`greeter.ts`). Of a peer with nothing under way it is only the numbers of its session, which cost a round trip
 * to agree upon again, so idle ones are forgotten when there are too many (`peer-quota.ts`).
 */
import { toHex, type Random } from '@armature/kernel';
import type { Clock } from '@armature/runtime';
import type { FrameHeader } from './frame.js';
import { FrameMac } from './frame-mac.js';
import { UNKNOWN_ANSWER_BYTES } from './held-requests.js';
import type { Stranger } from './greeter.js';
import { isLinkAddress, type LinkAddress, type LinkSubjects } from './link-address.js';
import type { LinkLimits } from './link-limits.js';
import { Pairing } from './pairing.js';
import { Outbox, type OutboxEnvironment } from './outbox.js';
import type { PeerGroup, PeerQuota, QuotaMember } from './peer-quota.js';
import { PendingRequests } from './pending-requests.js';
import { Reassembly, type ReassemblyBudget } from './reassembly.js';

export interface Peer<Reply> {
  readonly address: LinkAddress;
  readonly group: PeerGroup;
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
  /** What its answers have taken lately, and what those that are being made are expected to; see `held-requests.ts`. */
  usualAnswerBytes: number;
  expectedBytes: number;
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
  readonly clock: Clock;
  readonly random: Random;
  readonly own: LinkAddress;
  /** Derived from the secrets that this endpoint holds; undefined where it holds none. */
  readonly keys: readonly Uint8Array[] | undefined;
  readonly reassembly: ReassemblyBudget;
  readonly quota: PeerQuota;
}

export class PeerTable<Reply> {
  readonly #options: PeerTableOptions;
  readonly #peers = new Map<string, Peer<Reply>>();
  readonly #members = new Map<string, QuotaMember>();

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

  /** The peer that something is to be sent to; undefined if there is no room for one more. */
  at(address: LinkAddress): Peer<Reply> | undefined {
    return this.#peers.get(address) ?? this.#meet(address, -Infinity);
  }

  /** Takes up somebody that has named the nonce which it was told; undefined if there is no room for one more. */
  meet(address: LinkAddress, nonce: number): Peer<Reply> | undefined {
    return this.#meet(address, this.#options.clock.monotonicMs(), nonce);
  }

  /** Where an answer goes to a frame whose sender is not remembered. */
  stranger(header: FrameHeader, address: LinkAddress): Stranger {
    return { subject: this.#options.subjects.framesOf(address), header, mac: this.#macFor(address) };
  }

  /** Whether a frame that says it is of this address ends with the right MAC. Remembers nobody. */
  isProved(address: string, frame: Uint8Array): boolean {
    const mac = this.#peers.get(address)?.mac ?? (isLinkAddress(address) ? this.#macFor(address) : undefined);
    return mac?.verifies(frame) === true;
  }

  clear(): void {
    for (const address of [...this.#peers.keys()]) this.#forget(address);
  }

  #macFor(address: LinkAddress): FrameMac | undefined {
    const { keys, own } = this.#options;
    return keys === undefined ? undefined : new FrameMac(keys, own, address);
  }

  #meet(address: LinkAddress, metMs: number, nonce?: number): Peer<Reply> | undefined {
    const { subjects, outboxes, limits, clock, random, reassembly, quota } = this.#options;
    const group = quota.groupOf(address);
    if (!quota.hasRoom(group, clock.monotonicMs())) return undefined;
    const mac = this.#macFor(address);
    const pairing = new Pairing(() => random.u32(), nonce);
    const refusalPassword = toHex(random.bytes(8));
    const refusalPrefix = subjects.refusalsBy(address, refusalPassword);
    const peer: Peer<Reply> = {
      address,
      group,
      outbox: new Outbox(outboxes, { subject: subjects.framesOf(address), refusalPrefix, pairing, mac }),
      pending: new PendingRequests<Reply>(random.u32()),
      reassembly: new Reassembly(reassembly, limits.incomingBytes, group.name),
      pairing,
      mac,
      refusalPassword,
      isThere: false,
      executing: 0,
      usualAnswerBytes: UNKNOWN_ANSWER_BYTES,
      expectedBytes: 0,
      frameAgeMs: Infinity,
      token: undefined,
      wallMs: 0,
      heardAtMs: NaN,
    };
    this.#peers.set(address, peer);
    const member = memberOf(peer, metMs, () => this.#forget(address));
    this.#members.set(address, member);
    quota.add(member);
    return peer;
  }

  #forget(address: string): void {
    const member = this.#members.get(address);
    if (member !== undefined) this.#options.quota.remove(member);
    this.#members.delete(address);
    this.#peers.get(address)?.reassembly.reset();
    this.#peers.delete(address);
  }
}

function memberOf<Reply>(peer: Peer<Reply>, metMs: number, forget: () => void): QuotaMember {
  return {
    group: peer.group,
    metMs,
    get heardMs() {
      return peer.outbox.heardMs;
    },
    get standing() {
      if (peer.pending.size > 0 || peer.executing > 0 || !peer.outbox.idle) return 'busy';
      return peer.reassembly.active ? 'incomplete' : 'idle';
    },
    forget,
  };
}
