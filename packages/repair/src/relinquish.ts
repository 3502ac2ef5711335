/**
 * Relinquishing: a node gives up data of partitions that it does not own any more (paper, section 4.9: nodes offer to transfer
 * key ranges they are not in charge of, and give them up upon confirmation).
 *
 * When a partition flips, its new owners hold all that was acknowledged. Still, what the former owner has may be the only copy of
 * something: a write that met no quorum, or data of a partition that lost all its owners. So nothing is deleted on the word of
 * the membership. Page by page, under one view and only when no owner is still to come, every owner is asked for the digests of
 * the same keys. What an owner holds in the very same state is verified there, and on stable storage, for an owner syncs before
 * it answers with digests; everything else it is given, to merge onto stable storage, and its acknowledgement counts as well.
 * Only what all owners were found to hold is dropped here, and only if it is still what was verified. An owner that is down keeps
 * everything where it is, until the next try. A set that no message can carry stays here until it is made smaller, and keeps no
 * other here.
 *
 * A node that becomes an owner again while it drops would find keys missing that it has just been found to hold; so nothing is
 * dropped once the view has changed, and the filler waits until drops that were under way have ended.
 */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest } from '@armature/merkle';
import { transferTimeMs, type DigestsReply, type ReplyTo, type SynchronisationRequest } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { SliceBudget, type Replica, type TakeSlice } from '@armature/replica';
import type { Clock, Logger } from '@armature/runtime';
import { MAX_DIGESTS, type LocalShare } from './local-share.js';
import { askPatiently, PeerFailure, problemText, tooLargeToCarry, type AskPeer } from './peer-questions.js';
import { Rounds } from './rounds.js';
import { dutyOf, findStrays, isStray, type StraySearchEnv } from './stray-shares.js';
import type { TransferPace } from './token-bucket.js';
import type { TransferLedger } from './transfer-ledger.js';
import type { TreeKeeper } from './tree-keeper.js';

export interface RelinquisherEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly ask: AskPeer;
  readonly isSuspect: (node: NodeId) => boolean;
  /**
   * Whether the store is known to be this node's of now: what is left from an earlier life, or is about to be discarded, is
   * neither built on nor handed on.
   */
  readonly isOwnStore: () => boolean;
  readonly local: Pick<LocalShare, 'digests' | 'sets' | 'held'>;
  readonly trees: Pick<TreeKeeper, 'sizeOf'>;
  readonly replica: Pick<Replica, 'page' | 'drop'>;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly pace: TransferPace;
  readonly ledger: TransferLedger;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What one page is about: the keys in a range of a partition and N, and who is to have them. */
interface Scope {
  readonly view: View;
  readonly partition: PartitionId;
  readonly n: number;
  readonly owners: readonly NodeId[];
}

type Entries = DigestsReply['entries'];

/** What an owner has of what was listed, and the error of a set that could not be sent to it. */
interface Handed {
  readonly addresses: ReadonlySet<Address>;
  readonly stuck: ArmatureError | undefined;
}

const HANDED_AT_ONCE = 128;
const RETRY_MS = 5_000;

export class Relinquisher {
  readonly #env: RelinquisherEnv;
  readonly #search: StraySearchEnv;
  readonly #rounds: Rounds;
  #dropping: Promise<unknown> = Promise.resolve();
  /** Ring version under which the last round found nothing to give up, or gave it all up. */
  #clearUnder: number | undefined;

  constructor(env: RelinquisherEnv) {
    this.#env = env;
    this.#rounds = new Rounds({ clock: env.clock, round: () => this.#round(), retryMs: RETRY_MS });
    const { node, trees, replica, slice } = env;
    this.#search = { node, trees, replica, budget: new SliceBudget(slice, 'fill') };
  }

  /**
   * Looks for data to give up. Call it at the start, on every change of the view, and when the store has turned out to be its
   * own.
   */
  wake(): void {
    this.#rounds.wake();
  }

  stop(): void {
    this.#rounds.stop();
  }

  /** Whether nothing is held here, under the present view, that is others'. */
  get isClear(): boolean {
    return this.#clearUnder === this.#env.view().ringVersion;
  }

  /** Resolves when the drops that an earlier view allowed have ended; under a view that wants the data here no others begin. */
  async dropsEnded(): Promise<void> {
    await this.#dropping;
  }

  async #round(): Promise<boolean> {
    if (!this.#env.isOwnStore()) return true;
    let isClear = false;
    let problem = '';
    try {
      isClear = await this.#giveUpAll();
    } catch (thrown) {
      problem = problemText(toArmatureError(thrown));
    }
    if (problem !== '') this.#env.log.info({ problem }, 'data of others stays here for now');
    this.#env.ledger.problem('relinquishing', problem);
    return isClear;
  }

  /**
   * Whether all is given up, as far as hash trees that are built can tell. Rejects with the first problem, after all else has
   * been tried.
   */
  async #giveUpAll(): Promise<boolean> {
    const view = this.#env.view();
    const found = await findStrays(this.#search, view);
    const strays = new Map(found.strays);
    this.#env.ledger.strays(strays.size);
    const problems: unknown[] = [];
    for (const [partition, ns] of [...strays]) {
      for (const n of ns) {
        if (this.#rounds.isStopped || this.#hasTurned(view)) return false;
        if (dutyOf(view, this.#env.node, partition, n) !== 'relinquish') continue;
        await this.#relinquish({ view, partition, n, owners: view.placementOf(partition, n).owners }).catch((thrown: unknown) =>
          problems.push(thrown),
        );
      }
      if (!(await isStray(this.#search, view, partition, ns))) strays.delete(partition);
      this.#env.ledger.strays(strays.size);
    }
    const isClear = strays.size === 0 && found.isAll;
    if (isClear) this.#clearUnder = view.ringVersion;
    if (problems.length > 0) throw problems[0];
    return isClear;
  }

  #hasTurned(view: View): boolean {
    return this.#env.view().ringVersion !== view.ringVersion;
  }

  async #relinquish(scope: Scope): Promise<void> {
    const { view, partition, n, owners } = scope;
    const down = owners.find((owner) => this.#env.isSuspect(owner));
    if (down !== undefined) throw new ArmatureError('unavailable', `${down} owns partition ${partition} and seems to be down`);
    if (view.ring === undefined) return;
    const { start, end } = view.ring.rangeOf(partition);
    let dropped = 0;
    let problem: ArmatureError | undefined;
    for (
      let cursor: BinaryString | undefined = start;
      cursor !== undefined && !this.#rounds.isStopped && !this.#hasTurned(view);
    ) {
      await this.#search.budget.ready();
      const query = { partition, n, bucket: undefined, start: cursor, end, limit: MAX_DIGESTS };
      const ours: DigestsReply = await this.#env.local.digests(query);
      this.#search.budget.spend(ours.entries.length);
      if (ours.entries.length > 0) {
        const given = await this.#giveUp(scope, ours.entries, { start: cursor, end: ours.next ?? end });
        dropped += given.dropped;
        problem = given.problem ?? problem;
      }
      cursor = ours.next;
    }
    if (dropped > 0) this.#env.log.info({ partition, n, dropped }, 'data handed over to its owners was dropped');
    if (problem !== undefined) throw problem;
  }

  /**
   * How many were dropped, and why not all. Rejects, and has dropped nothing, where an owner could not be asked or given
   * something.
   */
  async #giveUp(
    scope: Scope,
    entries: Entries,
    range: { readonly start: BinaryString; readonly end: BinaryString | undefined },
  ): Promise<{ dropped: number; problem: ArmatureError | undefined }> {
    const verified = await Promise.all(scope.owners.map((owner) => this.#verify(scope, owner, entries, range)));
    const everywhere = entries.filter(({ address }) => verified.every((at) => at.addresses.has(address)));
    const dropped = await this.#drop(scope.view, everywhere);
    this.#env.ledger.relinquished(dropped);
    if (everywhere.length === entries.length) return { dropped, problem: undefined };
    const refused = new ArmatureError(
      'unavailable',
      `not all owners of partition ${scope.partition} could merge what they were given`,
      { remedy: 'See the logs of the owners. It is tried again by itself.' },
    );
    return { dropped, problem: verified.find(({ stuck }) => stuck !== undefined)?.stuck ?? refused };
  }

  /** Which of the entries the owner holds as we do, or has merged; `stuck`: why it could not be given one of them. */
  async #verify(
    scope: Scope,
    owner: NodeId,
    entries: Entries,
    { start, end }: { readonly start: BinaryString; readonly end: BinaryString | undefined },
  ): Promise<Handed> {
    const { view, partition, n } = scope;
    const there = new Map<Address, BinaryString>();
    for (let cursor: BinaryString | undefined = start; cursor !== undefined;) {
      const query = { ring: view.ringVersion, partition, n, bucket: undefined, start: cursor, end, limit: MAX_DIGESTS };
      const page: DigestsReply = await this.#ask(owner, { kind: 'digests', ...query });
      for (const { address, digest } of page.entries) there.set(address, digest);
      if (page.next !== undefined && page.next <= cursor) {
        throw new PeerFailure(owner, new ArmatureError('internal', 'sends a page without an end'));
      }
      cursor = page.next;
    }
    const lacking = entries.filter(({ address, digest }) => there.get(address) !== digest);
    const same = entries.filter(({ address, digest }) => there.get(address) === digest).map(({ address }) => address);
    const { addresses, stuck } = await this.#handOver(view, owner, lacking);
    return { addresses: new Set([...same, ...addresses]), stuck };
  }

  /** Those of the entries, in the state they were listed in, that the owner has merged. */
  async #handOver(view: View, owner: NodeId, entries: Entries): Promise<Handed> {
    const { local, pace, ledger } = this.#env;
    const merged = new Set<Address>();
    let stuck: ArmatureError | undefined;
    for (let done = 0; done < entries.length && !this.#rounds.isStopped;) {
      const listed = entries.slice(done, done + HANDED_AT_ONCE);
      const sets = await local.sets(listed.map(({ address }) => address)).then((reply) => reply.sets, tooLargeToCarry);
      if (sets instanceof ArmatureError) {
        stuck = sets;
        done++; // the first of those listed
        continue;
      }
      const given = sets.flatMap((set, place) => {
        const entry = listed[place];
        const isAsListed = entry !== undefined && set !== undefined && entryDigest(entry.address, set) === entry.digest;
        return isAsListed ? [{ address: entry.address, set }] : [];
      });
      done += Math.max(1, sets.length);
      if (given.length === 0) continue;
      await pace.ready();
      const bytes = given.reduce((sum, { address, set }) => sum + address.length + set.length, 0);
      const question = { kind: 'absorb', ring: view.ringVersion, durable: true, entries: given } as const;
      const { refused } = await this.#ask(owner, question, transferTimeMs(bytes));
      pace.spend(bytes);
      ledger.handedOver(given.length, bytes);
      if (refused === 0) for (const { address } of given) merged.add(address);
    }
    return { addresses: merged, stuck };
  }

  async #drop(view: View, entries: Entries): Promise<number> {
    let dropped = 0;
    for (let done = 0; done < entries.length;) {
      const listed = entries.slice(done, done + HANDED_AT_ONCE);
      const sets = await this.#env.local.held(listed.map(({ address }) => address));
      if (sets.length === 0 || this.#rounds.isStopped || this.#hasTurned(view)) return dropped;
      const drops = sets.map((set, place) => this.#dropOne(listed[place], set));
      const settled = Promise.allSettled(drops);
      this.#dropping = settled;
      for (const one of await settled) {
        if (one.status === 'rejected') throw toArmatureError(one.reason);
        if (one.value) dropped++;
      }
      done += sets.length;
    }
    return dropped;
  }

  /** Unless its state is not the one that was listed any more. */
  async #dropOne(entry: Entries[number] | undefined, set: Uint8Array | undefined): Promise<boolean> {
    if (entry === undefined || set === undefined || entryDigest(entry.address, set) !== entry.digest) return false;
    return this.#env.replica.drop(entry.address, set);
  }

  #ask<Q extends SynchronisationRequest>(owner: NodeId, request: Q, moreMs = 0): Promise<ReplyTo<Q>> {
    const { ask, clock } = this.#env;
    const patience = { ask, clock, isStopped: () => this.#rounds.isStopped };
    // Under one view: where the ring has turned, all that was verified is void, and the next round begins anew.
    return askPatiently(
      patience,
      owner,
      () => request,
      ({ code }) => code === 'overloaded',
      moreMs,
    );
  }
}
