/**
 * Puts messages together that were larger than a frame. A peer sends its large messages one after another and the bus keeps
 * its order, so there is at most one incomplete message per peer, its fragments come as 0, 1, 2, ..., and anything
 * else means that some were lost: then the rest is dropped and the requester runs into its deadline.
 *
 * Nothing is allocated on the word of a header: memory grows with bytes that really arrived, within a budget shared by all peers.
 * What a fragment takes up besides its bytes counts too, or a million fragments of a byte each would hold a hundred times what
 * the budget allows; one that is a small part of a large frame is copied, so that it does not hold the rest.
 *
 * A group of peers (`peer-quota.ts`) gets no more than its share of the budget. Where there is no room, messages of which nothing
 * has come for seconds are dropped first; those that get on are not, else none would ever become whole.
 */
import { concatBytes } from '@armature/kernel';

/** An incomplete message of which nothing has come for so long makes room for others, ms. */
export const STALLED_MS = 2_000;

/** Bytes held in incomplete messages, of all peers of an endpoint. */
export class ReassemblyBudget {
  readonly limitBytes: number;
  readonly #groupBytes: number;
  /** The one that has got on least lately is first. */
  readonly #incomplete = new Set<Reassembly>();
  readonly #byGroup = new Map<string, number>();
  #usedBytes = 0;

  /** `groupBytes`: what one group may take of it. */
  constructor(limitBytes: number, groupBytes = limitBytes) {
    this.limitBytes = limitBytes;
    this.#groupBytes = groupBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** For one more fragment of this message, at this time. */
  take(taker: Reassembly, bytes: number, nowMs: number): boolean {
    const { group } = taker;
    const isFull = (): boolean => this.#usedBytes + bytes > this.limitBytes;
    const isShareFull = (): boolean => (this.#byGroup.get(group) ?? 0) + bytes > this.#groupBytes;
    for (const one of isFull() || isShareFull() ? this.#incomplete : []) {
      if (one.progressMs + STALLED_MS > nowMs || !(isFull() || isShareFull())) break;
      if (one !== taker && (isFull() || one.group === group)) one.reset();
    }
    if (isFull() || isShareFull()) return false;
    this.#add(group, bytes);
    this.#incomplete.delete(taker); // to the end
    this.#incomplete.add(taker);
    return true;
  }

  giveBack(giver: Reassembly, bytes: number): void {
    if (!this.#incomplete.delete(giver)) return;
    this.#add(giver.group, -bytes);
  }

  #add(group: string, bytes: number): void {
    this.#usedBytes += bytes;
    const sum = (this.#byGroup.get(group) ?? 0) + bytes;
    if (sum === 0) this.#byGroup.delete(group);
    else this.#byGroup.set(group, sum);
  }
}

export type ReassemblyStep =
  | { readonly state: 'partial' }
  | { readonly state: 'complete'; readonly bytes: Uint8Array }
  /**
   * These fragments lead nowhere. Said once per message. `first` is its first fragment, where there is no room for the message:
   * whoever waits for an answer can be told.
   */
  | { readonly state: 'dropped'; readonly reason: string; readonly first?: Uint8Array }
  /** One more of a message dropped before. */
  | { readonly state: 'ignored' };

const PARTIAL: ReassemblyStep = { state: 'partial' };
/** A view of a buffer, and its place in a list. */
export const FRAGMENT_OVERHEAD_BYTES = 192;
/** Why messages are dropped for which there is no room: they are larger than the endpoint takes, or others take it up. */
export const TOO_LARGE_TO_TAKE = 'the message is too large';
const TOO_MANY_TO_TAKE = 'too many incomplete messages';
const IGNORED: ReassemblyStep = { state: 'ignored' };

export class Reassembly {
  /** Of the peer whose messages these are. */
  readonly group: string;
  readonly #budget: ReassemblyBudget;
  readonly #maxMessageBytes: number;
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  /** Taken from the budget. */
  #heldBytes = 0;
  #message = -1;
  #count = 0;
  #progressMs = 0;
  #dropped = -1;

  constructor(budget: ReassemblyBudget, maxMessageBytes: number, group: string) {
    this.#budget = budget;
    this.#maxMessageBytes = maxMessageBytes;
    this.group = group;
  }

  /** Whether part of a message is held. */
  get active(): boolean {
    return this.#message !== -1;
  }

  /** When the last fragment arrived; meaningful while active. */
  get progressMs(): number {
    return this.#progressMs;
  }

  accept(message: number, index: number, count: number, bytes: Uint8Array, nowMs: number): ReassemblyStep {
    if (message === this.#dropped && message !== this.#message) return IGNORED;
    if (index === 0 && message !== this.#message) {
      this.reset(); // an older one that never became complete
      this.#message = message;
      this.#count = count;
    }
    if (message !== this.#message || index !== this.#chunks.length || count !== this.#count || index >= count) {
      return this.#drop(message, 'a fragment was lost');
    }
    if (bytes.length === 0) return this.#drop(message, 'a fragment is empty');
    if (this.#sizeBytes + bytes.length > this.#maxMessageBytes) return this.#noRoom(message, TOO_LARGE_TO_TAKE, bytes);
    const heldBytes = bytes.length + FRAGMENT_OVERHEAD_BYTES;
    if (!this.#budget.take(this, heldBytes, nowMs)) return this.#noRoom(message, TOO_MANY_TO_TAKE, bytes);
    this.#heldBytes += heldBytes;
    this.#sizeBytes += bytes.length;
    this.#progressMs = nowMs;
    if (index + 1 === count) return this.#complete(bytes);
    this.#chunks.push(bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes);
    return PARTIAL;
  }

  /** The peer has begun a new life, and counts its messages from the beginning. */
  renew(): void {
    this.reset();
    this.#dropped = -1;
  }

  /** Forgets what is incomplete. */
  reset(): void {
    this.#budget.giveBack(this, this.#heldBytes);
    this.#chunks = [];
    this.#sizeBytes = 0;
    this.#heldBytes = 0;
    this.#message = -1;
  }

  #complete(last: Uint8Array): ReassemblyStep {
    const bytes = this.#chunks.length === 0 ? last : concatBytes([...this.#chunks, last]);
    this.reset();
    return { state: 'complete', bytes };
  }

  #noRoom(message: number, reason: string, bytes: Uint8Array): ReassemblyStep {
    const first = this.#chunks[0] ?? bytes;
    return { ...this.#drop(message, reason), first };
  }

  #drop(message: number, reason: string): ReassemblyStep & { readonly state: 'dropped' } {
    this.reset();
    this.#dropped = message;
    return { state: 'dropped', reason };
  }
}
