/**
 * The quarantine of reaping: which tombstones, and entries of clocks, were found unneeded everywhere, and since when.
 *
 * That every member has been asked and has nothing but the set in question says what is stored, and what operations have in hand.
 * It says nothing of messages that are still on their way: a repair that a router sent just before, a merge in the queue of a
 * slow connection. The set itself absorbs these as long as it is whole. So it stays for a while after it was first found
 * unneeded, and must then be found so again, in the same state and under the same ring: a time that outlives messages, as
 * TIME_WAIT does in TCP. The condition decides; the time only lets stragglers arrive.
 *
 * It is a memory of one node, bounded, and lost when the node ends. Whatever is forgotten begins anew, and costs only time.
 */
import type { BinaryString } from '@armature/kernel';
import type { DigestedEntry, RingVersion } from '@armature/protocol';
import type { Address } from '@armature/ring';

/** Names a partition and N. */
export type ShareName = string;

interface Remembered {
  readonly digest: BinaryString;
  readonly ring: RingVersion;
  /** When it was first found unneeded in this state, monotonic ms. */
  readonly sinceMs: number;
  /** When it was last a candidate, cleared or not. */
  seenMs: number;
}

export interface QuarantineLimits {
  readonly quarantineMs: number;
  /** Bytes that it may take, about. */
  readonly sizeBytes: number;
}

/** Two places in maps, a digest, a ring, two times: what an entry costs beside its address, roughly. */
const ENTRY_BYTES = 250;

export interface Verdict<E extends DigestedEntry> {
  /** Long enough in quarantine: these may go. */
  readonly due: readonly E[];
  readonly waiting: number;
  /** Not remembered for want of room. */
  readonly full: number;
}

export class Quarantine {
  readonly #limits: QuarantineLimits;
  readonly #shares = new Map<ShareName, Map<Address, Remembered>>();
  #size = 0;
  #sizeBytes = 0;

  constructor(limits: QuarantineLimits) {
    this.#limits = limits;
  }

  /** Entries remembered now. */
  get size(): number {
    return this.#size;
  }

  /** These are candidates now, in these states: what is remembered of them in another state is void. */
  note(share: ShareName, candidates: readonly DigestedEntry[], nowMs: number): void {
    const known = this.#shares.get(share);
    if (known === undefined) return;
    for (const { address, digest } of candidates) {
      const remembered = known.get(address);
      if (remembered === undefined) continue;
      if (remembered.digest === digest) remembered.seenMs = nowMs;
      else this.forget(share, address);
    }
  }

  /** These were cleared by every member just now. */
  judge<E extends DigestedEntry>(share: ShareName, ring: RingVersion, cleared: readonly E[], nowMs: number): Verdict<E> {
    const due: E[] = [];
    let waiting = 0;
    let full = 0;
    for (const entry of cleared) {
      const remembered = this.#shares.get(share)?.get(entry.address);
      const isSame = remembered?.digest === entry.digest && remembered.ring === ring;
      if (isSame && nowMs - remembered.sinceMs >= this.#limits.quarantineMs) due.push(entry);
      else if (isSame) waiting++;
      else if (remembered === undefined && this.#sizeBytes + costOf(entry.address) > this.#limits.sizeBytes) full++;
      else {
        this.#remember(share, entry.address, { digest: entry.digest, ring, sinceMs: nowMs, seenMs: nowMs });
        waiting++;
      }
    }
    return { due, waiting, full };
  }

  /** Reaped, or no candidate any more. */
  forget(share: ShareName, address: Address): void {
    const known = this.#shares.get(share);
    if (known?.delete(address) !== true) return;
    this.#size--;
    this.#sizeBytes -= costOf(address);
    if (known.size === 0) this.#shares.delete(share);
  }

  /** A whole pass over the share, begun at `sinceMs`, is done: what it has not come across is no candidate. */
  prune(share: ShareName, sinceMs: number): void {
    for (const [address, { seenMs }] of this.#shares.get(share) ?? []) if (seenMs < sinceMs) this.forget(share, address);
  }

  /** Forgets the shares that are another node's business now. */
  keepOnly(isOurs: (share: ShareName) => boolean): void {
    for (const [share, known] of this.#shares) {
      if (isOurs(share)) continue;
      this.#size -= known.size;
      for (const address of known.keys()) this.#sizeBytes -= costOf(address);
      this.#shares.delete(share);
    }
  }

  #remember(share: ShareName, address: Address, remembered: Remembered): void {
    const known = this.#shares.get(share) ?? new Map<Address, Remembered>();
    this.#shares.set(share, known);
    if (!known.has(address)) {
      this.#size++;
      this.#sizeBytes += costOf(address);
    }
    known.set(address, remembered);
  }
}

function costOf(address: Address): number {
  return ENTRY_BYTES + address.length;
}
