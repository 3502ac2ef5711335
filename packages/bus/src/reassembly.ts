/**
 * Puts messages together that were larger than a frame. A peer sends its large messages one after another and the bus keeps
 * its order, so there is at most one incomplete message per peer, its fragments come as 0, 1, 2, ..., and anything
 * else means that some were lost: then the rest is dropped and the requester runs into its deadline.
 *
 * Nothing is allocated on the word of a header: memory grows with bytes that really arrived, within a budget shared by all peers.
 */
import { concatBytes } from '@armature/kernel';

/** Bytes held in incomplete messages, of all peers of an endpoint. */
export class ReassemblyBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.limitBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

export type ReassemblyStep =
  | { readonly state: 'partial' }
  | { readonly state: 'complete'; readonly bytes: Uint8Array }
  /** These fragments lead nowhere. Said once per message. */
  | { readonly state: 'dropped'; readonly reason: string }
  /** One more of a message dropped before. */
  | { readonly state: 'ignored' };

const PARTIAL: ReassemblyStep = { state: 'partial' };
/** Why a message that would be larger than the endpoint takes is dropped. */
export const TOO_LARGE_TO_TAKE = 'the message is too large';
const IGNORED: ReassemblyStep = { state: 'ignored' };

export class Reassembly {
  readonly #budget: ReassemblyBudget;
  readonly #maxMessageBytes: number;
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #message = -1;
  #count = 0;
  #progressMs = 0;
  #dropped = -1;

  constructor(budget: ReassemblyBudget, maxMessageBytes: number) {
    this.#budget = budget;
    this.#maxMessageBytes = maxMessageBytes;
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
    if (this.#sizeBytes + bytes.length > this.#maxMessageBytes) return this.#drop(message, TOO_LARGE_TO_TAKE);
    if (!this.#budget.take(bytes.length)) return this.#drop(message, 'too many incomplete messages');
    this.#chunks.push(bytes);
    this.#sizeBytes += bytes.length;
    this.#progressMs = nowMs;
    if (this.#chunks.length < count) return PARTIAL;
    const whole = count === 1 ? bytes : concatBytes(this.#chunks);
    this.reset();
    return { state: 'complete', bytes: whole };
  }

  /** The peer has begun a new life, and counts its messages from the beginning. */
  renew(): void {
    this.reset();
    this.#dropped = -1;
  }

  /** Forgets what is incomplete. */
  reset(): void {
    this.#budget.give(this.#sizeBytes);
    this.#chunks = [];
    this.#sizeBytes = 0;
    this.#message = -1;
  }

  #drop(message: number, reason: string): ReassemblyStep {
    this.reset();
    this.#dropped = message;
    return { state: 'dropped', reason };
  }
}
