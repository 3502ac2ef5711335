/**
 * The requests to one peer that have no answer yet, by id. Ids count upwards (modulo 2^32), so the low bits of an id are its
 * slot in a table of twice the size ever needed: a hash table without hashing. A slot still held by a slow old
 * request is stepped over.
 *
 * Deadlines need no timer each and no wheel: the table keeps a lower bound of its earliest deadline, and is swept only
 * when that has passed. Under steady load with equal timeouts that is one sweep per timeout, not one per request.
 */
import { assert } from '@armature/kernel';

/** Where a message went on the bus: the numbers of the frames that carried it. */
export interface Carried {
  /** -1 until something of it was published. */
  firstFrame: number;
  lastFrame: number;
  /** Whether anybody still waits for it; if not, the rest need not be sent. */
  wanted: boolean;
}

export interface PendingRequest<Reply> extends Carried {
  readonly id: number;
  readonly deadlineMs: number;
  /** What was asked, to be sent again if need be. */
  readonly message: unknown;
  /** How often it has been sent again. */
  readonly repeats: number;
  sizeBytes: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

const FIRST_SLOTS = 32;

export class PendingRequests<Reply> {
  #slots: (PendingRequest<Reply> | undefined)[] = new Array<PendingRequest<Reply> | undefined>(FIRST_SLOTS).fill(undefined);
  #mask = FIRST_SLOTS - 1;
  #size = 0;
  #nextId: number;
  #sizeBytes = 0;
  #earliestMs = Infinity;

  /** `firstId` should be random, so that ids of two lives of one endpoint rarely meet. */
  constructor(firstId: number) {
    this.#nextId = firstId >>> 0;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of all of them as they went out. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** No request here is due before this. */
  get earliestDeadlineMs(): number {
    return this.#earliestMs;
  }

  add(
    deadlineMs: number,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
    message?: unknown,
    repeats = 0,
  ): PendingRequest<Reply> {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    while (this.#slots[this.#nextId & this.#mask] !== undefined) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const pending: PendingRequest<Reply> = {
      id,
      deadlineMs,
      message,
      repeats,
      sizeBytes: 0,
      firstFrame: -1,
      lastFrame: -1,
      wanted: true,
      resolve,
      reject,
    };
    this.#slots[id & this.#mask] = pending;
    this.#size++;
    if (deadlineMs < this.#earliestMs) this.#earliestMs = deadlineMs;
    return pending;
  }

  /** Records how large a request was, once it has been encoded. */
  measure(pending: PendingRequest<Reply>, sizeBytes: number): void {
    assert(pending.wanted, 'a request is measured while it is pending');
    this.#sizeBytes += sizeBytes - pending.sizeBytes;
    pending.sizeBytes = sizeBytes;
  }

  /** Takes the request of this id out; undefined when there is none (any more). */
  take(id: number): PendingRequest<Reply> | undefined {
    const slot = id & this.#mask;
    const pending = this.#slots[slot];
    if (pending?.id !== id) return undefined;
    this.#remove(slot, pending);
    return pending;
  }

  /** Takes out all that `matches`. */
  takeWhere(matches: (pending: PendingRequest<Reply>) => boolean): PendingRequest<Reply>[] {
    const taken: PendingRequest<Reply>[] = [];
    let earliestMs = Infinity;
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const pending = this.#slots[slot];
      if (pending === undefined) continue;
      if (matches(pending)) {
        this.#remove(slot, pending);
        taken.push(pending);
      } else if (pending.deadlineMs < earliestMs) {
        earliestMs = pending.deadlineMs;
      }
    }
    this.#earliestMs = earliestMs;
    return taken;
  }

  /** Takes out all whose deadline has passed. */
  takeExpired(nowMs: number): PendingRequest<Reply>[] {
    return nowMs < this.#earliestMs ? [] : this.takeWhere((pending) => pending.deadlineMs <= nowMs);
  }

  #remove(slot: number, pending: PendingRequest<Reply>): void {
    this.#slots[slot] = undefined;
    this.#size--;
    this.#sizeBytes -= pending.sizeBytes;
    pending.wanted = false;
    if (this.#size === 0) this.#earliestMs = Infinity;
  }

  /** Ids that differ modulo n differ modulo 2n, so nothing collides on the way. */
  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array<PendingRequest<Reply> | undefined>(old.length * 2).fill(undefined);
    this.#mask = this.#slots.length - 1;
    for (const pending of old) if (pending !== undefined) this.#slots[pending.id & this.#mask] = pending;
  }
}
