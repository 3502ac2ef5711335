/**
 * How many peers are remembered, and who makes room for others.
 *
 * Peers come in *groups*: applications and clients are told apart by a part of their address that NATS permissions bind to a
 * user, since only he can hear what is sent there (`guest.<group>.<random>`). One group gets no more than its share. When it has
 * that, those of its own make room; when all groups together have too many, any do. Those that have been silent the longest go
 * first, and those in whose name something is under way never: then there is no room for one more.
 *
 * Who has only said something is no peer yet and is not counted (`greeter.ts`): all these have shown that they can hear at their
 * address.
 *
 * Several endpoints of a process may share one quota, as the front doors of a router do.
 */
import { NONCE_LIFE_MS } from './greeter.js';

/** Peers that stand and fall together. */
export interface PeerGroup {
  readonly name: string;
  /** At all endpoints that share the quota. */
  peers: number;
  /** Requests of theirs that are being answered, and the bytes of the buffers that these came in (`requests-in-hand.ts`). */
  executing: number;
  executingBytes: number;
  /** All groups of the quota. */
  readonly all: { executingBytes: number };
}

/** One that is counted. */
export interface QuotaMember {
  readonly group: PeerGroup;
  /**
   * By our monotonic clock: when it was taken up by a nonce that it had been told without being remembered; -Infinity where it
   * never was.
   */
  readonly metMs: number;
  /** When it was last heard. */
  readonly heardMs: number;
  /** Nothing is under way with it; a part of a message has come, and no more; or somebody waits. */
  readonly standing: 'idle' | 'incomplete' | 'busy';
  forget(): void;
}

export interface QuotaLimits {
  readonly peers: number;
  readonly peersPerGroup: number;
}

/** To look for whom to forget takes a look at all: so some are forgotten at once. */
const FORGOTTEN_SHARE = 1 / 16;

/** `guest.shop` of `guest.shop.k3j9`; of an address without a group, its role. */
export function groupOf(address: string): string {
  const tokens = address.split('.');
  return tokens.slice(0, Math.max(1, tokens.length - 1)).join('.');
}

export class PeerQuota {
  readonly #limits: QuotaLimits;
  readonly #groups = new Map<string, PeerGroup>();
  readonly #members = new Set<QuotaMember>();
  readonly #all = { executingBytes: 0 };

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** The group of an address. It is remembered while anybody of it is. */
  groupOf(address: string): PeerGroup {
    const name = groupOf(address);
    return this.#groups.get(name) ?? { name, peers: 0, executing: 0, executingBytes: 0, all: this.#all };
  }

  /** Whether there is room for one more of the group, once those that nobody misses have been forgotten. */
  hasRoom(group: PeerGroup, nowMs: number): boolean {
    const { peers, peersPerGroup } = this.#limits;
    if (group.peers >= peersPerGroup && !this.#forgetSome(peersPerGroup, nowMs, (one) => one.group === group)) return false;
    return this.#members.size < peers || this.#forgetSome(peers, nowMs, () => true);
  }

  add(member: QuotaMember): void {
    this.#members.add(member);
    this.#groups.set(member.group.name, member.group);
    member.group.peers++;
  }

  remove(member: QuotaMember): void {
    if (!this.#members.delete(member)) return;
    member.group.peers--;
    if (member.group.peers === 0) this.#groups.delete(member.group.name);
  }

  #forgetSome(limit: number, nowMs: number, concerns: (member: QuotaMember) => boolean): boolean {
    const mayGo = [...this.#members].filter((one) => concerns(one) && one.metMs + NONCE_LIFE_MS < nowMs);
    const idle = mayGo.filter(({ standing }) => standing === 'idle');
    const going = idle.length > 0 ? idle : mayGo.filter(({ standing }) => standing === 'incomplete');
    const silentFirst = going.sort((a, b) => a.heardMs - b.heardMs);
    for (const one of silentFirst.slice(0, Math.ceil(limit * FORGOTTEN_SHARE))) one.forget();
    return going.length > 0;
  }
}
