/**
 * A member's part in reaping: it says whether anything of a key is left here but the set in question, and takes what that set
 * does not need when it is told to: all of it, where it is a tombstone and nothing else, or the entries of its clock that have no
 * version (versioning/prune.ts).
 *
 * What could bring an old value back from here is one of four things: a record (at an owner, in any state but this; at another
 * node, any at all, left from a time when it was one), a hint, an operation under way that carries a state of the key in memory,
 * and, for a process that has just woken after standing still, whatever it was in the middle of. The last two are looked at
 * before the stores: an operation that ends in between has left its mark there.
 *
 * A member that clears anything has its store synced first. What it has read may have been written without waiting for the disk,
 * and a crash must not bring back what was there before: a value under the tombstone, a hint that was delivered, a stray record
 * that was handed over. With that sync it counts the clearing, and before anything is dropped it keeps the counts of all members:
 * so an old copy of a store that is put back later is told from the store (docs/decisions/0006-lost-stores.md).
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest } from '@armature/merkle';
import type {
  Clearance,
  ClearingCount,
  ClearReply,
  ClearRequest,
  DigestedEntry,
  DropReply,
  DropRequest,
  NoteReply,
  NoteRequest,
} from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import { decodeVersionSet, isDeleted } from '@armature/versioning';

/** The part of a replica that is needed here. */
export interface ReapedReplica {
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Whether it held exactly this set, and holds nothing now. */
  drop(address: Address, set: Uint8Array): Promise<boolean>;
  /** Whether it held exactly this set, and holds it with a pruned clock now. */
  prune(address: Address, set: Uint8Array): Promise<boolean>;
}

/** How often this member has cleared something, and others have. */
export interface Counts {
  /** False where this store may be a copy of another: then nothing is cleared. */
  readonly mayCount: boolean;
  /** The count with one clearing more. It is on stable storage after the next sync. */
  count(): Promise<ClearingCount>;
  /** Resolves when the counts are on stable storage. Rejects where this store has a smaller one. */
  note(counts: readonly ClearingCount[]): Promise<void>;
}

export interface ClearingEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly replica: ReapedReplica;
  /** Those of the addresses under which anything is kept for anybody. */
  readonly hinted: (addresses: readonly Address[]) => Promise<ReadonlySet<Address>>;
  /** Whether an operation under way here may hold a state of the key. */
  readonly isInHand: (address: Address) => boolean;
  /** Ms since this process last woke from standing still. */
  readonly steadyForMs: () => number;
  /** After standing still, nothing is cleared for so long: longer than an operation takes that is not in hand by name. */
  readonly settleMs: number;
  readonly counts: Counts;
  /** Resolves when all that was accepted before is on stable storage. */
  readonly sync: () => Promise<void>;
}

/** Entries in one question. */
const MAX_CLEARED = 1_000;

export class Clearing {
  readonly #env: ClearingEnv;

  constructor(env: ClearingEnv) {
    this.#env = env;
  }

  /** Errors: storage errors. The ring of the request is that of the present view. */
  async clear({ entries }: Pick<ClearRequest, 'entries'>): Promise<ClearReply> {
    checkCount(entries);
    const { hinted, isInHand, steadyForMs, settleMs, counts, sync } = this.#env;
    if (steadyForMs() < settleMs || !counts.mayCount)
      return { kind: 'clear', clearances: entries.map(() => 'unsettled'), counted: undefined };
    const inHand = new Set(entries.map(({ address }) => address).filter(isInHand));
    const kept = await hinted(entries.map(({ address }) => address));
    const clearances: Clearance[] = [];
    for (const entry of entries) {
      const { address } = entry;
      clearances.push(inHand.has(address) ? 'in-hand' : kept.has(address) ? 'hinted' : await this.#ofRecord(entry));
    }
    if (!clearances.includes('clear')) return { kind: 'clear', clearances, counted: undefined };
    const counted = await counts.count();
    await sync();
    return { kind: 'clear', clearances, counted };
  }

  /** Errors: those of `Counts.note`. */
  async note({ counts }: Pick<NoteRequest, 'counts'>): Promise<NoteReply> {
    await this.#env.counts.note(counts);
    return { kind: 'note' };
  }

  /** Errors: storage errors. */
  async drop({ entries }: Pick<DropRequest, 'entries'>): Promise<DropReply> {
    checkCount(entries);
    const dropped: boolean[] = [];
    for (const { address, digest } of entries) {
      const set = this.#isOwner(address) ? await this.#read(address) : undefined;
      const isIt = set !== undefined && set !== 'damaged' && entryDigest(address, set) === digest;
      dropped.push(isIt && (await this.#take(address, set)));
    }
    return { kind: 'drop', dropped };
  }

  /** What is taken of a set is a function of the set, so all owners that hold it take the same. */
  async #take(address: Address, set: Uint8Array): Promise<boolean> {
    const { replica } = this.#env;
    const decoded = decodeVersionSet(set);
    if (!decoded.ok) return false;
    return isDeleted(decoded.value) ? replica.drop(address, set) : replica.prune(address, set);
  }

  async #ofRecord({ address, digest }: DigestedEntry): Promise<Clearance> {
    const set = await this.#read(address);
    if (!this.#isOwner(address)) return set === undefined ? 'clear' : 'stray';
    return set !== undefined && set !== 'damaged' && entryDigest(address, set) === digest ? 'clear' : 'differs';
  }

  #isOwner(address: Address): boolean {
    const view = this.#env.view();
    const n = view.buckets.get(bucketOfAddress(address))?.n;
    return n !== undefined && view.placement(address, n).owners.includes(this.#env.node);
  }

  async #read(address: Address): Promise<Uint8Array | undefined | 'damaged'> {
    try {
      return await this.#env.replica.read(address);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (error.code === 'storage-corrupt') return 'damaged';
      throw error;
    }
  }
}

function checkCount(entries: readonly DigestedEntry[]): void {
  if (entries.length > MAX_CLEARED)
    throw new ArmatureError('invalid-argument', `more than ${MAX_CLEARED} entries in one question`);
}
